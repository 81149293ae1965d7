"""What the proxies' regular expressions do not know; the proxies themselves are asked elsewhere."""

from __future__ import annotations

import pytest

from hrctl.logic.mesh import envoy, haproxy
from tests.logic.mesh.expressions import PCRE, RE2


@pytest.mark.parametrize("regex", RE2.known)
def test_what_re2_knows_is_let_through(regex: str) -> None:
    assert envoy.unknown(regex) is None


@pytest.mark.parametrize("regex", RE2.unknown)
def test_what_re2_does_not_know_is_told(regex: str) -> None:
    assert envoy.unknown(regex) is not None


@pytest.mark.parametrize("regex", PCRE.known)
def test_what_pcre_knows_is_let_through(regex: str) -> None:
    assert haproxy.unknown(regex) is None


@pytest.mark.parametrize("regex", PCRE.unknown)
def test_what_haproxy_does_not_take_is_told(regex: str) -> None:
    assert haproxy.unknown(regex) is not None


def test_the_way_out_of_a_counted_group_is_told() -> None:
    (found,) = haproxy.refusals("Route", {"match": [{"path": {"regex": r"/(a)\1"}}]})
    assert found.name == "match.0.path.regex"
    assert r"do not know \1; a group with a name can be referred to" in found.why
