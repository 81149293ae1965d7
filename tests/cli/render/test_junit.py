"""JUnit: what fails, what passes, and that no text leaves its element."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from hrctl.cli.render.findings import Findings
from hrctl.cli.render.junit import junit
from hrctl.diagnostics import Diagnostic, Severity, Span

WRONG = Diagnostic("HR021", "unknown value 'APIS'", Span("a.yaml", 9, 3, 4), hint="mean API?")
WARNING = Diagnostic("HR050", "a folder's name", Span("b/registry.yaml"), Severity.WARNING)


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # our own


def test_failures_warnings_and_clean_files() -> None:
    found = Findings(
        "hrctl validate", [WRONG, WARNING], "top/", ["a.yaml", "b/registry.yaml", "c.yaml"]
    )
    (suite,) = parsed(junit(found))
    assert suite.attrib == {
        "name": "hrctl validate",
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    wrong, warning, clean = suite
    assert wrong.attrib == {
        "name": "9:3 HR021 unknown value 'APIS'",
        "classname": "top/a.yaml",
        "file": "top/a.yaml",
        "line": "9",
    }
    assert wrong.find("failure") is not None
    assert wrong.findtext("failure") == "unknown value 'APIS'\nmean API?"
    assert warning.find("failure") is None
    assert warning.findtext("system-out") == "warning: a folder's name"
    assert (clean.get("classname"), len(clean)) == ("top/c.yaml", 0)


def test_what_makes_the_command_fail_is_a_failure() -> None:
    both = frozenset({Severity.ERROR, Severity.WARNING})
    (suite,) = parsed(junit(Findings("hrctl validate", [WARNING], failing=both)))
    assert suite.get("failures") == "1"


@given(st.text(), st.text(min_size=1))
def test_any_text_makes_one_case(summary: str, path: str) -> None:
    text = junit(Findings("hrctl validate", [Diagnostic("HR021", summary, Span(path))]))
    text.encode()
    ((case,),) = parsed(text)
    assert [child.tag for child in case] == ["failure"]
    if summary.isprintable():
        assert case.findtext("failure", "") == summary
    if path.isprintable():
        assert case.get("file") == path
