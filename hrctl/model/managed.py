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
