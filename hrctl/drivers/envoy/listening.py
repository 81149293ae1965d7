"""What Envoy cannot do: refused before anything is made."""

from __future__ import annotations

from hrctl.diagnostics import HrctlError
from hrctl.drivers.mesh.names import is_ip, split_address
from hrctl.logic.mesh.order import shares
from hrctl.model.address import Address
from hrctl.model.values import Body


def require_possible(address: Address, body: Body) -> None:
    """Refuse by name what Envoy has no way to do.

    Raises:
        HrctlError: HR212.
    """
    spec = body["spec"]
    if (spec.get("healthCheck") or {}).get("command") is not None:
        raise HrctlError.of(
            "HR212",
            f"{address}: Envoy cannot run a command as a health check",
            hint="use healthCheck.http or healthCheck.tcp",
        )
    if (spec.get("circuitBreaker") or {}).get("halfOpenRequests") is not None:
        raise HrctlError.of(
            "HR212",
            f"{address}: Envoy knows no bound for the requests of a host that comes back"
            " (circuitBreaker.halfOpenRequests)",
            hint="leave it out: after `openFor` the host gets its share, and so many failures in a"
            " row as `failureThreshold` open the circuit again",
        )
    if address.kind == "Route" and spec.get("listen"):
        host = split_address(spec["listen"])[0]
        if host != "localhost" and not is_ip(host):
            raise HrctlError.of(
                "HR212",
                f"{address}: Envoy listens at numbers, not at the name '{host}'",
                hint="write the address, such as 127.0.0.1 or 0.0.0.0",
            )
    if address.kind == "Route" and not any(shares(spec)):
        raise HrctlError.of(
            "HR212",
            f"{address}: no destination has a share of the requests",
            hint="give a destination of a subset that has a percentage a weight above 0",
        )
    if spec.get("type") == "TCP" and spec.get("trafficSplit"):
        raise HrctlError.of("HR212", f"{address}: a TCP route cannot split requests")
