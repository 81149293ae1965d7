"""What the YAML parser complains about, in the words of someone who writes YAML by hand.

The parser names what its grammar expected next; a person wants to know which quote is open, which
colon is missing, which line is indented wrongly. What is not known here is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import yaml
from yaml.reader import ReaderError

from hrctl.diagnostics import Diagnostic, Related
from hrctl.source.spans import Spans
from hrctl.source.yaml12 import printable

_TOKEN: Final = re.compile(r"[^\s,\[\]{}]+")


class _Trouble(NamedTuple):
    """Where the parser was (`context`) and where it stopped (`at`), as offsets into `text`."""

    text: str
    spans: Spans
    context: int | None
    at: int

    @property
    def line(self) -> str:
        """The line that it stopped in."""
        return self.spans.row(self.spans.row_of(self.at))

    @property
    def first_on_line(self) -> bool:
        """Whether nothing but white space stands before the place on its line."""
        start = self.spans.start_of(self.spans.row_of(self.at))
        return not self.text[start : self.at].strip()

    def find(
        self,
        summary: str,
        hint: str | None = None,
        *,
        at: int | None = None,
        related: tuple[Related, ...] = (),
        code: str = "HR002",
    ) -> Diagnostic:
        """The diagnostic at a place, by default where the parser stopped."""
        at = self.at if at is None else at
        match = _TOKEN.match(self.text, at)
        span = self.spans.span(at, match.end() if match else at + 1)
        return Diagnostic(code, summary, span, hint=hint, related=related)


def explain(error: yaml.YAMLError, text: str, spans: Spans) -> Diagnostic:
    """The diagnostic for an error of the parser in `text`; HR002, HR003 or HR005."""
    if isinstance(error, ReaderError):
        at = len(text.encode("utf-8", "surrogatepass")[: error.position].decode("utf-8", "ignore"))
        return _Trouble(text, spans, None, at).find(f"not YAML: {printable(error.reason)}")
    if not isinstance(error, yaml.MarkedYAMLError):
        return Diagnostic("HR002", f"not YAML: {printable(str(error))}", spans.span(0, 1))
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    trouble = _Trouble(
        text,
        spans,
        error.context_mark.index if error.context_mark else None,
        min(mark.index, len(text)) if mark else 0,
    )
    if "tab" in problem or ("start any token" in problem and _is_tab(trouble)):
        return _tab(trouble)
    for part, describe in _KNOWN:
        if part in problem or part in context:
            return describe(trouble)
    return trouble.find(f"not YAML: {printable(f'{context} {problem}'.strip(), 100)}")


def _is_tab(trouble: _Trouble) -> bool:
    return trouble.text[trouble.at : trouble.at + 1] == "\t"


def _tab(trouble: _Trouble) -> Diagnostic:
    start = trouble.text.find("\t", trouble.at)
    start = trouble.at if start < 0 else start
    end = start
    while trouble.text[end : end + 1] == "\t":
        end += 1
    where = "in the indentation" if trouble.first_on_line else "where YAML wants a space"
    span = trouble.spans.span(start, end)
    return Diagnostic("HR003", f"tab {where}", span, hint="replace it by spaces")


def _open_quote(trouble: _Trouble) -> Diagnostic:
    at = trouble.at if trouble.context is None else trouble.context
    quote = trouble.text[at : at + 1]
    return trouble.find(f"the quote {quote} that opens here is never closed", f"add {quote}", at=at)


def _open_bracket(trouble: _Trouble) -> Diagnostic:
    opener = trouble.at if trouble.context is None else trouble.context
    bracket = trouble.text[opener : opener + 1]
    closer = "]" if bracket == "[" else "}"
    if not trouble.text[trouble.at :].strip():
        summary = f"the bracket {bracket} that opens here is never closed"
        return trouble.find(summary, f"add {closer}", at=opener)
    opened = Related(f"the bracket {bracket} opens here", trouble.spans.span(opener, opener + 1))
    return trouble.find(f"a comma or {closer} is missing before this", related=(opened,))


def _colon(trouble: _Trouble) -> Diagnostic:
    """The parser looked in vain for the colon of a key, which may have begun lines earlier."""
    at = trouble.at if trouble.context is None else trouble.context
    row = trouble.spans.row(trouble.spans.row_of(at)).strip()
    return trouble.find(
        "a key without a colon", f"write {printable(row.split(':')[0], 30)}: value", at=at
    )


def _nested_colon(trouble: _Trouble) -> Diagnostic:
    """A colon where no key can be: on the line of another key, or below a scalar."""
    row = trouble.spans.row_of(trouble.at)
    start = trouble.spans.start_of(row)
    before = trouble.text[start : trouble.at].lstrip()
    above = trouble.spans.row(row - 1).strip() if row else ""
    if ": " in before:
        return trouble.find(
            "a second ': ' on one line", "put the value in quotes, or begin a new line"
        )
    at = trouble.at - len(before)
    if above and not re.search(r":(?:\s|$)", above):
        return trouble.find(
            "a key below a line that is not one",
            f"is a colon, or the space behind it, missing in '{printable(above, 30)}'?",
            at=at,
        )
    return trouble.find(
        "bad indentation: a key below a line that already has its value",
        "indent it as the key above",
        at=at,
    )


def _indentation(trouble: _Trouble) -> Diagnostic:
    if trouble.text.startswith((": ", ":\n"), trouble.at):
        return trouble.find("a key is missing before ':'", code="HR011")
    if not trouble.first_on_line:
        return trouble.find("text behind a value that already ended", "quote the whole value")
    related: tuple[Related, ...] = ()
    if trouble.context is not None:
        span = trouble.spans.span(trouble.context, trouble.context + 1)
        related = (Related("the map or list that it should belong to begins here", span),)
    return trouble.find(
        "bad indentation: this line fits to nothing above",
        "indent it as its neighbours",
        related=related,
    )


def _token(trouble: _Trouble) -> Diagnostic:
    found = printable(trouble.text[trouble.at : trouble.at + 1])
    return trouble.find(f"a plain value cannot begin with {found}", "put it in quotes")


def _escape(trouble: _Trouble) -> Diagnostic:
    start = trouble.text.rfind("\\", 0, trouble.at + 1)
    start = trouble.at if start < 0 else start
    found = printable(trouble.text[start : start + 2])
    return trouble.find(
        f"unknown escape {found} in double quotes", "write \\\\ for a backslash", at=start
    )


def _dash(trouble: _Trouble) -> Diagnostic:
    return trouble.find("a list cannot begin on the line of its key", "put - on a new line")


def _anchor(trouble: _Trouble) -> Diagnostic:
    at = trouble.at if trouble.context is None else trouble.context
    mark = printable(trouble.text[at : at + 1])
    return trouble.find(
        f"{mark} is followed by no name",
        f"put the value in quotes where {mark} belongs to it",
        at=at,
    )


def _tag(trouble: _Trouble) -> Diagnostic:
    at = trouble.at if trouble.context is None else trouble.context
    match = _TOKEN.match(trouble.text, at)
    found = printable(match.group() if match else "!")
    return trouble.find(f"unknown tag {found}", "drop it, or quote the value", at=at, code="HR005")


def _block(trouble: _Trouble) -> Diagnostic:
    return trouble.find(
        "bad header of a block of text", "after | or > only + or -, and a digit, may stand"
    )


def _content(trouble: _Trouble) -> Diagnostic:
    found = printable(trouble.text[trouble.at : trouble.at + 1])
    if not found.strip():
        return trouble.find("a value is missing here")
    return trouble.find(f"unexpected {found}", "delete it, or quote the value")


def _after_end(trouble: _Trouble) -> Diagnostic:
    found = trouble.text[trouble.at : trouble.at + 1]
    if found in {"]", "}"}:
        return trouble.find(f"{found} closes nothing", "delete it")
    if trouble.first_on_line:
        return trouble.find(
            "bad indentation: this line fits to nothing above", "indent it as the first key"
        )
    return trouble.find("text behind the end of the document", "put --- before it")


def _directive(trouble: _Trouble) -> Diagnostic:
    return trouble.find("bad directive", "only %YAML 1.2, once, and %TAG may stand before ---")


_KNOWN: Final[tuple[tuple[str, Callable[[_Trouble], Diagnostic]], ...]] = (
    ("found unexpected end of stream", _open_quote),
    ("found unexpected document indicator", _open_quote),
    ("found unexpected document separator", _open_quote),
    ("',' or", _open_bracket),
    ("could not find expected ':'", _colon),
    ("mapping values are not allowed", _nested_colon),
    ("block sequence entries are not allowed", _dash),
    ("sequence entries are not allowed", _dash),
    ("escape char", _escape),
    ("Unicode character escape", _escape),
    ("hexdecimal", _escape),
    ("scanning an anchor", _anchor),
    ("scanning an alias", _anchor),
    ("tag handle", _tag),
    ("scanning a tag", _tag),
    ("parsing a tag", _tag),
    ("scanning a block scalar", _block),
    ("directive", _directive),
    ("incompatible YAML", _directive),
    ("start any token", _token),
    ("did not find expected node content", _content),
    ("document start", _after_end),
    ("did not find expected key", _indentation),
    ("did not find expected '-'", _indentation),
)
