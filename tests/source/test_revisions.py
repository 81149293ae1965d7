"""What differs between two revisions, and that nothing else is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.source import manifests
from hrctl.source.blobs import Blobs
from hrctl.source.chunks import Chunk
from hrctl.source.manifests import Manifests
from hrctl.source.revisions import Pair, changed_paths, pairs, sides

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

ROOT = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\nspec: {level: ROOT}\n"
SERVICE = """\
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {{name: s{0}}}
spec: {{type: API, command: c{1}}}
"""


def between(folder: ProjectFolder, old: str, new: str | None) -> list[Pair]:
    with Blobs(folder.root) as blobs:
        there = Manifests(blobs)
        paths = changed_paths(folder.root, old, new, ".", there)
        before, after = sides(folder.root, old, new, paths, there)
        return pairs(before, after, paths, there)


@pytest.mark.parametrize("committed", [True, False])
def test_only_documents_that_differ_are_parsed(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    text = "".join(SERVICE.format(n, n) for n in range(100))
    folder.write({"registry.yaml": ROOT, "a.yaml": text, "b.yaml": text.replace("s", "t")})
    old = folder.commit()
    folder.write({"a.yaml": text.replace("command: c7}", "command: other}")})
    new = folder.commit() if committed else None
    parsed: list[str] = []
    real = manifests._read

    def counted(chunk: Chunk, path: str) -> Any:
        parsed.append(path)
        return real(chunk, path)

    monkeypatch.setattr(manifests, "_read", counted)
    found = between(folder, old, new)
    assert [one.role.address for one in found] == ["acme:Service/s7"]
    assert sorted(parsed) == ["a.yaml", "a.yaml", "registry.yaml"]


def test_a_registry_with_another_name_is_the_same_file(folder: ProjectFolder) -> None:
    shop = ROOT.replace("acme", "shop").replace("ROOT", "PROJECT")
    folder.write({"registry.yaml": ROOT, "shop/registry.yaml": shop})
    old = folder.commit()
    folder.write({"shop/registry.yaml": shop.replace("shop", "market")})
    (found,) = between(folder, old, folder.commit())
    assert (found.old is not None, found.role.address) == (True, "acme/market:Registry/market")
    assert found.is_moved


def test_comments_order_and_files_are_no_difference(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, "a.yaml": SERVICE.format(1, 1) + SERVICE.format(2, 2)})
    old = folder.commit()
    (folder.root / "a.yaml").unlink()
    changed = SERVICE.format(1, 1).replace("spec: {type: API, ", "spec: # why\n  {type: API,\n  ")
    folder.write({"c d.yaml": SERVICE.format(2, 2), "é.yaml": changed})
    assert between(folder, old, folder.commit()) == []
