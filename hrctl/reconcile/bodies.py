"""Bodies cut to what a plan may hold: masked, or kept in part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from hrctl.model.managed import names
from hrctl.model.plan import ABSENT, Absent
from hrctl.model.values import Body, Json, is_reference, is_sensitive_reference, pointer_parts
from hrctl.reconcile.diff import Ignored, below, escaped, same

# Stands where a live system showed a secret in the clear: a plan must never hold it.
MASKED: Final[Json] = {"valueFrom": {"masked": True}}


def mask(live: Body, shapes: Iterable[Body | None], sensitive: Iterable[str] = ()) -> Body:
    """`live` without plaintext: what is a secret in one of the shapes is `MASKED` in it.

    A reference that the live system gives back stays, so that an unchanged secret compares equal.
    `sensitive` are paths in the shapes that hold secrets beside `age` and `env` references.
    """
    paths = frozenset(sensitive)
    result: Json = live
    for shape in shapes:
        if shape is not None and has_secret(shape, paths):
            result = _mask(result, shape, "", paths)
    return result  # type: ignore[no-any-return]  # a map stays a map


def mask_agreed(
    applied: Body | None, live: Body, desired: Body, sensitive: Iterable[str] = ()
) -> Body | None:
    """`applied` with `MASKED` where a literal becomes a secret and is live as it was applied.

    `mask` hides the live side there; without its counterpart the two would look different, and the
    change like a conflict.
    """
    paths = frozenset(sensitive)
    if applied is None or not has_secret(desired, paths):
        return applied
    return _mask_agreed(applied, live, desired, "", paths)  # type: ignore[no-any-return]  # a map stays a map


def _mask_agreed(
    applied: Json, live: Json, desired: Json, path: str, paths: frozenset[str]
) -> Json:
    if not has_secret(desired, paths, path) or is_reference(applied):
        return applied
    if is_reference(desired):
        return MASKED if same(applied, live) else applied
    if isinstance(desired, dict) and isinstance(live, dict) and isinstance(applied, dict):
        shared = desired.keys() & live.keys()
        return {
            key: _mask_agreed(item, live[key], desired[key], f"{path}/{escaped(key)}", paths)
            if key in shared
            else item
            for key, item in applied.items()
        }
    if isinstance(desired, list) and isinstance(live, list) and isinstance(applied, list):
        wanted, present, had = names(desired), names(live), names(applied)
        if wanted is not None and present is not None and had is not None:
            order = {name: index for index, name in enumerate(wanted)}
            return [
                _mask_agreed(item, present[name], wanted[name], f"{path}/{order[name]}", paths)
                if name in wanted and name in present
                else item
                for name, item in had.items()
            ]
        if len(desired) == len(live) == len(applied):
            return [
                _mask_agreed(item, live[index], desired[index], f"{path}/{index}", paths)
                for index, item in enumerate(applied)
            ]
    return applied


def has_secret(value: Json, paths: frozenset[str] = frozenset(), path: str = "") -> bool:
    """Whether a secret stands anywhere in a value."""
    if isinstance(value, dict):
        if is_reference(value):
            return path in paths or is_sensitive_reference(value)
        return any(has_secret(item, paths, f"{path}/{escaped(key)}") for key, item in value.items())
    if isinstance(value, list):
        return any(has_secret(item, paths, f"{path}/{i}") for i, item in enumerate(value))
    return False


def _mask(live: Json, shape: Json, path: str, paths: frozenset[str]) -> Json:
    if not has_secret(shape, paths, path):
        return live
    if is_reference(shape):
        return live if is_reference(live) or live is None else MASKED
    if isinstance(shape, dict) and isinstance(live, dict):
        return {
            key: _mask(item, shape[key], f"{path}/{escaped(key)}", paths) if key in shape else item
            for key, item in live.items()
        }
    if isinstance(shape, list) and isinstance(live, list):
        return _mask_list(live, shape, path, paths)
    return MASKED


def _mask_list(live: list[Json], shape: list[Json], path: str, paths: frozenset[str]) -> list[Json]:
    by_name, order = names(shape), {}
    if by_name is not None and names(live) is not None:
        order = {name: index for index, name in enumerate(by_name)}
        pairs = [(item, order.get(item["name"])) for item in live]
    elif len(shape) == len(live):
        pairs = [(item, index) for index, item in enumerate(live)]
    else:  # nothing says which element holds the secret
        return [item if is_reference(item) else MASKED for item in live]
    return [
        item if index is None else _mask(item, shape[index], f"{path}/{index}", paths)
        for item, index in pairs
    ]


def keep(desired: Body, live: Body, paths: Sequence[str]) -> Body:
    """`desired` with the values of `live` at these paths (patterns as in `lifecycle.ignore`)."""
    if not paths:
        return desired
    return _keep(desired, live, tuple(tuple(pointer_parts(one)) for one in paths))  # type: ignore[return-value]


def _keep(desired: Json | Absent, live: Json | Absent, ignored: Ignored) -> Json | Absent:
    if () in ignored:
        return desired if _is_masked(live) else live  # what may not be seen cannot be kept
    if not ignored or is_reference(desired):
        return desired
    if isinstance(desired, dict) and isinstance(live, dict):
        result = {}
        for key in [*desired, *(key for key in live if key not in desired)]:
            value = _keep(desired.get(key, ABSENT), live.get(key, ABSENT), below(ignored, key))
            if value is not ABSENT:
                result[key] = value
        return result
    if isinstance(desired, list) and isinstance(live, list):
        return _keep_list(desired, live, ignored)
    return desired


def _is_masked(value: Json | Absent) -> bool:
    if isinstance(value, dict):
        return value == MASKED or any(map(_is_masked, value.values()))
    return isinstance(value, list) and any(map(_is_masked, value))


def _keep_list(desired: list[Json], live: list[Json], ignored: Ignored) -> list[Json]:
    present = names(live)
    kept = []
    for index, item in enumerate(desired):
        name = item.get("name", "") if isinstance(item, dict) else ""
        if present is not None and names(desired) is not None:
            have = present.get(name, ABSENT)
        else:
            have = live[index] if len(live) == len(desired) else ABSENT
        value = _keep(item, have, below(ignored, str(index), name)) if have is not ABSENT else item
        kept.append(value)
    if present is not None and (wanted := names(desired)) is not None:
        extra = [item for name, item in present.items() if name not in wanted]
        for index, item in enumerate(extra, start=len(desired)):
            if () in below(ignored, str(index), item["name"]):
                kept.append(item)
    return kept


def substitute(body: Body, replace: Callable[[str, Json], Json]) -> Body:
    """`body` with ``replace(path, reference)`` for each reference; shares what has none."""
    return _substitute(body, "", replace)  # type: ignore[no-any-return]  # a map stays a map


def _substitute(value: Json, path: str, replace: Callable[[str, Json], Json]) -> Json:
    if isinstance(value, dict):
        if is_reference(value):
            return replace(path, value)
        items: Iterator[tuple[str, Json]] = (
            (key, _substitute(item, f"{path}/{escaped(key)}", replace))
            for key, item in value.items()
        )
        changed = dict(items)
        return changed if any(changed[key] is not value[key] for key in value) else value
    if isinstance(value, list):
        new = [_substitute(item, f"{path}/{i}", replace) for i, item in enumerate(value)]
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value
