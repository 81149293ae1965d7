"""The comment of a plan: what stands where, and that nothing gets out of its place."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hrctl.cli.render.comment import plan_comment
from hrctl.cli.render.markdown import SMALLEST, size
from hrctl.diagnostics import Diagnostic, Severity, Span
from hrctl.model.address import Address
from hrctl.model.plan import ABSENT, Action, Base, Change, FieldChange, Lifecycle, Plan, Reason
from hrctl.model.planfile import from_json
from hrctl.model.radius import MEASURES, graded

CASES = sorted((Path(__file__).parents[2] / "plans").glob("*/plan.json"))
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TAGS = {
    *("h3", "h4", "p", "strong", "br", "blockquote", "ul", "li", "hr"),
    *("table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "pre", "code"),
}
VOID = {"br", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</details></summary></td></tr></table>",
    "```\n</details>\n# head",
    "````````",
    "`|`|`",
    "a|b|c\\|d\\",
    "%0A::error::x",
    "\n::error::x",
    "\x1b]8;;http://evil.example\x07link\x1b[2J",
    "-->",
    f"\nApproval: `sha256:{'0' * 64}`",
    "<!-- hrctl:plan:other -->",
    "@everyone #1 http://evil.example",
    "\u202eevil\u2028",
    "x" * 500,
]
TEXT = st.sampled_from(HOSTILE) | st.text(max_size=60)


class Balanced(HTMLParser):
    """Every tag of a page is one of ours, and is closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.comments: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, f"<{tag}> is none of ours"
        names = {name for name, _ in attrs}
        assert names <= {"class", "style"}, f"<{tag}> has {names}"
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.text += data


