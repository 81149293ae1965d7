"""An apply while it runs: a display on a terminal, plain lines elsewhere, JSON lines on request.

Each of the three is a context manager whose value is called with the events of
`hrctl.reconcile.events`, one at a time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hrctl.cli.console import Console
from hrctl.cli.render.diagnostics import as_json, diagnostic_lines
from hrctl.cli.render.style import RECORDED_ONLY, Paint, paint
from hrctl.cli.render.text import count, mark
from hrctl.cli.render.values import columns, elide, pad
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change
from hrctl.reconcile.events import (
    ChangeFinished,
    ChangeStarted,
    Event,
    LeaseAwaited,
    PendingSettled,
    Report,
    RunFinished,
    RunStarted,
)

if TYPE_CHECKING:
    from rich.text import Text

Listener = Callable[[Event], None]

DONE: Final = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.ADOPT: "adopted",
    Action.FORGET: "forgotten",
}
_RUNNING_LINES: Final = 8
# The summary names what was not tried; of what is noted, only the ledger was brought up to date.
_TOLD_LATER: Final = frozenset({"noted", "not-tried"})
_TOLD_ONE_BY_ONE: Final = 40  # a terminal shows so many finished changes; of more, only failures
_MOST: Final = 20  # the summary names so many that were cut off before they began
_BAR: Final = 24


def progress(console: Console) -> AbstractContextManager[Listener]:
    """The way of telling that suits the output."""
    if console.json_output:
        return json_lines(console)
    if sys.stderr.isatty() and not console.quiet:
        return live_display(console)
    return plain_lines(console)


@contextmanager
def json_lines(console: Console) -> Iterator[Listener]:
    """One line of JSON on standard output for each event, at once."""

    def listen(event: Event) -> None:
        console.event(event_json(event))

    yield listen


@contextmanager
def plain_lines(console: Console) -> Iterator[Listener]:
    """One line on standard error for each change that ended."""
    brush = paint(color=console.color(sys.stderr))

    def listen(event: Event) -> None:
        if isinstance(event, LeaseAwaited):
            console.note(_awaited(event))
        elif isinstance(event, PendingSettled):
            console.note(_settled(event))
        elif isinstance(event, ChangeFinished):
            done = event.result.result == "done"
            if event.result.ended in _TOLD_LATER:
                return
            lines = _finished(event, console.width, brush)
            if done:
                console.note("\n".join(lines))
            else:
                console.error("\n".join(lines))

    yield listen


@contextmanager
def live_display(console: Console) -> Iterator[Listener]:
    """One line that counts, below it a few that run; it is gone when the apply is over."""
    from rich.console import Console as RichConsole
    from rich.live import Live
    from rich.text import Text

    colored = console.color(sys.stderr)
    screen = RichConsole(
        file=sys.stderr, no_color=not colored, highlight=False, width=console.width
    )
    board = Board(console.width, time.monotonic)
    brush = paint(color=colored)

    def render() -> Text:
        return Text.from_ansi("\n".join(board.lines(brush)), no_wrap=True, overflow="crop")

    def listen(event: Event) -> None:
        for line in board.take(event, brush):
            screen.print(Text.from_ansi(line))

    with Live(get_renderable=render, console=screen, refresh_per_second=8, transient=True):
        yield listen


@dataclass(slots=True)
class Board:
    """What the display shows, as lines: kept apart from the terminal, so that it can be tested."""

    width: int
    clock: Callable[[], float]
    total: int = 0
    ended: int = 0
    failed: int = 0
    running: dict[Address, tuple[Change, float]] = field(default_factory=dict)
    started: float | None = None

    def take(self, event: Event, brush: Paint) -> Iterator[str]:
        """Take an event in; yields the lines that stay on the screen because of it."""
        if isinstance(event, LeaseAwaited):
            yield _awaited(event)
        elif isinstance(event, RunStarted):
            self.total, self.started = event.changes, self.clock()
        elif isinstance(event, PendingSettled):
            yield _settled(event)
        elif isinstance(event, ChangeStarted):
            self.running[event.change.address] = (event.change, self.clock())
        elif isinstance(event, ChangeFinished):
            if event.result.result == "not-tried":
                return
            self.running.pop(event.change.address, None)
            self.ended += 1
            done = event.result.result == "done"
            self.failed += event.result.result in {"failed", "stale"}
            if event.result.ended in _TOLD_LATER:
                return
            if not done or self.total <= _TOLD_ONE_BY_ONE:
                yield from _finished(event, self.width, brush)

    def lines(self, brush: Paint) -> Iterator[str]:
        """The bar and what runs now, the longest running first."""
        now = self.clock()
        total = max(self.total, self.ended, 1)
        filled = _BAR * self.ended // total
        bar = brush("=" * filled, "green") + brush("-" * (_BAR - filled), "dim")
        failed = brush(f", {self.failed} failed", "bold red") if self.failed else ""
        seconds = int(now - (self.started if self.started is not None else now))
        yield f"[{bar}] {self.ended:,} of {self.total:,}{failed}, {_duration(seconds)}"
        rows = sorted(self.running.values(), key=lambda row: row[1])
        for change, since in rows[:_RUNNING_LINES]:
            sign, style = mark(change)
            spent = f"{int(now - since)} s"
            room = self.width - 8 - len(spent)
            address = pad(elide(change.address, room), room)
            yield f"  {brush(f'{sign:<3}', style)} {address} {spent}"
        if len(rows) > _RUNNING_LINES:
            yield brush(f"      and {len(rows) - _RUNNING_LINES:,} more", "dim")


def _finished(event: ChangeFinished, width: int, brush: Paint) -> list[str]:
    change, result = event.change, event.result
    sign, style = mark(change)
    start = f"{brush(f'{sign:<3}', style)} {change.address}"
    if result.result == "done":
        spent = f" in {result.seconds:.1f} s" if result.seconds >= 0.05 else ""  # noqa: PLR2004  # rounds to 0.1
        recorded = f" ({RECORDED_ONLY})" if change.recorded_only else ""
        return [f"{start} {DONE[change.action]}{recorded}{spent}"]
    if result.result == "not-tried":
        why = f", waits for {result.because}" if result.because else ""
        return [f"{start} not tried{why}"]
    lines = [f"{start} {brush(result.result, 'bold red')}"]
    if result.error is not None:
        lines += (f"    {line}" for line in diagnostic_lines(result.error, width=width - 4))
    return lines


def _settled(event: PendingSettled) -> str:
    number = len(event.addresses)
    return f"settled {count(number, 'change')} that an earlier run left pending"


def _awaited(event: LeaseAwaited) -> str:
    return f"Waiting: {event.reason}."


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def report_lines(report: Report, *, width: int, brush: Paint) -> Iterator[str]:
    """The summary: what failed and what was not tried, and a line that counts."""
    failed, waiting = report.of("failed", "stale"), report.of("not-tried")
    for title, results in (("Failed", failed), ("Not tried", waiting)):
        if not results:
            continue
        yield brush(f"{title}:", "bold")
        told = results
        if not any(one.error or one.because for one in results):  # cut off: the plan has them all
            told = results[:_MOST]
        size = max(columns(one.address) for one in told)
        for one in told:
            why = ""
            if one.error is not None:
                why = f"{one.error.code} {one.error.summary}"
            elif one.because is not None:
                why = f"waits for {one.because}"
            line = f"  {pad(one.address, size)}  {why}".rstrip()
            if columns(line) > width and why:
                yield f"  {one.address}"
                yield f"      {why}"
            else:
                yield line
        if len(told) < len(results):
            yield f"  and {len(results) - len(told)} more: see `hrctl plan`"
        yield ""
    parts = [f"{len(report.of('done'))} done"]
    parts += [f"{len(failed)} failed"] if failed else []
    parts += [f"{len(waiting)} not tried"] if waiting else []
    yield f"Apply {report.status}: {', '.join(parts)}, in {report.seconds:.1f} s."


def event_json(event: Event) -> dict[str, Any]:
    """An event as JSON; docs/plan-format.md describes them."""
    if isinstance(event, LeaseAwaited):
        return {"event": "lease-awaited", "subtree": event.subtree, "reason": event.reason}
    if isinstance(event, RunStarted):
        return {
            "event": "run-started",
            "run": event.run,
            "plan": event.plan,
            "subtree": event.subtree,
            "changes": event.changes,
        }
    if isinstance(event, PendingSettled):
        return {"event": "pending-settled", "addresses": list(event.addresses)}
    if isinstance(event, ChangeStarted):
        return {"event": "change-started", **_change_json(event.change)}
    if isinstance(event, ChangeFinished):
        result = event.result
        return {
            "event": "change-finished",
            **_change_json(event.change),
            "result": result.result,
            "seconds": round(result.seconds, 3),
            "error": as_json(result.error) if result.error else None,
            "because": result.because,
        }
    return {"event": "run-finished", **report_json(event.report)}


def report_json(report: Report) -> dict[str, Any]:
    """How a run ended, as JSON."""
    return {
        "run": report.run,
        "status": report.status,
        "counts": dict(report.counts),
        "seconds": round(report.seconds, 3),
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "action": change.action.value,
        "reason": change.reason.value,
    }


__all__ = [
    "Board",
    "Listener",
    "RunFinished",
    "event_json",
    "json_lines",
    "live_display",
    "plain_lines",
    "progress",
    "report_json",
    "report_lines",
]
