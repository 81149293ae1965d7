"""What of a live body is ours: fields that were declared, elements of lists by their names."""

from __future__ import annotations

from hrctl.model.values import Json, is_reference


def names(items: list[Json]) -> dict[str, Json] | None:
    """The elements by their `name`, where all have one of their own."""
    found: dict[str, Json] = {}
    for item in items:
        name = item.get("name") if type(item) is dict else None
        if type(name) is not str or name in found:
            return None
        found[name] = item
    return found


def with_live_fields(desired: Json, applied: Json, live: Json) -> Json:
    """Return `desired` with the fields that only the live system has: maps are open.

    What was applied and is no longer desired is not among them, nor are further elements of lists.
    """
    if is_reference(desired) or is_reference(live):
        return desired
    if isinstance(desired, dict) and isinstance(live, dict):
        had = applied if isinstance(applied, dict) else {}
        merged = {
            key: with_live_fields(item, had.get(key), live.get(key))
            for key, item in desired.items()
        }
        return merged | {
            key: item for key, item in live.items() if key not in desired and key not in had
        }
    if isinstance(desired, list) and isinstance(live, list):
        had_items = applied if isinstance(applied, list) else []
        wanted, present, had_names = names(desired), names(live), names(had_items) or {}
        if wanted is not None and present is not None:
            return [
                with_live_fields(item, had_names.get(name), present.get(name))
                for name, item in wanted.items()
            ]
        if len(desired) == len(live) == len(had_items):
            return [*map(with_live_fields, desired, had_items, live)]
    return desired


def managed(live: Json, shape: Json) -> Json:
    """`live` without what only the live system has: the part that the ledger may record."""
    if isinstance(live, dict) and isinstance(shape, dict) and not is_reference(shape):
        return {key: managed(live[key], item) for key, item in shape.items() if key in live}
    if isinstance(live, list) and isinstance(shape, list):
        by_name = names(shape)
        if by_name is not None and names(live) is not None:
            return [managed(item, by_name.get(item["name"], item)) for item in live]
        if len(live) == len(shape):
            return [managed(item, shape[index]) for index, item in enumerate(live)]
    return live
