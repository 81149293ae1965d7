"""Real gRPC calls through HAProxy, by the library that applications use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.address import Address
from tests.drivers.envoy.conftest import eventually, route_body
from tests.drivers.envoy.test_grpc import (
    call,
    channel,
    grpc,
    servers,
    test_a_deadline_of_the_route_ends_a_call,
    test_a_health_check_speaks_http2_as_calls_do,
    test_calls_and_streams_pass,
    test_calls_are_led_by_method_metadata_and_share,
)

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh
    from tests.drivers.envoy.test_grpc import Start

__all__ = [
    "channel",
    "servers",
    "test_a_deadline_of_the_route_ends_a_call",
    "test_a_health_check_speaks_http2_as_calls_do",
    "test_calls_and_streams_pass",
    "test_calls_are_led_by_method_metadata_and_share",
]


def test_retries_by_a_status_of_grpc_are_refused(mesh: Mesh) -> None:
    retry = {"on": ["connect-failure", "unavailable", "internal"]}
    body = route_body(type="GRPC", destinations=[{"address": "127.0.0.1:9"}], retry=retry)
    found = mesh.apply({"acme:Route/calls": body})["acme:Route/calls"]
    assert found.error is not None
    assert found.error.code == "HR212"
    assert "retry.on.1, retry.on.2" in found.error.summary


def test_calls_are_counted_and_their_outcome_is_not_guessed(
    mesh: Mesh,
    servers: Start,
    channel: Any,
) -> None:
    mesh.route("counted", type="GRPC", destinations=[{"address": servers("v1")}])
    for _ in range(5):
        call(channel, "Name")
    with pytest.raises(grpc.RpcError):
        call(channel, "Fail", b"NOT_FOUND 1 count")

    def counted() -> Any:
        ((_, row),) = mesh.driver.metrics([Address("acme/shop:Route/counted")])
        return row if row["requests"] == 6 else None

    row = eventually(counted, "all are counted")
    assert (row["successes"], row["failures"]) == (None, None)
