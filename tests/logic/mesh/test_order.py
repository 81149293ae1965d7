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


def test_what_is_no_regular_expression_is_told() -> None:
    bad = {"type": "HTTP", "destinations": [], "match": [{"path": {"regex": "/(a"}}]}
    (miss,) = simulate({"a": bad}, Request(path="/a")).misses
    assert miss.why.startswith("/(a is no regular expression: ")
