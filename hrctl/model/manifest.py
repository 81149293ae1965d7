"""The envelope: what every manifest has around its spec. Written by hand, for speed.

apiVersion: hrctl.dev/v1
kind: Service
metadata: {name, labels, annotations, movedFrom, instances, patch}
spec: {...}
dependsOn: [Component/orders-db]
lifecycle: {protect, ignore, createFirst, deletion}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from hrctl.diagnostics import Severity
from hrctl.model.address import NAME, is_name
from hrctl.model.kinds import KINDS
from hrctl.model.values import Json, pointer

API_VERSION: Final = "hrctl.dev/v1"
LEVELS: Final = ("ROOT", "DOMAIN", "PROJECT", "ENVIRONMENT", "TENANT")
DELETIONS: Final = ("delete", "retain")

_TOP: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "dependsOn", "lifecycle"})
_TOP_ORDER: Final = ("apiVersion", "kind", "metadata", "spec", "dependsOn", "lifecycle")
_METADATA: Final = frozenset({"name", "labels", "annotations", "movedFrom", "instances", "patch"})
_LIFECYCLE: Final = frozenset({"protect", "ignore", "createFirst", "deletion"})
_KINDS: Final = frozenset(KINDS)
_TARGET: Final = re.compile(rf"(?:{NAME}(?:/{NAME})*:)?([A-Z][A-Za-z]*)/({NAME})")
LABEL: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]{0,251}[A-Za-z0-9])?"
_LABEL: Final = re.compile(LABEL)
_POINTER: Final = re.compile(r"(?:/(?:[^/~]|~[01])+)+")
_SHOWN: Final = 80  # characters of a value in a message
_WORDS: Final = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of a document.

    `path` is a field path from the document's root; `at_key` means that the key there is to be
    underlined and not the value.
    """

    path: str
    code: str
    summary: str
    hint: str | None = None
    note: str | None = None
    at_key: bool = False
    severity: Severity = Severity.ERROR

    def moved(self, path: str) -> Problem:
        """The same problem at another place."""
        return replace(self, path=path)


def check_envelope(document: dict[str, Json]) -> list[Problem]:
    """What is wrong with a document, its spec aside; an empty list where all is well."""
    metadata = document.get("metadata")
    if (  # nearly every document of a tree leaves by this door
        document.keys() <= _TOP
        and document.get("apiVersion") == API_VERSION
        and document.get("kind") in KINDS
        and type(metadata) is dict
        and metadata.keys() <= _METADATA
        and type(metadata.get("name")) is str
        and is_name(metadata["name"])
        and type(document.get("spec")) is dict
        and (len(metadata) == 1 or not _metadata_fields(metadata))
        and "dependsOn" not in document
        and "lifecycle" not in document
    ):
        return []
    if type(metadata) is dict and metadata.get("patch") is True:
        document = _without_removals(document)
    return list(_problems(document))


def _without_removals(document: dict[str, Json]) -> dict[str, Json]:
    """Return a patch without the nulls around its spec, which remove what is inherited."""
    kept = {
        field: item
        for field, item in document.items()
        if item is not None or field not in {"dependsOn", "lifecycle"}
    }
    metadata = kept["metadata"]
    kept["metadata"] = {
        field: _without_nulls(item) if field in {"labels", "annotations"} else item
        for field, item in metadata.items()
        if item is not None or field not in {"labels", "annotations"}
    }
    if "lifecycle" in kept:
        kept["lifecycle"] = _without_nulls(kept["lifecycle"])
    return kept


def _without_nulls(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if item is not None}


def nearest(word: str, words: Collection[str]) -> str | None:
    """``did you mean AUTO_CPU?``, where one of the words is near."""
    from difflib import get_close_matches

    folded = {one.casefold(): one for one in words}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[found[0]]}?" if found else None


def got(value: Json) -> str:
    """What sort of value this is, in words."""
    return _WORDS.get(type(value), type(value).__name__)


