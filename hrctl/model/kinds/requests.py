"""Which requests a Route is for: their hosts, paths, methods and headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from hrctl.model.kinds.base import Broken, Filled, Ruled, Spec, choices, exactly_one, one_of, says
from hrctl.model.regex import Expression, Refusal, compiled

HttpMethod = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"],
    choices(
        "read",
        "read the headers only",
        "hand in",
        "put in place of what is there",
        "change a part",
        "remove",
        "ask what is allowed",
        "open a tunnel",
        "have the request sent back",
    ),
]
_HEADER: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
Header = Annotated[str, says(_HEADER, "the name of a header")]
HeaderOrCookie = Annotated[str, says(_HEADER, "the name of a header or a cookie")]
Line = Annotated[str, says(r"^[^\x00-\x08\x0a-\x1f\x7f]*$", "text in one line")]
Path = Annotated[
    str,
    says(
        r"^/[!\x22$->@-~]*$",
        "a path begins with / and has no spaces, ? or #; other signs are written as %C3%BC",
    ),
]
Host = Annotated[
    str,
    says(
        r"^(\*|\*?[A-Za-z0-9._-]+|[A-Za-z0-9._-]+\*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$",
        "a host is a name, with * for its beginning or its end, such as *.shop.example",
    ),
]


# What PCRE, the library of HAProxy, has beyond RE2, and what may stand in its place to see whether
# the rest is an expression: references to groups, named and other special groups, escapes, and
# repetitions that give nothing back.
_BEYOND_RE2: Final = (
    (re.compile(r"\\\\"), "x"),
    (re.compile(r"\\[gk](?:<\w*>|\{\w*\}|'\w*'|\d+)|\\[1-9]\d?|\(\?P[=>]\w*\)|\(\?#[^)]*\)"), "x"),
    (re.compile(r"\(\?(?:<?[=!]|[>|]|\([^()]*\)|\^|(?=[A-Za-z-]*[xnJau])[A-Za-z-]+:)"), "(?:"),
    (re.compile(r"\(\?(?=[A-Za-z-]*[xnJau])[A-Za-z-]+\)"), ""),
    (re.compile(r"\\(?:[NUux]\{[^{}]*\}|[A-Za-oq-z])"), "x"),
    (re.compile(r"([*+?}])\+"), r"\1"),
    (re.compile(r"\[([.=:])\^?\w*\1\]"), "x"),
)


def _refusal(regex: str) -> Refusal | None:
    """Return why no proxy can use a text as an expression; what only PCRE knows is let through."""
    refusal = compiled(regex)
    if isinstance(refusal, Expression) or refusal.oversized:
        return None if isinstance(refusal, Expression) else refusal
    for beyond, instead in _BEYOND_RE2:
        regex = beyond.sub(instead, regex)
    refusal = compiled(regex)
    return None if isinstance(refusal, Expression) else refusal


class PathMatch(Ruled):
    """What the path must be; exactly one of exact, prefix, regex."""

    model_config = exactly_one("exact", "prefix", "regex")

    exact: Path | None = Field(None, description="The whole path.")
    prefix: Path | None = Field(None, description="How it begins.")
    regex: Filled | None = Field(None, description="A regular expression for the whole path.")

    def rules(self) -> Iterator[Broken]:
        """One way to match."""
        yield from one_of(self, "path", ("exact", "prefix", "regex"))
        refusal = None if self.regex is None else _refusal(self.regex)
        if refusal is None:
            return
        if refusal.oversized:
            yield Broken(
                f"the regular expression is too large: {refusal.why}",
                ("regex",),
                code="HR340",
                hint=refusal.hint,
            )
        else:
            yield Broken(
                f"'{self.regex}' is not a regular expression: {refusal.why}",
                ("regex",),
                code="HR024",
            )


class Match(Spec):
    """Which requests are meant; every part that is given must fit."""

    path: PathMatch | None = Field(None, description="What the path must be.")
    method: HttpMethod | None = Field(None, description="The request's method.")
    headers: dict[Header, Line] = Field({}, description="Headers with exactly these values.")
