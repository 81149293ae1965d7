"""A plan for people: names first, only what changes, one line at the end that says it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hrctl.cli.render.style import RECORDED_ONLY, Paint, plain
from hrctl.cli.render.values import (
    UNKNOWN,
    Secrets,
    columns,
    elide,
    elide_left,
    elide_pair,
    field_name,
    pad,
    place,
    printable,
    show,
)
from hrctl.model import planfile
from hrctl.model.plan import (
    ABSENT,
    Absent,
    Action,
    Base,
    Change,
    FieldChange,
    Plan,
    Reason,
    SettingChange,
)
from hrctl.model.radius import Grade
from hrctl.model.values import Body, Json, is_ciphertext, is_reference, pointer

MARKS: Final = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPLACE: ("-/+", "magenta"),
    Action.DELETE: ("-", "red"),
    Action.ADOPT: ("<=", "cyan"),
    Action.FORGET: ("<=", "dim"),
    Action.NOOP: (" ", "dim"),
}
DRIFT: Final = ("!", "magenta")

_VALUES = 29  # the column where reasons and values start
_PLACES = 40  # the column of the file
_ORIGINS = 52  # the column of "from <file>", where there is room
_NARROWEST = 12  # below so many columns a place moves to a line of its own


def mark(change: Change) -> tuple[str, str]:
    """The sign of a change and its colour."""
    if change.drifted and change.action is not Action.NOOP:
        return DRIFT
    return MARKS[change.action]


def plan_lines(
    plan: Plan, *, width: int = 80, context: int = 0, paint: Paint = plain
) -> Iterator[str]:
    """The plan, line by line, grouped by registry.

    Args:
        plan: what to show; changes that do nothing are left out.
        width: columns to fill; names and addresses may go beyond, values never do.
        context: how many unchanged fields to show around each changed one, and how many fields of
            what is created or deleted.
        paint: colours, or `plain`.
    """
    groups: dict[str, list[Change]] = {}
    for change in plan.pending:
        groups.setdefault(change.address.registry, []).append(change)
    writer = _Writer(width, context, paint, destroy=plan.destroy)
    for registry in sorted(groups):
        yield paint(registry, "bold")
        for change in groups[registry]:
            yield from writer.change(change)
        yield ""
    yield from setting_lines(plan.settings, width, paint)
    if plan.base is not None:
        yield from _beside(plan.base, paint)
    yield summary(plan, width)


def setting_lines(
    changed: Sequence[SettingChange], width: int = 80, paint: Paint = plain
) -> Iterator[str]:
    """The settings of the project that differ, a line for each, and an empty one after them."""
    secrets = Secrets()
    longest = max((columns(one.name) for one in changed), default=0)
    for one in changed:
        name = pad(printable(one.name), min(longest, width // 2))
        values = f"{show(one.before, secrets)} -> {show(one.after, secrets)}"
        start = f"{paint('project', 'bold')}  {name}  "
        yield start + elide(values, max(width - len("project  ") - columns(name) - 2, _NARROWEST))
    if changed:
        yield ""


def _beside(base: Base, paint: Paint) -> Iterator[str]:
    """What is not the branch's own, a line for each."""
    for changes, title in (
        (base.pending, f"pending on {printable(base.revision)}, not of this branch"),
        (base.drift, "drifted, not of this branch"),
    ):
        if changes:
            yield paint(title, "dim")
            for change in changes:
                sign, _ = mark(change)
                yield f"  {sign} {change.address}  {paint(change.reason.value, 'dim')}"
            yield ""


def summary(plan: Plan, width: int = 80) -> str:
    """The last lines: the numbers, and how far it can reach."""
    if not plan.changes_something:
        if plan.destroy:
            return "No changes. Nothing is left to destroy."
        if not plan.complete and not plan.options.get("offline"):
            return "No changes among what was looked at; not everything was."
        if plan.base is not None:
            seen = "; no live system was looked at" if plan.options.get("offline") else ""
            text = f"No changes of this branch. {count(plan.resources, 'resource')} declared"
            return f"{text}{seen}."
        return f"No changes. {count(plan.resources, 'resource')} as declared."
    line = f"Plan: {headline(plan)}."
    if plan.radius.grade is not Grade.NONE:
        reach = f"Blast radius: {plan.radius.text}."
        if len(reach) > width:
            from textwrap import fill

            reach = fill(reach, width, subsequent_indent="  ", break_long_words=False)
        line += f"\n{reach}"
    return line


