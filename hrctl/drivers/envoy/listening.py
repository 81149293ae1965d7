"""What Envoy cannot do: refused before anything is made."""

from __future__ import annotations

from hrctl.diagnostics import HrctlError
from hrctl.logic.mesh.impossible import refused
from hrctl.logic.mesh.order import shares
from hrctl.model.address import Address
from hrctl.model.values import Body


def require_possible(address: Address, body: Body) -> None:
    """Refuse by name what Envoy has no way to do.

    Raises:
        HrctlError: HR212.
    """
    found = refused("envoy", address, body["spec"])
    if found is not None:
        raise HrctlError(found)
    if address.kind == "Route" and not any(shares(body["spec"])):
        raise HrctlError.of(
            "HR212",
            f"{address}: no destination has a share of the requests",
            hint="give a destination of a subset that has a percentage a weight above 0",
        )
