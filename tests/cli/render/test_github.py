"""Workflow commands: what a runner reads in them is what was written, whatever it was."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hrctl.cli.render.findings import LONGEST, Findings
from hrctl.cli.render.github import workflow_commands
from hrctl.diagnostics import Diagnostic, Related, Severity, Span

HOSTILE = [
    "::error::x",
    "%0A::error::x",
    "\n::error::x",
    "\r::stop-commands::x",
    "a,b:c",
    "\x1b[31m",
]


def read(line: str) -> tuple[str, dict[str, str], str] | None:
    """A line as the runner reads it: command, properties, message; None where it is none.

    The rules of `ActionCommand.TryParseV2` of the runner: up to the second ``::`` is the command.
    """
    if not (line := line.lstrip()).startswith("::") or (end := line.find("::", 2)) < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    properties = {}
    for pair in filter(None, rest.split(",")):
        key, _, value = pair.partition("=")
        for coded, plain in (
            ("%0D", "\r"),
            ("%0A", "\n"),
            ("%3A", ":"),
            ("%2C", ","),
            ("%25", "%"),
        ):
            value = value.replace(coded, plain)
        properties[key] = value
    message = line[end + 2 :]
    for coded, plain in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        message = message.replace(coded, plain)
    return name, properties, message


def obeyed(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands that a runner obeys, `stop-commands` among them."""
    found, token = [], None
    for line in re.split(r"\r\n|\r|\n", text):
        one = read(line)
        if one is None or (token is not None and one[0] != token):
            continue
        if one[0] == token:
            token = None
        elif one[0] == "stop-commands":
            token = one[2]
        else:
            found.append(one)
    assert token is None, "commands were stopped and never allowed again"
    return found


def test_an_annotation_has_its_place_and_all_that_is_known() -> None:
    one = Diagnostic(
        "HR021",
        "unknown value 'APIS' for type",
        Span("shop/api.yaml", 9, 9, 4),
        hint="did you mean API?",
        note="one of API, WORKER",
        related=(Related("the first one", Span("b.yaml", 2, 1)),),
    )
    assert workflow_commands(Findings("hrctl validate", [one], prefix="platform/")) == (
        "::error file=platform/shop/api.yaml,line=9,col=9,endColumn=13,title=HR021 unknown value::"
        "unknown value 'APIS' for type%0Adid you mean API?%0Aone of API, WORKER%0A"
        "the first one: b.yaml:2:1\n"
    )


def test_without_a_place_there_is_a_title_alone() -> None:
    one = Diagnostic("HR130", "x is live", severity=Severity.WARNING)
    (found,) = obeyed(workflow_commands(Findings("hrctl plan", [one])))
    assert found == ("warning", {"title": "HR130 ours, but unknown"}, "x is live")


@given(st.lists(st.text() | st.sampled_from(HOSTILE), min_size=3, max_size=3))
def test_no_text_leaves_its_command(texts: list[str]) -> None:
    summary, path, hint = texts
    one = Diagnostic("HR021", summary, Span(path or "a"), hint=hint or None)
    text = workflow_commands(Findings("hrctl validate", [one]))
    assert text.count("\n") == 1
    ((name, properties, message),) = obeyed(text)
    assert name == "error"
    assert properties.keys() == {"file", "line", "col", "endColumn", "title"}
    assert all(char.isprintable() for char in properties["file"])
    assert message.count("\n") == bool(hint)
    if summary.isprintable() and path.isprintable():
        assert message.partition("\n")[0] == summary
        assert properties["file"] == (path or "a")


@given(st.lists(st.text() | st.sampled_from(HOSTILE), min_size=11, max_size=13))
def test_no_text_of_the_log_is_a_command(texts: list[str]) -> None:
    found = [Diagnostic("HR021", text, Span(text or "a")) for text in texts]
    read_back = obeyed(workflow_commands(Findings("hrctl validate", found)))
    assert [one[0] for one in read_back] == ["error"] * 10 + ["group", "endgroup"]


def test_ten_of_each_severity_the_most_severe_first_and_the_last_one_counts() -> None:
    levels = [Severity.INFO] * 11 + [Severity.WARNING] * 10 + [Severity.ERROR] * 34
    found = [
        Diagnostic("HR050", f"number {index}", Span(f"{index}.yaml"), level)
        for index, level in enumerate(levels)
    ]
    read_back = obeyed(workflow_commands(Findings("hrctl validate", found)))
    names = [one[0] for one in read_back]
    assert names == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10 + ["group", "endgroup"]
    assert read_back[9][1:] == (
        {"title": "hrctl validate: 25 more errors"},
        "25 more errors in 25 files; the log lists all of them",
    )
    assert read_back[19][2] == "number 20"
    assert read_back[29][2] == "2 more notes in 2 files; the log lists all of them"


def test_the_log_lists_all_where_annotations_do_not() -> None:
    found = [Diagnostic("HR050", f"number {index}", Span("a.yaml")) for index in range(11)]
    text = workflow_commands(Findings("hrctl validate", found))
    assert "a.yaml:1:1: HR050 number 10" in text
    assert "stop-commands" not in workflow_commands(Findings("hrctl validate", found[:10]))


def test_ten_megabytes_in_a_field_make_a_short_message() -> None:
    one = Diagnostic("HR021", "x" * 10_000_000, Span("a.yaml"))
    text = workflow_commands(Findings("hrctl validate", [one]))
    assert len(text) < LONGEST + 200
    assert "(10,000,000 characters)" in text
