"""Another `listen` in hrctl.yaml, as for Envoy."""

from tests.drivers.envoy.test_following import (
    configured,
    test_a_listen_that_changed_while_the_proxy_was_stopped,
    test_a_route_that_moves_while_a_node_goes_is_not_lost,
    test_an_apply_that_is_cut_off_leaves_the_routes_that_did_not_move_as_drift,
    test_an_instance_listens_at_numbers,
    test_another_host_of_a_port_that_the_proxy_has_itself,
    test_another_port_that_somebody_has_is_told,
    test_files_of_an_older_hrctl_are_no_drift,
    test_routes_move_to_another_listen_when_they_are_applied,
)

__all__ = [
    "configured",
    "test_a_listen_that_changed_while_the_proxy_was_stopped",
    "test_a_route_that_moves_while_a_node_goes_is_not_lost",
    "test_an_apply_that_is_cut_off_leaves_the_routes_that_did_not_move_as_drift",
    "test_an_instance_listens_at_numbers",
    "test_another_host_of_a_port_that_the_proxy_has_itself",
    "test_another_port_that_somebody_has_is_told",
    "test_files_of_an_older_hrctl_are_no_drift",
    "test_routes_move_to_another_listen_when_they_are_applied",
]
