"""Words for the shell to complete: what is declared. Anything in the way means no words."""

from __future__ import annotations

from collections.abc import Iterable

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address

KINDS = (
    "Registry",
    "Service",
    "Engine",
    "Component",
    "FeatureFlag",
    "Node",
    "Config",
    "Route",
    "Plugin",
)


def complete_address(incomplete: str) -> list[str]:
    """Addresses of declared resources."""
    return [address for address in _declared() if address.startswith(incomplete)]


def complete_selector(incomplete: str) -> list[str]:
    """Addresses, registries and kinds."""
    addresses = _declared()
    words = {*addresses, *(address.registry for address in addresses), *KINDS}
    return sorted(word for word in words if word.startswith(incomplete))


def _declared() -> list[Address]:
    from pathlib import Path

    from hrctl.source import load, project

    try:
        rows: Iterable[Address] = load.load(project.find(Path.cwd())).tree.rows
    except (HrctlError, OSError):
        return []
    return sorted(rows)