def one_of(words: Collection[str]) -> str:
    """``one of A, B, C``."""
    return f"one of {', '.join(words)}"


def _problems(document: dict[str, Json]) -> Iterator[Problem]:
    yield from _unknown(document, _TOP_ORDER, "")
    yield from _version(document)
    yield from _kind(document)
    metadata = document.get("metadata")
    if "metadata" not in document:
        yield _missing("", "metadata")
    elif not isinstance(metadata, dict):
        yield _wrong_type("/metadata", "metadata", "a mapping", metadata)
    else:
        yield from _metadata(metadata)
    if "spec" in document:
        if not isinstance(document["spec"], dict):
            yield _wrong_type("/spec", "spec", "a mapping", document["spec"])
    elif not (isinstance(metadata, dict) and metadata.get("patch") is True):
        yield _missing("", "spec")
    if "dependsOn" in document:
        yield from _depends_on(document["dependsOn"])
    if "lifecycle" in document:
        yield from _lifecycle(document["lifecycle"])


def _version(document: dict[str, Json]) -> Iterator[Problem]:
    if "apiVersion" not in document:
        yield _missing("", "apiVersion")
    elif document["apiVersion"] != API_VERSION:
        yield Problem(
            "/apiVersion",
            "HR027",
            f"unknown apiVersion {shown(document['apiVersion'])}",
            hint=f"this hrctl reads {API_VERSION}",
        )


def _kind(document: dict[str, Json]) -> Iterator[Problem]:
    name = document.get("kind")
    if "kind" not in document:
        yield _missing("", "kind")
    elif not isinstance(name, str):
        yield _wrong_type("/kind", "kind", "a string", name)
    elif name not in _KINDS:
        yield Problem(
            "/kind",
            "HR025",
            f"unknown kind {shown(name)}",
            hint=nearest(name, KINDS),
            note=one_of(KINDS),
        )


def _metadata(metadata: dict[str, Json]) -> Iterator[Problem]:
    yield from _unknown(metadata, tuple(_METADATA_CHECKS), "/metadata")
    if "name" not in metadata:
        yield _missing("/metadata", "name")
    yield from _metadata_fields(metadata)


def _metadata_fields(metadata: dict[str, Json]) -> list[Problem]:
    return [
        problem
        for field, value in metadata.items()
        if field in _METADATA_CHECKS
        for problem in _METADATA_CHECKS[field](f"/metadata/{field}", value)
    ]


def _name(path: str, value: Json) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield _wrong_type(path, "metadata.name", "a string", value)
    elif not is_name(value):
        yield Problem(
            path,
            "HR026",
            f"bad name {shown(value)}",
            hint=_suggested(value),
            note="a name has lower-case letters, digits and dashes, at most 63, "
            "and neither begins nor ends with a dash",
        )


def _suggested(name: str) -> str | None:
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    return f"did you mean {better}?" if better else None


def _texts(path: str, value: Json) -> Iterator[Problem]:
    field = path[1:].replace("/", ".")
    if not isinstance(value, dict):
        yield _wrong_type(path, field, "a mapping", value)
        return
    for key, item in value.items():
        inside = path + pointer([key])
        if not isinstance(key, str) or _LABEL.fullmatch(key) is None:
            yield Problem(
                inside,
                "HR026",
                f"bad name {shown(key)} in {field}",
                note="letters, digits, -, _, . and /, a letter or digit at both ends",
                at_key=True,
            )
        elif not isinstance(item, str):
            hint = None if isinstance(item, dict | list) else "put it in quotes"
            yield _wrong_type(inside, f"{field}.{key}", "a string", item, hint)


def _moved_from(path: str, value: Json) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield _wrong_type(path, "metadata.movedFrom", "a string", value)
    elif _TARGET.fullmatch(value) is None:
        yield Problem(
            path,
            "HR024",
            f"{shown(value)} in metadata.movedFrom is not an address",
            hint="such as acme/shop/prod:Service/api, or Service/api in the same registry",
        )


