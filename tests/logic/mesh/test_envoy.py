"""What Envoy has no way to do, told from the spec alone."""

from __future__ import annotations

from typing import Any

import pytest

from hrctl.logic.mesh.envoy import refusals, unknown


@pytest.mark.parametrize(
    "regex", ["/(?=a)", "/(?<!a)b", r"/(a)\1", "/a++", "/(?P<a>x)(?P=a)", "/(?>a)", "/a{1001}"]
)
def test_what_re2_does_not_know_is_told(regex: str) -> None:
    assert unknown(regex) is not None


@pytest.mark.parametrize(
    "regex",
    [r"/a\++", "/[(?=]+", "/(?i)a", "/(?P<a>x)", "/(?:a|b){3,1000}", r"/\d+[\]+]+", "/a+b", ""],
)
def test_what_re2_knows_is_let_through(regex: str) -> None:
    assert unknown(regex) is None


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        ("Route", {"listen": "edge.example:80"}, ["listen"]),
        ("Route", {"listen": "[::1]:80"}, []),
        (
            "Route",
            {"type": "TCP", "hosts": ["*", "*.a", "a.b", "a*", "*a"]},
            ["hosts.3", "hosts.4"],
        ),
        ("Route", {"type": "HTTP", "hosts": ["a*", "*a"]}, []),
        ("Route", {"circuitBreaker": {"halfOpenRequests": 1}}, ["circuitBreaker.halfOpenRequests"]),
        ("Node", {"healthCheck": {"command": "true"}}, ["healthCheck.command"]),
        ("Node", {"healthCheck": {"tcp": "http"}}, ["healthCheck.tcp"]),
        ("Node", {"healthCheck": {"tcp": "8080"}}, []),
        ("Route", {"healthCheck": {"tcp": "http"}, "destinations": [{"port": "http"}]}, []),
        (
            "Route",
            {"healthCheck": {"tcp": "http"}, "destinations": [{"port": "http"}, {"port": "admin"}]},
            ["healthCheck.tcp"],
        ),
        ("Node", {"healthCheck": {"http": "http://a/b"}}, ["healthCheck.http"]),
        ("Route", {"match": [{}, {"path": {"regex": "/a*+"}}]}, ["match.1.path.regex"]),
        ("Route", {"match": "odd", "healthCheck": 3, "hosts": None}, []),
    ],
)
def test_each_field_is_named(kind: str, spec: dict[str, Any], fields: list[str]) -> None:
    assert [one.name for one in refusals(kind, spec)] == fields
