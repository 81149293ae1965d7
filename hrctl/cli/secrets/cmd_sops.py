"""`hrctl secrets import-sops`: files of SOPS become entries of a Config."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hrctl.cli.session import Session
from hrctl.cli.verbs.edits import Commit, Message
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.values import Json

if TYPE_CHECKING:
    from hrctl.cli.verbs.draft import Draft
    from hrctl.model.tree import Tree

_ENCRYPTED: Final = "ENC["
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_WORDS: Final = re.compile(r"\.(enc|sops|encrypted)$")
_SECONDS: Final = 60
# What a program needs that is started for one file; nothing else of ours goes to it.
_PASSED: Final = ("PATH", "HOME", "LANG", "TMPDIR")


def import_sops(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML, JSON, dotenv or INI.")],
    *,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="ADDRESS", help="Of a Config; default: named after FILE."),
    ] = None,
    commit: Commit = False,
    message: Message = None,
) -> int:
    """Bring the values of a SOPS file into a Config, each encrypted by itself.

    It takes an age identity that opens the file. What SOPS has left in the clear becomes a plain
    entry; nested keys are joined by dots. FILE stays as it is. Needs sops, which comes with
    hrctl[sops].

    Examples:
      hrctl secrets import-sops secrets.enc.yaml
      hrctl secrets import-sops prod.env --into shop/prod:Config/app --commit
    """
    from hrctl.cli.secrets.target import TOLERATED, lenient_tree
    from hrctl.cli.verbs import edits
    from hrctl.cli.verbs.draft import Draft
    from hrctl.cli.verbs.edits import Then, Wish

    with edits.edit_session(ctx) as session:
        tree = lenient_tree(session)
        address = _address(session, tree, file, into)
        found = dict(_entries(_decrypted(session, file), _clear(file)))
        draft = Draft(session.project.root)
        _write(session, draft, tree, address, found)
        wish = Wish(
            f"Import {file.name} into {address}",
            [address],
            Then(commit, message),
            told=(f"Imported {len(found)} values into {address} in {', '.join(draft.paths)}.",),
            tolerated=TOLERATED,
        )
        return edits.finish(session, draft, wish)


def _address(session: Session, tree: Tree, file: Path, into: str | None) -> Address:
    """Where the values go: what was named, or a Config named after the file, in its folder."""
    from hrctl.cli.secrets.target import find_address

    if into is not None:
        try:
            return find_address(tree, into)
        except HrctlError:
            address = Address.parse(into)  # a new one
            if address.kind != "Config" or address.registry not in tree.registries:
                raise
            return address
    stem = _WORDS.sub("", file.stem)
    name = _NO_NAME.sub("-", stem.lower()).strip("-")[:63].strip("-") or "imported"
    folder = file.resolve().parent
    best = tree.records[0]
    for record in tree.records:
        own = (session.project.root / record.folder).resolve()
        if folder.is_relative_to(own) and len(record.path) >= len(best.path):
            best = record
    return Address.of(best.path, "Config", name)


def _decrypted(session: Session, file: Path) -> Json:
    """What SOPS makes of the file; the identities go to it through a pipe.

    Raises:
        HrctlError: HR184.
    """
    import pyrage

    program = shutil.which("sops") or str(Path(sys.executable).with_name("sops"))
    if not os.access(program, os.X_OK):
        raise HrctlError.of("HR184", "sops was not found", hint="pip install 'hrctl[sops]'")
    keys = [str(k) for k in session.opener.identities.keys if isinstance(k, pyrage.x25519.Identity)]
    out, into = os.pipe()
    try:
        os.write(into, "".join(f"{key}\n" for key in keys).encode())
        os.close(into)
        done = subprocess.run(  # noqa: S603 - a program that was looked for, and a file
            [program, "decrypt", "--output-type", "json", str(file)],
            env={
                **{name: os.environ[name] for name in _PASSED if name in os.environ},
                "SOPS_AGE_KEY_FILE": f"/dev/fd/{out}",
            },
            pass_fds=[out],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    finally:
        os.close(out)
    if done.returncode:
        raise HrctlError.of(
            "HR184",
            f"sops cannot decrypt {file}: {_reason(done.stderr.decode('utf-8', 'replace'))}",
            hint="it needs an age identity (AGE-SECRET-KEY-1...) of one of the file's recipients",
        )
    return json.loads(done.stdout)


def _reason(text: str) -> str:
    lines = [line.strip(" |") for line in text.splitlines() if line.strip(" |")]
    return (lines or ["it gives no reason"])[0].lower().rstrip(".:")


def _clear(file: Path) -> dict[str, bool]:
    """Which values of a file of YAML or JSON stand in the clear; empty for other formats."""
    from hrctl.source.parse import parse_file

    if file.suffix not in {".yaml", ".yml", ".json"}:
        return {}
    parsed, problems = parse_file(file.read_bytes(), file.name)
    if problems:
        raise HrctlError(*problems)
    found: dict[str, bool] = {}
    for _, value in parsed:
        for key, leaf in _leaves(value):
            found[key] = not (isinstance(leaf, str) and leaf.startswith(_ENCRYPTED))
    return found


def _entries(value: Json, clear: dict[str, bool]) -> Iterator[tuple[str, tuple[bool, Json]]]:
    """Key of an entry -> whether it is a secret, and its value."""
    seen: dict[str, str] = {}
    for key, leaf in _leaves(value):
        name = _NO_KEY.sub("_", key)
        name = name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"
        if seen.setdefault(name, key) != key:
            raise HrctlError.of("HR184", f"'{key}' and '{seen[name]}' would both be '{name}'")
        is_secret = not clear.get(key, False)
        yield name, (is_secret, _text(leaf) if is_secret else leaf)


def _text(leaf: Json) -> str:
    return leaf if isinstance(leaf, str) else json.dumps(leaf, ensure_ascii=False)


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if path or key != "sops":
                yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}.{number}")
    elif path and value is not None:
        yield path, value


def _write(
    session: Session, draft: Draft, tree: Tree, address: Address, found: dict[str, Any]
) -> None:
    from hrctl.cli.secrets.target import Target, document_at, find
    from hrctl.cli.secrets.writing import put, sealed
    from hrctl.cli.verbs.draft import append, beside, manifest
    from hrctl.model.places import SecretPlace
    from hrctl.source.edit import Edit, apply_edits

    document = document_at(tree, address)
    if document is not None:
        for key, (is_secret, value) in found.items():
            if is_secret:
                put(session, draft, tree, find(tree, address, key), value)
            else:
                edit = Edit(f"/spec/entries/{key}", {"type": _type(value), "value": value})
                number, path = document.number, document.path
                draft.change(path, lambda text: apply_edits(text, number, [edit]))  # noqa: B023 - used at once
        return
    entries: dict[str, Json] = {}
    for key, (is_secret, value) in found.items():
        pointer = f"/spec/entries/{key}"
        target = Target(address, pointer, None, SecretPlace(address, pointer))
        entries[key] = (
            {"type": "SECRET", "valueFrom": sealed(session, target, value)}
            if is_secret
            else {"type": _type(value), "value": value}
        )
    edits = [Edit("/spec/scope", "GLOBAL"), Edit("/spec/entries", entries)]
    path = beside(tree, address.registry, f"{address.name}-config.yaml")
    append(draft, path, manifest("Config", address.name), edits)


def _type(value: Json) -> str:
    """The type of an entry for a plain value."""
    for kind, name in ((bool, "BOOLEAN"), (int, "INTEGER"), (float, "FLOAT"), (str, "STRING")):
        if isinstance(value, kind):
            return name
    return "JSON"
