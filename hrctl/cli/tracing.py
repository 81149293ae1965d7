"""The history of a resource as plain data: what `hrctl history` shows, and what is kept of it.

An answer depends on commits, which never change, and on the ledger's runs; so it is kept under a
digest of both, and asking again costs no look into git's history. Nothing in it is a secret: values
that no one may see are numbers already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hrctl.cli.applied import Applied
from hrctl.cli.render.values import NONE, Secrets, show
from hrctl.cli.render.versions import dotted, is_secret, is_within, visible
from hrctl.diagnostics import HrctlError
from hrctl.ledger.api import RunRecord
from hrctl.model.address import Address
from hrctl.model.fields import FieldDiff
from hrctl.model.plan import ABSENT, Absent
from hrctl.model.values import Json, lookup
from hrctl.source import quick  # noqa: F401 - imported here, while git is at work
from hrctl.source.blobs import Blobs
from hrctl.source.lineage import Step, steps
from hrctl.source.manifests import Manifests
from hrctl.source.past import Past, Version

if TYPE_CHECKING:
    from hrctl.cli.session import Session
    from hrctl.source.log import LogReader


@contextmanager
def open_past(session: Session, reader: LogReader) -> Iterator[Past]:
    """What git knows of the project's files.

    Raises:
        HrctlError: HR063 to HR065 where the revision is not there.
    """
    with Blobs(session.project.root) as blobs:
        yield Past(reader.read(), Manifests(blobs))


def trace(session: Session, past: Past, address: Address, wanted: str | None) -> dict[str, Any]:
    """Every change of a resource, or of a field of it, newest first.

    Returns:
        `shallow` (commits), `broken` (paths), and `changes`: each a commit with `action`,
        `movedFrom`, `file`, `fields`, and `lines`, which are name, old, new, origin and whether it
        is an order, as text.

    Raises:
        HrctlError: HR141 or HR190 where no commit has the resource, HR147 for no such field.
    """
    known = list(steps(session.project.root, past, address))
    if not known:
        raise unknown(session, address)
    newest = next((one.new or one.old for one in known), None)
    teller = _Teller(Applied(session.ledger, past, known), newest)
    changes = [told for step in known if (told := teller.told(step, wanted)) is not None]
    if not changes:
        raise HrctlError.of("HR147", f"{address} never had a field '{wanted}'")
    return {
        "shallow": sorted(past.log.shallow),
        "broken": sorted({path for path, _ in past.manifests.broken}),
        "changes": changes,
    }


def unknown(session: Session, address: Address) -> HrctlError:
    """Why there is no history of an address."""
    from hrctl.cli.cmd_explain import require_declared

    require_declared(session.tree(), address)
    return HrctlError.of(
        "HR190", f"{address} is in no commit yet", hint="commit it, and its history begins"
    )


@dataclass(slots=True)
class _Teller:
    """Makes plain data of steps; secrets are numbered across all of them."""

    applied: Applied
    newest: Version | None
    secrets: Secrets = field(default_factory=Secrets)
    completed: dict[int, Json] = field(default_factory=dict)

    def told(self, step: Step, wanted: str | None) -> dict[str, Any] | None:
        """One step; None where it is not about the field that is wanted."""
        old, new = step.old, step.new
        fields = step.fields()
        if wanted is not None:
            fields = [one for one in fields if is_within(one.key, wanted)]
            if not fields:
                return None
        bodies = [one.value for one in (old, new, self.newest) if one is not None]
        action = action_of(step)
        whole = self.applied.of(step, None) if action in {"created", "removed"} else None
        shown = wanted is not None or action in {"changed", "moved"}
        told, lines = [], []
        there = new or old
        for one in fields:
            kind = there.address.kind if there else ""
            secret = is_secret(kind, one, *bodies)
            run = whole if action in {"created", "removed"} else self.applied.of(step, one)
            told.append(self._field(one, run, secret=secret))
            if shown:
                lines.append(self._line(step, one, secret=secret))
        return {
            **commit_json(step.commit),
            "action": action,
            "movedFrom": step.moved_from,
            "file": there.path if there else None,
            "fields": told,
            "applied": _run_json(whole),
            "lines": lines,
        }

    def _field(self, one: FieldDiff, run: RunRecord | None, *, secret: bool) -> dict[str, Any]:
        return {
            "path": one.path,
            "field": dotted(one.key),
            "old": visible(one.old, self.secrets, secret=secret),
            "new": visible(one.new, self.secrets, secret=secret),
            "sensitive": secret,
            "order": one.is_order,
            "applied": _run_json(run),
        }

    def _line(self, step: Step, one: FieldDiff, *, secret: bool) -> list[Any]:
        origin = ""
        if step.new is not None and one.new is not ABSENT:
            span = step.new.foreign_origin(one.path)
            origin = f"from {span.path}:{span.line}" if span is not None else ""
        old = self._text(one.old, step.old, one, secret=secret)
        new = self._text(one.new, step.new, one, secret=secret)
        return [dotted(one.key), old, new, origin, one.is_order]

    def _text(
        self, value: Json | Absent, version: Version | None, one: FieldDiff, *, secret: bool
    ) -> str:
        """A value, or what is built in where none is written."""
        if not isinstance(value, Absent):
            return show(value, self.secrets, sensitive=secret)
        built_in = self._default(version, one.path) if version is not None else ABSENT
        if isinstance(built_in, Absent) or built_in in (None, [], {}):
            return NONE
        return f"{show(built_in, self.secrets, sensitive=secret)} (built in)"

    def _default(self, version: Version, path: str) -> Json | Absent:
        if not path.startswith("/spec/"):
            return ABSENT
        if id(version) not in self.completed:
            from hrctl.model.validate import complete

            try:
                made = complete(version.address.kind, version.value["spec"])
            except ValueError:  # an earlier hrctl took what this one does not
                made = {}
            self.completed[id(version)] = {"spec": made}
        return lookup(self.completed[id(version)], path, ABSENT)


def action_of(step: Step) -> str:
    """created, removed, moved or changed."""
    if step.old is None:
        return "created"
    if step.new is None:
        return "removed"
    return "moved" if step.moved_from else "changed"


def commit_json(commit: Any) -> dict[str, Any]:
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
