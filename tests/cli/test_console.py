import io
import sys

import pytest

from hrctl.cli.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_only_on_a_terminal_that_wants_it(environ: dict[str, str], colored: bool) -> None:  # noqa: FBT001  # a column of the table
    assert Console(environ).color(Terminal()) is colored
    assert not Console(environ).color(io.StringIO())


@pytest.mark.parametrize(
    ("columns", "width"), [("100", 100), ("0", 80), ("x", 80), ("", 80), ("-5", 80)]
)
def test_width(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert Console({"COLUMNS": columns}).width == width


def test_what_the_stream_cannot_hold_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Console({}).data("a → b")
    sys.stdout.flush()
    assert raw.getvalue() == b"a \\u2192 b\n"


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console({})
    console.note("note")
    console.detail("detail")
    console.quiet, console.verbose = True, 1
    console.note("not told")
    console.detail("told")
    console.error("error")
    assert capsys.readouterr().err.split() == ["note", "told", "error"]


def test_a_table_that_a_program_reads_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    Console({}).table(["A", "B"], [["a", "b" * 200]])
    assert "b" * 200 in capsys.readouterr().out
    Console({"COLUMNS": "40"}).table(["A", "B"], [["a", "b" * 200]])
    assert "b..." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\u200b::error::x"),
        ("a\n  ::add-mask::x", "a\n\u200b  ::add-mask::x"),
        ("a ##[error]x", "a ##\u200b[error]x"),
        ("acme::x ## [", "acme::x ## ["),
    ],
)
def test_nothing_told_is_a_command_in_a_log_of_github(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = Console({"GITHUB_ACTIONS": "true"}), Console({})
    for console, wanted in ((there, shown), (here, text)):
        console.log([text])
        console.note(text)
        assert capsys.readouterr() == (f"{wanted}\n", f"{wanted}\n")
    there.data(text)
    assert capsys.readouterr().out == f"{text}\n", "data is for programs, and stays as it is"
