"""A cache that is right spares work; one that is damaged changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.source import git, load, parse, project
from hrctl.source.cache import FORMAT, Cache, pack, unpack

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder

ROOT = """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: acme}
spec: {level: ROOT, defaults: {Service: {replicas: 2}}}
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: app}
spec: {scope: GLOBAL, entries: {LEVEL: {type: STRING, value: info}}}
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: every, instances: ENVIRONMENT}
spec: {type: API, env: {LEVEL: {valueFrom: {config: app, key: LEVEL}}}}
"""
PROD = """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: prod}
spec: {level: ENVIRONMENT}
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api}
spec: {type: API}
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: web}
spec: {type: API}
"""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the documents that are parsed, as they are."""
    names: list[str] = []
    original = parse.parse_chunk

    def note(chunk: Any, path: str) -> Any:
        value, problems = original(chunk, path)
        names.append(value["metadata"]["name"] if value else path)
        return value, problems

    monkeypatch.setattr(parse, "parse_chunk", note)
    return names


def seen(folder: ProjectFolder) -> tuple[Any, ...]:
    tree = (loaded := folder.load()).tree
    bodies = {address: tree.resource(address) for address in tree.rows}
    folder.close()
    return loaded.diagnostics, tree.digest, dict(tree.rows), bodies


def test_a_second_run_parses_nothing(folder: ProjectFolder, parsed: list[str]) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    folder.commit()
    first = seen(folder)
    assert sorted(parsed) == ["acme", "acme", "api", "app", "every", "prod", "web"]
    parsed.clear()
    assert seen(folder) == first
    assert parsed == []


def test_of_a_changed_file_only_what_changed_is_parsed(
    folder: ProjectFolder, parsed: list[str]
) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    folder.load()
    folder.close()
    parsed.clear()
    folder.write({"prod/registry.yaml": PROD.replace("name: web}", "name: web, labels: {a: b}}")})
    folder.load()
    folder.close()
    assert parsed == ["web"]
    parsed.clear()
    folder.write({"registry.yaml": ROOT.replace("spec: {type: API,", "spec: {type: WORKER,")})
    folder.load()
    assert parsed == ["every"], "what registries below inherit is not parsed again for each"


def test_a_file_of_templates_alone_is_known_by_its_documents(
    folder: ProjectFolder, parsed: list[str]
) -> None:
    template = ROOT.rpartition("---")[2]
    both = template + "---" + template.replace("name: every", "name: other")
    folder.write({"registry.yaml": ROOT.rpartition("---")[0], "templates.yaml": both})
    folder.load()
    folder.close()
    parsed.clear()
    folder.write({"templates.yaml": both.replace("name: other,", "name: new,")})
    folder.load()
    assert parsed == ["new"]


def test_a_file_that_moves_is_not_parsed_again(folder: ProjectFolder, parsed: list[str]) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    folder.load()
    folder.close()
    parsed.clear()
    (folder.root / "prod").rename(folder.root / "live")
    assert [one.code for one in folder.load().diagnostics] == ["HR062", "HR050"]
    assert parsed == []
    assert folder.told() == ["live/registry.yaml:3:18 HR050"], "a warning is told again"


def test_a_file_with_faults_is_read_anew_each_time(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD, "a.yaml": "a: [\n"})
    first = folder.told()
    assert [one.rpartition(" ")[2] for one in first] == ["HR002"]
    assert folder.told() == first


def test_an_output_that_does_not_exist_is_told_again(folder: ProjectFolder) -> None:
    wrong = ROOT.replace("key: LEVEL", "key: LEVELS")
    folder.write({"registry.yaml": wrong, "prod/registry.yaml": PROD})
    assert folder.told() == folder.told() == ["registry.yaml:14:32 HR047"]


def test_a_key_that_the_target_loses_is_told_of_a_registry_that_did_not_change(
    folder: ProjectFolder,
) -> None:
    near = ROOT.split("---")[1]
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    folder.write({"prod/near.yaml": near.replace("LEVEL", "OTHER")})
    assert {one.rpartition(" ")[2] for one in folder.told()} == {"HR047"}
    assert {one.rpartition(" ")[2] for one in folder.told()} == {"HR047"}
    folder.write({"prod/near.yaml": near})
    assert folder.told() == []
    folder.write({"registry.yaml": ROOT.replace("{LEVEL: {type", "{LEVELS: {type")})
    assert folder.told() == []
    (folder.root / "prod/near.yaml").unlink()
    assert folder.told() == folder.told() == ["registry.yaml:14:32 HR047"]


def test_a_nearer_target_that_goes_lets_another_one_be_seen(folder: ProjectFolder) -> None:
    user = PROD.replace(
        "spec: {type: API}", "spec: {type: API, env: {A: {valueFrom: {config: c, key: K}}}}", 1
    )
    config = ROOT.split("---")[1].replace("name: app", "name: c")
    folder.write(
        {
            "registry.yaml": ROOT,
            "far.yaml": config.replace("LEVEL", "OTHER"),
            "shop/registry.yaml": ROOT.partition("---")[0]
            .replace("acme", "shop")
            .replace("ROOT", "PROJECT"),
            "shop/near.yaml": config.replace("LEVEL", "K"),
            "shop/prod/registry.yaml": user,
        }
    )
    assert folder.told() == []
    (folder.root / "shop/near.yaml").unlink()
    assert folder.told() == folder.told() == ["shop/prod/registry.yaml:9:28 HR047"]


