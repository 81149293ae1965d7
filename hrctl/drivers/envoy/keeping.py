"""What somebody edited by hand stays while other routes change: it is written over the new files.

The difference between what was made of a route's body and what stands in the files is carried over
to what is made now, as in a three-way merge. Where both sides changed the same place nothing is
guessed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.envoy.assembly import Made
from hrctl.drivers.envoy.drift import GONE, ORDER, REST, Altered, located, order
from hrctl.drivers.envoy.snapshot import LDS, RTDS, Settings
from hrctl.model.address import Address
from hrctl.model.values import Body, Json

_MISSING: Final = object()


class _ConflictError(Exception):
    """The place is not as it was expected."""


def left(
    altered: Mapping[str, Sequence[Altered]], changed: Collection[str]
) -> dict[str, list[Altered]]:
    """What stays altered when these addresses are changed.

    A part of a listener, which several routes share, goes back with the first of them.
    """
    back = {(one.part, one.path) for at in altered.keys() & set(changed) for one in altered[at]}
    found = {
        at: [one for one in some if (one.part, one.path) not in back]
        for at, some in altered.items()
    }
    return {at: some for at, some in found.items() if some}


def kept(
    made: Made,
    altered: Mapping[str, Sequence[Altered]],
    bodies: Mapping[Address, Body],
    settings: Settings,
) -> Made:
    """The same with what is altered as it stands in the files.

    Args:
        made: everything, made anew.
        altered: what is to stay, by the address that it belongs to.
        bodies: what `made` was made of.
        settings: of the instance.

    Raises:
        HrctlError: HR217, where the place has changed, or a whole part came or went by hand, but
            for listeners that are gone.
    """
    if not altered:
        return made
    fresh = {path: json.loads(json.dumps(held)) for path, held in made.fresh.items()}
    parts = located(fresh, bodies, settings)
    done: set[tuple[str, str]] = set()
    for address, found in altered.items():
        mine = parts.get(address, {})
        for one in found:
            if (one.part, one.path) in done:  # of a listener, which several routes share
                continue
            done.add((one.part, one.path))
            try:
                if one.part.startswith(f"{LDS} ") and one.live == GONE:
                    _take_out(fresh[LDS], mine.get(one.part))
                elif one.part.startswith(f"{RTDS} "):
                    _set_weight(fresh[RTDS], mine, one)
                elif one.path == ORDER:
                    _reorder(mine.get(one.part, _MISSING), one)
                else:
                    _set(mine.get(one.part, _MISSING), one.path, one)
            except _ConflictError:
                raise refused({address: [one]}) from None
    return Made({}, fresh)


def refused(altered: Mapping[str, Sequence[Altered]]) -> HrctlError:
    """HR217, of what was edited and cannot stay as it is."""
    names = " and ".join(altered)
    files = sorted({one.part.partition(" ")[0] for found in altered.values() for one in found})
    # a part may also be gone since its port was taken, see `process.leave_taken`
    gone = all(one.live == GONE for found in altered.values() for one in found)
    said = "no longer" if gone else "edited by hand"
    return HrctlError.of(
        "HR217",
        f"{names}: {said} in {', '.join(files)}, which cannot be kept beside this change",
        hint=f"apply {names} too, which puts it back, or put it back by hand",
    )


def _set_weight(resources: list[dict[str, Any]], mine: Mapping[str, Json], one: Altered) -> None:
    part = mine.get(one.part)
    if not isinstance(part, dict) or GONE in {one.expected, one.live}:
        raise _ConflictError
    cluster = one.path.removeprefix("/")
    if part.get(cluster) != one.expected:
        raise _ConflictError
    (layer,) = (each["layer"] for each in resources)
    keys = [key for key in layer if _is_weight(key, one.part.partition(" ")[2], cluster)]
    if len(keys) != 1 or one.live is None:
        raise _ConflictError
    layer[keys[0]] = one.live


def _take_out(resources: list[dict[str, Any]], listener: Any) -> None:
    """Leave out a listener that is gone: another program has its port, or somebody removed it."""
    places = [at for at, one in enumerate(resources) if one is listener]
    if not places:
        raise _ConflictError
    del resources[places[0]]


def _reorder(host: Any, one: Altered) -> None:
    """Bring the routes of a virtual host into the order that somebody gave them."""
    if not isinstance(host, dict) or order(host) != one.expected:
        raise _ConflictError
    routes = dict(zip(order(host), host["routes"], strict=True))
    if routes.keys() != set(one.live):
        raise _ConflictError
    host["routes"] = [routes[name] for name in one.live]


def _is_weight(key: str, variant: str, cluster: str) -> bool:
    prefix, _, last = key.rpartition(".")
    number = prefix.partition(".")[2]
    return last == cluster and variant == (f"rule {number}" if number else REST)


def _set(value: Any, path: str, one: Altered) -> None:
    """Write `one.live` at a path of which `one.expected` stands there."""
    if not path or not isinstance(value, dict | list):
        raise _ConflictError
    key = _key(value, path)
    rest = path[len(str(key)) + 1 :]
    held = value.get(key) if isinstance(value, dict) else value[int(key)]
    if rest:
        return _set(held, rest, one)
    if held != one.expected:
        raise _ConflictError
    if isinstance(value, list):
        value[int(key)] = one.live
    elif one.live is None:
        value.pop(key, None)
    else:
        value[key] = one.live
    return None


def _key(value: dict[str, Any] | list[Any], path: str) -> str:
    """The first key of a path. Keys may have a slash in them: the longest that is there."""
    if isinstance(value, list):
        key = path.split("/")[1]
        if not key.isdigit() or int(key) >= len(value):
            raise _ConflictError
        return key
    there = [key for key in value if path == f"/{key}" or path.startswith(f"/{key}/")]
    return max(there, key=len) if there else path[1:]
