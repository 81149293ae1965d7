"""What somebody changed by hand stays while other resources change.

In the file it is a three-way merge of lines: what was made of the bodies before, what stands
there, and what is made now. At the socket it is what runs, where nobody wants it otherwise than
before. Where both sides changed the same place nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.haproxy.configuration import Configuration, Files, State
from hrctl.drivers.haproxy.drift import Key, differing, sections
from hrctl.drivers.haproxy.frontends import called
from hrctl.drivers.haproxy.text import blocks
from hrctl.drivers.mesh.names import ident
from hrctl.model.values import Json

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Target:
    """Where HAProxy is to be brought: a configuration, with what is kept of what was there.

    `kept` are the addresses whose parts are not as they were made; `strangers` are servers that
    somebody added at the socket, and that no reload would bring back.
    """

    made: Configuration
    files: Files
    state: State
    kept: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()


def whole(made: Configuration) -> Target:
    """A configuration and nothing beside it."""
    return Target(made, made.files, made.state)


def target(there: Target, new: Configuration, changed: Collection[str]) -> Target:
    """From what is there to what is wanted, with the edits that others than `changed` have.

    Args:
        there: what the bodies before make, the files that are there, and what runs.
        new: what the bodies now make.
        changed: the addresses that this apply is about: theirs goes back to what is declared.

    Raises:
        HrctlError: HR217, where an edit is at a place that changes.
    """
    old, present, live = there.made, there.files, there.state
    config, table = new.settings.names
    if present == old.files and live == old.state:
        return whole(new)
    kept: set[str] = set()
    files = dict(new.files)
    if config in present:  # one that is gone is written anew
        files[config] = _merged(old, present[config].decode("utf-8", "replace"), new, changed, kept)
    written = present.get(table)
    cuts = dict(new.cuts)
    if written is not None:
        lines = (line.split() for line in written.decode("utf-8", "replace").splitlines())
        stand = {line[0]: line[1] for line in lines if len(line) == 2}  # noqa: PLR2004 - a pair
        held = _cuts(old, stand, new, changed, kept)
        files[table] = "".join(f"{key} {cut}\n" for key, cut in sorted(held.items())).encode()
        cuts = held
    cuts |= {
        key: cut
        for key, cut in _cuts(old, live["cuts"], new, changed, kept).items()
        if cut != new.cuts[key]
    }
    servers, strangers = _servers(old, live, new, changed, kept)
    state: State = {"servers": servers, "cuts": dict(cuts)}
    return Target(new, files, state, frozenset(kept), frozenset(strangers))


def refused(names: Collection[str]) -> HrctlError:
    """HR217, of what was changed by hand and cannot stay as it is."""
    shown = " and ".join(sorted(names))
    return HrctlError.of(
        "HR217",
        f"{shown}: changed by hand in HAProxy, which cannot be kept beside this change",
        hint=f"apply {shown} too, which puts it back, or put it back by hand",
    )


# -- the file --------------------------------------------------------------------------------------


def _merged(
    old: Configuration, there: str, new: Configuration, changed: Collection[str], kept: set[str]
) -> bytes:
    base, live = sections(old.text), sections(there)
    lines: list[str | None] = [*new.text.splitlines()]
    places = _placed(new.text)
    sharing = _sharing(old)
    for key in base.keys() | live.keys():
        mine, theirs = base.get(key, []), live.get(key, [])
        section, owner = key
        owners = {owner} if owner else sharing.get(section) or set(old.owners)
        if mine == theirs or owners & set(changed) or not owners:
            continue
        if (not theirs or not mine) and section and owner is None:
            raise refused(owners)  # a whole section came or went
        for wanted, stands, before in differing(mine, theirs):
            _edit(lines, places.get(key, {}), wanted, stands, before, owners)
        kept |= owners
    return ("\n".join(line for line in lines if line is not None) + "\n").encode()


def _placed(text: str) -> dict[Key, dict[str, int]]:
    """Section and owner -> line -> where it stands in the text."""
    found: dict[Key, dict[str, int]] = {}
    numbers = _numbers(text)
    for section, owner, line in blocks(text):
        found.setdefault((section, owner), {}).setdefault(line, next(numbers[line]))
    return found


def _numbers(text: str) -> dict[str, Iterator[int]]:
    found: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines()):
        found.setdefault(line, []).append(number)
    return {line: iter(some) for line, some in found.items()}


def _sharing(made: Configuration) -> dict[str, set[str]]:
    """The section of a frontend -> the routes of its listener."""
    return {f"frontend {called(listen)}": set(routes) for listen, routes in made.listens.items()}


def _edit(  # noqa: PLR0913, PLR0917 - an edit and where it goes
    lines: list[str | None],
    places: Mapping[str, int],
    wanted: str | None,
    stands: str | None,
    before: str | None,
    owners: Collection[str],
) -> None:
    at = places.get(wanted if wanted is not None else before or "")
    if at is None or lines[at] is None:
        raise refused(owners)
    if wanted is not None:
        lines[at] = stands
    else:
        lines[at] = f"{lines[at]}\n{stands}"


# -- splits and servers ----------------------------------------------------------------------------


def _cuts(
    old: Configuration,
    stand: Mapping[str, Json],
    new: Configuration,
    changed: Collection[str],
    kept: set[str],
) -> dict[str, str]:
    routes = {ident(one): str(one) for one in old.owners if one.kind == "Route"}
    found = dict(new.cuts)
    for key, made in old.cuts.items():
        owner = routes.get(key) or routes.get(key.rpartition(".")[0], "")
        if stand.get(key) == made or owner in changed or key not in new.cuts:
            continue
        if new.cuts[key] != made or key not in stand:
            raise refused([owner])
        found[key] = str(stand[key])
        kept.add(owner)
    return found


def _servers(
    old: Configuration, live: State, new: Configuration, changed: Collection[str], kept: set[str]
) -> tuple[dict[str, Json], set[str]]:
    owners = {**old.server_owners, **new.server_owners}
    routes = {one.name: str(one.owner) for one in (*old.backends, *new.backends)}
    wanted = dict(new.state["servers"])
    strangers = set()
    for name in old.state["servers"].keys() | live["servers"].keys():
        made, runs = (held["servers"].get(name, _MISSING) for held in (old.state, live))
        backend = name.partition("/")[0]
        owner = owners.get(name) or routes.get(backend, "")
        if made == runs or {owner, routes.get(backend)} & set(changed):
            continue
        now = wanted.get(name, _MISSING)
        if made is _MISSING and now is _MISSING and backend in {one.name for one in new.backends}:
            wanted[name] = runs  # somebody added it
            strangers.add(name)
        elif now is _MISSING:
            continue  # its backend, or the server, goes
        elif now != made:
            raise refused([owner])
        elif runs is _MISSING:
            del wanted[name]
        else:
            wanted[name] = runs
        kept.add(owner)
    return wanted, strangers
