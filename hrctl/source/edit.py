"""YAML out: changes to manifests that keep comments, order, quotes and layout.

A change is made in the text itself, so that one changed value is one changed line and every other
document of the file stays as it is. The result is read again and compared: what cannot be
changed like that is changed by ruamel.yaml, and what that cannot either is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.model.values import Json, pointer_parts
from hrctl.source.chunks import is_empty, regions
from hrctl.source.emit import dump
from hrctl.source.outline import MODELINE, Outline
from hrctl.source.splice import Splicer, child, nest
from hrctl.source.yaml12 import printable

__all__ = ["REMOVE", "Edit", "append_document", "apply_edits", "dump", "remove_document"]


class Remove:
    """The type of `REMOVE`: take the key or item away, as opposed to setting it to null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REMOVE"


REMOVE: Final = Remove()


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: the value that a JSON Pointer (RFC 6901) is to have, or `REMOVE`.

    Maps that are missing on the way are made. The index behind a list's last item, or ``-``,
    appends. Removing what is not there changes nothing.
    """

    pointer: str
    value: Json | Remove


def apply_edits(text: str, document: int, edits: Sequence[Edit]) -> str:
    """The text of a file with changes to one document, counted from 0 as `split` does.

    Raises:
        HrctlError: the document's own problems, or HR012 for a change that cannot be made.
        IndexError: there are fewer documents.
    """
    start, end = _documents(text)[document]
    body = text[start:end]
    for edit in edits:
        body = _apply(body, edit)
    return text[:start] + body + text[end:]


def append_document(text: str, doc: dict[str, Json]) -> str:
    """The text of a file with one more document at its end.

    A line for editors at the head of the file is repeated: they take it for one document only.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    new = dump(doc).replace("\n", newline)
    if text and not text.endswith(("\n", "\r")):
        text += newline
    found = regions(text)
    is_open = found and is_empty(text, *found[-1])  # it ends in comments, or a `---`
    if not found or (is_open and (len(found) == 1 or text[found[-1][0] :].startswith("---"))):
        return text + new
    head = text.splitlines(keepends=True)[0]
    modeline = head if head.startswith(MODELINE) else ""
    return f"{text}---{newline}{modeline}{new}"


def remove_document(text: str, document: int) -> str:
    """The text of a file without one of its documents; empty where it was the only one.

    Raises:
        IndexError: there are fewer documents.
    """
    found = _documents(text)
    start, end = found[document]
    if len(found) == 1:
        return ""
    before, body, behind = text[:start], text[start:end], text[end:]
    if not before.strip() and not body.startswith(("---", "%")) and behind.startswith("---"):
        _, newline, behind = behind.partition("\n")
        behind = behind if newline else ""
    if not before:
        lines = body.splitlines(keepends=True)
        before = "".join(line for line in lines[:1] if line.startswith(MODELINE))
    if before.startswith(MODELINE) and behind.startswith(MODELINE):
        return behind  # each document had a line of its own
    return before + behind


def _documents(text: str) -> list[tuple[int, int]]:
    return [(start, end) for start, end in regions(text) if not is_empty(text, start, end)]


def _apply(text: str, edit: Edit) -> str:
    """One change to one document, checked against what it should result in."""
    outline = Outline(text)
    if outline.composed.problems:
        raise HrctlError(*outline.composed.problems)
    value = outline.composed.value
    wanted = _expected(value, edit)
    if same(value, wanted):
        return text
    new = _spliced(outline, edit, wanted)
    if new is None and any(place.style == "*" for place in outline.places.values()):
        text = Splicer(outline).expand_aliases()
        new = _spliced(Outline(text), edit, wanted)
    if new is None:
        new = _round_tripped(text, edit, wanted)
    if new is None:
        raise HrctlError.of(
            "HR012",
            f"{printable(edit.pointer)} cannot be changed without disturbing what is around it",
            hint="edit the file by hand",
        )
    return new


def _spliced(outline: Outline, edit: Edit, wanted: Json) -> str | None:
    """The new text by cutting, None where that does not give what is wanted."""
    text = outline.text
    for step in _steps(outline.composed.value, wanted, ""):
        result = _step(Outline(text), step, wanted)
        if result is None:
            return None
        text = result
    return text if _is_good(text, wanted, outline, edit) else None


def _steps(old: Json, new: Json, where: str) -> list[Edit]:
    """The smallest changes that lead from one value to another, in an order that can be made."""
    if isinstance(old, dict) and isinstance(new, dict) and (old or not where):
        steps = [
            step
            for key, value in new.items()
            if key in old
            for step in _steps(old[key], value, child(where, key))
        ]
        steps += [Edit(child(where, key), new[key]) for key in new if key not in old]
        return steps + [Edit(child(where, key), REMOVE) for key in old if key not in new]
    if isinstance(old, list) and isinstance(new, list) and old and new:
        shared = min(len(old), len(new))
        removed = _removed_item(old, new)
        if removed is not None:
            return [Edit(child(where, removed), REMOVE)]
        steps = [
            step for at in range(shared) for step in _steps(old[at], new[at], child(where, at))
        ]
        steps += [Edit(child(where, at), new[at]) for at in range(shared, len(new))]
        return steps + [
            Edit(child(where, at), REMOVE) for at in range(len(old) - 1, shared - 1, -1)
        ]
    return [] if same(old, new) else [Edit(where, new)]


