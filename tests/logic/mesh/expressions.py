"""Regular expressions that the model lets through, by what the proxies say of them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Cases(NamedTuple):
    """What a proxy takes, and what it refuses."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]


_BOTH: Final = (
    "/(?i)ab",
    "/(?s).*",
    "/(?i-s:a)",
    "/(?P<n>a)",
    "/[[:alpha:]]+",
    "/[[:^word:]x]",
    "/[]a]",
    "/[^]a]",
    "/a{3}b{2,}",
    "/it's|/b",
    r"/\pL+",
    r"/\p{Greek}+",
    r"/\Qa.(b\E",
    r"/a\z",
    r"/\A",
    r"/\012\101",
    r"/\\1\\u",
    r"/[\\]u",
    r"/\d\D\s\S\w\W\bx",
    r"/a\++",
)
_NEITHER: Final = (
    "/[[:foo:]]",
    "/(?a)x",
    "/(?u)x",
    r"/(a)\1",
    r"/(a)\g{1}",
    r"/\g1(a)",
    r"/\u0041",
    r"/[\u0041]",
    r"/\U0001F600",
    r"/\N{DIGIT ONE}",
    r"/\i",
)
RE2: Final = Cases(
    (*_BOTH, r"/\C", r"/\Qa"),
    (
        *_NEITHER,
        "/(?x: a )",
        "/(?P<n>a)(?P=n)",
        "/(?=a)",
        "/a++",
        r"/\h",
        r"/a\Z",
        r"/\R",
        r"/\cA",
    ),
)
PCRE: Final = Cases(
    (
        *_BOTH,
        "/(?P<n>a)(?P=n)",
        r"/(?P<n>a)\k<n>",
        "/(?P<n>a)(?(n)b|c)",
        "/(?=a)b(?<!c)",
        "/(?#c)a++",
        "/(?x)a b",
        "/[a[.b]",
        r"/\h\R\X\Ka\Z",
        r"/\N+",
    ),
    (*_NEITHER, "/(a)(?(1)b|c)", "/[[.a.]]", "/[[=a=]]", "/(?x)a#b", r"/\Qa"),
)
