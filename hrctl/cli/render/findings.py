"""What a command found, as the formats for CI tell it: SARIF, JUnit, workflow commands, Markdown.

Each renderer takes the same value and returns text. Whatever comes from a file or a live system
goes through `clean` first, and then through the one escaping of the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import Final

from hrctl.cli.render.values import printable
from hrctl.diagnostics import Diagnostic, Severity, Span

LONGEST: Final = 2_000  # characters of one text: no reader takes 10 MB of a field
_PLACES: Final = 10  # related ones that are told
SEVERITIES: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Findings:
    """Diagnostics and what they were looked for in.

    Attributes:
        command: as in ``hrctl validate``; reports of several commands are told apart by it.
        diagnostics: in the order in which they are told.
        prefix: from the top of the repository to the project: ``platform/`` or nothing. CI systems
            name files from the top.
        files: paths of everything that was checked, relative to the project.
        failing: the severities that make the command fail.
    """

    command: str
    diagnostics: Sequence[Diagnostic]
    prefix: str = ""
    files: Sequence[str] = ()
    failing: frozenset[Severity] = frozenset({Severity.ERROR})

    def path(self, span: Span) -> str:
        """The file of a place, from the top of the repository; it need not be in the project."""
        whole = self.prefix + span.path
        return normpath(whole) if span.path.startswith("../") else whole


def clean(text: str) -> str:
    r"""One line of printable text of a bearable length; a break stays visible as ``\n``."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text):,} characters)"
    return printable(text)


def most_severe_first(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Errors, warnings, the rest; within them as they stand."""
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))


def message_lines(one: Diagnostic) -> list[str]:
    """Summary, hint, note and related places, a line for each, all of them clean.

    A cycle may have many places; the first ones tell it.
    """
    lines = [one.summary]
    lines += [text for text in (one.hint, one.note) if text]
    for related in one.related[:_PLACES]:
        where = f": {related.span}" if related.span else ""
        lines.append(f"{related.message}{where}")
    if len(one.related) > _PLACES:
        lines.append(f"and {len(one.related) - _PLACES} more places")
    return [clean(line) for line in lines]


def located(one: Diagnostic, path: str = "hrctl.yaml") -> Diagnostic:
    """The diagnostic with a place: that of the project file, where it has none of its own."""
    return one if one.span is not None else replace(one, span=Span(path))