def _removed_item(old: list[Json], new: list[Json]) -> int | None:
    """Which item is gone, where that is all that happened to a list."""
    if len(old) != len(new) + 1:
        return None
    at = next((at for at, value in enumerate(new) if not same(old[at], value)), len(new))
    return at if same(old[at + 1 :], new[at:]) else None


def _step(outline: Outline, step: Edit, wanted: Json) -> str | None:
    splicer = Splicer(outline)
    places = outline.places
    if step.pointer in places:
        if isinstance(step.value, Remove):
            return splicer.remove(step.pointer)
        return splicer.replace(step.pointer, step.value)
    parts = pointer_parts(step.pointer)
    parent = step.pointer.rpartition("/")[0]
    rest = parts[-1:]
    while parent not in places:  # it lies behind an alias
        parent = parent.rpartition("/")[0]
        rest = parts[len(pointer_parts(parent)) :]
    if places[parent].style not in {"map", "seq", "{", "["} or isinstance(step.value, Remove):
        return splicer.replace(parent, _at(wanted, parent))
    kind = wanted.get("kind") if isinstance(wanted, dict) else None
    return splicer.insert(parent, rest[0], nest(rest, step.value), kind)


def _is_good(text: str, wanted: Json, old: Outline, edit: Edit) -> bool:
    """Whether a text says what is wanted and has every comment but those of what goes."""
    new = Outline(text)
    if new.composed.problems or not same(new.composed.value, wanted):
        return False
    place = old.places.get(edit.pointer)
    if isinstance(edit.value, Remove) or (place and place.style in {"map", "seq", "{", "["}):
        return True
    return not Counter(old.comments()) - Counter(new.comments())


def _round_tripped(text: str, edit: Edit, wanted: Json) -> str | None:
    """The new text by ruamel.yaml, None where that does not give what is wanted."""
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    yaml.explicit_start = text.startswith("---")
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    try:
        document = yaml.load(text.replace("\r\n", "\n"))
        _set(document, pointer_parts(edit.pointer), edit.value)
        yaml.dump(document, out)
    except (YAMLError, ValueError, TypeError, KeyError, IndexError):
        return None
    new = out.getvalue()
    if not text.endswith(("\n", "\r")):
        new = new.rstrip("\n")
    if "\r\n" in text:
        new = new.replace("\n", "\r\n")
    return new if _is_good(new, wanted, Outline(text), edit) else None


def _expected(value: Json, edit: Edit) -> Json:
    """A copy of the value with the change made."""
    copy = deepcopy(json.loads(json.dumps(value)))  # aliases share no more
    _set(copy, pointer_parts(edit.pointer), edit.value)
    return copy


def _set(target: Any, parts: list[str], value: Json | Remove) -> None:
    """Make a change in place; the target is of maps and lists, plain or ruamel's.

    Raises:
        HrctlError: HR012, for a pointer through a scalar or to no item of a list.
    """
    if not parts:
        raise ValueError("the whole document cannot be an edit")
    for at, part in enumerate(parts):
        last = at + 1 == len(parts)
        where: str | int = _index(target, part, parts) if isinstance(target, list) else part
        if not isinstance(target, dict | list):
            raise _no_way(parts, f"'{printable(parts[at - 1])}' is neither a map nor a list")
        exists = where < len(target) if isinstance(where, int) else where in target
        if isinstance(value, Remove) and (last or not exists or target[where] is None):  # type: ignore[index]
            if exists and last:
                del target[where]  # type: ignore[arg-type]  # the index of its own kind
            return
        if last or not exists or target[where] is None:  # type: ignore[index]
            new = value if last else {}
            if isinstance(target, list) and not exists:
                target.append(new)
            else:
                target[where] = new  # type: ignore[index]
        target = target[where]


def _index(target: list[Any], part: str, parts: list[str]) -> int:
    if part == "-":
        return len(target)
    if not part.isdecimal() or int(part) > len(target):
        raise _no_way(parts, f"a list of {len(target)} has no item '{printable(part)}'")
    return int(part)


def _no_way(parts: list[str], why: str) -> HrctlError:
    return HrctlError.of("HR012", f"/{printable('/'.join(parts))} cannot be changed: {why}")


def _at(value: Json, where: str) -> Json:
    for part in pointer_parts(where):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def same(one: Json, other: Json) -> bool:
    """Equality that tells 1 from true and 1.0; the order of keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
