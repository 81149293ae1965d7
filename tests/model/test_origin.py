"""The origin of a URL: one spelling for one server, and no doubt about which."""

from __future__ import annotations

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.model.origin import origin


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Unleash.Example.org/api/?x=1#y", "https://unleash.example.org:443"),
        ("HTTP://example.org", "http://example.org:80"),
        ("http://example.org:8080/", "http://example.org:8080"),
        ("https://example.org.:443", "https://example.org:443"),
        ("http://[::1]:4242/api", "http://[::1]:4242"),
        ("http://[::1]", "http://[::1]:80"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("postgresql://db/app", "postgresql://db:5432"),
        ("custom://host:9", "custom://host:9"),
    ],
)
def test_a_server_has_one_spelling(url: str, expected: str) -> None:
    assert origin(url) == expected
    assert origin(expected) == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("unleash.example.org", "no scheme or no host"),
        ("https://", "no scheme or no host"),
        ("", "no scheme or no host"),
        ("https://user:swordfish@example.org", "a password"),
        ("https://good.org@evil.org", "a user name"),
        ("https://example.org:99999", "port"),
        ("https://example.org:x", "port"),
        ("custom://host", "no port"),
        ("https://ex ample.org", "a space"),
        ("https://evil.org\\@good.org", "a backslash"),
        ("https://exämple.org", "ASCII"),
        ("https://a%2eb", "no name and no address"),
        ("https://-a-", "no name and no address"),
        ("https://[::1", "invalid IPv6"),
    ],
)
def test_a_url_without_a_server_is_refused(url: str, why: str) -> None:
    with pytest.raises(HrctlError, match=why) as error:
        origin(url)
    assert error.value.diagnostics[0].code == "HR182"
    assert "swordfish" not in str(error.value)
