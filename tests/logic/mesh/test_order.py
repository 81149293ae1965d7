"""The most specific match is tried first, whatever routes are called."""

from __future__ import annotations

from typing import Any

import pytest

from hrctl.logic.mesh.simulate import Request, simulate

CALL = {"content-type": "application/grpc"}


@pytest.mark.parametrize(
    ("general", "special", "request_"),
    [
        # no path is any path: it is no shorter than the prefix "/"
        (
            {"match": [{"path": {"prefix": "/"}}]},
            {"match": [{"method": "POST"}]},
            Request("POST"),
        ),
        (
            {"match": [{}]},
            {"match": [{"path": {"prefix": "/"}, "method": "POST"}]},
            Request("POST"),
        ),
        # a gRPC call is a condition
        ({}, {"type": "GRPC"}, Request("POST", headers=CALL)),
        ({"match": [{"path": {"prefix": "/"}}]}, {"type": "GRPC"}, Request("POST", headers=CALL)),
        ({"match": [{"path": {"prefix": "/a"}}]}, {"match": [{"path": {"regex": "/a.*"}}]}, "/ab"),
        ({"match": [{"path": {"regex": "/a.*"}}]}, {"match": [{"path": {"exact": "/ab"}}]}, "/ab"),
    ],
)
def test_the_special_one_comes_first(
    general: dict[str, Any], special: dict[str, Any], request_: Request | str
) -> None:
    request = Request(path=request_) if isinstance(request_, str) else request_
    base = {"type": "HTTP", "destinations": [{"address": "127.0.0.1:1"}]}
    for names in (("a", "b"), ("b", "a")):
        routes = {names[0]: {**base, **general}, names[1]: {**base, **special}}
        assert simulate(routes, request).route == names[1]


def test_what_fits_but_does_not_answer_is_told() -> None:
    base = {"type": "HTTP", "destinations": [{"address": "127.0.0.1:1"}]}
    own = {**base, "hosts": ["api.example"]}
    routes = {
        "any": base,
        "suffix": {**base, "hosts": ["*.example"]},
        "other": {**base, "hosts": ["shop.example"]},
        "whole": own,
        "special": {**own, "match": [{"path": {"prefix": "/v1"}}, {"path": {"exact": "/v1"}}]},
        "put": {**own, "match": [{"method": "PUT"}]},
    }
    verdict = simulate(routes, Request(host="api.example:80", path="/v1"))
    assert verdict.route == "special"
    assert {miss.route: miss.why for miss in verdict.misses} == {
        "any": "its hosts are *, and routes for api.example come first",
        "suffix": "its hosts are *.example, and routes for api.example come first",
        "other": "its hosts are shop.example",
        "whole": "it fits too, and comes later",
    }


@pytest.mark.parametrize(
    "regex", ["/(?=a)b", r"/(a)\1", "/a++", r"/\h", "/a{,3}", "/(a{1000}){1000}", "/" + "a" * 5000]
)
def test_what_only_the_proxy_can_judge_is_told(regex: str) -> None:
    base = {"type": "HTTP", "destinations": [{"address": "127.0.0.1:1"}]}
    routes = {
        "any": base,
        "odd": {**base, "match": [{"path": {"regex": regex}}]},
        "put": {**base, "match": [{"path": {"regex": f"{regex}.*"}, "method": "PUT"}]},
    }
    verdict = simulate(routes, Request(path="/ab"))
    assert verdict.route == "any"
    told = {miss.route: (miss.judged, miss.why) for miss in verdict.misses}
    assert told["put"] == (True, "the method is not PUT")
    judged, why = told["odd"]
    assert not judged
    assert why.startswith(f"only the proxy can tell whether the path matches {regex} (")


@pytest.mark.parametrize(
    "regex", [r"/\pL+", "/(?i)AB", "/[[:alpha:]]+", "/[a[:alpha:]]+", "/(a+)+b", "/(?P<n>a)b"]
)
def test_what_both_proxies_know_is_judged(regex: str) -> None:
    base = {"type": "HTTP", "destinations": [{"address": "127.0.0.1:1"}]}
    routes = {"any": base, "odd": {**base, "match": [{"path": {"regex": regex}}]}}
    assert simulate(routes, Request(path="/ab")).route == "odd"
    assert simulate(routes, Request(path="/" + "a" * 40 + "!")).route == "any"
