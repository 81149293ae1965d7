"""`hrctl flag evaluate`: what somebody gets, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.cli.render.table import Narrow
from hrctl.cli.render.values import printable
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.live import by_driver, cannot
from hrctl.cli.verbs.naming import In, complete_name
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Evaluates
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.model.values import Json

if TYPE_CHECKING:
    from hrctl.logic.flags import Evaluation, Evaluator
    from hrctl.logic.flags.explain import Asked, SplitStep, Step

KIND = "FeatureFlag"
TYPES = ("BOOLEAN", "STRING", "NUMBER", "OBJECT")

Flag = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="NAME, REGISTRY:NAME or an address.", autocompletion=complete_name
    ),
]
User = Annotated[
    str | None, typer.Option("--user", metavar="KEY", help="Who asks: the targeting key.")
]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="NAME=VALUE", help="An attribute. Repeatable."),
]
Users = Annotated[
    Path | None,
    typer.Option("--users", metavar="FILE", help="Who asks: a key or a JSON object a line."),
]


def evaluate(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    name: Flag = None,
    *,
    user: User = None,
    context: Pairs = None,
    users: Users = None,
    every: Annotated[bool, typer.Option("--all", help="Every flag, for this user.")] = False,
    registry: In = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Each rule, the bucket and the threshold.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option("--at", metavar="REV", help="As declared at a commit.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the live system too, and say if it differs.")
    ] = False,
    wanted: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="The type that the code expects.")
    ] = None,
) -> int:
    """Tell what somebody gets from a flag, by the hash and the rules that its driver uses.

    The exit code is 1 where the context lacks what the flag needs, or the type is another.

    Examples:
      hrctl flag evaluate express --user user-42 --context plan=gold --explain
      hrctl flag evaluate prod:express --users users.txt -o json
      hrctl flag evaluate --all --in prod --user user-42
      hrctl flag evaluate prod:express --user user-42 --at HEAD~1
      hrctl flag evaluate prod:express --user user-42 --live
    """
    from hrctl.cli.contexts import context_of, users_of

    if (name is None) != every or (wanted is not None and wanted not in TYPES):
        what = "a flag or --all is wanted" if (name is None) != every else f"no type '{wanted}'"
        raise HrctlError.of("HR162", what, hint="hrctl flag evaluate --help shows how")
    console = console_of(ctx)
    given = context_of(user, context or ())
    asked = users_of(users, given) if users else [given]
    with Session(console) as session:
        tree = session.tree(revision)
        if every or name is None:
            chosen = naming.of_kind(tree, KIND, registry)
            chosen.sort(key=lambda one: (one.registry.split("/"), one.name))
        else:
            within = naming.registry_path(tree, registry) if registry else ""
            chosen = [_named(session, tree, name, within, revision)]
        asker = Asker(session, tree, revision, wanted)
        rows = [row for address in chosen for row in asker.rows(address, asked, explain=explain)]
        if live:
            _add_live(session, tree, chosen, asked, rows)
        _record(session, rows)
    _show(console, tree, rows, single=not every and users is None, named=every)
    return Exit.ERROR if any(row["error"] for row in rows) else Exit.DONE


def _named(session: Session, tree: Tree, name: str, within: str, revision: str | None) -> Address:
    """The flag of that name; at a commit also one that is called so today, and was renamed since.

    Raises:
        HrctlError: HR141 where there is none, HR160 where there are several.
    """
    try:
        return naming.find(tree, KIND, name, within)
    except HrctlError as missing:
        if revision is None or missing.diagnostics[0].code != "HR141":
            raise
        today = session.load().tree
        before = {new: old for old, new in today.moves.items()}
        try:
            found = naming.find(today, KIND, name, within)
        except HrctlError:
            raise missing from None
        old = before.get(found)
        if old is None or old not in tree.rows:
            raise
        return old


class Asker:
    """Evaluates flags as they are declared, at a commit or here."""

    def __init__(
        self, session: Session, tree: Tree, revision: str | None = None, wanted: str | None = None
    ) -> None:
        self._session = session
        self._tree = tree
        self._revision = revision
        self._wanted = wanted
        self._now = datetime.now(UTC)

    def compiled(
        self, address: Address, spec: dict[str, Json], *, edited: bool = False
    ) -> Evaluator:
        """A flag as a function, at the step where its schedule is; `edited` begins it now.

        Raises:
            HrctlError: HR255, where it cannot be evaluated.
        """
        from hrctl.logic.flags import FlagError, compile_flag

        try:
            start = self._now if edited else self.start(address, spec)
            return compile_flag(address.name, spec, start=start, now=self._now)
        except FlagError as error:
            raise HrctlError.of("HR255", str(error), hint="hrctl validate tells where") from error

    def start(self, address: Address, spec: dict[str, Json]) -> datetime | None:
        """When its schedule began; None where it has none."""
        if not (spec.get("rollout") or {}).get("steps"):
            return None
        return self._session.schedules(self._revision).start(address) or self._now

    def rows(
        self, address: Address, contexts: Sequence[dict[str, Json]], *, explain: bool
    ) -> Iterator[dict[str, Json]]:
        """A row for each context."""
        from hrctl.logic.flags import evaluate as ask_one
        from hrctl.logic.flags.explain import explain as told

        spec = self._tree.resource(address).body["spec"]
        flags = {address.name: self.compiled(address, spec)}
        start = self.start(address, spec) if explain else None
        for context in contexts:
            answer = ask_one(flags, address.name, context, wanted=self._wanted)
            row = {"address": str(address), "user": context.get("targetingKey"), **_json(answer)}
            row["stickiness"] = (spec.get("rollout") or {}).get("stickiness")
            row["steps"] = (
                told(address.name, spec, context, start=start, now=self._now) if explain else None
            )
            yield row


def _json(answer: Evaluation) -> dict[str, Json]:
    found = answer._asdict()
    return {
        key: str(one) if key in {"reason", "error"} and one else one for key, one in found.items()
    }


def _add_live(
    session: Session,
    tree: Tree,
    chosen: Sequence[Address],
    contexts: Sequence[dict[str, Json]],
    rows: Sequence[dict[str, Json]],
) -> None:
    """What the live systems answer, into the rows."""
    by_address = {address: iter([r for r in rows if r["address"] == address]) for address in chosen}
    for name, driver, held in by_driver(session, tree, chosen):
        if not isinstance(driver, Evaluates):
            raise cannot(name, KIND, "evaluate a flag")
        for address, answers in driver.evaluate(held, contexts):
            for row, answer in zip(by_address[address], answers, strict=True):
                row["live"] = _json(answer)
                row["differs"] = _differs(row, row["live"])


def _differs(ours: dict[str, Json], live: dict[str, Json]) -> bool:
    """Whether an application gets something else. What the live system does not name is the same.

    Two that are off, or that lack the same, both give what the code passes.
    """
    if ours["reason"] == live["reason"] == "DISABLED" or (
        ours["error"] and ours["error"] == live["error"]
    ):
        return False
    renamed = live["variant"] is not None and ours["variant"] != live["variant"]
    return bool(renamed or ours["value"] != live["value"])


def _record(session: Session, rows: Sequence[dict[str, Json]]) -> None:
    """Count them for `flag stats`; what cannot be written does not stop an answer."""
    from hrctl.ledger.evaluations import Evaluations

    counts = Counter((Address(r["address"]), r["variant"] or "", r["reason"]) for r in rows)
    try:
        with Evaluations(session.project.state_dir) as record:
            record.add(counts)
    except HrctlError as error:
        for one in error.diagnostics:
            session.console.detail(str(one))


def _show(
    console: Console, tree: Tree, rows: Sequence[dict[str, Any]], *, single: bool, named: bool
) -> None:
    if console.json_output:
        shown = [_plain(row) for row in rows]
        console.json(shown[0] if single else shown)
    elif single:
        console.lines(_lines(rows[0]))
    elif not rows:
        console.note("No flags are declared here.")
    else:
        heads = (["FLAG"] if named else []) + ["USER", "VARIANT", "VALUE", "REASON"]
        live = any("live" in row for row in rows)
        table = [[*_cells(row, named=named), *_live_cells(row, asked=live)] for row in rows]
        flags = [Address(row["address"]) for row in rows]
        spare = ["VALUE"] if len({row["user"] for row in rows}) > 1 else ["USER", "VALUE"]
        narrow = Narrow(partial(naming.shortest, tree, flags), spare) if named else None
        console.table(heads + (["LIVE"] if live else []), table, narrow)
    for found in {_problem(row): None for row in rows if row["error"]}:
        if found is not None:
            from hrctl.cli.telling import report

            report(console, [found])


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    shown = {key: one for key, one in row.items() if key not in {"stickiness", "steps"}}
    if row["steps"] is not None:
        shown["steps"] = [
            {"step": type(one).__name__.removesuffix("Step").lower(), **asdict(one)}
            for one in row["steps"]
        ]
    return shown


def _cells(row: dict[str, Any], *, named: bool) -> list[Json]:
    name = [naming.short(Address(row["address"]))] if named else []
    return [
        *name,
        row["user"] or "-",
        row["variant"],
        _text(row["value"]),
        row["error"] or row["reason"],
    ]


def _live_cells(row: dict[str, Any], *, asked: bool) -> list[Json]:
    if not asked:
        return []
    live = row["live"]
    value = None if live["value"] is None else _text(live["value"])
    error = "not there" if live["error"] == "FLAG_NOT_FOUND" else live["error"]
    said = error or live["variant"] or value or live["reason"]
    return [f"{said} (differs)" if row["differs"] else "the same"]


def _problem(row: dict[str, Any]) -> Diagnostic | None:
    flag = naming.short(Address(row["address"]))
    if row["error"] == "TYPE_MISMATCH":
        return Diagnostic(
            "HR256", f"{flag} is of another type than the code expects", hint="see its `type`"
        )
    wanted = row["stickiness"] or "userId"
    option = "--user KEY" if wanted in {"userId", "targetingKey"} else f"--context {wanted}=VALUE"
    lacks = "needs" if row["error"] == "TARGETING_KEY_MISSING" else "needs text or a number as"
    return Diagnostic(
        "HR254",
        f"{flag} {lacks} {wanted} in the context",
        hint=f"say {option}; applications get the default until then",
    )


def _text(value: Json) -> str:
    import json

    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _lines(row: dict[str, Any]) -> Iterator[str]:
    yield row["address"]
    yield f"  value    {_text(row['value'])}"
    yield f"  variant  {row['variant']}"
    yield f"  reason   {row['reason']}"
    if "live" in row:
        yield f"  live     {_told(row['live'])}{' (differs)' if row['differs'] else ' (the same)'}"
    if row["steps"] is not None:
        yield ""
        yield from _steps(row)


def _told(live: dict[str, Any]) -> str:
    if live["error"]:
        return str(live["error"])
    value = "what the code passes" if live["value"] is None else _text(live["value"])
    variant = [] if live["variant"] is None else [f"variant {live['variant']}"]
    return ", ".join([value, *variant, live["reason"]])


def _steps(row: dict[str, Any]) -> Iterator[str]:
    from hrctl.logic.flags.explain import RuleStep, ScheduleStep, SplitStep

    step: Step
    for step in row["steps"]:
        if isinstance(step, RuleStep):
            word = "matches" if step.matched else "does not match"
            yield f"  {step.name:<8} {word}: {step.variant}"
            yield from (f"    {_asked(one)}" for one in step.asked)
        elif isinstance(step, ScheduleStep):
            yield f"  schedule {step.present:g} % now"
            yield from (f"    {one:g} % from {at or 'the start'} on" for at, one in step.steps)
        elif step.bucket is None and step.error is None:
            yield "  bucket   by chance, as the context has neither userId nor sessionId"
        elif step.bucket is None:
            yield f"  bucket   none, as the context has no {step.stickiness} that can be hashed"
        else:
            yield from _bucket(step, step.bucket)
    last = row["steps"][-1] if row["steps"] else None
    if not isinstance(last, SplitStep) and not (isinstance(last, RuleStep) and last.matched):
        why = {"DISABLED": "it is disabled", "STATIC": "it goes to everybody"}
        yield f"  else     {row['variant']}: {why.get(row['reason'], 'no rule matches')}"


def _bucket(step: SplitStep, bucket: float) -> Iterator[str]:
    """Where somebody falls. Unleash counts its buckets from 1, so that an end is still inside."""
    whole = step.hash == "unleash"
    word, shown = ("over", f"{bucket:g}") if whole else ("from", f"{bucket:.4f}")
    yield f"  bucket   {shown} of 100, by {step.hash} of '{printable(step.key)}'"
    before = 0.0
    for variant, end in step.reaches:
        inside = before < bucket <= end if whole else before <= bucket < end
        yield f"    {variant:<10} {word} {before:g} up to {end:g}{' <- here' if inside else ''}"
        before = end


def _asked(one: Asked) -> str:
    sign = "yes" if one.matched else "no "
    values = ", ".join(_text(value) for value in one.values)
    actual = "missing" if one.actual is None else _text(one.actual)
    return f"{sign}  {one.attribute} {one.operator} {values}  (it is {actual})"
