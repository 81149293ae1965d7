from hrctl.cli.render.diagnostics import as_json, summary, text_lines
from hrctl.diagnostics import Diagnostic, Related, Severity, Span

POLICY = Diagnostic(
    "HR021",
    "unknown value 'AUTO_CPUS' for scaling.policy",
    span=Span("payments/prod/services/api.yaml", 14, 15, 9),
    hint="did you mean AUTO_CPU?",
    note="one of MANUAL, AUTO_CPU, AUTO_MEMORY, AUTO_QUEUE, PREDICTIVE",
)


def render(one: Diagnostic, line: str | None = None, width: int = 80) -> str:
    return "\n".join(text_lines([one], lambda _: line, width=width))


def test_a_diagnostic_looks_like_this() -> None:
    assert render(POLICY, "      policy: AUTO_CPUS") == (
        """\
payments/prod/services/api.yaml:14:15: HR021 unknown value 'AUTO_CPUS' for scaling.policy
   |
14 |       policy: AUTO_CPUS
   |               ^^^^^^^^^ did you mean AUTO_CPU?
   = one of MANUAL, AUTO_CPU, AUTO_MEMORY, AUTO_QUEUE, PREDICTIVE
"""
    )


def test_without_a_line_the_hint_stands_below() -> None:
    assert render(POLICY) == (
        """\
payments/prod/services/api.yaml:14:15: HR021 unknown value 'AUTO_CPUS' for scaling.policy
   = did you mean AUTO_CPU?
   = one of MANUAL, AUTO_CPU, AUTO_MEMORY, AUTO_QUEUE, PREDICTIVE
"""
    )


def test_a_warning_says_so_and_relations_have_their_place() -> None:
    one = Diagnostic(
        "HR050",
        "folder 'b' holds registry 'a'",
        span=Span("b/registry.yaml", 3, 7),
        severity=Severity.WARNING,
        related=(Related("the other one", Span("a/registry.yaml", 2, 1)),),
    )
    assert render(one) == (
        """\
b/registry.yaml:3:7: HR050 warning: folder 'b' holds registry 'a'
   = the other one: a/registry.yaml:2:1
"""
    )


def test_the_caret_stands_below_its_place_behind_tabs_and_control_characters() -> None:
    one = Diagnostic("HR003", "a tab", span=Span("a.yaml", 1, 3, 1))
    lines = render(one, "\t\x1bx: 1").splitlines()
    assert lines[2] == "1 |     \\x1bx: 1"
    assert lines[3].index("^") == lines[2].index("x: 1")


def test_a_long_line_is_cut_around_the_place() -> None:
    one = Diagnostic("HR021", "wrong", span=Span("a.yaml", 1, 500, 4))
    lines = render(one, "x" * 499 + "HERE" + "y" * 300).splitlines()
    assert max(map(len, lines[1:])) <= 80
    at = lines[3].index("^")
    assert lines[2][at : at + 4] == "HERE"


def test_the_last_line_counts() -> None:
    warning = Diagnostic("HR050", "w", span=Span("b.yaml"), severity=Severity.WARNING)
    assert summary([POLICY], 214) == (
        "1 error in 1 of 214 files. `hrctl explain HR021` tells more."
    )
    assert summary([POLICY, POLICY, warning], 3) == (
        "2 errors, 1 warning in 2 of 3 files. `hrctl explain HR021` tells more."
    )
    assert summary([warning]) == "1 warning. `hrctl explain HR050` tells more."


def test_json() -> None:
    assert as_json(POLICY) == {
        "code": "HR021",
        "severity": "error",
        "summary": "unknown value 'AUTO_CPUS' for scaling.policy",
        "span": {
            "path": "payments/prod/services/api.yaml",
            "line": 14,
            "column": 15,
            "length": 9,
        },
        "address": None,
        "related": [],
        "hint": "did you mean AUTO_CPU?",
        "note": "one of MANUAL, AUTO_CPU, AUTO_MEMORY, AUTO_QUEUE, PREDICTIVE",
    }
