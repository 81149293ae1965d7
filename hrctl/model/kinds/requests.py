"""Which requests a Route is for: their hosts, paths, methods and headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal
from warnings import catch_warnings, simplefilter

from pydantic import Field

from hrctl.model.kinds.base import Broken, Filled, Ruled, Spec, choices, exactly_one, one_of, says

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


_OF_PROXIES: Final = ("bad escape \\", "global flags not at the start")


def _no_expression(regex: str) -> str | None:
    """Why a text is no regular expression; what only proxies know is let through."""
    with catch_warnings():
        simplefilter("ignore")
        try:
            re.compile(regex)
        except re.error as error:
            return None if error.msg.startswith(_OF_PROXIES) else str(error)
    return None


class PathMatch(Ruled):
    """What the path must be; exactly one of exact, prefix, regex."""

    model_config = exactly_one("exact", "prefix", "regex")

    exact: Path | None = Field(None, description="The whole path.")
    prefix: Path | None = Field(None, description="How it begins.")
    regex: Filled | None = Field(None, description="A regular expression for the whole path.")

    def rules(self) -> Iterator[Broken]:
        """One way to match."""
        yield from one_of(self, "path", ("exact", "prefix", "regex"))
        why = None if self.regex is None else _no_expression(self.regex)
        if why is not None:
            yield Broken(
                f"'{self.regex}' is not a regular expression: {why}", ("regex",), code="HR024"
            )


class Match(Spec):
    """Which requests are meant; every part that is given must fit."""

    path: PathMatch | None = Field(None, description="What the path must be.")
    method: HttpMethod | None = Field(None, description="The request's method.")
    headers: dict[Header, Line] = Field({}, description="Headers with exactly these values.")