def headline(plan: Plan) -> str:
    """``1 to add, 2 to change, 0 to destroy, 1 drifted``."""
    numbers = planfile.summary(plan)
    line = "{add} to add, {change} to change, {destroy} to destroy".format_map(numbers)
    for name, words in (
        ("drifted", "drifted"),
        ("moved", "moved"),
        ("adopt", "to adopt"),
        ("forget", "to forget"),
    ):
        if numbers[name]:
            line += f", {numbers[name]} {words}"
    if plan.settings:
        line += f", {count(len(plan.settings), 'setting')} of the project"
    return line


def change_texts(
    changes: Iterable[Change], secrets: Secrets, *, width: int, destroy: bool = False
) -> Iterator[tuple[Change, list[str]]]:
    """Each change with its lines, the sign in the first column: for blocks of code."""
    writer = _Writer(width, 0, plain, destroy=destroy)
    writer.secrets = secrets
    for change in changes:
        yield change, [line.removeprefix("  ") for line in writer.change(change)]


def count(number: int, noun: str) -> str:
    """``1 resource``, ``2 resources``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _Writer:
    """Lays out one change after another; secrets are numbered across all of them."""

    def __init__(self, width: int, context: int, paint: Paint, *, destroy: bool = False) -> None:
        self.destroy = destroy
        self.width = width
        self.context = context
        self.paint = paint
        self.secrets = Secrets()

    def change(self, change: Change) -> Iterator[str]:
        yield from self.head(change)
        if change.previous_address is not None:
            yield f"      {'moved from':<{_VALUES - 6}}{change.previous_address}"
        if change.action in {Action.CREATE, Action.DELETE}:
            body = change.after if change.action is Action.CREATE else change.before
            rows = list(_leaves(body)) if self.context else []
            for path, value in rows[: self.context]:
                yield self.paint(self.unchanged(path, value, body), "dim")
            return
        yield from self.fields(change)

    def head(self, change: Change) -> Iterator[str]:
        sign, style = mark(change)
        label = change.address.local
        gap = " " * max(_VALUES - 4 - columns(label), 2)
        if len(sign) > 1 and len(gap) > len(sign):
            gap = gap[len(sign) - 1 :]
        start = f"  {sign} {label}{gap}"
        painted = f"  {self.paint(sign, style)} {self.paint(label, 'bold')}{gap}"
        reason = change.reason.value
        if self.destroy and change.reason is Reason.UNDECLARED:
            reason = "destroy"  # it may well be declared: that it goes is what was asked for
        if change.recorded_only:
            reason += f" ({RECORDED_ONLY})"
        if change.note:
            yield f"{painted}{reason} ({printable(change.note)})"
            return
        if change.span is None:
            yield f"{painted}{reason}"
            return
        gap = "  " if change.recorded_only else ""
        reason = f"{reason + gap:<{_PLACES - _VALUES}}"
        room = self.width - columns(start) - len(reason)
        if room >= _NARROWEST:
            yield f"{painted}{reason}{self.paint(elide_left(place(change.span), room), 'dim')}"
        else:
            yield f"{painted}{reason.rstrip()}"
            yield self.paint(elide_left(f"      {place(change.span)}", self.width), "dim")

    def fields(self, change: Change) -> Iterator[str]:
        body = change.after if change.after is not None else change.before
        if not self.context:
            for one in change.fields:
                yield from self.field(one, change)
            return
        changed = {one.path: one for one in change.fields}
        rows = [
            (path, value)
            for path, value in _leaves(body)
            if path in changed or not _under(path, changed)
        ]
        near = _near([path in changed for path, _ in rows], self.context)
        shown = set()
        for (path, value), wanted in zip(rows, near, strict=True):
            if path in changed:
                shown.add(path)
                yield from self.field(changed[path], change)
            elif wanted:
                yield self.paint(self.unchanged(path, value, body), "dim")
        for one in change.fields:
            if one.path not in shown:
                yield from self.field(one, change)

    def unchanged(self, path: str, value: Json, body: Body | None) -> str:
        start = self.start(field_name(path, body))
        return start + elide(show(value, self.secrets), self.width - columns(start))

    def start(self, name: str) -> str:
        name = elide(name, self.width // 2)
        fits = columns(name) <= _VALUES - 8
        return f"      {pad(name, _VALUES - 6)}" if fits else f"      {name}   "

    def field(self, one: FieldChange, change: Change) -> Iterator[str]:
        """A line for the field, or several where the values do not fit on one."""
        body = change.after if not isinstance(one.desired, Absent) else change.before
        old = one.live if not isinstance(one.live, Absent) else one.applied
        start = self.start(field_name(one.path, body, old))
        room = self.width - columns(start)
        texts = self.values(one, change)
        line = start + "".join(texts)
        if columns(line) > self.width:
            yield from self.broken(start, texts, room)
            line = ""
        origin = f"from {place(one.origin)}" if one.origin is not None else ""
        column = max(min(_ORIGINS, self.width - columns(origin)), columns(line) + 2)
        if line and origin and column + columns(origin) <= self.width:
            line = pad(line, column) + self.paint(origin, "dim")
            origin = ""
        if line:
            yield line
        if origin:
            indent = " " * _VALUES
            yield indent + self.paint(elide_left(origin, self.width - _VALUES), "dim")

    def values(self, one: FieldChange, change: Change) -> list[str]:
        """The values with what stands between them: ``['2', ' -> ', '3']``."""
        encrypted = is_ciphertext(one.live) and is_ciphertext(one.desired)
        if one.reason is Reason.EDITED and encrypted:
            wanted = show(one.desired, self.secrets).removesuffix(")")
            return ["", f"{wanted}, changed)"]  # which is all that ciphertexts tell
        live = show(one.live, self.secrets, sensitive=one.sensitive)
        if one.unknown or (is_reference(one.desired) and not one.sensitive):
            wanted = UNKNOWN
        else:
            wanted = show(one.desired, self.secrets, sensitive=one.sensitive)
        if one.reason is Reason.CONFLICT:
            applied = show(one.applied, self.secrets, sensitive=one.sensitive)
            return ["live ", live, ", wanted ", wanted, ", last applied ", applied]
        if one.reason is Reason.DRIFTED and change.drifted:
            return ["live ", live, ", wanted ", wanted]
        if one.reason is Reason.DRIFTED:
            return ["", live, " -> ", wanted + " (drifted)"]
        return ["", live, " -> ", wanted]

    def broken(self, start: str, texts: Sequence[str], room: int) -> Iterator[str]:
        """Each value on a line of its own, cut so that the difference between them is in sight."""
        words = [word.strip(" ,") for word in texts[::2]]
        indent = max(len(word) + 1 if word else 0 for word in words)
        values = list(texts[1::2])
        if len(values) > 1:
            values[:2] = elide_pair(values[0], values[1], room - indent)
        for number, (word, value) in enumerate(zip(words, values, strict=True)):
            left = start if number == 0 else " " * columns(start)
            yield f"{left}{word:<{indent}}{elide(value, room - indent)}"


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every field of a body that holds no further fields, in document order."""
    if isinstance(value, dict) and value and not is_reference(value):
        for key, item in value.items():
            yield from _leaves(item, f"{path}{pointer([key])}")
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}/{index}")
    elif path and value not in ({}, [], None, ABSENT):
        yield path, value


def _under(path: str, changed: Iterable[str]) -> bool:
    return any(path.startswith(one + "/") for one in changed)


def _near(hits: Sequence[bool], distance: int) -> list[bool]:
    """Which positions are at most `distance` away from a hit."""
    places = [index for index, hit in enumerate(hits) if hit]
    return [any(abs(index - one) <= distance for one in places) for index in range(len(hits))]
