"""Values of manifests: canonical form, digests, field paths, references.

A *body* is what a resource is compared and applied by, JSON values throughout:

    {"metadata": {"labels": {...}, "annotations": {...}}, "spec": {...}}

Field paths are JSON Pointers (RFC 6901) from the body's root: ``/spec/env/LOG_LEVEL``.

A value that no one may see, or that only an apply can know, stands in a body as its reference,
``{"valueFrom": {...}}`` with absolute addresses. So plans, ledgers and digests can hold bodies as
they are; the plaintext exists only inside `Driver.apply`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

Json = Any  # dict[str, Json] | list[Json] | str | int | float | bool | None
Body = dict[str, Json]

SECRET_SOURCES: Final = frozenset({"age", "env"})
_MISSING: Final = object()


_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(value: Json) -> str:
    """The one text of a JSON value: keys sorted, no white space, no NaN or infinity.

    Raises:
        ValueError: for a number that JSON cannot hold.
    """
    return _CANONICAL.encode(value)


def digest(value: Json) -> str:
    """128 bits of BLAKE2b over the canonical text, as 32 hexadecimal characters."""
    return digest_bytes(canonical(value).encode("utf-8", "surrogatepass"))


def digest_bytes(data: bytes) -> str:
    """128 bits of BLAKE2b, as 32 hexadecimal characters."""
    return blake2b(data, digest_size=16).hexdigest()


def pointer(parts: Sequence[str | int]) -> str:
    """Format a field path: ``["spec", "a/b", 0]`` -> ``/spec/a~1b/0``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def pointer_parts(path: str) -> list[str]:
    """Parse a field path; the inverse of `pointer`, list indices as text."""
    if not path:
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def lookup(value: Json, path: str, default: Json = None) -> Json:
    """The value at a field path, or the default where nothing is there."""
    for part in pointer_parts(path):
        if isinstance(value, dict):
            value = value.get(part, _MISSING)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return default
        if value is _MISSING:
            return default
    return value


def is_reference(value: Json) -> bool:
    """Whether a value is ``{"valueFrom": {...}}``."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("valueFrom"), dict)


def is_sensitive_reference(value: Json) -> bool:
    """Whether a value is a reference to a secret: ciphertext or the environment of the process."""
    return is_reference(value) and not SECRET_SOURCES.isdisjoint(value["valueFrom"])


def is_ciphertext(value: Json) -> bool:
    """Whether a value is an encrypted one."""
    return is_reference(value) and "age" in value["valueFrom"]


def references(value: Json, path: str = "") -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every reference in a value, with its field path, in document order."""
    if isinstance(value, dict):
        if is_reference(value):
            yield path, value["valueFrom"]
            return
        for key, item in value.items():
            if isinstance(item, dict | list):  # the rest can hold none, and paths cost time
                yield from references(item, f"{path}{pointer([key])}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from references(item, f"{path}/{index}")


def merge(base: Json, patch: Json) -> Json:
    """JSON Merge Patch (RFC 7396) that shares what it does not change.

    Maps merge key by key, lists and scalars replace, `None` removes.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) and not is_reference(base) else {}
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        elif isinstance(item, dict) and not is_reference(item):
            result[key] = merge(result.get(key), item)
        else:
            result[key] = item
    return result