def _word(path: str, value: Json, words: tuple[str, ...]) -> Iterator[Problem]:
    field = path[1:].replace("/", ".")
    if not isinstance(value, str):
        yield _wrong_type(path, field, "a string", value)
    elif value not in words:
        yield Problem(
            path,
            "HR021",
            f"unknown value {shown(value)} for {field}",
            hint=nearest(value, words),
            note=one_of(words),
        )


def _boolean(path: str, value: Json) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield _wrong_type(path, path[1:].replace("/", "."), "a boolean", value)


_METADATA_CHECKS: Final[dict[str, Callable[[str, Any], Iterator[Problem]]]] = {
    "name": _name,
    "labels": _texts,
    "annotations": _texts,
    "movedFrom": _moved_from,
    "instances": lambda path, value: _word(path, value, LEVELS),
    "patch": _boolean,
}


def _depends_on(value: Json) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield _wrong_type("/dependsOn", "dependsOn", "a list", value)
        return
    for index, item in enumerate(value):
        path = f"/dependsOn/{index}"
        found = _TARGET.fullmatch(item) if isinstance(item, str) else None
        if not isinstance(item, str):
            yield _wrong_type(path, f"dependsOn[{index}]", "a string", item)
        elif found is None:
            yield Problem(
                path,
                "HR024",
                f"{shown(item)} in dependsOn names no resource",
                hint="such as Component/orders-db, or a whole address",
            )
        elif found[1] not in _KINDS:
            yield Problem(
                path,
                "HR025",
                f"unknown kind {shown(found[1])} in dependsOn",
                hint=nearest(found[1], KINDS),
                note=one_of(KINDS),
            )


def _lifecycle(value: Json) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong_type("/lifecycle", "lifecycle", "a mapping", value)
        return
    yield from _unknown(value, ("protect", "ignore", "createFirst", "deletion"), "/lifecycle")
    for field in ("protect", "createFirst"):
        if field in value:
            yield from _boolean(f"/lifecycle/{field}", value[field])
    if "deletion" in value:
        yield from _word("/lifecycle/deletion", value["deletion"], DELETIONS)
    ignore = value.get("ignore", [])
    if not isinstance(ignore, list):
        yield _wrong_type("/lifecycle/ignore", "lifecycle.ignore", "a list", ignore)
        return
    for index, item in enumerate(ignore):
        path = f"/lifecycle/ignore/{index}"
        if not isinstance(item, str):
            yield _wrong_type(path, f"lifecycle.ignore[{index}]", "a string", item)
        elif _POINTER.fullmatch(item) is None or not item.startswith(("/spec/", "/metadata/")):
            yield Problem(
                path,
                "HR024",
                f"{shown(item)} in lifecycle.ignore is not a field path",
                hint="such as /spec/replicas",
            )


def _unknown(value: dict[str, Json], fields: tuple[str, ...], path: str) -> Iterator[Problem]:
    where = f" in {path[1:]}" if path else ""
    for key in value:
        if key not in fields:
            yield Problem(
                path + pointer([key]),
                "HR020",
                f"unknown field {shown(key)}{where}",
                hint=nearest(str(key), fields),
                note=one_of(fields),
                at_key=True,
            )


def _missing(path: str, field: str) -> Problem:
    where = f" in {path[1:]}" if path else ""
    return Problem(path, "HR023", f"missing field '{field}'{where}", at_key=bool(path))


def _wrong_type(
    path: str, field: str, wanted: str, value: Json, hint: str | None = None
) -> Problem:
    summary = f"wrong type for {field}: wanted {wanted}, got {got(value)}"
    return Problem(path, "HR022", summary, hint=hint)


def shown(value: Json) -> str:
    """A value in a message, cut where it is long."""
    text = str(value)
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[: _SHOWN - 3]}...'"
