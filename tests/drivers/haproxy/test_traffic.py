"""What the YAML says about traffic is what traffic does: as under Envoy, so under HAProxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.model.address import Address
from tests.drivers.envoy.conftest import eventually
from tests.drivers.envoy.test_circuits import (
    test_a_host_that_only_its_health_check_finds_well_stays_left_alone,
    test_a_part_of_the_hosts_is_half_open,
    test_a_whole_cycle_and_one_that_fails_its_trial,
)
from tests.drivers.envoy.test_logic import test_random_routes_answer_random_requests_as_simulated
from tests.drivers.envoy.test_traffic import (
    test_a_cookie_keeps_each_visitor_in_one_arm,
    test_a_header_leads_to_its_subset,
    test_a_listener_that_comes_back_while_it_drains_has_its_new_routes,
    test_a_sick_host_gets_nothing,
    test_a_split_by_percentage_is_shared_by_the_weights_of_a_subset,
    test_a_stream_is_passed_on,
    test_a_timeout_ends_a_slow_request,
    test_a_websocket_is_upgraded_and_outlives_changes,
    test_balancers,
    test_hosts_tell_routes_apart,
    test_no_more_requests_at_once_than_allowed,
    test_nodes_are_chosen_by_affinity_and_leave_in_peace,
    test_only_a_websocket_route_is_upgraded,
    test_the_most_specific_match_answers,
    test_weights_are_shares,
    test_who_has_no_header_goes_to_the_default,
)

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

__all__ = [
    "test_a_cookie_keeps_each_visitor_in_one_arm",
    "test_a_header_leads_to_its_subset",
    "test_a_host_that_only_its_health_check_finds_well_stays_left_alone",
    "test_a_listener_that_comes_back_while_it_drains_has_its_new_routes",
    "test_a_part_of_the_hosts_is_half_open",
    "test_a_sick_host_gets_nothing",
    "test_a_split_by_percentage_is_shared_by_the_weights_of_a_subset",
    "test_a_stream_is_passed_on",
    "test_a_timeout_ends_a_slow_request",
    "test_a_websocket_is_upgraded_and_outlives_changes",
    "test_a_whole_cycle_and_one_that_fails_its_trial",
    "test_balancers",
    "test_hosts_tell_routes_apart",
    "test_no_more_requests_at_once_than_allowed",
    "test_nodes_are_chosen_by_affinity_and_leave_in_peace",
    "test_only_a_websocket_route_is_upgraded",
    "test_random_routes_answer_random_requests_as_simulated",
    "test_the_most_specific_match_answers",
    "test_weights_are_shares",
    "test_who_has_no_header_goes_to_the_default",
]


def test_failures_are_tried_again_elsewhere(mesh: Mesh) -> None:
    endpoints = [mesh.backend("v1").address, "127.0.0.1:9"]
    both = [{"service": "web", "endpoints": endpoints}]
    mesh.route(destinations=[dict(one) for one in both])
    assert mesh.answers(40)["503"] > 5
    mesh.route(destinations=both, retry={"attempts": 3, "on": ["connect-failure"]})
    assert mesh.answers(40) == {"v1": 40}


def test_status_codes_and_attempts_of_retries(mesh: Mesh) -> None:
    backend = mesh.backend("v1")
    retry = {"attempts": 2, "on": [], "statusCodes": [425]}
    mesh.route(destinations=[mesh.to("v1")], retry=retry)
    before = int(backend.ask("/count"))
    assert mesh.get("/status/425").status == 425
    assert mesh.get("/status/500").status == 500
    assert int(backend.ask("/count")) - before == 3 + 1


def test_each_try_has_its_time(mesh: Mesh) -> None:
    backend = mesh.backend("v1")
    retry = {"attempts": 1, "on": ["5xx"], "perTryTimeout": "200ms"}
    mesh.route(destinations=[mesh.to("v1")], retry=retry)
    before = int(backend.ask("/count"))
    assert mesh.get("/slow/3").status == 504
    assert int(backend.ask("/count")) - before == 2


@pytest.mark.parametrize("balance", ["CONSISTENT_HASH", "WEIGHTED"])
def test_nodes_come_and_go_and_keys_stay(mesh: Mesh, balance: str) -> None:
    from tests.drivers.envoy.conftest import node_body

    nodes = {
        f"acme:Node/n{number}": node_body(address=mesh.backend(f"n{number}").address, weight=2)
        for number in range(4)
    }
    mesh.put(dict(list(nodes.items())[:3]))
    by = {"hashHeader": "x-key"} if balance == "CONSISTENT_HASH" else {}
    mesh.route(destinations=[{"grid": {"balance": balance, **by}}])

    def homes() -> list[str]:
        return [next(iter(mesh.answers(1, x_key=f"key-{number}"))) for number in range(60)]

    before = homes()
    assert set(before) == {"n0", "n1", "n2"}
    mesh.put({"acme:Node/n3": nodes["acme:Node/n3"]})
    after = homes()
    assert "n3" in after
    if balance == "CONSISTENT_HASH":
        assert all(new in {old, "n3"} for old, new in zip(before, after, strict=True))


def test_metrics_count_requests_and_tell_how_long_they_take(mesh: Mesh) -> None:
    mesh.route("counted", hosts=["a.shop.example"], destinations=[mesh.to("v1")])
    mesh.answers(30, host="a.shop.example")
    for _ in range(3):
        mesh.get("/status/500", host="a.shop.example")
    address = Address("acme/shop:Route/counted")

    def counted() -> dict[str, object] | None:
        ((_, row),) = mesh.driver.metrics([address])
        return row if row["requests"] == 33 else None

    row = eventually(counted, "all are counted")
    assert (row["successes"], row["failures"]) == (30, 3)
    assert row["mean_ms"] >= 0
