"""Credentials of a driver's block in hrctl.yaml, opened when the driver needs them.

Each goes to one server alone: a variable has to be allowed outside of the repository, and what is
encrypted names its server inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.address import Address
from hrctl.model.origin import origin
from hrctl.model.tree import Tree
from hrctl.model.values import Json, is_reference

if TYPE_CHECKING:
    from hrctl.secrets.opener import Opener


def value_of(
    source: Mapping[str, Json],
    url: str,
    root: Path,
    tree: Callable[[], Tree],
    opener: Callable[[], Opener],
) -> str:
    """Return what a reference in a driver's block refers to.

    It is ``{"env": NAME}``, or ``{"config": ADDRESS, "key": KEY}`` of a Config that is declared
    here, whose entry is such a variable or an encrypted value.

    Args:
        source: the reference.
        url: of the server that it is for.
        root: the project's folder.
        tree: what is declared, asked for where it is needed.
        opener: opens an encrypted value, asked for where it is needed.

    Raises:
        HrctlError: HR086, where there is no such value; HR315 and HR316, where it may not be sent
            to that server; those of `tree` and `opener`.
    """
    from hrctl.drivers.credentials import environment_value

    place = ""
    if source.get("config"):
        place = f"{source['config']} {source['key']}"
        source = _entry(tree(), str(source["config"]), str(source["key"]))
    if "age" in source:
        return _sealed(opener(), source, place, url)
    name = str(source["env"])
    value = environment_value(name, url, root)
    if not value:
        raise HrctlError.of("HR086", f"the environment variable {name} is not set")
    return value


def _sealed(opener: Opener, source: Mapping[str, Json], place: str, url: str) -> str:
    """Return the plaintext, if it was sealed for this server."""
    audience, wanted = opener.audience(source), origin(url)
    if audience == wanted:
        return opener(source)
    meant = f"is sealed for {audience}, not for" if audience else "is not sealed for"
    raise HrctlError.of(
        "HR316",
        f"the credential {place} {meant} {wanted}",
        hint=f"hrctl secrets set {place} --audience {wanted}",
    )


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
