"""`hrctl flag stale`: flags that nobody needs any more, and keys that nobody declares."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hrctl.cli import options as given
from hrctl.cli.app import console_of, reports
from hrctl.cli.exits import Exit
from hrctl.cli.render.style import Paint, plain
from hrctl.cli.render.text import count
from hrctl.cli.reports import GITHUB_BYTES, Reports
from hrctl.cli.session import Session
from hrctl.cli.stale import CHECKS, CODES, Stale, places_json, rows, undeclared
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.naming import In, complete_name
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.address import Address, Selector
from hrctl.model.tree import Tree
from hrctl.source.code.search import Found
from hrctl.source.report import arranged

KIND = "FeatureFlag"
CODE = frozenset({"unreferenced", "undeclared"})

Which = Annotated[
    str | None,
    typer.Argument(
        metavar="[SELECTOR]",
        help="A name, an address, a registry, a glob or a label; default all flags.",
        autocompletion=complete_name,
    ),
]
Code = Annotated[
    list[Path] | None,
    typer.Option(
        "--code", metavar="DIR", help="Search the code in a folder for the keys. Repeatable."
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip", metavar="GLOB", help="Not these files of DIR, such as 'tests/*'. Repeatable."
    ),
]
Calls = Annotated[
    list[str] | None,
    typer.Option(
        "--call",
        metavar="NAME",
        help="A function of yours that asks for a flag by its first text. Repeatable.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="CHECK,...",
        help=f"Only some of {', '.join(CHECKS)}.",
        autocompletion=lambda: list(CHECKS),
    ),
]


@reports
def stale(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    selector: Which = None,
    *,
    registry: In = None,
    code: Code = None,
    skip: Skip = None,
    calls: Calls = None,
    only: Only = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Leave with 0 whatever is found.")
    ] = False,
    report: given.Report = None,
    max_bytes: given.MaxBytes = GITHUB_BYTES,
) -> int:
    """Find flags that nobody needs any more: take them out of the code, then out of here.

    expired: the day in `expires` has passed. settled: everybody gets the same for longer than
    `staleAfter`, 30 days where it does not say, by the commits of this branch. unused: for as long
    no application asked for it, where the driver counts that. With --code, unreferenced: the code
    names it nowhere; and undeclared: keys that the code asks for, through OpenFeature or Unleash,
    and nobody declares (not with a SELECTOR). The label lifetime=permanent lets a flag be settled
    or unused. A line of code with the comment `hrctl: ignore` does not count.

    The exit code is 1 where something is found.

    Examples:
      hrctl flag stale
      hrctl flag stale --code services --call enabled
      hrctl flag stale prod:express --code ../web --code ../api --skip 'tests/*'
      hrctl flag stale --only expired,undeclared --code . --report sarif=stale.sarif
    """
    console = console_of(ctx)
    out = Reports(console, "hrctl flag stale", report, max_bytes=max_bytes)
    narrowed = selector is not None or registry is not None
    wanted = _wanted(only, code, narrowed=narrowed)
    _check_calls(calls or ())
    with Session(console) as session:
        with out.telling(session):
            tree = session.tree(without="HR032")
            flags = _chosen(tree, selector, registry)
            found = _search(session, code or (), skip or (), calls or ()) if code else None
            checks = Stale(session, tree, flags, wanted, found)
            told = _Told(session, checks, _all(session, checks))
        findings = out.findings(told.diagnostics, strict=not exit_zero)
        if console.output == "text":
            console.log(told.lines(console.width, console.brush(sys.stdout)))
        elif console.json_output:
            console.json(told.object())
        for note in told.notes():
            console.note(note)
        out.deliver(
            {
                **out.renderers(session, findings),
                "text": lambda: "\n".join(told.lines(100)) + "\n",
                "json": told.json,
            }
        )
    return Exit.ERROR if told.diagnostics and not exit_zero else Exit.DONE


def _wanted(
    only: Sequence[str] | None, code: Sequence[Path] | None, *, narrowed: bool
) -> frozenset[str]:
    """The checks to make."""
    named = frozenset(name.strip() for text in only or () for name in text.split(","))
    if unknown := sorted(named - frozenset(CHECKS)):
        hint = f"one of {', '.join(CHECKS)}"
        raise HrctlError.of("HR145", f"'{unknown[0]}' is no check of flags", hint=hint)
    if not code and (needing := sorted(named & CODE)):
        hint = "say where it is with --code DIR"
        raise HrctlError.of("HR145", f"'{needing[0]}' needs the code", hint=hint)
    if narrowed and "undeclared" in named:
        hint = "leave the SELECTOR out"
        raise HrctlError.of("HR145", "'undeclared' is about no flag in particular", hint=hint)
    wanted = named or frozenset(CHECKS)
    return wanted - {"undeclared"} if narrowed else wanted


def _check_calls(calls: Sequence[str]) -> None:
    for one in calls:
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", one, re.ASCII) is None:
            hint = "as --call enabled, or --call flags.enabled"
            raise HrctlError.of("HR145", f"'{one}' is no name of a function", hint=hint)


def _chosen(tree: Tree, selector: str | None, registry: str | None) -> list[Address]:
    """The flags that are meant.

    Raises:
        HrctlError: HR141 or HR160, where none is.
    """
    flags = naming.of_kind(tree, KIND, registry)
    if selector is None:
        return flags
    wanted = Selector(selector)
    needs_labels = "=" in selector
    found = [
        one
        for one in flags
        if one.name == selector
        or wanted.matches(one, tree.resource(one).labels if needs_labels else {})
    ]
    within = naming.registry_path(tree, registry) if registry else ""
    return found or [naming.find(tree, KIND, selector, within)]


def _search(
    session: Session, code: Sequence[Path], skip: Sequence[str], calls: Sequence[str]
) -> Found:
    """Look through the code for the keys of all flags.

    Raises:
        HrctlError: HR261, where a folder or a file cannot be read, or there is none.
    """
    from hrctl.cli.render.ticker import ticker
    from hrctl.source.code.files import list_code
    from hrctl.source.code.search import search

    files = dict.fromkeys(one for folder in code for one in list_code(folder, skip))
    keys = {one.name for one in session.load().tree.rows if one.kind == KIND}
    root = session.project.root
    with ticker(session.console, "files searched") as progress:
        found = search(list(files), keys, root, calls=calls, progress=progress)
    if not found.files:
        names = " and ".join(f"'{one}'" for one in code)
        hint = "nothing that git knows and is text lies there; is it the right folder?"
        raise HrctlError.of("HR261", f"there is no code in {names}", hint=hint)
    return found


def _all(session: Session, checks: Stale) -> list[Diagnostic]:
    from hrctl.cli.render.ticker import ticker

    with ticker(session.console, "flags looked up in git") as progress:
        return list(checks.diagnostics(progress))


@dataclass(frozen=True, slots=True)
class _Told:
    """What was found, for people and for programs."""

    session: Session
    checks: Stale
    found: Sequence[Diagnostic]  # of each flag

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What flags of one document share is told once."""
        return arranged(self.found)

    def lines(self, width: int, brush: Paint = plain) -> list[str]:
        from hrctl.cli.render.diagnostics import text_lines

        if self.diagnostics:
            read = self.session.read_line
            found = text_lines(self.diagnostics, read, width=width, paint=brush)
            return [*found, *self._summary(width)]
        return [f"{self._looked_at()}: nothing is stale."]

    def _summary(self, width: int) -> list[str]:
        counts = Counter(CODES[one.code] for one in self.diagnostics)
        kinds = ", ".join(f"{counts[name]} {name}" for name in CHECKS if counts[name])
        lines = [
            f"{kinds}, in {self._looked_at()}.",
            f"`hrctl explain {self.diagnostics[0].code}` tells more.",
        ]
        whole = " ".join(lines)
        return [whole] if len(whole) <= width else lines

    def _looked_at(self) -> str:
        flags, found = count(len(self.checks.flags), "flag"), self.checks.found
        return flags if found is None else f"{flags} and {count(found.files, 'file')} of code"

    def notes(self) -> Iterator[str]:
        yield from self.checks.notes
        for path, size in self.checks.found.large if self.checks.found else ():
            yield f"{path} was not searched: {size / 1e6:,.1f} MB is more than a person writes."

    def object(self) -> Mapping[str, Any]:
        from hrctl.cli.render.diagnostics import as_json

        found = self.checks.found
        shown: dict[str, Any] = {"flags": rows(self.checks, self.found)}
        if found is not None:
            if "undeclared" in self.checks.only:
                unknown = undeclared(found, self.checks.tree).items()
                shown["undeclared"] = [{"key": key, **places_json(at)} for key, at in unknown]
            shown["code"] = {
                "files": found.files,
                "bytes": found.bytes,
                "notSearched": [path for path, _ in found.large],
            }
        if "unused" in self.checks.only:
            shown["counted"] = self.checks.counted
        return {**shown, "diagnostics": [as_json(one) for one in self.diagnostics]}

    def json(self) -> str:
        import json

        return json.dumps(self.object(), indent=2, ensure_ascii=False) + "\n"
