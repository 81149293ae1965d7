"""Which keys a registry's secrets are encrypted to, and what keys are called."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.model.places import SecretPlace, place_in, sealed_in
from hrctl.model.recipients import fingerprint, keys_for, matches, name_of, short
from hrctl.model.regex import Expression, compiled


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("**", ["acme", "acme/shop/prod"], []),
        ("acme/**", ["acme", "acme/shop", "acme/shop/prod"], ["acme2", "other/acme"]),
        ("acme", ["acme"], ["acme/shop"]),
        ("acme/*/prod", ["acme/shop/prod"], ["acme/shop", "acme/a/b/prod", "acme/shop/prod/eu"]),
        ("**/prod", ["prod", "acme/prod", "acme/shop/prod"], ["acme/prod/eu", "acme/preprod"]),
        ("acme/**/prod", ["acme/prod", "acme/a/b/prod"], ["acme/prodx"]),
        ("acme/sh?p", ["acme/shop"], ["acme/shp"]),
        ("acme/[x]", [], ["acme/x"]),
        ("acme/*a*b", ["acme/ab", "acme/xaab"], ["acme/ba", "acme/abc"]),
        ("**/**/prod", ["prod", "acme/prod"], ["acme"]),
    ],
)
def test_globs_are_over_segments(glob: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in [*yes, *no] if matches(glob, path)] == yes


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("**/" * 25 + "x", "/".join("a" * 25)),
        ("*a" * 31 + "b", "a" * 63),
        ("*" * 60 + "b", "a" * 63),
    ],
)
def test_no_glob_is_tried_over_and_over(glob: str, path: str) -> None:
    started = time.process_time()
    assert not matches(glob, path)
    assert time.process_time() - started < 1


_GLOBS = st.lists(
    st.sampled_from(["**", "*", "a", "b", "a*", "*a", "a?", "*a*b", "?", "a*b*"]),
    min_size=1,
    max_size=4,
)
_PATHS = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4)


@given(_GLOBS, _PATHS)
def test_globs_are_what_an_expression_says(glob: list[str], path: list[str]) -> None:
    parts = [
        "(?:/[^/]+)*" if part == "**" else "/" + part.replace("*", "[^/]*").replace("?", "[^/]")
        for part in glob
    ]
    if glob == ["**"]:
        parts = ["(?:/[^/]+)+"]
    expression = compiled("".join(parts))
    assert isinstance(expression, Expression)
    assert matches("/".join(glob), "/".join(path)) == expression.fullmatch("/" + "/".join(path))


def test_rules_add_or_replace_in_their_order() -> None:
    rules = [
        {"path": "**", "keys": ["age1a", "age1b"], "mode": "replace"},
        {"path": "acme/shop/**", "keys": ["age1c", "age1a"], "mode": "add"},
        {"path": "acme/shop/prod", "keys": ["age1d"], "mode": "replace"},
    ]
    assert keys_for(rules, "acme") == ["age1a", "age1b"]
    assert keys_for(rules, "acme/shop") == ["age1a", "age1b", "age1c"]
    assert keys_for(rules, "acme/shop/prod") == ["age1d"]
    assert keys_for([], "acme") == []


def test_a_fingerprint_knows_neither_comment_nor_case() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8SdEYYrO2ojYbAHcSvmAXmPQAF9LBVVjKT1KpiSEBa"
    assert fingerprint(f"{key} alice@laptop") == fingerprint(key)
    assert fingerprint("AGE1ABC") == fingerprint("age1abc") != fingerprint("age1abd")
    assert fingerprint(key).startswith("SHA256:")
    assert short(f"{key} alice@laptop") == "alice@laptop"
    assert name_of(fingerprint(key), ["age1a", f"{key} bob"]) == "bob"
    assert name_of("SHA256:x", ["age1a"]) == "SHA256:x"


def test_a_place_calls_items_of_a_list_by_name() -> None:
    manifest = {
        "spec": {
            "users": [{"name": "app", "password": {}}, {"name": "web", "password": {}}],
            "plain": [{"password": {}}, {"password": {}}],
            "entries": {"value": {"value": {}}, "B": {"valueFrom": {}}},
        }
    }

    def field(path: str) -> str:
        return place_in("a:Config/b", manifest, path).field

    assert field("/spec/users/1/password") == "/spec/users/web/password"
    assert field("/spec/plain/1/password") == "/spec/plain/1/password"
    assert field("/spec/entries/B/valueFrom") == "/spec/entries/B"
    assert field("/spec/entries/B/value/valueFrom") == "/spec/entries/B"
    assert field("/spec/entries/B") == "/spec/entries/B"
    assert field("/spec/entries/value/value") == "/spec/entries/value"
    assert field("/spec/entries/value") == "/spec/entries/value"


def test_a_place_is_text_and_back() -> None:
    place = SecretPlace("acme/shop:Config/app", "/spec/entries/A~1B")
    assert SecretPlace.parse(str(place)) == place


def test_encrypted_values_are_found_in_both_forms() -> None:
    one, two = {"age": "1"}, {"age": "2", "recipients": []}
    manifest = {
        "spec": {
            "entries": {
                "A": {"type": "SECRET", "valueFrom": one},
                "B": {"value": {"valueFrom": two}},
            },
            "list": [{"x": {"valueFrom": {"env": "X"}}}, {"x": {"valueFrom": one}}],
        }
    }
    assert list(sealed_in(manifest)) == [
        ("/spec/entries/A", one),
        ("/spec/entries/B/value", two),
        ("/spec/list/1/x", one),
    ]
