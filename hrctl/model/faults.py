"""From pydantic's errors to ours: one problem for each fault, with the nearest valid word.

What the fields are called, which values they take and which hold secrets is read from the JSON
Schema of the model, which is made once and only after the first fault. The value of a field
that may hold a secret is never printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from hrctl.model.kinds.base import Broken
from hrctl.model.manifest import Problem, got, nearest, one_of, shown
from hrctl.model.values import Json, lookup, pointer

Path = tuple[str | int, ...]
Schema = dict[str, Any]

_MARK: Final = "|"  # begins the name of a union's member, see `kinds.reference`
_KEY: Final = "[key]"  # pydantic's name for the key of a mapping
_TOGETHER: Final = frozenset({"weights", "groups"})
_WANTED: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "finite_number": "a finite number",
}
_BOUNDS: Final = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
}


def problems(
    model: type[BaseModel],
    error: ValidationError,
    value: Json,
    at: Path,
    *,
    partial: bool = False,
) -> list[Problem]:
    """One problem for each fault in `value`, which stands at `at` in its document.

    With `partial` what is missing is no fault, except inside lists, which are never merged.
    """
    found: list[Problem] = []
    check = model.__pydantic_validator__.validate_python
    while True:
        lines = list(_lines(error, value))
        new = [one for line in lines for one in _told(model, line, at, partial=partial)]
        found.extend(one for one in new if one not in found)
        # a fault hides the rules of the mapping around it: look again without what is faulty
        smaller = value
        for line in lines:
            smaller = _without(smaller, _done_with(line))
        if smaller is value or smaller == value:  # a NaN is not equal to itself
            break
        value, partial = smaller, True
        try:
            check(value)
        except ValidationError as rest:
            error = rest
        else:
            break
    return found


def _told(model: type[BaseModel], line: Any, at: Path, *, partial: bool) -> Iterator[Problem]:
    path: Path = line["loc"]
    # lists and references are never merged: those of a part are whole
    lenient = partial and not any(isinstance(part, int) or part == "valueFrom" for part in path)
    if line["type"] == "rules":
        yield from _rules(line["ctx"]["broken"], path, at, line["input"], lenient=lenient)
    elif not (lenient and line["type"] == "missing"):
        yield _problem(model, line, path, at)


def _done_with(line: Any) -> Path:
    """What need not be looked at again: nothing where a field is missing or all rules were judged.

    A reference is left out with the value that it stands for, a list as a whole, and so is a
    mapping whose entries mean something together alone.
    """
    path: Path = line["loc"]
    if line["type"] == "missing":
        return ()
    for at, part in enumerate(path):
        if isinstance(part, int) or part in {"valueFrom", _KEY}:
            return path[:at]
        if part in _TOGETHER:
            return path[: at + 1]
    return path


def _without(value: Json, path: Path) -> Json:
    if not path or not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {key: item for key, item in value.items() if key != path[0]}
    return {**value, path[0]: _without(value[path[0]], path[1:])}


def _lines(error: ValidationError, value: Json) -> Iterator[Any]:
    """Pydantic's errors, one for each union, without the names of the union's members."""
    told: set[Path] = set()
    for line in error.errors(include_url=False):
        path = line["loc"]
        mark = next(
            (at for at, part in enumerate(path) if isinstance(part, str) and part[:1] == _MARK),
            None,
        )
        if mark is None:
            yield line
            continue
        place = path[:mark]
        held = lookup(value, pointer(place))
        if isinstance(held, dict) and "valueFrom" in held:
            if path[mark] == "|reference":
                yield {**line, "loc": place + path[mark + 1 :]}
        elif place not in told:
            told.add(place)
            yield {**line, "type": "text", "loc": place, "input": held}


def _rules(
    broken: list[Broken], path: Path, at: Path, value: Json, *, lenient: bool
) -> Iterator[Problem]:
    for rule in broken:
        if lenient and not all(_is_there(value, field) for field in rule.needs or ((),)):
            continue
        place = (*at, *path, *rule.at)
        while len(place) > len(at) + len(path) and not _is_there(
            value, place[len(at) + len(path) :]
        ):
            place = place[:-1]
        yield Problem(
            pointer(place), rule.code, rule.summary, rule.hint, rule.note, at_key=rule.at_key
        )


def _is_there(value: Json, path: Path) -> bool:
    absent = object()
    return lookup(value, pointer(path), absent) is not absent


def _problem(model: type[BaseModel], line: Any, path: Path, at: Path) -> Problem:
    sort = line["type"]
    if path and path[-1] == _KEY:
        return _bad_key(model, line, path[:-1], at)
    if sort == "missing":
        inside = pointer((*at, *path[:-1]))
        return Problem(
            inside,
            "HR023",
            f"missing field '{path[-1]}'{_in(path[:-1])}",
            at_key=bool(at or path[:-1]),
        )
    if sort == "extra_forbidden":
        fields = sorted(_properties(model, path[:-1]))
        return Problem(
            pointer((*at, *path)),
            "HR020",
            f"unknown field '{path[-1]}'{_in(path[:-1])}",
            hint=nearest(str(path[-1]), fields),
            note=one_of(fields),
            at_key=True,
        )
    make = _MAKERS.get(sort, _other)
    found = make(line, _dotted(path), _schema_at(model, path))
    return Problem(
        pointer((*at, *path)),
        found["code"],
        found["summary"],
        hint=found.get("hint"),
        note=found.get("note"),
    )


def _bad_key(model: type[BaseModel], line: Any, path: Path, at: Path) -> Problem:
    key, owner = path[-1], path[:-1]
    place = pointer((*at, *path))
    names: Schema = next(
        (one["propertyNames"] for one in _schema_at(model, owner) if "propertyNames" in one), {}
    )
    words = _resolved(model, names).get("enum", [])
    if line["type"] == "literal_error":
        return Problem(
            place,
            "HR025",
            f"unknown kind '{key}'{_in(owner)}",
            hint=nearest(str(key), words),
            note=one_of(words),
            at_key=True,
        )
    return Problem(
        place, "HR024", f"'{key}' is no name{_in(owner)}", note=_words(model, names), at_key=True
    )


def _words(model: type[BaseModel], schema: Schema) -> str | None:
    words: str | None = _resolved(model, schema).get("patternErrorMessage")
    return words


def _literal(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    words = [word for one in schemas for word in _enumerated(one)]
    value = line["input"]
    if not isinstance(value, str) and all(isinstance(word, str) for word in words):
        return {
            "code": "HR022",
            "summary": f"wrong type for {field}: wanted a string, got {got(value)}",
            "note": one_of(words) if words else None,
        }
    return {
        "code": "HR021",
        "summary": f"unknown value {shown(value)} for {field}",
        "hint": nearest(str(value), [str(word) for word in words]),
        "note": one_of([str(word) for word in words]) if words else None,
    }


def _enumerated(schema: Schema) -> list[Any]:
    found = list(schema.get("enum", ()))
    if "const" in schema:
        found.append(schema["const"])
    return found


def _bound(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    del schemas
    key, words = _BOUNDS[line["type"]]
    limit = line["ctx"][key]
    shown = int(limit) if limit == int(limit) else limit
    return {"code": "HR024", "summary": f"{field} is {line['input']}, {words} {shown}"}


def _whole(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    del schemas
    return {"code": "HR024", "summary": f"{field} is {line['input']}, must be a whole number"}


def _pattern(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    words = next(
        (one["patternErrorMessage"] for one in schemas if "patternErrorMessage" in one), None
    )
    value = line["input"]
    if not str(value).strip():
        return {"code": "HR024", "summary": f"{field} is empty"}
    if any(one.get("writeOnly") for one in schemas):
        return {"code": "HR024", "summary": f"{field} does not have its form", "note": words}
    return {"code": "HR024", "summary": f"bad value {shown(value)} for {field}", "note": words}


def _short(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    del schemas
    context = line["ctx"]
    if "min_length" in context:
        wanted = f"at least {context['min_length']}"
    else:
        wanted = f"at most {context['max_length']}"
    return {
        "code": "HR024",
        "summary": f"{field} has {context['actual_length']} items, must have {wanted}",
    }


def _fault(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    del schemas
    context: dict[str, Any] = line["ctx"]
    return {**context, "summary": context["summary"].replace("{field}", field)}


def _text(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    del schemas
    return {
        "code": "HR022",
        "summary": f"wrong type for {field}: wanted a string or valueFrom, "
        f"got {got(line['input'])}",
    }


def _other(line: Any, field: str, schemas: list[Schema]) -> dict[str, Any]:
    """A wrong type, or what pydantic itself says of a rule that no kind of ours uses."""
    del schemas
    value = line["input"]
    wanted = _WANTED.get(line["type"])
    if line["type"] == "is_instance_of":  # a `Form`, which tells what it wants
        wanted = line["ctx"]["class"]
    if line["type"] == "value_error":  # a validator of a driver's config says it in its own words
        return {"code": "HR024", "summary": f"{field}: {line['ctx']['error']}"}
    if wanted is None:
        return {"code": "HR024", "summary": f"{field}: {str(line['msg']).lower()}"}
    hint = None
    if isinstance(value, str) and wanted in {"an integer", "a number", "a boolean"}:
        hint = "write it without quotes"
    elif wanted == "a string" and isinstance(value, int | float):
        hint = "put it in quotes"
    return {
        "code": "HR022",
        "summary": f"wrong type for {field}: wanted {wanted}, got {got(value)}",
        "hint": hint,
    }


_MAKERS: Final[dict[str, Callable[[Any, str, list[Schema]], dict[str, Any]]]] = {
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
    "too_short": _short,
    "too_long": _short,
    "fault": _fault,
    "text": _text,
    **dict.fromkeys(_BOUNDS, _bound),
    "multiple_of": _whole,
}


def _dotted(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "spec"


def _in(path: Path) -> str:
    return f" in {_dotted(path)}" if path else ""


@lru_cache(maxsize=64)
def _document(model: type[BaseModel]) -> Schema:
    from hrctl.model.schema import model_schema

    return model_schema(model)


def _resolved(model: type[BaseModel], schema: Schema) -> Schema:
    while "$ref" in schema:
        found = _document(model)["definitions"][schema["$ref"].rpartition("/")[2]]
        schema = {**found, **{key: item for key, item in schema.items() if key != "$ref"}}
    return schema


def _alternatives(model: type[BaseModel], schema: Schema) -> list[Schema]:
    schema = _resolved(model, schema)
    found = [schema]
    for word in ("anyOf", "allOf", "oneOf"):
        for one in schema.get(word, ()):
            if "required" not in one or "properties" in one:
                found.extend(_alternatives(model, one))
    return found


def _schema_at(model: type[BaseModel], path: Path) -> list[Schema]:
    """Every schema that speaks of the value at a path."""
    found = _alternatives(model, _document(model))
    for part in path:
        inside: list[Schema] = []
        for one in found:
            if isinstance(part, int):
                step = one.get("items")
            else:
                step = one.get("properties", {}).get(part, one.get("additionalProperties"))
            if isinstance(step, dict):
                inside.extend(_alternatives(model, step))
        found = inside
    return found


def _properties(model: type[BaseModel], path: Path) -> set[str]:
    return {name for one in _schema_at(model, path) for name in one.get("properties", ())}
