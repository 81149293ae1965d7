"""A match that is said to get nothing never answers, and one of which nothing is said does."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrctl.logic.mesh.order import by_host, entries, hosts
from hrctl.logic.mesh.overlap import Overlap, Paths, _language, overlaps
from hrctl.logic.mesh.simulate import Request, _group, simulate

Specs = dict[str, dict[str, Any]]

TEXTS = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/b"]
REGEXES = [
    "/.*",
    "/a.*",
    "/a/.*",
    "/a/b",
    "/a/(b|c)",
    "/a/b|/b.*",
    "/a/.+",
    "/ab?",
    "^/a/b.*$",
    "/[ab]",
]
NAMES = ["a.example", "b.example", "*.b.example", "*.example"]
GRPC = "application/grpc"


def matches(kinds: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
    path = st.sampled_from([{kind: text} for kind, some in kinds.items() for text in some])
    headers = st.dictionaries(
        st.sampled_from(["x-team", "X-Team", "x-new"]), st.sampled_from(["1", "2"]), max_size=2
    ) | st.just({"content-type": GRPC})
    return st.fixed_dictionaries(
        {}, optional={"path": path, "method": st.sampled_from(["GET", "POST"]), "headers": headers}
    )


def trees(kinds: dict[str, list[str]]) -> st.SearchStrategy[Specs]:
    spec = st.fixed_dictionaries(
        {"type": st.sampled_from(["HTTP", "HTTP", "GRPC", "WEBSOCKET"])},
        optional={
            "match": st.lists(matches(kinds), max_size=3),
            "hosts": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        },
    ).map(lambda made: {**made, "destinations": [{"address": "127.0.0.1:1"}]})
    return st.dictionaries(
        st.sampled_from([f"acme:Route/r{i}" for i in range(5)]), spec, min_size=2
    )


def requests() -> st.SearchStrategy[Request]:
    headers = st.fixed_dictionaries(
        {},
        optional={
            "x-team": st.sampled_from(["1", "2", "3"]),
            "x-new": st.sampled_from(["1", "2"]),
            "content-type": st.sampled_from([GRPC, f"{GRPC}+proto", "text/html"]),
        },
    )
    path = st.sampled_from([*TEXTS, "/a/c", "/b/b"]) | st.text("/abc", max_size=5).map("/".__add__)
    host = st.sampled_from(["a.example", "b.example", "x.b.example", "x.example", "other"])
    return st.builds(Request, st.sampled_from(["GET", "POST", "PUT"]), host, path, headers)


def gets_nothing(found: list[Overlap], specs: Specs, request: Request) -> set[tuple[str, int]]:
    group = _group(by_host(specs), request.host)
    return {
        (one.entry.address, one.entry.number) for one in found if not one.tie and group in one.hosts
    }


@settings(max_examples=300, deadline=None)
@given(
    trees({"exact": TEXTS, "prefix": TEXTS, "regex": REGEXES}), st.lists(requests(), max_size=30)
)
def test_what_is_said_to_get_nothing_never_answers(specs: Specs, asked: list[Request]) -> None:
    found = list(overlaps(specs))
    for request in asked:
        verdict = simulate(specs, request)
        assert (verdict.route, verdict.number) not in gets_nothing(found, specs, request)


@settings(max_examples=300, deadline=None)
@given(trees({"exact": TEXTS, "prefix": TEXTS}))
def test_all_others_of_plain_paths_have_a_request(specs: Specs) -> None:
    """The request that fits a match and as little else as can be is answered by it."""
    found = list(overlaps(specs))
    for address, spec in specs.items():
        for name in hosts(spec):
            host = name.replace("*", "zz")
            group = by_host(specs)[name]
            first: dict[str, Any] = {}
            for entry in entries(group):
                first.setdefault(repr(_wish(entry.match, group[entry.address]["type"])), entry)
            for number, match in enumerate(spec.get("match") or [{}]):
                request = _only(match, spec["type"], host)
                if request is None or (address, number) in gets_nothing(found, specs, request):
                    continue
                verdict = simulate(specs, request)
                same = first[repr(_wish(match, spec["type"]))]
                if same.address == address:  # its own earlier match may be the same
                    assert verdict.route == address


def _wish(match: Mapping[str, Any], type_: str) -> Any:
    path = match.get("path") or {"prefix": "/"}
    headers = {(name.lower(), value) for name, value in (match.get("headers") or {}).items()}
    return path, match.get("method"), sorted(headers), type_ == "GRPC"


def _only(match: Mapping[str, Any], type_: str, host: str) -> Request | None:
    """A request that fits a match, and nothing that it need not; None where none can."""
    path = match.get("path") or {"prefix": "/"}
    text = path["exact"] if "exact" in path else path["prefix"] + "~"
    headers: dict[str, str] = {}
    for name, value in (match.get("headers") or {}).items():
        if headers.setdefault(name.lower(), value) != value:
            return None
    if type_ == "GRPC":
        headers.setdefault("content-type", f"{GRPC}+zz")
    return Request(match.get("method", "PUT"), host, text, headers)


@settings(max_examples=300, deadline=None)
@given(trees({"exact": TEXTS, "prefix": TEXTS}))
def test_what_ties_goes_to_the_other_one(specs: Specs) -> None:
    for one in overlaps(specs):
        if not one.tie:
            continue
        both = {
            "path": one.entry.match.get("path"),
            "headers": {
                **(one.first.match.get("headers") or {}),
                **(one.entry.match.get("headers") or {}),
            },
        }
        for part in (one.first.match, one.entry.match):
            if part.get("method"):
                both["method"] = part["method"]
        types = {specs[part.address]["type"] for part in (one.entry, one.first)}
        for name in one.hosts:
            type_ = "GRPC" if "GRPC" in types else "HTTP"
            request = _only(both, type_, name.replace("*", "zz"))
            assert request is not None
            verdict = simulate(specs, request)
            assert (verdict.route, verdict.number) == (one.first.address, one.first.number)
            assert one.first.address < one.entry.address


def said(**specs: dict[str, Any]) -> list[str]:
    base = {"type": "HTTP", "destinations": []}
    found = overlaps({name: {**base, **spec} for name, spec in specs.items()})
    return [
        f"{one.entry.address} {'~' if one.tie else '<'} {one.first.address} {','.join(one.hosts)}"
        for one in found
    ]


def path(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"match": [{"path": {kind: text}, **more}]}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (path("regex", "/api/.*"), path("prefix", "/api/v1"), ["b < a *"]),
        (path("regex", "/api/.*"), path("prefix", "/api"), []),
        (path("regex", "/api/.*", method="GET"), path("prefix", "/api/v1"), []),
        (
            path("regex", "/api/.*", method="GET"),
            path("prefix", "/api/v1", method="GET", headers={"x": "1"}),
            ["b < a *"],
        ),
        (path("regex", "/api/.+"), path("prefix", "/api/"), []),
        (path("regex", "/api/.+"), path("prefix", "/api/v"), ["b < a *"]),
        (path("regex", r"/a\.b(.*)$"), path("prefix", "/a.b/c"), ["b < a *"]),
        (path("exact", "/a"), path("regex", "/a"), ["b < a *"]),
        (path("exact", "/a.b"), path("regex", "/a.b"), []),
        (path("regex", "/api/v[0-9].*"), path("regex", "/api/.*"), []),
        (path("regex", "/api/v[0-9]"), path("regex", "/api/.*"), []),
        (path("regex", "/a/.*"), path("regex", "/a/b"), ["b < a *"]),
        (path("prefix", "/"), {}, ["b < a *"]),
        ({"match": [{"method": "GET"}]}, {"match": [{"headers": {"x": "1"}}]}, ["b ~ a *"]),
        ({"match": [{"headers": {"x": "2"}}]}, {"match": [{"headers": {"x": "1"}}]}, []),
        (
            {"match": [{"method": "GET"}, {"method": "GET", "headers": {"x": "1"}}]},
            {"match": [{"headers": {"x": "1"}}]},
            [],
        ),
        ({"type": "GRPC"}, {"match": [{"headers": {"content-type": GRPC}}]}, ["b < a *"]),
        ({"hosts": ["x", "y"]}, {"hosts": ["y", "z", "x"]}, ["b < a x,y"]),
        ({"hosts": ["*.x"]}, {"hosts": ["y.x"]}, []),
        ({"type": "TCP"}, {}, []),
    ],
)
def test_cases(one: dict[str, Any], other: dict[str, Any], found: list[str]) -> None:
    assert said(a=one, b=other) == found


@pytest.mark.parametrize(
    ("regex", "known"),
    [
        ("/a", Paths("exact", "/a")),
        ("^/a$", Paths("exact", "/a")),
        (r"/a\.b", Paths("exact", "/a.b")),
        ("/a.*", Paths("prefix", "/a")),
        ("/a.+", Paths("longer", "/a")),
        ("/ab?.*", Paths("some", "/a")),
        (r"/a\.?b", Paths("some", "/a")),
        ("/a|/b.*", Paths("some", "")),
        ("/a(b|c)", Paths("some", "/a")),
        ("(?i)/a.*", Paths("some", "")),
        (r"/a\d", Paths("some", "/a")),
        ("/a[|]b", Paths("some", "")),
        (".*", Paths("prefix", "")),
        ("(unclosed", Paths("some", "")),
    ],
)
def test_what_is_known_of_a_regular_expression(regex: str, known: Paths) -> None:
    assert _language(regex) == known


def many(rng: random.Random, shape: str) -> dict[str, Any]:
    number = rng.randrange(10_000)
    return {
        "hosts": {"hosts": [f"h{number}.example", "all.example"], **path("prefix", f"/p{number}")},
        "paths": path(rng.choice(["exact", "prefix"]), f"/p/{number}/{number % 7}"),
        "headers": path("prefix", "/", headers={"x-tenant": str(number)}),
        "names": path("prefix", "/", headers={f"x-{number}": "1", "x": str(number)}),
        "regexes": path("regex", f"/p/{number}/" + rng.choice([".*", "[a-z]+", ".+", ""])),
    }[shape]


@pytest.mark.parametrize("shape", ["hosts", "paths", "headers", "names", "regexes"])
def test_a_thousand_routes_take_no_time(shape: str) -> None:
    rng = random.Random(shape)  # noqa: S311 - cases, not secrets
    base = {"type": "HTTP", "destinations": []}
    specs = {f"acme:Route/r{number}": {**base, **many(rng, shape)} for number in range(1000)}

    def measured() -> float:
        _language.cache_clear()
        started = time.process_time()
        list(overlaps(specs))
        return time.process_time() - started

    assert min(measured() for _ in range(3)) < 0.1
