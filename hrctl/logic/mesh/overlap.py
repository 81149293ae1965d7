"""Matches that never answer because others take all they want, and matches that tie.

Within a listener and a host name the most specific match is tried first (see `order`), so one that
takes everything another wants mostly comes after it. What is left:

- two that want the very same;
- a regular expression that ends in ``.*``, before prefixes and shorter expressions below it;
- an expression that is a plain text, after the exact path;
- a gRPC route, and one that wants the content type of gRPC.

Nothing is said where the answer is not certain: of regular expressions only those are looked into
that are a plain text, or one with ``.*`` or ``.+`` at its end. Hosts make no difference within a
group: a host name's routes are chosen before any match is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations, islice
from typing import Final, NamedTuple

from hrctl.logic.mesh.order import Entry, Spec, by_host, entries

Conditions = frozenset[tuple[str, str]]

_GRPC: Final = (":grpc", "")
_METHOD: Final = ":method"
_MOST_CONDITIONS: Final = 6  # of which all subsets are tried
_MOST_SETS: Final = 50  # of names that conditions look at, for one path


class Overlap(NamedTuple):
    """`entry` comes after `first`: it gets nothing, or, where they tie, not what fits both.

    `hosts` are the host names where it is so, among those of the route.
    """

    entry: Entry
    first: Entry
    tie: bool
    hosts: tuple[str, ...]


class Paths(NamedTuple):
    """What is known of the paths that a match takes.

    `form` is "exact": `text` alone; "prefix": all that begin with it; "longer": those with at least
    one sign more; "some": not known which, but all begin with `text`.
    """

    form: str
    text: str


class _Item(NamedTuple):
    position: int
    entry: Entry
    paths: Paths
    same: Paths  # equal where matches take the same paths
    asked: Conditions  # what must hold
    known: Conditions  # and what holds then too


def overlaps(routes: Mapping[str, Spec]) -> Iterator[Overlap]:
    """The overlaps of different routes, each with the hosts where it is so.

    Args:
        routes: specs by address, all of one listener; what `meshed.compared` keeps is enough.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    hosts = by_host({one: spec for one, spec in routes.items() if spec.get("type") != "TCP"})
    for host, asked in hosts.items():
        groups.setdefault(tuple(asked), []).append(host)
    found: dict[tuple[str, int, str, int, bool], tuple[Entry, Entry, list[str]]] = {}
    for names in groups.values():
        asked = hosts[names[0]]
        if len(asked) == 1:
            continue
        for entry, first, tie in _among(asked):
            key = (entry.address, entry.number, first.address, first.number, tie)
            found.setdefault(key, (entry, first, []))[2].extend(names)
    for (*_, tie), (entry, first, where) in found.items():
        yield Overlap(entry, first, tie, tuple(where))


def _among(routes: Mapping[str, Spec]) -> Iterator[tuple[Entry, Entry, bool]]:
    tried = _Tried()
    alike: dict[tuple[str, str, int], list[_Item]] = {}
    for position, entry in enumerate(entries(routes)):
        kind, written = _written(entry)
        paths = _language(written) if kind == "regex" else Paths(kind, written)
        same = Paths("regex", written) if paths.form == "some" else paths
        asked = _conditions(entry, routes[entry.address])
        item = _Item(position, entry, paths, same, asked, _implied(asked))
        first = tried.taking(item)
        tried.add(item, wide=kind == "regex" and paths.form in {"prefix", "longer"})
        if first is None and asked:
            alike.setdefault((kind, written, len(asked)), []).append(item)
        elif first is not None and first.entry.address != entry.address:
            yield entry, first.entry, False
    for items in alike.values():
        for item, other in _tied(items, tried):
            yield item.entry, other.entry, True


class _Tried:
    """Matches in the order in which they are tried, by what they take."""

    def __init__(self) -> None:
        self._same: dict[Paths, dict[Conditions, _Item]] = {}
        self._wide: dict[Paths, dict[Conditions, _Item]] = {}
        self._lengths: set[int] = set()

    def add(self, item: _Item, *, wide: bool) -> None:
        """Take one in; `wide` is one that is tried before longer paths than its own."""
        self._same.setdefault(item.same, {}).setdefault(item.asked, item)
        if wide:
            self._wide.setdefault(item.paths, {}).setdefault(item.asked, item)
            self._lengths.add(len(item.paths.text))

    def taking(self, item: _Item) -> _Item | None:
        """The first of those that take all that this one wants."""
        found = [_weaker(self._same.get(item.same), item)]
        text = item.paths.text
        for length in self._lengths:
            if length <= len(text):
                found.append(_weaker(self._wide.get(Paths("prefix", text[:length])), item))
            if length < len(text) or (length == len(text) and item.paths.form == "longer"):
                found.append(_weaker(self._wide.get(Paths("longer", text[:length])), item))
        return min((one for one in found if one is not None), default=None)