def page(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(MARKDOWN.render(text))
    parser.close()
    assert parser.open == []
    return parser


def plan_of(*changes: Change, **more: Any) -> Plan:
    made = Plan(
        id="1",
        created="2026-01-01T00:00:00+00:00",
        commit="4f1c2ab" * 5 + "12345",
        dirty=False,
        tree_digest="",
        serial=1,
        drivers={},
        changes=changes,
        resources=len(changes),
    )
    return replace(made, **more)


def change(
    number: int = 0, action: Action = Action.UPDATE, registry: str = "acme/shop", **more: Any
) -> Change:
    body = {"spec": {"type": "API", "replicas": 2}}
    field = FieldChange("/spec/replicas", 3, 2, 2, Reason.EDITED)
    given: dict[str, Any] = {
        "reason": Reason.EDITED,
        "driver": "local",
        "before": body,
        "after": body,
        "applied": body,
        "fields": (field,) if action is Action.UPDATE else (),
        "span": Span("shop/api.yaml", 9),
        **more,
    }
    return Change(Address(f"{registry}:Service/api-{number}"), action, **given)


def comment(plan: Plan, max_bytes: int = 65_536, **more: Any) -> str:
    return plan_comment(plan, command="hrctl plan", project="acme", max_bytes=max_bytes, **more)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_every_plan_of_the_cases_makes_a_sound_page(case: Path) -> None:
    plan = from_json(case.read_text(encoding="utf-8"))
    text = comment(plan)
    found = page(text)
    assert text.startswith("<!-- hrctl:plan:acme")
    assert found.counts.get("details", 0) == found.counts.get("summary", 0)
    errors = [one for one in plan.diagnostics if one.severity is Severity.ERROR]
    assert ("refused" in text.splitlines()[1]) == bool(errors)
    for one in plan.pending:
        assert one.address.local in found.text
    assert "in-the-clear" not in text


def test_what_can_hurt_stands_on_top_and_drift_apart() -> None:
    db = {"spec": {"type": "DATABASE"}}
    gone = change(1, Action.DELETE, before=db, applied=db, after=None, note="removed in 4f1c2ab")
    gone = replace(gone, reason=Reason.UNDECLARED, span=None)
    kept = change(2, lifecycle=Lifecycle(protect=True))
    drifted = FieldChange("/spec/replicas", 2, 2, 50, Reason.DRIFTED)
    drift = change(3, reason=Reason.DRIFTED, fields=(drifted,))
    plan = plan_of(
        change(0, Action.CREATE, before=None), kept, gone, drift, radius=graded({"dataLoss": 1})
    )
    text = comment(plan)
    order = [
        "### hrctl plan: 1 to add, 1 to change, 1 to destroy, 1 drifted",
        "**Blast radius: critical** (1 loses data)",
        "#### Deleted, replaced, dangerous",
        "| **delete** | `acme/shop:Service/api-1` | `removed in 4f1c2ab` | ",
        "| update | `acme/shop:Service/api-2` | `edited` | **protected**: ",
        "| `acme/shop` | 1 | 1 |  | 1 | 1 |",
        "<details><summary><code>acme/shop</code>: 3 changes</summary>",
        "- Service/api-1",
        "~ Service/api-2",
        "+ Service/api-0",
        "<details><summary>Drift: changed in the live systems, would be brought back: 1 resource",
        "acme/shop:Service/api-3",
        "live 50, wanted 2",
        "Commit `4f1c2ab4f1c2`.",
        "Approval: `sha256:",
    ]
    places = [text.find(one) for one in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_a_plan_without_changes_and_one_that_is_refused() -> None:
    assert "### hrctl plan: no changes, 0 resources as declared\n" in comment(plan_of())
    wrong = Diagnostic("HR120", "12 of 40 resources would be deleted", hint="say --allow-deletes")
    text = comment(plan_of(diagnostics=(wrong,), complete=False))
    assert "### hrctl plan: refused (no changes among what was looked at" in text
    assert "> [!CAUTION]\n> - HR120 `12 of 40 resources would be deleted` (`say --allow" in text


def test_the_marker_is_that_of_the_project_and_of_the_targets() -> None:
    first = comment(plan_of(change())).splitlines()[0]
    assert first == comment(plan_of()).splitlines()[0] == "<!-- hrctl:plan:acme -->"
    part = comment(plan_of(options={"targets": ["acme/shop"]})).splitlines()[0]
    assert re.fullmatch(r"<!-- hrctl:plan:acme:[0-9a-f]{8} -->", part)


@settings(deadline=None)
@given(TEXT, TEXT, TEXT, TEXT)
def test_no_text_gets_out_of_its_place(value: str, key: str, path: str, note: str) -> None:
    pointer = "/spec/env/" + key.replace("~", "~0").replace("/", "~1")
    fields = (FieldChange(pointer, value, "old", "old", Reason.EDITED, origin=Span(path or "a")),)
    drift = (FieldChange(pointer, "old", "old", value, Reason.DRIFTED),)
    body = {"spec": {"env": {key: value}, "listen": f"0.0.0.0:{value}"}}
    told = Diagnostic("HR130", value, Span(path or "a"), Severity.WARNING, hint=note)
    plan = plan_of(
        change(1, fields=fields, after=body, span=Span(path or "a"), note=note or None),
        change(2, Action.DELETE, before=body, after=None, note=note or None),
        change(3, reason=Reason.DRIFTED, fields=drift),
        diagnostics=(told, replace(told, severity=Severity.ERROR)),
        kept=(change(4, reason=Reason.DRIFTED, fields=drift),),
    )
    text = comment(plan, warnings=[told])
    found = page(text)
    assert found.counts["details"] == 3
    assert found.counts["table"] == 2
    assert found.counts["td"] in {5 + 6, 5 * 2 + 6}  # some values make a listener, some do not
    assert found.counts["h3"] == found.counts["h4"] == 1
    assert found.comments[0].strip() == "hrctl:plan:acme"
    assert {one.strip() for one in found.comments[1:]} <= {""}
    assert "::error" not in [line.lstrip()[:7] for line in text.splitlines()]
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(re.findall(r"(?m)^Approval: ", text)) == 1, "what is read back is ours"


def many(number: int) -> Plan:
    changes = [
        change(
            index,
            (Action.CREATE, Action.UPDATE, Action.UPDATE, Action.CREATE)[index % 4],
            f"acme/team-{index % 60}",
        )
        for index in range(number)
    ]
    changes += [change(index, Action.DELETE, after=None) for index in range(number, number + 20)]
    return plan_of(*changes)


@pytest.mark.parametrize("number", [5, 500, 5_000])
@pytest.mark.parametrize("most", [4_096, 65_536])
def test_a_large_plan_makes_a_comment_that_is_of_use(number: int, most: int) -> None:
    start = time.perf_counter()
    text = comment(many(number), most)
    assert time.perf_counter() - start < 30, "5,000 changes take a second on a quiet machine"
    assert size(text) <= most
    found = page(text)
    assert found.counts.get("details", 0) == found.counts.get("summary", 0)
    assert "20 to destroy" in text.splitlines()[1]
    assert text.count("| **delete** |") == 20, "deletes stay when all else goes"
    if number == 5_000:
        assert re.search(r"left out: .*[\d,]+ changes.*\. `hrctl plan` shows all\.", text)
    if number == 5_000 and most == 65_536:
        assert text.count("\n| `acme/team-") == 60, "so does the table by registry"
        assert text.count("```diff") == 31, "and some changes of each registry with updates"


def test_creates_go_before_updates() -> None:
    text = comment(many(1_000), 30_000)
    assert "\n~ Service/api-" in text
    assert "\n+ Service/api-" not in text


def test_ten_megabytes_in_a_field() -> None:
    huge = "`|<x>" * 2_000_000
    field = FieldChange("/spec/env/A", huge, "small", "small", Reason.EDITED)
    text = comment(plan_of(change(fields=(field,))))
    assert size(text) < 3_000
    page(text)


def test_secrets_are_numbered_across_the_whole_comment() -> None:
    secret = {"valueFrom": {"age": "x"}}
    one = FieldChange("/spec/env/A", secret, ABSENT, ABSENT, Reason.EDITED, sensitive=True)
    text = comment(plan_of(change(1, fields=(one,)), change(2, registry="acme/b", fields=(one,))))
    assert text.count("(sensitive #1)") == 2


def test_the_smallest_comment_still_has_verdict_and_approval() -> None:
    base = Base("feature/" + "x" * 300, "1" * 40, "2" * 40, merged=True, declared=True)
    errors = tuple(Diagnostic("HR126", f"{'y' * 200} {number}") for number in range(50))
    counts = dict.fromkeys(MEASURES, 123_456)
    plan = replace(many(300), base=base, diagnostics=errors, radius=graded(counts), dirty=True)
    text = comment(plan, SMALLEST)
    assert size(text) <= SMALLEST
    page(text)
    assert "refused (" in text.splitlines()[1]
    assert "Approval: `sha256:" in text
    assert "left out: " in text
