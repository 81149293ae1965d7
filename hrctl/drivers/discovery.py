"""Find drivers: hrctl's own through a table, all others through the entry points ``hrctl.drivers``.

The table spares every command the 50 ms that importlib.metadata takes to load.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from hrctl import __version__
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Capabilities, Driver

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "hrctl.drivers"
BUILT_IN: Final = {
    "envoy": "hrctl.drivers.envoy:EnvoyDriver",
    "flagd": "hrctl.drivers.flagd:FlagdDriver",
    "haproxy": "hrctl.drivers.haproxy:HaproxyDriver",
    "local": "hrctl.drivers.local:LocalDriver",
    "supervisor": "hrctl.drivers.supervisor:SupervisorDriver",
    "unleash": "hrctl.drivers.unleash:UnleashDriver",
}

# what a driver must have: method -> how many arguments hrctl passes
_METHODS: Final = {
    "config_model": 0,
    "__init__": 2,
    "__enter__": 0,
    "__exit__": 3,
    "scan": 0,
    "read": 1,
    "plan": 1,
    "apply": 2,
}
_OPTIONAL: Final = {"health": 1, "metrics": 1, "act": 2, "discover": 0, "evaluate": 2}


@dataclass(frozen=True, slots=True)
class DriverInfo:
    """One driver type that `hrctl.yaml` may name, and the distribution that brings it."""

    type: str
    distribution: str
    version: str
    builtin: bool


def load_driver(type_name: str) -> type[Driver]:
    """The class of a driver type.

    Raises:
        HrctlError: HR081, where no installed distribution provides it, or several do; HR082,
            where a module that it needs is missing; HR087, where what it names is no class.
    """
    target = BUILT_IN.get(type_name)
    if target is None:
        point = _entry_point(type_name)
        target, home = point.value, _distribution(point)[0]
    else:
        home = "hrctl"
    module, _, name = target.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except ImportError as error:
        raise missing_module(type_name, error, home) from error
    except AttributeError as error:
        raise _broken(type_name, f"names {target}, which does not exist") from error
    if not isinstance(found, type):
        raise _broken(type_name, f"names {target}, which is not a class")
    return found


def missing_module(type_name: str, error: ImportError, distribution: str = "hrctl") -> HrctlError:
    """HR082, for a driver that cannot import what it needs; its own code may use it too."""
    if distribution == "hrctl":
        cure = f"pip install 'hrctl[{type_name}]'"
    else:
        cure = f"pip install --upgrade {distribution}"
    what = f"the module '{error.name}'" if error.name else str(error)
    return HrctlError.of("HR082", f"driver '{type_name}' needs {what}", hint=cure)


def installed() -> list[DriverInfo]:
    """Every driver type that is there: the built-in ones first, then by name."""
    found = [DriverInfo(name, "hrctl", __version__, builtin=True) for name in BUILT_IN]
    found.extend(
        DriverInfo(point.name, *_distribution(point), builtin=False)
        for point in sorted(_entry_points(), key=lambda one: one.name)
        if point.name not in BUILT_IN
    )
    return found


def check_driver(cls: type[Any]) -> list[Diagnostic]:
    """What can be seen of the contract without a live system; each finding is an HR087."""
    findings = [*_check_methods(cls), *_check_attributes(cls)]
    if not any("config_model" in finding for finding in findings):
        findings += _check_config(cls)
    name = f"{cls.__module__}.{cls.__qualname__}"
    return [
        Diagnostic("HR087", f"driver {name} {finding}", hint="docs/drivers.md tells how")
        for finding in findings
    ]


def _entry_points() -> list[EntryPoint]:
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))


def _entry_point(type_name: str) -> EntryPoint:
    every = _entry_points()
    points = {point.value: point for point in every if point.name == type_name}
    if len(points) == 1:
        return next(iter(points.values()))
    if points:
        homes = " and ".join(sorted(_distribution(point)[0] for point in points.values()))
        raise HrctlError.of(
            "HR081",
            f"driver type '{type_name}' is provided by {homes}",
            hint="uninstall all but one of them",
        )
    from difflib import get_close_matches

    names = sorted({*BUILT_IN, *(point.name for point in every)})
    close = get_close_matches(type_name, names, n=1)
    raise HrctlError(
        Diagnostic(
            "HR081",
            f"no driver of type '{type_name}' is installed",
            hint=f"did you mean {close[0]}?" if close else "install the distribution that has it",
            note=f"installed are {', '.join(names)}",
        )
    )


def _distribution(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return point.value.partition(".")[0], "unknown"
    return point.dist.name, point.dist.version


def _broken(type_name: str, finding: str) -> HrctlError:
    return HrctlError.of(
        "HR087", f"driver '{type_name}' {finding}", hint="upgrade or mend its distribution"
    )


def _check_methods(cls: type[Any]) -> Iterator[str]:
    for name, count in (_METHODS | _OPTIONAL).items():
        method = inspect.getattr_static(cls, name, None)
        if method is None:
            if name in _METHODS:
                yield f"has no method '{name}'"
            continue
        if name == "config_model" and not isinstance(method, classmethod | staticmethod):
            yield "has a config_model that is not a classmethod"
            continue
        called = getattr(cls, name)
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            yield f"has an async method '{name}', and hrctl calls it without awaiting"
            continue
        itself = 0 if isinstance(method, classmethod | staticmethod) else 1
        try:
            inspect.signature(called).bind(*range(count + itself))
        except TypeError as error:
            yield f"has a method '{name}' that does not take {count} arguments: {error}"
    if (logs := getattr(cls, "logs", None)) is not None:
        try:
            inspect.signature(logs).bind(None, None, tail=0, follow=False)
        except TypeError as error:
            yield f"has a method 'logs' that does not take (address, tail=, follow=): {error}"


def _check_attributes(cls: type[Any]) -> Iterator[str]:
    kinds = getattr(cls, "kinds", None)
    if not isinstance(kinds, frozenset) or not kinds:
        yield "has no 'kinds', a frozenset of the kinds that it supports"
    elif not all(isinstance(kind, str) and kind[:1].isupper() for kind in kinds):
        yield "names 'kinds' that are none: each is a word such as Service"
    capabilities = getattr(cls, "capabilities", None)
    if not isinstance(capabilities, Capabilities):
        yield "has no 'capabilities' of the class Capabilities"
        return
    for name in ("max_batch", "max_parallel"):
        if getattr(capabilities, name) < 1:
            yield f"has capabilities.{name} below 1"
    for path in sorted(capabilities.immutable):
        if not path.startswith("/spec/"):
            yield f"names '{path}' in capabilities.immutable, which is no path such as /spec/type"
    actions = getattr(cls, "actions", None)
    if hasattr(cls, "act") != isinstance(actions, frozenset):
        yield "must have both 'act' and 'actions', a frozenset of names, or neither"


def _check_config(cls: type[Any]) -> Iterator[str]:
    from pydantic import BaseModel

    model = cls.config_model()
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        yield "has a config_model that does not return a pydantic model"
        return
    if model.model_config.get("extra") != "forbid":
        yield "has a config_model that lets unknown fields pass (extra='forbid' is missing)"
    if "type" in model.model_fields:
        yield "has a config_model with a field 'type', which names the driver itself"
