"""JSON Schemas that users write: whether one can be used, and whether a value obeys it.

A schema comes from whoever wrote the manifest, so it may neither reach out of its document nor ask
for more work than `keywords.budget` allows. Expressions run on `hrctl.model.regex`, and nothing is
fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from hrctl.model.json_schema.fault import Fault
from hrctl.model.values import Json

Check = Callable[[str, Json], "str | Fault | None"]

_ANSWERS: Final = 4096  # kept for each schema
_SHOWN: Final = 300  # characters of a message; the library puts whole values into it
_TOO_MUCH: Final = "checking the value takes too much work"
_TOO_DEEP: Final = "the value and its schema are nested too deep together"


@lru_cache(maxsize=256)
def compiled(text: str) -> Fault | Check:
    """Return a check of values against the JSON Schema in `text`, or why it cannot be used.

    The check takes the canonical text of the value, by which it keeps its answers, and the value.
    It returns what is wrong with the value, or a `Fault` where the schema asks for too much.
    """
    import json

    from hrctl.model.json_schema import keywords, references

    schema = json.loads(text)
    draft = references.draft_of(schema)
    if isinstance(draft, Fault):
        return draft
    bounded = keywords.bounded(draft)
    wrong = _first(bounded(draft.META_SCHEMA, registry=references.BUNDLED), schema, len(text))
    if isinstance(wrong, Fault):
        return wrong
    if wrong is not None:
        return Fault(
            "HR024", f"schema is not a JSON Schema: {_shown(str(wrong.message))}", tuple(wrong.path)
        )
    resolver = references.resolver_of(schema, draft)
    if isinstance(resolver, Fault):
        return resolver
    problem = references.problem(schema, draft, resolver)
    if problem is not None:
        return problem
    validator = bounded(schema, _resolver=resolver)
    known: dict[str, str | Fault | None] = {}

    def check(key: str, value: Json) -> str | Fault | None:
        if key not in known:
            if len(known) > _ANSWERS:
                known.clear()
            error = _first(validator, value, len(text) + len(key))
            known[key] = _described(error) if error is not None else None
        return known[key]

    return check


def _first(validator: Any, value: Json, size: int) -> Any:
    """Return the error that says most, or a Fault where the work is too much; None if all is well.

    Args:
        validator: of the library, bounded.
        value: what it looks at.
        size: characters of value and schema.
    """
    from jsonschema.exceptions import best_match

    from hrctl.model.json_schema import keywords
    from hrctl.model.regex import TooMuchWorkError

    hint = "use a simpler schema, or divide the value among several entries"
    try:
        with keywords.budget(size):
            return best_match(validator.iter_errors(value))
    except TooMuchWorkError:
        return Fault("HR342", _TOO_MUCH, (), hint)
    except RecursionError:
        return Fault("HR342", _TOO_DEEP, (), hint)


def _described(error: Any) -> str | Fault:
    if isinstance(error, Fault):
        return error
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
    message = _shown(str(error.message))
    return f"{place.lstrip('.')}: {message}" if place else message


def _shown(message: str) -> str:
    return message if len(message) <= _SHOWN else f"{message[:_SHOWN]}..."
