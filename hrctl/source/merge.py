"""Three versions of a file of manifests joined field by field.

Git joins lines, so two people who set secrets that stand beside each other conflict, though neither
touched what the other did. Here a document is known by kind and name, a map is joined key by key, a
list whose items all have a `name` item by item, and anything else (an encrypted value too) is one
value. Comments and layout come from git's own merge of the lines, and, where that cannot join
them, from our side.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from hrctl.diagnostics import HrctlError
from hrctl.model.managed import names
from hrctl.model.values import Json, is_reference, pointer
from hrctl.source import git
from hrctl.source.chunks import split
from hrctl.source.edit import REMOVE, Edit, Remove, apply_edits, remove_document, same

_ABSENT: Final = REMOVE
_MARKER_SIZE: Final = 7

Key = tuple[str, str, bool]  # kind, name, whether it is a patch
Value = Json | Remove


class Sides(NamedTuple):
    """The common ancestor, ours and theirs: texts, or values."""

    base: str
    ours: str
    theirs: str


class Merged(NamedTuple):
    """The joined text, and how many conflicts are marked in it."""

    text: str
    conflicts: int


@dataclass(slots=True)
class _Joined:
    """What a document comes to, with ours where both changed a field, and what those fields are."""

    value: Value
    conflicts: dict[str, tuple[Value, Value]] = field(default_factory=dict)  # base, theirs


def merge(
    sides: Sides, labels: Sequence[str] = ("ours", "base", "theirs"), size: int = _MARKER_SIZE
) -> Merged:
    """Join three versions of a file.

    1. Let git join the lines. Where it can, and the result says what a join of the fields says,
       that is it.
    2. Else take its lines, with ours where it cannot join them, and change them field by field into
       what the fields come to.
    3. Where both sides changed one field, git marks just those lines.
    4. What cannot be read as manifests is left to git alone.

    Args:
        sides: the texts.
        labels: what conflict markers call ours, the ancestor and theirs.
        size: how many signs a conflict marker has.
    """
    lines = _merge_lines(sides, labels, size)
    read = [_documents(text) for text in sides]
    base, ours, theirs = read
    if base is None or ours is None or theirs is None:
        return lines
    joined = {
        key: _join(*(side.get(key, _ABSENT) for side in (base, ours, theirs)))
        for key in [*ours, *(key for key in theirs if key not in ours)]
    }
    if any("" in one.conflicts for one in joined.values()):
        return lines  # one removed a document that the other changed
    wanted = {key: one.value for key, one in joined.items() if not isinstance(one.value, Remove)}
    conflicts = {key: one.conflicts for key, one in joined.items() if one.conflicts}
    if not lines.conflicts and not conflicts and _says(lines.text, wanted):
        return lines
    drafts = [_merge_lines(sides, labels, size, "--ours").text, sides.ours]
    for draft in drafts:
        text = _brought_to(draft, wanted, sides.theirs)
        if text is not None:
            return _marked(text, conflicts, labels, size) if conflicts else Merged(text, 0)
    return lines


# -- values ----------------------------------------------------------------------------------------


def _documents(text: str) -> dict[Key, dict[str, Json]] | None:
    """The documents by what they are; None where it is not all manifests, each one of its own."""
    from hrctl.source.parse import parse_chunk

    found: dict[Key, dict[str, Json]] = {}
    for chunk in split(text.removeprefix("\ufeff")):
        value, problems = parse_chunk(chunk, "")
        metadata = value.get("metadata") if value is not None and not problems else None
        if value is None or not isinstance(metadata, dict):
            return None
        key = (str(value.get("kind")), str(metadata.get("name")), bool(metadata.get("patch")))
        if key in found:
            return None
        found[key] = value
    return found


def _says(text: str, wanted: Mapping[Key, Json]) -> bool:
    found = _documents(text)
    return (
        found is not None
        and found.keys() == wanted.keys()
        and all(same(found[key], value) for key, value in wanted.items())
    )


def _join(base: Value, ours: Value, theirs: Value) -> _Joined:
    joined = _Joined(_ABSENT)
    joined.value = _walk(base, ours, theirs, "", joined)
    return joined


def _walk(base: Value, ours: Value, theirs: Value, path: str, joined: _Joined) -> Value:
    if _equal(ours, theirs) or _equal(base, theirs):
        return ours
    if _equal(base, ours):
        return theirs
    if _is_map(ours) and _is_map(theirs) and (_is_map(base) or isinstance(base, Remove)):
        before = base if isinstance(base, dict) else {}
        return _walk_map(before, ours, theirs, path, joined)  # type: ignore[arg-type]  # maps
    named = [names(side) if isinstance(side, list) else None for side in (base, ours, theirs)]
    if all(one is not None for one in named):
        before, mine, other = ({**one} if one else {} for one in named)
        found = _walk_map(before, mine, other, path, joined)
        return list(found.values())
    joined.conflicts[path] = (base, theirs)
    return ours


def _walk_map(
    base: Mapping[str, Json],
    ours: Mapping[str, Json],
    theirs: Mapping[str, Json],
    path: str,
    joined: _Joined,
) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        before, mine, other = (side.get(key, _ABSENT) for side in (base, ours, theirs))
        value = _walk(before, mine, other, path + pointer([key]), joined)
        if not isinstance(value, Remove):
            found[key] = value
    return found


def _equal(one: Value, other: Value) -> bool:
    if isinstance(one, Remove) or isinstance(other, Remove):
        return one is other
    return same(one, other)


def _is_map(value: Value) -> bool:
    """Whether it is joined key by key: not a reference, nor what stands in one."""
    return isinstance(value, dict) and not is_reference(value) and "age" not in value


# -- texts -----------------------------------------------------------------------------------------


def _brought_to(text: str, wanted: Mapping[Key, Json], theirs: str) -> str | None:
    """A text changed into what is wanted; None where that cannot be done."""
    found = _documents(text)
    if found is None:
        return None
    try:
        for number, key in reversed(list(enumerate(found))):
            if key not in wanted:
                text = remove_document(text, number)
        numbers = {key: number for number, key in enumerate(key for key in found if key in wanted)}
        for key, number in numbers.items():
            edits = _edits(found[key], wanted[key], "")
            text = apply_edits(text, number, edits) if edits else text
        for key in wanted:
            if key not in numbers:
                text = _with_document(text, theirs, key)
    except (HrctlError, IndexError, ValueError):
        return None
    return text if _says(text, wanted) else None


def _with_document(text: str, theirs: str, key: Key) -> str:
    """The text with a document of theirs behind it, as it stands there."""
    known = list(_documents(theirs) or {})
    body = split(theirs)[known.index(key)].text
    line_end = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += line_end
    return text + (body if body.startswith("---") else f"---{line_end}{body}")


def _edits(old: Json, new: Json, path: str) -> list[Edit]:
    """The changes that lead from one value to another."""
    if same(old, new):
        return []
    if _is_map(old) and _is_map(new):
        found = [Edit(path + pointer([key]), REMOVE) for key in old if key not in new]
        for key, value in new.items():
            at = path + pointer([key])
            found += _edits(old[key], value, at) if key in old else [Edit(at, value)]
        return found
    if isinstance(old, list) and isinstance(new, list):
        mine, other = names(old), names(new)
        if mine is not None and other is not None and list(other)[: len(mine)] == list(mine):
            found = []
            for number, value in enumerate(new):
                at = f"{path}/{number}"
                found += _edits(old[number], value, at) if number < len(old) else [Edit(at, value)]
            return found
    return [Edit(path, new)]


def _marked(
    ours: str,
    conflicts: Mapping[Key, Mapping[str, tuple[Value, Value]]],
    labels: Sequence[str],
    size: int,
) -> Merged:
    """The text with git's markers around the fields that both sides changed."""
    base = theirs = ours
    numbers = {key: number for number, key in enumerate(_documents(ours) or {})}
    for key, fields in conflicts.items():
        for path, (before, other) in fields.items():
            at = _by_index(ours, numbers[key], path)
            base = apply_edits(base, numbers[key], [Edit(at, before)])
            theirs = apply_edits(theirs, numbers[key], [Edit(at, other)])
    return _merge_lines(Sides(base, ours, theirs), labels, size)


