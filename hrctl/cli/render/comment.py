"""A plan as a comment of a pull request: for a reviewer who has a minute.

What can hurt stands on top, what is many is folded, and what does not fit is counted. Everything
that comes from a file or a live system is code: see `hrctl.cli.render.markdown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from html import escape
from typing import Final

from hrctl.cli.render.findings import clean
from hrctl.cli.render.markdown import Block, code, fence, marker, page
from hrctl.cli.render.planned import drifted_part
from hrctl.cli.render.text import change_texts, count, headline
from hrctl.cli.render.values import Secrets, place, show
from hrctl.diagnostics import Diagnostic, Severity
from hrctl.model import approval
from hrctl.model.danger import Danger, Warned, dangers, is_destroyed
from hrctl.model.plan import Action, Base, Change, Plan, Reason, SettingChange
from hrctl.model.radius import Grade

_WIDTH: Final = 100  # columns of a block of code
# How long a part of the comment is kept when it must be shortened.
_REFUSALS, _SETTINGS, _RISKS, _WARNINGS, _REGISTRIES, _DRIFT, _PENDING = 90, 85, 80, 70, 60, 50, 5
_ACTIONS: Final = {
    Action.DELETE: 40,
    Action.REPLACE: 40,
    Action.UPDATE: 30,
    Action.CREATE: 20,
    Action.ADOPT: 10,
    Action.FORGET: 10,
}
_WORDS: Final = {
    Danger.DATA_LOSS: "**data loss**",
    Danger.PUBLIC: "**public**",
    Danger.PROTECTED: "**protected**",
}


def plan_comment(  # noqa: PLR0913  # a plan, and what stands around it
    plan: Plan,
    *,
    command: str,
    project: str | None,
    max_bytes: int,
    warnings: Sequence[Diagnostic] = (),
    refusals: Sequence[Diagnostic] = (),
    nothing: str | None = None,
) -> str:
    """The whole comment, in at most `max_bytes` of UTF-8.

    Args:
        plan: what to show.
        command: as in ``hrctl plan``.
        project: its name, for the marker.
        max_bytes: at least `hrctl.cli.render.markdown.SMALLEST`.
        warnings: beside those of the plan: of the manifests.
        refusals: beside those of the plan: what was asked for and is not so.
        nothing: the verdict where there are no changes, if it is another than usual.
    """
    errors = [one for one in plan.diagnostics if one.severity is Severity.ERROR]
    others = [one for one in plan.diagnostics if one.severity is Severity.WARNING]
    refused = [*errors, *refusals]
    drift = [part for one in plan.pending if (part := drifted_part(one)) is not None]
    drift += plan.base.drift if plan.base is not None else ()
    ours = [change for change in plan.pending if not change.drifted]
    secrets = Secrets()  # one numbering for the whole comment
    parts: list[str | Block] = [
        f"{_marker(command, project, plan)}\n",
        f"### {command}: {_verdict(plan, refused, nothing)}\n",
        *_told("> [!CAUTION]", refused, _REFUSALS),
        _grade(plan),
        *_settings(plan.settings, secrets),
        *_told("> [!WARNING]", [*warnings, *others], _WARNINGS),
        *_risks(ours),
        *_by_registry(plan),
        *_changes(ours, secrets, destroy=plan.destroy),
        *_drifted(drift, plan.kept, secrets),
        *_pending(plan.base, secrets),
        _foot(plan, refused=bool(refused)),
    ]
    return page(parts, max_bytes, command)


def _marker(command: str, project: str | None, plan: Plan) -> str:
    """Plans of different parts of a project are different comments."""
    targets = plan.options.get("targets")
    if not targets:
        return marker(command, project)
    part = sha256("\0".join(targets).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return marker(command, f"{project or ''}:{part}")


def _verdict(plan: Plan, refused: Sequence[Diagnostic], nothing: str | None) -> str:
    if plan.changes_something:
        text = headline(plan)
    elif plan.base is not None and plan.options.get("offline") and not plan.base.declared:
        text = "no changes of this branch; no live system was looked at"
    elif plan.base is not None:
        text = "no changes of this branch"
    elif plan.complete or plan.options.get("offline"):
        text = nothing or f"no changes, {count(plan.resources, 'resource')} as declared"
    else:
        text = "no changes among what was looked at; not everything was"
    return f"refused ({text})" if refused else text


def _grade(plan: Plan) -> str:
    radius = plan.radius
    if radius.grade is Grade.NONE:
        return ""
    return (
        f"\n**Blast radius: {radius.grade.value}** ({', '.join(o.text for o in radius.reasons)})\n"
    )


def _told(head: str, found: Sequence[Diagnostic], weight: int) -> Iterator[Block]:
    """Diagnostics in a box, each with its hint."""
    items = []
    for one in found:
        hint = f" ({code(one.hint)})" if one.hint else ""
        where = f" at {code(str(one.span))}" if one.span else ""
        items.append((weight, f"> - {one.code} {code(one.summary)}{where}{hint}\n"))
    if items:
        yield Block(items, f"\n{head}\n", "", "finding", "> - and {} more\n")


# -- settings of the project -----------------------------------------------------------------------


def _settings(changed: Iterable[SettingChange], secrets: Secrets) -> Iterator[Block]:
    """Where hrctl connects, what it runs and what it refuses: never folded."""
    items = []
    for one in changed:
        sides = (code(show(side, secrets)) for side in (one.before, one.after))
        where = code(place(one.span)) if one.span else ""
        items.append((_SETTINGS, f"| {code(one.name)} | {' | '.join(sides)} | {where} |\n"))
    if items:
        head = (
            "\n#### Settings of the project\n\n"
            "| setting | before | after | declared at |\n|---|---|---|---|\n"
        )
        yield Block(items, head, "", "setting", "| and {} more | | | |\n")


# -- what can hurt ---------------------------------------------------------------------------------


def _risks(changes: Iterable[Change]) -> Iterator[Block]:
    """Deletes, replacements, and whatever else is dangerous: a table, the worst on top."""
    rows = []
    for change in changes:
        warned = dangers(change)
        if is_destroyed(change) or warned:
            rows.append((_severity(change, warned), _risk(change, warned)))
    rows.sort(key=lambda row: -row[0])
    items = [(_RISKS + severity, text) for severity, text in rows]
    if items:
        head = (
            "\n#### Deleted, replaced, dangerous\n\n"
            "| | resource | why | danger | declared at |\n|---|---|---|---|---|\n"
        )
        more = "| | | and {} more | | |\n"
        yield Block(items, head, "", "row of deletes and dangers", more)


def _severity(change: Change, warned: Sequence[Warned]) -> int:
    """0 to 3: data loss, then what is public or protected and goes, then the rest."""
    if any(one.danger is Danger.DATA_LOSS for one in warned):
        return 3
    return bool(warned) + is_destroyed(change)


def _risk(change: Change, warned: Sequence[Warned]) -> str:
    why = change.note or change.reason.value
    marks = "<br>".join(f"{_WORDS[one.danger]}: {code(one.text)}" for one in warned)
    cells = (
        f"**{change.action.value}**" if is_destroyed(change) else change.action.value,
        code(change.address),
        code(why),
        marks,
        code(place(change.span)) if change.span else "",
    )
    return f"| {' | '.join(cells)} |\n"


# -- what changes where ----------------------------------------------------------------------------


def _by_registry(plan: Plan) -> Iterator[Block]:
    """How many of what, in which registry."""
    numbers: dict[str, list[int]] = {}
    for change in plan.pending:
        row = numbers.setdefault(change.address.registry, [0] * 5)
        row[_column(change)] += 1
    items = [
        (_REGISTRIES, f"| {code(path)} | {' | '.join(str(n or '') for n in row)} |\n")
        for path, row in sorted(numbers.items())
    ]
    if items:
        head = (
            "\n| registry | add | change | replace | destroy | other |\n|---|--:|--:|--:|--:|--:|\n"
        )
        yield Block(items, head, "", "row by registry", "| and {} more | | | | | |\n")


def _column(change: Change) -> int:
    if change.drifted or change.reason is Reason.MOVED:
        return 4
    columns = {Action.CREATE: 0, Action.UPDATE: 1, Action.REPLACE: 2, Action.DELETE: 3}
    return columns.get(change.action, 4)


def _changes(changes: Iterable[Change], secrets: Secrets, *, destroy: bool) -> Iterator[Block]:
    """Every change, folded by registry; within one, what weighs most stands first."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for change, lines in change_texts(changes, secrets, width=_WIDTH, destroy=destroy):
        item = (_ACTIONS[change.action], "".join(f"{line}\n" for line in lines))
        groups.setdefault(change.address.registry, []).append(item)
    for path in sorted(groups):
        items = sorted(groups[path], key=lambda item: -item[0])
        yield folded(f"<code>{escape(path)}</code>: {count(len(items), 'change')}", items)


