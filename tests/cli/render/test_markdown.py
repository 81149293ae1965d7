"""Markdown: whatever a value is, it stays in its cell or block, and a page fits its size."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hrctl.cli.render.findings import Findings
from hrctl.cli.render.markdown import Block, code, fence, findings_page, page, size
from hrctl.diagnostics import Diagnostic, Related, Span

MARKS = "|`\\<>&*_[]()!#@:~$%-+=\n\r\t \x00\x1b\u2028\u202e"
HOSTILE = st.text(alphabet=st.sampled_from(MARKS + "ab.w/") | st.characters()) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</details>",
        "</code>",
        "-->",
        "```",
        "a`b``c",
        "a|b",
        "a\\|b",
        "\\",
        "`",
        "http://evil.example",
        "@everyone",
        "[a](http://b.example)",
        "::error::x",
        "%0A::error::x",
        "&lt;b&gt;",
        "\n\n# head",
    ]
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Texts(HTMLParser):
    """The tags of a page, and the text of each cell and code."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def rendered(markdown: str) -> Texts:
    parser = Texts()
    parser.feed(MARKDOWN.render(markdown))
    parser.close()
    return parser


@given(HOSTILE, HOSTILE)
def test_a_value_stays_in_its_cell(left: str, right: str) -> None:
    table = f"| a | b | c |\n|---|---|---|\n| {code(left)} | {code(right)} | end |\n"
    found = rendered(table)
    assert found.tags.count("td") == 3
    assert set(found.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert found.cells[-1].strip() == "end"
    if left.isprintable() and left == left.strip() and len(left) < 100:
        assert found.cells[3].strip() == left


@given(HOSTILE)
def test_a_value_stays_in_its_line(value: str) -> None:
    found = rendered(f"before {code(value)} after\n")
    assert set(found.tags) <= {"p", "code"}


@given(st.lists(HOSTILE.map(lambda text: re.sub(r"[\r\n]", " ", text))))
def test_lines_stay_in_their_fence(lines: list[str]) -> None:
    marks = fence(lines)
    text = "\n".join([f"{marks}diff", *lines, marks, "", "end"])
    tokens = MARKDOWN.parse(text)
    assert [one.type for one in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]


@given(st.lists(HOSTILE, min_size=4, max_size=4), st.text(min_size=1))
def test_findings_of_any_text_make_one_table(texts: list[str], path: str) -> None:
    summary, hint, note, related = texts
    one = Diagnostic(
        "HR021",
        summary,
        Span(path),
        hint=hint,
        note=note,
        related=(Related(related, Span(path)),),
    )
    text = findings_page(Findings("hrctl validate", [one, one]), project="acme", max_bytes=9_000)
    found = rendered(text)
    assert found.tags.count("td") == 8
    assert set(found.tags) <= {"h3", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert text.startswith("<!-- hrctl:validate:acme -->\n")


def test_a_verdict_and_a_row_for_each() -> None:
    found = [Diagnostic("HR021", "unknown value 'APIS'", Span("a.yaml", 9, 3), hint="mean API?")]
    assert findings_page(
        Findings("hrctl validate", found, "top/"), project="acme", max_bytes=9_000
    ) == (
        "<!-- hrctl:validate:acme -->\n"
        "### hrctl validate: 1 error in 1 file\n"
        "\n"
        "| | code | place | |\n"
        "|---|---|---|---|\n"
        "| error | HR021 | `top/a.yaml:9:3` | `unknown value 'APIS'`<br>`mean API?` |\n"
    )


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=80)), max_size=60), max_size=6),
    st.integers(2_048, 9_000),
)
def test_a_page_fits_and_says_what_it_left_out(
    blocks: list[list[tuple[int, str]]], most: int
) -> None:
    made = [Block(items, "head\n", "foot\n", noun="line of it") for items in blocks]
    whole = "".join(["first\n", *(block.text() for block in made)])
    text = page(["first\n", *made], most, "hrctl plan")
    if size(whole) <= most:
        assert text == whole
        return
    assert size(text) <= most
    kept = sum(len(block.kept) for block in made)
    missing = sum(map(len, blocks)) - kept
    assert f"left out: {missing:,} line" in text
    out = [
        weight for block in made for i, (weight, _) in enumerate(block.items) if i not in block.kept
    ]
    still = [block.items[i][0] for block in made for i in block.kept]
    assert max(out) <= min(still, default=3), "the lightest go first"
    assert text.count("head\n") == text.count("foot\n")


@pytest.mark.parametrize("number", [1, 30, 5_000])
def test_many_findings_fit(number: int) -> None:
    found = [
        Diagnostic("HR021", f"unknown value {'x' * 90}{i}", Span(f"{i}.yaml"))
        for i in range(number)
    ]
    text = findings_page(Findings("hrctl validate", found), project="acme", max_bytes=65_536)
    assert size(text) <= 65_536
    shown = rendered(text).cells
    assert len(shown) % 4 == 0
    assert ("left out" in text) == (number == 5_000)
