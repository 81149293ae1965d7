"""`hrctl history`: every change of a resource from git, and which run applied it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import complete_address
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.ledger.api import RunRecord
from hrctl.model.address import Address
from hrctl.model.plan import ABSENT, Absent
from hrctl.model.values import Json, lookup

if TYPE_CHECKING:
    from hrctl.cli.applied import Applied
    from hrctl.model.fields import FieldDiff
    from hrctl.source.lineage import Step
    from hrctl.source.past import Past, Version

Resource = Annotated[
    str,
    typer.Argument(metavar="ADDRESS", help="Of the resource.", autocompletion=complete_address),
]
Field = Annotated[
    str | None, typer.Argument(metavar="[FIELD]", help="Only this field and those below it.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Only the last N changes.")
]
Revision = Annotated[
    str, typer.Option("--rev", metavar="REV", help="As far as this commit; default HEAD.")
]


def history(
    ctx: typer.Context,
    address: Resource,
    field: Field = None,
    *,
    limit: Limit = None,
    revision: Revision = "HEAD",
) -> int:
    """Show each change of a resource: commit, author, time, old and new values.

    The values are the effective ones: a default that changed in a registry above is a change of
    every resource that inherits it. Moves (`movedFrom`) and renamed files are followed. Below each
    change stands the run that applied it first. Only commits count, and of references only what
    they name.

    Examples:
      hrctl history acme/shop/prod:Service/api
      hrctl history acme/shop/prod:Service/api replicas
      hrctl history acme/shop/prod:Config/app entries.LOG_LEVEL -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        return show_history(session, Address.parse(address), field, revision, limit)


def show_history(
    session: Session, address: Address, field: str | None, revision: str, limit: int | None
) -> int:
    """Print the history of a resource, or of one of its fields.

    Raises:
        HrctlError: HR141 or HR190 where no commit has the resource, HR147 for no such field.
    """
    console = session.console
    with open_past(session, revision) as past:
        moments = _moments(session, past, address, field)
        if not moments:
            raise HrctlError.of("HR147", f"{address} never had a field '{field}'")
        shown = moments[:limit]
        if console.json_output:
            console.json(_as_json(past, address, field, shown))
        else:
            console.lines(_Lines(console, past, address).of(shown, named=field is not None))
            _tell_limits(console, past, shown[-1] if len(shown) == len(moments) else None)
        _tell_broken(console, past)
    return Exit.DONE


@contextmanager
def open_past(session: Session, revision: str = "HEAD") -> Iterator[Past]:
    """What git knows of the project's files; it reads while the rest is imported.

    Raises:
        HrctlError: HR062 outside git, HR063 to HR065 where the revision is not there.
    """
    from hrctl.source.log import LogReader

    reader = LogReader(session.project.root, revision, session.project.manifests)
    from hrctl.source import parse  # noqa: F401 - while git is at work
    from hrctl.source.blobs import Blobs
    from hrctl.source.manifests import Manifests
    from hrctl.source.past import Past

    with Blobs(session.project.root) as blobs:
        yield Past(reader.read(), Manifests(blobs))


@dataclass(slots=True)
class Moment:
    """A step with those of its fields that are shown, and which run applied each."""

    step: Step
    fields: list[FieldDiff]
    secret: frozenset[str]  # paths
    runs: dict[str, RunRecord | None] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """created, removed, moved or changed."""
        if self.step.old is None:
            return "created"
        if self.step.new is None:
            return "removed"
        return "moved" if self.step.moved_from else "changed"


def _moments(session: Session, past: Past, address: Address, wanted: str | None) -> list[Moment]:
    from hrctl.cli.applied import Applied
    from hrctl.cli.render.versions import is_secret, is_within
    from hrctl.model.fields import compare_leaves
    from hrctl.source.lineage import steps

    found: list[Moment] = []
    known = list(steps(session.project.root, past, address))
    applied = Applied(session.ledger, past, known)
    if not known:
        raise unknown(session, address)
    newest = next((one.new or one.old for one in known), None)
    for step in known:
        old, new = step.old, step.new
        fields = compare_leaves(old.leaves if old else {}, new.leaves if new else {})
        if wanted is not None:
            fields = [one for one in fields if is_within(one.key, wanted)]
            if not fields:
                continue
        bodies = [one.value for one in (old, new, newest) if one is not None]
        secret = {one.path for one in fields if is_secret(address.kind, one, *bodies)}
        moment = Moment(step, fields, frozenset(secret))
        moment.runs = _runs(applied, moment)
        found.append(moment)
    return found


def _runs(applied: Applied, moment: Moment) -> dict[str, RunRecord | None]:
    """Which run applied each field; what begins or ends did so as a whole."""
    if moment.action in {"created", "removed"}:
        whole = applied.of(moment.step, None)
        return {one.path: whole for one in moment.fields} or {"": whole}
    return {one.path: applied.of(moment.step, one) for one in moment.fields}


def unknown(session: Session, address: Address) -> HrctlError:
    """Why there is no history of an address."""
    from hrctl.cli.cmd_explain import require_declared

    require_declared(session.tree(), address)
    return HrctlError.of(
        "HR190", f"{address} is in no commit yet", hint="commit it, and its history begins"
    )