def folded(title: str, items: Sequence[tuple[int, str]], noun: str = "change") -> Block:
    """A block of code that one opens; `title` is HTML of ours."""
    marks = fence(text for _, text in items)
    return Block(
        items,
        f"\n<details><summary>{title}</summary>\n\n{marks}diff\n",
        f"{marks}\n\n</details>\n",
        noun,
        "  ... {} more\n",
    )


def _drifted(drift: Sequence[Change], kept: Sequence[Change], secrets: Secrets) -> Iterator[Block]:
    """What was changed in the live systems, apart from what is edited."""
    for changes, title in (
        (drift, "Drift: changed in the live systems, would be brought back"),
        (kept, "Drift that is left as it is"),
    ):
        items = [
            (_DRIFT, "".join(f"{line}\n" for line in [change.address, *lines[1:]]))
            for change, lines in change_texts(changes, secrets, width=_WIDTH)
        ]
        if items:
            yield folded(f"{title}: {count(len(items), 'resource')}", items, "drifted resource")


def _pending(base: Base | None, secrets: Secrets) -> Iterator[Block]:
    """What the base would change as well: for the reader's understanding, not for review."""
    if base is None or not base.pending:
        return
    items = [
        (_PENDING, "".join(f"{line}\n" for line in [f"{lines[0][:2]}{change.address}", *lines[1:]]))
        for change, lines in change_texts(base.pending, secrets, width=_WIDTH)
    ]
    name = escape(clean(base.revision))
    title = f"Pending on <code>{name}</code>, not of this branch: {count(len(items), 'change')}"
    yield folded(title, items, "pending change")


