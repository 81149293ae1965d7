"""Secrets of a driver's block in hrctl.yaml, opened when the driver needs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.memory import keep_out_of_dumps
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.model.values import Json, is_reference


def value_of(
    source: Mapping[str, Json],
    tree: Callable[[], Tree],
    decrypt: Callable[[Mapping[str, Json]], str],
) -> str:
    """What a reference in a driver's block refers to.

    It is ``{"env": NAME}``, or ``{"config": ADDRESS, "key": KEY}`` of a Config that is declared
    here, whose entry is such a variable or an encrypted value.

    Args:
        source: the reference.
        tree: what is declared, asked for where it is needed.
        decrypt: opens an encrypted value.

    Raises:
        HrctlError: HR086, where there is no such value; those of `tree` and `decrypt`.
    """
    if source.get("config"):
        source = _entry(tree(), str(source["config"]), str(source["key"]))
    if "age" in source:
        return decrypt(source)
    keep_out_of_dumps()
    name = str(source["env"])
    value = os.environ.get(name)
    if not value:
        raise HrctlError.of("HR086", f"the environment variable {name} is not set")
    return value


def _entry(tree: Tree, config: str, key: str) -> Mapping[str, Json]:
    address = Address(config)
    if address not in tree.rows:
        raise HrctlError(Diagnostic("HR086", f"{config} is not declared, whose {key} is needed"))
    resource = tree.resource(address)
    entry = resource.body["spec"]["entries"].get(key)
    if entry is None:
        missing = Diagnostic("HR086", f"{config} has no entry {key}", resource.span)
        raise HrctlError(missing)
    value = entry.get("value")
    source: Mapping[str, Json] = value["valueFrom"] if is_reference(value) else {}
    if not source.get("age") and not source.get("env"):
        clear = Diagnostic(
            "HR086",
            f"{key} of {config} is no secret: it is neither encrypted nor a variable",
            resource.span,
            hint=f"make its type SECRET, and run `hrctl secrets set {config} {key}`",
        )
        raise HrctlError(clear)
    return source
