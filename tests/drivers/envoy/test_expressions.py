"""Envoy takes and refuses the regular expressions that `validate` says it does."""

from __future__ import annotations

from typing import Any

import pytest

from hrctl.drivers.envoy import process
from tests.logic.mesh.expressions import RE2

_TYPE = "type.googleapis.com/envoy.extensions.filters"


def _refused(*regexes: str) -> str | None:
    routes = [
        {"match": {"safe_regex": {"regex": one}}, "direct_response": {"status": 200}}
        for one in regexes
    ]
    manager: dict[str, Any] = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router"}}
        ],
        "route_config": {"virtual_hosts": [{"name": "x", "domains": ["*"], "routes": routes}]},
    }
    listener = {
        "name": "x",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return process.validate({"listeners": [listener]})


@pytest.mark.usefixtures("mesh")
def test_what_is_let_through_is_taken() -> None:
    assert _refused(*RE2.known) is None


@pytest.mark.usefixtures("mesh")
def test_what_is_refused_would_not_be_taken() -> None:
    assert [one for one in RE2.unknown if _refused(one) is None] == []