def test_what_is_written_while_it_is_read_is_not_kept(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    folder.commit()
    listed = git.list_worktree

    def list_then_write(*arguments: Any) -> Any:
        found = listed(*arguments)
        folder.write({"prod/registry.yaml": PROD.replace("name: web", "name: other")})
        return found

    monkeypatch.setattr(git, "list_worktree", list_then_write)
    assert "acme/prod:Service/other" in folder.load().tree.rows
    folder.close()
    monkeypatch.undo()
    folder.git("checkout", "--", ".")
    assert "acme/prod:Service/web" in folder.load().tree.rows


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def in_its_place(path: Path) -> None:
    path.unlink()
    (path / "x").mkdir(parents=True)


def other_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE format SET version = 'old'")
        connection.execute("UPDATE files SET row = x'00'")
        connection.commit()


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE records")
        connection.execute("CREATE TABLE records (other TEXT)")
        connection.commit()


def flipped_bits(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for table, key in (("files", "blob"), ("records", "name"), ("specs", "digest")):
            query = f"SELECT {key}, row FROM {table}"  # noqa: S608 - names from above
            for name, row in connection.execute(query).fetchall():
                at = len(row) // 2
                bad = row[:at] + bytes([row[at] ^ 4]) + row[at + 1 :]
                update = f"UPDATE {table} SET row = ? WHERE {key} = ?"  # noqa: S608 - likewise
                connection.execute(update, (bad, name))
        connection.commit()


def other_types(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE files SET row = 'text'")
        connection.execute("UPDATE records SET row = 7")
        connection.commit()


DAMAGES = [
    truncate,
    garbage,
    empty,
    in_its_place,
    other_version,
    other_tables,
    flipped_bits,
    other_types,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_changes_nothing(
    folder: ProjectFolder, damage: Callable[[Path], None]
) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    first = seen(folder)
    damage(folder.root / ".hrctl/cache.db")
    assert seen(folder) == first
    assert seen(folder) == first


@pytest.mark.parametrize("step", range(12))
def test_a_flipped_byte_anywhere_changes_nothing(folder: ProjectFolder, step: int) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    first = seen(folder)
    path = folder.root / ".hrctl/cache.db"
    data = bytearray(path.read_bytes())
    for at in range(100 + step * 37, len(data), 977):
        data[at] ^= 1 << step % 8
    path.write_bytes(data)
    assert seen(folder) == first
    assert seen(folder) == first


def test_a_file_in_place_of_the_folder(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD, ".hrctl": "in the way"})
    assert seen(folder) == seen(folder)
    assert (folder.root / ".hrctl").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_that_may_not_be_written(*, is_there: bool) -> None:
    # pytest's own folders let nobody else in
    root = Path(tempfile.mkdtemp(dir="/tmp"))  # everybody may enter it
    text = {
        "registry.yaml": ROOT,
        "hrctl.yaml": "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n",
    }
    for name, content in text.items():
        (root / name).write_text(content.removeprefix("\n"))
    try:
        if is_there:
            with load.load(project.load(root)) as loaded:
                first = loaded.tree.digest
        root.chmod(0o755)
        os.seteuid(65534)
        try:
            with load.load(project.load(root)) as loaded:
                assert len(loaded.tree.rows) == 2
                assert not is_there or loaded.tree.digest == first
                assert {one.code for one in loaded.diagnostics} == {"HR062"}
        finally:
            os.seteuid(0)
        assert (root / ".hrctl").exists() is is_there
    finally:
        shutil.rmtree(root)


def test_a_cache_that_another_process_writes_is_left_to_it(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    first = seen(folder)
    path = folder.root / ".hrctl/cache.db"
    inode = path.stat().st_ino
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        folder.write({"prod/new.yaml": PROD.split("---")[1].replace("name: api", "name: new")})
        assert len(folder.load().tree.rows) == len(first[2]) + 1
        folder.close()
        other.execute("ROLLBACK")
    assert path.stat().st_ino == inode
    assert len(folder.load().tree.rows) == len(first[2]) + 1


def test_the_cache_is_kept_out_of_git(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT})
    folder.load()
    assert (folder.root / ".hrctl/.gitignore").read_text() == "*\n"
    folder.commit()
    assert ".hrctl" not in folder.git("ls-files")


def test_another_branch_does_not_cost_the_first_one(
    folder: ProjectFolder, parsed: list[str]
) -> None:
    folder.write({"registry.yaml": ROOT, "prod/registry.yaml": PROD})
    folder.commit()
    folder.load()
    folder.close()
    folder.git("checkout", "--quiet", "-b", "other")
    folder.write({"prod/registry.yaml": PROD.replace("name: web", "name: new")})
    folder.commit()
    folder.load()
    folder.close()
    parsed.clear()
    folder.git("checkout", "--quiet", "-")
    assert "acme/prod:Service/web" in folder.load().tree.rows
    folder.close()
    assert "acme/prod:Service/new" in folder.load("other").tree.rows
    folder.close()
    assert "acme/prod:Service/web" in folder.load().tree.rows
    assert parsed == []


def test_rows() -> None:
    value = {"a": [1, 2.5, None, True, "é"], "b": {"c": -(2**63), "d": 2**63 - 1}, "e": {1: "x"}}
    row = pack(value)
    assert unpack(row) == value
    assert all(unpack(row[:end]) is None for end in range(len(row)))
    assert all(
        unpack(row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :]) is None for at in range(len(row))
    )


def test_rows_of_files_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrctl.source.cache._SLACK", 2)
    with Cache(tmp_path / "cache.db") as cache:
        for number in range(8):
            cache.store([(f"blob{number}", pack(number))], [], [], 1)
        known = [number for number in range(8) if cache.files([f"blob{number}"])]
        assert known == [7]
        assert FORMAT
        cache.close()
        assert cache.files(["blob7"]) == {}
        assert cache.records() == {}
