"""What hrctl tells a person who has to act: one value, rendered in many ways.

A `Diagnostic` names the thing, says what is wrong and what to do, in lower case and without a full
stop. Errors travel as values where a command can go on to find more of them, and inside an
`HrctlError` where it cannot:

    HrctlError                  carries one or more diagnostics; exit code 1
    +-- LockedError             a lease of another run covers the subtree; exit code 3
    |   +-- LeaseLostError      another run took over the lease of this one
    +-- SafetyError             refused by thresholds, protection or a stale plan; exit code 4
    +-- PolicyError             refused by a policy; exit code 5

Each code is described, with a wrong and a right example, in a file of ``codes/`` beside this one
(`hrctl explain HR021` prints it).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Diagnostic",
    "HrctlError",
    "LeaseLostError",
    "LockedError",
    "PolicyError",
    "Related",
    "SafetyError",
    "Severity",
    "Span",
]


class Severity(StrEnum):
    """How much a diagnostic weighs: only an error stops a command."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file: `path` relative to the project, `line` and `column` from 1.

    `length` counts the characters to underline on that line.
    """

    path: str
    line: int = 1
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains a diagnostic: the first of two duplicates, a step of a cycle."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a code of the catalog, a summary, and, where known, place, relations and hint.

    `hint` stands beside the caret (``did you mean AUTO_CPU?``); `note` stands below (``one of
    MANUAL, AUTO_CPU``). `address` is the resource concerned, where it is one.
    """

    code: str
    summary: str
    span: Span | None = None
    severity: Severity = Severity.ERROR
    address: str | None = None
    related: tuple[Related, ...] = ()
    hint: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.code} {self.summary}{hint}"


class HrctlError(Exception):
    """A command cannot go on. `diagnostics` holds all that was found, at least one of them."""

    exit_code = 1

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics))

    @classmethod
    def of(
        cls, code: str, summary: str, *, span: Span | None = None, hint: str | None = None
    ) -> HrctlError:
        """The usual case: one diagnostic of severity error."""
        return cls(Diagnostic(code, summary, span=span, hint=hint))


class FieldError(HrctlError):
    """A driver has no way to do what a field of a body says; `field` is its JSON Pointer."""

    def __init__(self, diagnostic: Diagnostic, field: str) -> None:
        super().__init__(diagnostic)
        self.field = field


class LockedError(HrctlError):
    """Another run holds a lease on the subtree."""

    exit_code = 3


class LeaseLostError(LockedError):
    """This run has lost its lease, and must not change anything any more."""


class SafetyError(HrctlError):
    """Refused: too many deletes or updates, a protected resource, a plan that is out of date."""

    exit_code = 4


class PolicyError(HrctlError):
    """Refused by a policy of the registry."""

    exit_code = 5
