"""Labels of flags as tags of features: the key of a label is the type of its tag.

Only labels that the instance names are. A feature has the tags that the flags of any of its
environments want, and those of other types, which are people's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hrctl.drivers.unleash.marks import BODY, Marks
from hrctl.drivers.unleash.strategies import NotExpressible
from hrctl.model.values import Body, pointer

Tags = frozenset[tuple[str, str]]
_SHORTEST: Final = 2
_LONGEST: Final = 50


def tags_of(body: Body, named: Collection[str]) -> Tags:
    """The tags that a flag wants.

    Raises:
        NotExpressible: for a value that no tag can have.
    """
    labels = (body.get("metadata") or {}).get("labels") or {}
    found = frozenset((key, str(labels[key])) for key in named if key in labels)
    for key, value in sorted(found):
        if not _SHORTEST <= len(value) <= _LONGEST:
            size = f"{_SHORTEST} to {_LONGEST} characters"
            words = f"label {key} '{value}' as a tag, which has {size}"
            raise NotExpressible(words, pointer(["metadata", "labels", key]))
    return found


def wanted_by(marks: Marks, named: Collection[str]) -> Tags:
    """The tags that the flags of all marks want."""
    found: set[tuple[str, str]] = set()
    for mark in marks.values():
        try:
            found |= tags_of(mark[BODY], named)
        except (NotExpressible, AttributeError, TypeError):  # people changed the mark
            continue
    return frozenset(found)


def labelled(body: Body, tags: Tags, named: Collection[str]) -> Body:
    """A body with the labels that the tags say; of several of a type the one that it had."""
    metadata = body.get("metadata") or {}
    labels = dict(metadata.get("labels") or {})
    for key in named:
        values = sorted(value for kind, value in tags if kind == key)
        if labels.get(key) in values:
            continue
        labels.pop(key, None)
        if values:
            labels[key] = values[0]
    if labels == (metadata.get("labels") or {}):
        return body
    return {**body, "metadata": {**metadata, "labels": labels}}
