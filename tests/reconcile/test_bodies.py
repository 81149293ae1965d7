from __future__ import annotations

from typing import Any

from hrctl.model.managed import managed
from hrctl.reconcile.bodies import MASKED, keep, mask, substitute

SECRET = {"valueFrom": {"age": "cipher"}}


def test_mask_by_place_and_never_by_value() -> None:
    shape = {
        "env": {"P": SECRET, "Q": "plain"},
        "list": [{"name": "a", "p": SECRET}, {"name": "b"}],
    }
    live = {
        "env": {"P": "plain", "Q": "plain", "R": 1},
        "list": [{"name": "b", "p": "plain"}, {"name": "a", "p": "plain"}],
    }
    assert mask(live, [shape]) == {
        "env": {"P": MASKED, "Q": "plain", "R": 1},
        "list": [{"name": "b", "p": "plain"}, {"name": "a", "p": MASKED}],
    }


def test_mask_keeps_references_and_hides_all_where_nothing_tells_which() -> None:
    assert mask({"p": SECRET}, [{"p": SECRET}]) == {"p": SECRET}
    assert mask({"p": ["a", "b"]}, [{"p": [SECRET]}]) == {"p": [MASKED, MASKED]}
    assert mask({"p": "text"}, [{"p": {"q": SECRET}}]) == {"p": MASKED}
    url = {"valueFrom": {"component": "acme:Component/db", "output": "url"}}
    assert mask({"a/b": "postgres://..."}, [{"a/b": url}], ["/a~1b"]) == {"a/b": MASKED}
    live = {"p": 1}
    assert mask(live, [None, {"p": 2}]) is live


def test_keep() -> None:
    desired: dict[str, Any] = {"a": 1, "b": {"c": 2, "d": 3}, "l": [{"name": "x", "v": 1}]}
    live = {"a": 9, "b": {"c": 9, "e": 9}, "l": [{"name": "y", "v": 7}, {"name": "x", "v": 9}]}
    assert keep(desired, live, []) is desired
    assert keep(desired, live, ["/a", "/b/*"]) == {**desired, "a": 9, "b": {"c": 9, "e": 9}}
    assert keep(desired, live, ["/l/0/v"])["l"] == [{"name": "x", "v": 9}]
    assert keep(desired, live, ["/l/y"])["l"] == [{"name": "x", "v": 1}, {"name": "y", "v": 7}]
    assert keep({"p": SECRET}, {"p": MASKED}, ["/p"]) == {"p": SECRET}


def test_managed() -> None:
    shape = {"a": 1, "l": [{"name": "x"}], "m": [{"b": 1}], "gone": 1}
    live = {"a": 2, "l": [{"name": "x", "at": 5}], "m": [{"b": 2, "c": 3}], "more": 1}
    assert managed(live, shape) == {"a": 2, "l": [{"name": "x"}], "m": [{"b": 2}]}


def test_substitute_shares_what_has_no_reference() -> None:
    body = {"a": {"b": [1, 2]}, "c/d": [SECRET, "x"]}
    seen: list[str] = []

    def replacement(path: str, reference: Any) -> Any:
        seen.append(path)
        assert reference == SECRET
        return "value"

    found = substitute(body, replacement)
    assert found == {"a": {"b": [1, 2]}, "c/d": ["value", "x"]}
    assert found["a"] is body["a"]
    assert seen == ["/c~1d/0"]
    assert substitute(found, replacement) is found