def _compared(base: Base) -> str:
    """What a branch was compared with."""
    what = "a merge with" if base.merged else "this branch against"
    text = f"What is planned is {what} {code(base.revision)} at `{base.commit[:12]}`"
    if base.declared:
        return f"{text}, whose declarations stand for what is live: the ledger here is empty."
    return f"{text}."


def _looked_at(plan: Plan) -> str | None:
    """What the plan did not look at."""
    declared = plan.base is not None and plan.base.declared  # which `_compared` explains
    if plan.base is not None and plan.options.get("offline") and not declared:
        return "No live system was looked at: the plan tells nothing of drift."
    if not plan.complete and not declared:
        return "The plan is not complete: something was left out, or did not answer."
    return None


def _foot(plan: Plan, *, refused: bool) -> str:
    """Where it comes from, and what an approval is bound to."""
    commit = f"Commit {code(plan.commit[:12])}" if plan.commit else "No commit"
    lines = [f"{commit}{', with files that are not committed' if plan.dirty else ''}."]
    if plan.base is not None:
        lines.append(_compared(plan.base))
    if (seen := _looked_at(plan)) is not None and not refused:  # a refusal says more by itself
        lines.append(seen)
    if plan.changes_something:
        lines.append(f"Approval: `{approval.plan_digest(plan)}`")
    return "\n" + "  \n".join(lines) + "\n"
