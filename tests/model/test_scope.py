"""What a registry hands down."""

from __future__ import annotations

from typing import Any

from hrctl.model.document import Document
from hrctl.model.scope import Scope, is_handed_down


def document(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> Document:
    value = {"kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
    return Document("a.yaml", "blob", 0, 1, "text", repr(value), complete=True, value=value)


def registry(name: str, level: str, **spec: Any) -> Document:
    return document("Registry", name, {"level": level, **spec})


def test_nearer_defaults_win_key_by_key() -> None:
    outer = Scope().below(
        registry(
            "acme", "ROOT", defaults={"Service": {"replicas": 1, "env": {"A": "1", "B": "1"}}}
        ),
        "acme",
        [],
    )
    inner = outer.below(
        registry("shop", "PROJECT", defaults={"Service": {"env": {"A": "2", "B": None}}}),
        "acme/shop",
        [],
    )
    assert outer.defaults("Service")[0] == {"replicas": 1, "env": {"A": "1", "B": "1"}}
    assert inner.defaults("Service")[0] == {"replicas": 1, "env": {"A": "2"}}
    assert inner.defaults("Config") == ({}, "")
    assert inner.defaults("Service")[1] != outer.defaults("Service")[1]
    assert (inner.path, inner.level) == ("acme/shop", "PROJECT")


def test_drivers_cascade_down_to_local() -> None:
    outer = Scope().below(
        registry("acme", "ROOT", drivers={"Service": "a", "Route": "r"}), "acme", []
    )
    inner = outer.below(registry("shop", "PROJECT", drivers={"Service": "b"}), "acme/shop", [])
    assert [inner.driver(kind) for kind in ("Service", "Route", "Node")] == ["b", "r", "local"]
    assert outer.driver("Service") == "a"


def test_templates_take_their_patches_with_them() -> None:
    base = document("Service", "api", {}, instances="TENANT")
    first = document("Service", "api", {"replicas": 1}, patch=True)
    second = document("Service", "api", {"replicas": 2}, patch=True)
    nothing = document("Service", "other", {}, patch=True)
    outer = Scope().below(registry("acme", "ROOT"), "acme", [base])
    middle = outer.below(registry("shop", "PROJECT"), "acme/shop", [first, nothing])
    inner = middle.below(registry("prod", "ENVIRONMENT"), "acme/shop/prod", [second])
    key = ("Service", "api", "TENANT")
    assert outer.templates[key].patches == ()
    assert inner.templates[key].patches == (first, second)
    assert inner.templates[key].level == "TENANT"
    assert inner.templates.keys() == {key}


def test_the_digest_stands_for_all_that_is_inherited() -> None:
    base = document("Service", "api", {}, instances="TENANT")
    made = [
        Scope().below(registry("acme", "ROOT"), "acme", []),
        Scope().below(registry("acme", "ROOT"), "acme", [base]),
        Scope().below(registry("acme", "ROOT", owner="me"), "acme", []),
        Scope().below(registry("other", "ROOT"), "other", []),
    ]
    assert len({one.digest for one in made}) == len(made)
    assert Scope().below(registry("acme", "ROOT"), "acme", []).digest == made[0].digest


def test_what_is_handed_down() -> None:
    assert is_handed_down(document("Service", "a", {}, instances="TENANT"))
    assert is_handed_down(document("Service", "a", {}, patch=True))
    assert not is_handed_down(document("Service", "a", {}, patch=False))
    assert not is_handed_down(document("Service", "a", {}))