def _by_index(text: str, number: int, path: str) -> str:
    """A path in which items of lists are named, with their indices."""
    from hrctl.model.values import pointer_parts

    here: Json = list((_documents(text) or {}).values())[number]
    found: list[str] = []
    for part in pointer_parts(path):
        step: str = part
        if isinstance(here, list):
            step = str(list(names(here) or {}).index(part))
            here = here[int(step)]
        else:
            here = here.get(part) if isinstance(here, dict) else None
        found.append(step)
    return pointer(found)


def _merge_lines(sides: Sides, labels: Sequence[str], size: int, *options: str) -> Merged:
    """What `git merge-file` makes of them."""
    with TemporaryDirectory(prefix="hrctl-merge-") as folder:
        files = {name: Path(folder, name) for name in Sides._fields}
        for name, text in sides._asdict().items():
            files[name].write_bytes(text.encode("utf-8", "surrogateescape"))
        try:
            done = subprocess.run(  # noqa: S603 - fixed program, paths of our own
                git.command(
                    Path.cwd(),
                    "merge-file",
                    "-p",
                    f"--marker-size={size}",
                    *options,
                    *(word for label in labels for word in ("-L", label)),
                    *(str(files[side]) for side in ("ours", "base", "theirs")),
                ),
                env=git.environment(),
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise HrctlError.of("HR066", "git was not found", hint="install git") from None
    if not 0 <= done.returncode < 128:  # noqa: PLR2004 - beyond that it is no count of conflicts
        reason = done.stderr.decode("utf-8", "replace").strip() or "no reason given"
        raise HrctlError.of("HR066", f"git merge-file failed: {reason}")
    return Merged(done.stdout.decode("utf-8", "surrogateescape"), done.returncode)