class _Lines:
    def __init__(self, console: Console, past: Past, address: Address) -> None:
        from hrctl.cli.render.style import paint
        from hrctl.cli.render.versions import FieldLines

        self._width = console.width
        self._brush = paint(color=console.color(sys.stdout))
        self._fields = FieldLines(console.width, self._brush)
        self._past = past
        self._address = address
        self._completed: dict[int, Json] = {}

    def of(self, moments: Sequence[Moment], *, named: bool) -> Iterator[str]:
        yield self._brush(self._address, "bold")
        for moment in moments:
            yield self._head(moment)
            if moment.action != "changed":
                yield f"      {self._word(moment)}"
            if named or moment.action in {"changed", "moved"}:
                for one in moment.fields:
                    yield from self._field(moment, one)
            yield f"      {self._brush(_applied_text(moment), 'dim')}"

    def _head(self, moment: Moment) -> str:
        from hrctl.cli.render.values import columns, elide, printable

        commit = moment.step.commit
        start = f"{short_time(commit.time)}  {printable(commit.author)}  "
        room = self._width - columns(start) - 9
        subject = elide(printable(commit.subject), max(room, 12))
        return f"{self._brush(commit.id[:7], 'yellow')}  {start}{subject}"

    @staticmethod
    def _word(moment: Moment) -> str:
        from hrctl.cli.render.values import printable

        if moment.action == "moved":
            return f"moved from {moment.step.moved_from}"
        if moment.action == "removed":
            return "removed"
        path = moment.step.new.path if moment.step.new else ""
        return f"created in {printable(path)}"

    def _field(self, moment: Moment, one: FieldDiff) -> Iterator[str]:
        version = moment.step.new
        origin = ""
        if version is not None and one.new is not ABSENT:
            span = version.foreign_origin(one.path)
            if span is not None:
                origin = f"from {span.path}:{span.line}"

        def default(diff: FieldDiff, side: str) -> Json | Absent:
            there = moment.step.old if side == "old" else moment.step.new
            return ABSENT if there is None else self._default(there, diff.path)

        secret = one.path in moment.secret
        yield from self._fields.lines(one, secret=secret, origin=origin, default=default)

    def _default(self, version: Version, path: str) -> Json | Absent:
        """What the kind has built in where nothing is written."""
        if not path.startswith("/spec/"):
            return ABSENT
        if id(version) not in self._completed:
            from hrctl.model.validate import complete

            try:
                made = complete(version.address.kind, version.value["spec"])
            except ValueError:  # an earlier hrctl took what this one does not
                made = {}
            self._completed[id(version)] = {"spec": made}
        return lookup(self._completed[id(version)], path, ABSENT)


def short_time(time: str) -> str:
    """``2026-03-02 14:05`` of an RFC 3339 time, in its own zone."""
    return time[:16].replace("T", " ")


def _applied_text(moment: Moment) -> str:
    runs = [run for run in moment.runs.values() if run is not None]
    if not runs:
        return "not applied"
    first = min(runs, key=lambda run: run.started)
    text = f"applied {short_time(first.finished or first.started)}, run {first.id}"
    missing = len(moment.runs) - len(runs)
    return f"{text}; {missing} of {len(moment.runs)} fields not" if missing else text


def _tell_limits(console: Console, past: Past, oldest: Moment | None) -> None:
    """Where a shallow clone ends, the first change may not be the first."""
    if past.log.shallow and oldest is not None:
        console.note(
            "This is a shallow clone: what happened before"
            f" {min(past.log.shallow)[:7]} is not in it. git fetch --unshallow brings it."
        )


def _tell_broken(console: Console, past: Past) -> None:
    broken = sorted({path for path, _ in past.manifests.broken})
    if broken and not console.quiet:
        from hrctl.cli.render.diagnostics import report

        report(
            console,
            [
                Diagnostic(
                    "HR191",
                    f"{path} could not be read at every commit; what it said there is left out",
                    severity=Severity.WARNING,
                )
                for path in broken
            ],
        )


def _as_json(
    past: Past, address: Address, field: str | None, moments: Sequence[Moment]
) -> dict[str, Any]:
    from hrctl.cli.render.values import Secrets

    secrets = Secrets()
    return {
        "address": address,
        "field": field,
        "shallow": sorted(past.log.shallow),
        "changes": [_moment_json(one, secrets) for one in moments],
    }


def _moment_json(moment: Moment, secrets: Any) -> dict[str, Any]:
    from hrctl.cli.render.versions import dotted, visible

    step = moment.step
    there = step.new or step.old
    fields = []
    for one in moment.fields:
        secret = one.path in moment.secret
        fields.append(
            {
                "path": one.path,
                "field": dotted(one.key),
                "old": visible(one.old, secrets, secret=secret),
                "new": visible(one.new, secrets, secret=secret),
                "sensitive": secret,
                "order": one.is_order,
                "applied": _run_json(moment.runs.get(one.path)),
            }
        )
    return {
        **commit_json(step.commit),
        "action": moment.action,
        "movedFrom": step.moved_from,
        "file": there.path if there else None,
        "fields": fields,
    }


def commit_json(commit: Any) -> Mapping[str, Any]:
    """A commit for a program."""
    return {
        "commit": commit.id,
        "author": commit.author,
        "email": commit.email,
        "time": commit.time,
        "subject": commit.subject,
    }


def _run_json(run: RunRecord | None) -> dict[str, Any] | None:
    return None if run is None else {"run": run.id, "time": run.finished or run.started}
