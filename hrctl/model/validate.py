"""Whether what was written is right. Imports pydantic: import it only where files are new.

    check_envelope(document)        the fields around the spec
    check_spec("Service", spec)     the spec; an empty list where all is well
    complete("Service", spec)       the spec in its one form, built-in defaults filled in

A whole tree is checked by `check_spec` alone, which builds no dictionary; `complete` makes the body
of the few resources that are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from hrctl.diagnostics import Severity
from hrctl.model.faults import problems
from hrctl.model.kinds import KINDS, desugar, kind
from hrctl.model.manifest import Problem, check_envelope
from hrctl.model.values import Json, pointer

__all__ = ["Problem", "check_envelope", "check_model", "check_project", "check_spec", "complete"]

Check = Callable[[Any], Any]

_CHECKS: Final[dict[str, Check]] = {}


def check_spec(
    name: str, spec: Json, *, partial: bool = False, today: date | None = None
) -> list[Problem]:
    """What is wrong with the spec of the kind `name`; paths begin with /spec.

    With `partial` (a patch, the defaults of a registry) missing fields are no problem, nor are
    rules between fields that are not all there. Null, which removes what is inherited, counts as
    if the field were left out.
    `today` is the day by which flags are found stale (HR032, a warning).
    """
    check = _CHECKS.get(name) or _load(name)
    found = _faults(name, check, spec) if not partial else None
    if found is None or found:  # a second look without nulls, which are rare
        found = _faults(name, check, _without_nulls(spec), partial=partial)
    if name == "Registry":
        found.extend(_registry(spec))
    elif name == "FeatureFlag":
        found.extend(_stale(spec, today))
    elif name == "Route" and not found and not partial:
        found.extend(_undirected(spec))
    return found


def complete(name: str, spec: dict[str, Json]) -> dict[str, Json]:
    """The spec as it stands in a body: by its written names, defaults filled in, no nulls.

    References stay as ``{"valueFrom": {...}}``; durations, sizes and texts are in their one form.

    Raises:
        ValidationError: where the spec is not right; `check_spec` tells of it.
    """
    model = kind(name).model
    check = model.__pydantic_validator__.validate_python
    spec = desugar(name, spec)
    try:
        checked = check(spec)
    except ValidationError:
        checked = check(_without_nulls(spec))
    made: dict[str, Json] = model.__pydantic_serializer__.to_python(
        checked, by_alias=True, exclude_none=True
    )
    return made


def check_model(
    model: type[BaseModel], value: Json, at: tuple[str | int, ...] = (), *, code: str | None = None
) -> list[Problem]:
    """What is wrong with a value for any model, such as a driver's block in hrctl.yaml.

    `at` is where the value stands in its document. `code` replaces the code of every problem.
    """
    try:
        model.__pydantic_validator__.validate_python(value)
    except ValidationError as error:
        found = problems(model, error, value, at)
        return [replace(one, code=code) for one in found] if code else found
    return []


def check_project(document: Json) -> list[Problem]:
    """What is wrong with a project file (HR061)."""
    from hrctl.model.kinds.project import Project

    return check_model(Project, document, code="HR061")


def _faults(name: str, check: Check, spec: Json, *, partial: bool = False) -> list[Problem]:
    try:
        check(spec)
    except ValidationError as error:
        return problems(kind(name).model, error, spec, ("spec",), partial=partial)
    return []


def _load(name: str) -> Check:
    check: Check = kind(name).model.__pydantic_validator__.validate_python
    _CHECKS[name] = check
    return check


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _registry(spec: Json) -> Iterator[Problem]:
    """Defaults are parts of specs."""
    defaults = spec.get("defaults") if isinstance(spec, dict) else None
    for name, part in defaults.items() if isinstance(defaults, dict) else ():
        if name not in KINDS or not isinstance(part, dict):
            continue
        inside = pointer(["spec", "defaults", name])
        for one in check_spec(name, part, partial=True):
            yield one.moved(inside + one.path.removeprefix("/spec"))


def _undirected(spec: Json) -> Iterator[Problem]:
    """Warn of a split by header that gives its new subset to requests without the header, too."""
    split = spec.get("trafficSplit") or {}
    if split.get("mode") != "HEADER" or split.get("default") is not None:
        return
    weights: dict[str | None, float] = {}
    for one in spec["destinations"]:
        weight = one.get("weight")
        subset = one.get("subset")
        weights[subset] = weights.get(subset, 0) + (1 if weight is None else weight)
    named = {rule["subset"] for rule in split["rules"]}
    inside = {name: weight for name, weight in weights.items() if name in named and weight}
    total = sum(weights.values())
    if not inside or sum(inside.values()) == total:
        return
    parts = ", ".join(f"{weight * 100 / total:.3g} % to {name}" for name, weight in inside.items())
    yield Problem(
        "/spec/trafficSplit",
        "HR390",
        f"requests that no rule of trafficSplit fits are shared by weight: {parts}",
        hint="name the subset that they are for in `default`, or give the others the weight 0",
        at_key=True,
        severity=Severity.WARNING,
    )


def _stale(spec: Json, today: date | None) -> Iterator[Problem]:
    expires = spec.get("expires") if isinstance(spec, Mapping) else None
    if not isinstance(expires, str):
        return
    try:
        last = date.fromisoformat(expires)
    except ValueError:
        return
    today = today or datetime.now(UTC).date()
    if last < today:
        days = (today - last).days
        yield Problem(
            "/spec/expires",
            "HR032",
            f"stale flag: it expired on {last}, {days} day{'s' * (days != 1)} ago",
            hint="remove it, or move the date",
            severity=Severity.WARNING,
        )
