from __future__ import annotations

import json

import pytest

from hrctl.cli.console import Console
from hrctl.cli.render.progress import Board, json_lines, plain_lines, progress, report_lines
from hrctl.cli.render.style import plain
from hrctl.diagnostics import Diagnostic
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.reconcile.events import (
    ChangeFinished,
    ChangeResult,
    ChangeStarted,
    PendingSettled,
    Report,
    RunFinished,
    RunStarted,
)

REFUSED = Diagnostic("HR083", "the live system refused it", hint="see its log")


def change(number: int, action: Action = Action.CREATE) -> Change:
    return Change(Address(f"acme/shop:Service/s{number}"), action, Reason.NEW, "local")


def finished(number: int, result: str = "done", **rest: object) -> ChangeFinished:
    one = change(number)
    return ChangeFinished(one, ChangeResult(one.address, one.action, result, **rest))  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_ten_thousand_changes_stay_readable() -> None:
    clock = Clock()
    board = Board(80, clock)
    assert list(board.take(RunStarted("r", "p", "acme", 10_000), plain)) == []
    for number in range(3_000):
        assert list(board.take(ChangeStarted(change(number)), plain)) == []
        if number < 2_950:
            assert list(board.take(finished(number), plain)) == []
    clock.now += 75
    lines = list(board.lines(plain))
    assert lines[0] == "[=======-----------------] 2,950 of 10,000, 1 min 15 s"
    assert len(lines) == 10
    assert lines[-1] == "      and 42 more"
    assert max(map(len, lines)) <= 80


def test_failures_stay_on_the_screen() -> None:
    board = Board(80, Clock())
    list(board.take(RunStarted("r", "p", "acme", 1_000), plain))
    assert list(board.take(finished(1, "failed", error=REFUSED), plain)) == [
        "+   acme/shop:Service/s1 failed",
        "    HR083 the live system refused it",
        "       = see its log",
    ]
    assert "1 failed" in next(iter(board.lines(plain)))


def test_of_a_few_changes_each_is_told() -> None:
    board = Board(80, Clock())
    list(board.take(RunStarted("r", "p", "acme", 3), plain))
    assert list(board.take(finished(1, seconds=1.26), plain)) == [
        "+   acme/shop:Service/s1 created in 1.3 s"
    ]


def test_plain_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with plain_lines(Console({})) as listen:
        listen(RunStarted("r", "p", "acme", 3))
        listen(PendingSettled((Address("acme:Config/a"),)))
        listen(finished(1))
        listen(finished(2, "failed", error=REFUSED))
        listen(finished(3, "not-tried", because=Address("acme/shop:Service/s2")))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "settled 1 change that an earlier run left pending",
        "+   acme/shop:Service/s1 created",
        "+   acme/shop:Service/s2 failed",
        "    HR083 the live system refused it",
        "       = see its log",
    ], "what was not tried is named by the summary"


def test_quiet_tells_only_failures(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console({})
    console.quiet = True
    with progress(console) as listen:
        listen(finished(1))
        listen(finished(2, "failed"))
    assert capsys.readouterr().err == "+   acme/shop:Service/s2 failed\n"


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("r", "partial", (finished(1).result,), 1.23456)
    with json_lines(Console({})) as listen:
        listen(RunStarted("r", "p", "acme", 2))
        listen(ChangeStarted(change(1)))
        listen(finished(1, "failed", error=REFUSED))
        listen(RunFinished(report))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [
        "run-started",
        "change-started",
        "change-finished",
        "run-finished",
    ]
    assert lines[2]["error"]["code"] == "HR083"
    assert lines[3] == {
        "event": "run-finished",
        "run": "r",
        "status": "partial",
        "counts": {"done": 1},
        "seconds": 1.235,
    }


def test_the_summary_says_what_was_done_failed_and_not_tried() -> None:
    results = (
        finished(1).result,
        finished(2, "failed", error=REFUSED).result,
        finished(3, "not-tried", because=Address("acme/shop:Service/s2")).result,
    )
    lines = list(report_lines(Report("r", "partial", results, 2.0), width=80, brush=plain))
    assert lines == [
        "Failed:",
        "  acme/shop:Service/s2  HR083 the live system refused it",
        "",
        "Not tried:",
        "  acme/shop:Service/s3  waits for acme/shop:Service/s2",
        "",
        "Apply partial: 1 done, 1 failed, 1 not tried, in 2.0 s.",
    ]


def test_the_summary_of_a_run_cut_off_stays_short() -> None:
    results = tuple(finished(number, "not-tried").result for number in range(9000))
    lines = list(report_lines(Report("r", "interrupted", results, 2.0), width=80, brush=plain))
    assert len(lines) == 24
    assert lines[21:] == [
        "  and 8980 more: see `hrctl plan`",
        "",
        "Apply interrupted: 0 done, 9000 not tried, in 2.0 s.",
    ]
