"""Envoy's own reasons, as people get to read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.drivers.api import Result
from hrctl.drivers.envoy.saying import reason
from tests.drivers.envoy.conftest import route_body

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

LOG = "[2026-11-24 18:18:44.965][32017][critical][main] [source/server/config.cc:76] "
START = f"{LOG}error initializing configuration '/tmp/it.json': "


def test_a_broken_rule_is_told_without_the_configuration() -> None:
    said = (
        f'{START}goo.gle/debugproto    \nstat_prefix: "x"\nroute_config {{\n}}\n: Proto constraint'
        " validation failed (HttpConnectionManagerValidationError.RouteConfig: embedded message"
        " failed validation | caused by RouteConfigurationValidationError.VirtualHosts[0]: embedded"
        " message failed validation | caused by VirtualHostValidationError.Domains[0]: value does"
        ' not match regex pattern "^[^\\x00\\n\\r]*$")\n'
    )
    rule = 'value does not match regex pattern "^[^\\x00\\n\\r]*$"'
    assert reason(said) == f"VirtualHost.Domains[0]: {rule}"


def test_a_number_out_of_range_is_told_without_the_configuration() -> None:
    said = (
        f"{START}Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON in"
        " envoy.config.bootstrap.v3.Bootstrap   @"
        " static_resources.clusters[0].circuit_breakers.thresholds[0].max_requests: message"
        " google.protobuf.UInt32Value, near  1:939 (offset    938): integer   out of   range):"
        ' {"static_resources": {}}'
    )
    assert reason(said) == "circuit_breakers.thresholds[0].max_requests: integer out of range"


def test_what_is_short_is_kept() -> None:
    assert reason(f"{START}invalid perl operator: (?=\n") == "invalid perl operator: (?="
    assert reason("no  such\nthing") == "no such thing"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"circuitBreaker": {"openFor": "0s"}}, "OutlierDetection.BaseEjectionTime: value must be"),
        ({"circuitBreaker": {"maxRequests": 2**32}}, "thresholds[0].max_requests: integer out of"),
    ],
)
def test_what_envoy_of_this_version_says_is_understood(
    mesh: Mesh, spec: dict[str, object], said: str
) -> None:
    body = route_body(listen=mesh.listen, destinations=[mesh.to("v1")])
    body["spec"] |= spec  # past the checks of the manifest
    found = mesh.apply({"acme:Route/web": body})["acme:Route/web"]
    assert found.result is Result.FAILED
    assert found.error is not None
    assert said in found.error.summary
    assert len(found.error.summary) < 120
