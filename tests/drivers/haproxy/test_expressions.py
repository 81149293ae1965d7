"""HAProxy takes and refuses the regular expressions that `validate` says it does."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hrctl.drivers.haproxy import process
from hrctl.drivers.haproxy.text import condition
from tests.drivers.envoy.conftest import route_body
from tests.logic.mesh.expressions import PCRE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.drivers.envoy.conftest import Mesh

_CONFIG = """\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend f
    bind 127.0.0.1:1
"""


def _takes(folder: Path, *regexes: str) -> bool:
    tests = [condition("path", "reg", [f"^(?:{one})$"])[0] for one in regexes]
    file = folder / "haproxy.cfg"
    lines = [f"    http-request deny if {{ {one} }}\n" for one in tests]
    file.write_text(_CONFIG + "".join(lines), "utf-8")
    done = subprocess.run([process.binary(), "-c", "-f", file], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.usefixtures("mesh")
def test_what_is_let_through_is_taken(tmp_path: Path) -> None:
    assert _takes(tmp_path, *PCRE.known)


@pytest.mark.usefixtures("mesh")
def test_what_is_refused_would_not_be_taken(tmp_path: Path) -> None:
    assert [one for one in PCRE.unknown if _takes(tmp_path, one)] == []


def test_a_group_with_a_name_is_referred_to(mesh: Mesh) -> None:
    match = [{"path": {"regex": "/(?P<n>[a-z])x(?P=n)"}}]
    mesh.route(match=match, destinations=[mesh.to("v1")])
    assert (mesh.get("/axa").status, mesh.get("/axb").status) == (200, 404)


def test_a_time_limit_of_nothing_is_none_and_counts_have_no_bound(mesh: Mesh) -> None:
    """As under Envoy; HAProxy counts to 2**31 only, and a limit of 0 is none to it."""
    most = 2**32 - 1
    mesh.route(
        destinations=[mesh.to("v1")],
        timeout=0,
        retry={"perTryTimeout": 0},
        circuitBreaker={
            "failureThreshold": most,
            "maxConnections": most,
            "maxPending": most,
            "maxRequests": most,
        },
        healthCheck={
            "http": "/healthz",
            "healthyThreshold": most,
            "unhealthyThreshold": most,
        },
    )
    assert mesh.get("/slow/0.2").status == 200
    assert mesh.driver.altered() == {}
    body = route_body(type="TCP", listen=mesh.listen, destinations=[mesh.to("v1")], timeout=0)
    mesh.put({"acme/shop:Route/web": body})
    assert mesh.get("/slow/0.2").status == 200