def _weaker(found: Mapping[Conditions, _Item] | None, item: _Item) -> _Item | None:
    """The first of those whose conditions hold wherever the item's do."""
    if not found:
        return None
    if len(item.known) > _MOST_CONDITIONS:
        fitting = [one for asked, one in found.items() if asked <= item.known]
    else:
        fitting = [
            found[asked]
            for count in range(len(item.known) + 1)
            for asked in map(frozenset, combinations(item.known, count))
            if asked in found
        ]
    return min(fitting, default=None)


def _tied(items: list[_Item], tried: _Tried) -> Iterator[tuple[_Item, _Item]]:
    """Of matches with one path and as many conditions: each with one that takes what fits both."""
    # names that conditions look at -> some of these names -> values of those -> the first match
    earlier: dict[frozenset[str], dict[frozenset[str], dict[Conditions, _Item]]] = {}
    members: dict[frozenset[str], list[_Item]] = {}
    for item in items:
        mine = frozenset(name for name, _ in item.known)
        for theirs in islice(members, _MOST_SETS):
            if theirs == mine:
                continue  # other values of the same conditions: no request fits both
            shared = mine & theirs
            index = earlier[theirs].get(shared)
            if index is None:
                index = earlier[theirs][shared] = {}
                for one in members[theirs]:
                    index.setdefault(_part(one.known, shared), one)
            found = index.get(_part(item.known, shared))
            if found is None or found.entry.address == item.entry.address:
                continue
            both = item._replace(known=item.known | found.known)
            if _together(both.known) and tried.taking(both) == found:  # and not a third one
                yield item, found
                break
        members.setdefault(mine, []).append(item)
        for shared, index in earlier.setdefault(mine, {}).items():
            index.setdefault(_part(item.known, shared), item)


def _part(conditions: Conditions, names: frozenset[str]) -> Conditions:
    return frozenset(one for one in conditions if one[0] in names)


def _together(conditions: Conditions) -> bool:
    """Whether a request can fit them: no name with two values, and no gRPC of another type."""
    names = {name for name, _ in conditions}
    kinds = [value for name, value in conditions if name == "content-type"]
    return len(names) == len(conditions) and (_GRPC not in conditions or all(map(_is_grpc, kinds)))


def _conditions(entry: Entry, spec: Spec) -> Conditions:
    match = entry.match
    found = {(str(name).lower(), value) for name, value in (match.get("headers") or {}).items()}
    if match.get("method"):
        found.add((_METHOD, match["method"]))
    if spec.get("type") == "GRPC":
        found.add(_GRPC)
    return frozenset(found)


def _implied(asked: Conditions) -> Conditions:
    grpc = any(name == "content-type" and _is_grpc(value) for name, value in asked)
    return asked | {_GRPC} if grpc else asked


def _is_grpc(content_type: str) -> bool:
    return content_type == "application/grpc" or content_type.startswith("application/grpc+")


def _written(entry: Entry) -> tuple[str, str]:
    """The kind of path, and the path: without one all that begin with a slash."""
    path = entry.match.get("path") or {}
    for kind in ("exact", "regex", "prefix"):
        if path.get(kind) is not None:
            return kind, str(path[kind])
    return "prefix", "/"


_ENDS: Final = {".*": "prefix", "(.*)": "prefix", ".+": "longer", "(.+)": "longer", "": "exact"}
_PLAIN: Final = re.compile(r"(?:[^\\.^$*+?{}\[\]|()]|\\[^\w\s])*")


@lru_cache(maxsize=4096)
def _language(regex: str) -> Paths:
    """What is known of the texts that fit a regular expression as a whole."""
    inner = regex.removeprefix("^")
    head = _PLAIN.match(inner)
    assert head is not None  # noqa: S101 - it fits nothing too
    plain, rest = head.group(), inner[head.end() :]
    form = _ENDS.get(rest.removesuffix("$") if rest.endswith("$") else rest)
    if form is not None:
        return Paths(form, re.sub(r"\\(.)", r"\1", plain))
    if _has_top_level_choice(rest):
        return Paths("some", "")
    if rest[:1] in set("*+?{"):  # which is about the last sign of what is before it
        plain = plain[:-2] if plain[-2:-1] == "\\" else plain[:-1]
    return Paths("some", re.sub(r"\\(.)", r"\1", plain))


def _has_top_level_choice(regex: str) -> bool:
    """Whether there may be a ``|`` outside of all brackets; true where it is not clear."""
    if "|" not in regex:
        return False
    depth, escaped = 0, False
    for sign in regex:
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "[":
            return True  # brackets within sets mean nothing
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and not depth:
            return True
    return False
