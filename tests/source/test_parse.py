"""Reading YAML 1.2: values, and every kind of problem with its place."""

from __future__ import annotations

import io
from typing import Any

import pytest
from ruamel.yaml import YAML

from hrctl.source import compose as compose_module
from hrctl.source.compose import compose
from hrctl.source.parse import Chunk, decode, parse_chunk, parse_file
from hrctl.source.quick import DoubtError, quick
from hrctl.source.yaml12 import is_string, needs_quotes, printable, resolve

SCALARS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None, "nULL": "nULL",
    "true": True, "True": True, "TRUE": True, "tRUE": "tRUE", "false": False, "False": False,
    "on": "on", "off": "off", "yes": "yes", "no": "no", "y": "y", "N": "N",
    "0": 0, "12": 12, "-7": -7, "+7": 7, "012": 12, "0o14": 12, "0x1F": 31, "0b1": "0b1",
    "1_000": "1_000", "1:30": "1:30", "2024-01-31": "2024-01-31", "-": "-", "+": "+", ".": ".",
    "1.5": 1.5, "1.": 1.0, ".5": 0.5, "1e3": 1000.0, "-1.5E-2": -0.015, "1.2.3": "1.2.3",
    ".inf": float("inf"), "-.INF": float("-inf"), "0o9": "0o9", "0x": "0x", "5s": "5s",
    "18446744073709551615": 2**64 - 1, "-9223372036854775808": -(2**63), "1Gi": "1Gi",
    "٣": "٣",
}  # fmt: skip


def codes(text: str) -> list[str]:
    return [one.code for one in parse_file(text.encode(), "f.yaml")[1]]


def told(text: str) -> list[str]:
    return [str(one) for one in parse_file(text.encode(), "f.yaml")[1]]


def value_of(text: str) -> Any:
    value, problems = parse_chunk(Chunk(text, 1), "f.yaml")
    assert problems == []
    return value


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_plain_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)
    if text not in {"-", "+", "."}:
        assert value_of(f"a: {text}\nb: [{text}]\n") == {"a": value, "b": [value] if text else []}


# Where ruamel.yaml keeps to YAML 1.1 even for 1.2: binary numbers, digits apart, dates.
OLDER = {"0b1", "1_000", "2024-01-31"}


@pytest.mark.parametrize("text", [one for one in SCALARS if one not in {"", "-", "٣"} | OLDER])
def test_ruamel_agrees_on_plain_scalars(text: str) -> None:
    assert YAML(typ="safe", pure=True).load(io.StringIO(f"%YAML 1.2\n---\na: {text}\n"))[
        "a"
    ] == resolve(text)


def test_nan_is_a_float() -> None:
    assert str(value_of("a: .nan\nb: .NaN")["a"]) == "nan"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: !!str 12", "12"),
        ("a: ! 12", "12"),
        ("a: !!int '12'", 12),
        ("a: !!float 1", 1.0),
        ("a: !!bool true", True),
        ("a: !!null ''", None),
        ("a: !!map {b: 1}", {"b": 1}),
        ("a: !!seq [1]", [1]),
        ("%TAG !y! tag:yaml.org,2002:\n---\na: !y!str 1", "1"),
    ],
)
def test_core_tags_that_fit(text: str, value: Any) -> None:
    found = value_of(text)["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 'x", "f.yaml:1:4: HR002 the quote ' that opens here is never closed; add '"),
        (
            'a: "x\n---\nb: 1',
            'f.yaml:1:4: HR002 the quote " that opens here is never closed; add "',
        ),
        ("a: [1, 2", "f.yaml:1:4: HR002 the bracket [ that opens here is never closed; add ]"),
        ("a: {b: 1 c: 2}", "f.yaml:1:11: HR002 a comma or } is missing before this"),
        ("a: x\nb", "f.yaml:2:1: HR002 a key without a colon; write b: value"),
        (
            "key:value\nb: 1",
            (
                "f.yaml:2:1: HR002 a key below a line that is not one;"
                " is a colon, or the space behind it, missing in 'key:value'?"
            ),
        ),
        (
            "a: b: c",
            (
                "f.yaml:1:5: HR002 a second ': ' on one line;"
                " put the value in quotes, or begin a new line"
            ),
        ),
        (
            "a:\n    b: 1\n  c: 2",
            (
                "f.yaml:3:3: HR002 bad indentation: this line fits to nothing above;"
                " indent it as its neighbours"
            ),
        ),
        ("a: @x", "f.yaml:1:4: HR002 a plain value cannot begin with @; put it in quotes"),
        ("a: ]", "f.yaml:1:4: HR002 unexpected ]; delete it, or quote the value"),
        ("{a: 1}}", "f.yaml:1:7: HR002 } closes nothing; delete it"),
        (
            "a: - b",
            "f.yaml:1:4: HR002 a list cannot begin on the line of its key; put - on a new line",
        ),
        (
            "a: 'it's'",
            "f.yaml:1:8: HR002 text behind a value that already ended; quote the whole value",
        ),
        (
            'a: "\\q"',
            "f.yaml:1:5: HR002 unknown escape \\q in double quotes; write \\\\ for a backslash",
        ),
        ("a:\n\tb: 1", "f.yaml:2:1: HR003 tab in the indentation; replace it by spaces"),
        ("a: |\n  x\n\ty\n", "f.yaml:3:1: HR003 tab in the indentation; replace it by spaces"),
        (
            "a: 1\nb: 2\na: 3",
            "f.yaml:3:1: HR004 key 'a' stands here a second time; delete one of the two",
        ),
        ("a: !x y", None),
        ("<<: {a: 1}", None),
        (
            "a: *x",
            (
                "f.yaml:1:4: HR008 alias '*x' refers to no anchor; write &x before the value that"
                " it means, in the same document: anchors do not reach across documents"
            ),
        ),
        (
            "a: &x [*x]",
            (
                "f.yaml:1:8: HR008 alias '*x' stands inside of what it refers to;"
                " a value cannot contain itself"
            ),
        ),
        (
            "- 1",
            (
                "f.yaml:1:1: HR009 the document is a list, not a map;"
                " begin it with apiVersion, kind and metadata"
            ),
        ),
        ("8080: x", 'f.yaml:1:1: HR011 key 8080 is not a string; write "8080"'),
        ("? [a]\n: b", "f.yaml:1:3: HR011 a key must be a string; name it by a string in quotes"),
    ],
)
def test_each_problem_says_what_where_and_what_to_do(text: str, expected: str | None) -> None:
    if expected is None:
        assert [one.split()[1] for one in told(text)] == ["HR005" if "!" in text else "HR006"]
    else:
        assert told(text)[0] == expected


def test_a_duplicate_names_the_first_place() -> None:
    _, problems = parse_file(b"a: 1\nb:\n  a: 1\n  'a': 2\n", "f.yaml")
    assert [(str(one.span), str(one.related[0].span)) for one in problems] == [
        ("f.yaml:4:3", "f.yaml:3:3")
    ]


def test_all_problems_of_a_file_are_found_in_one_run() -> None:
    text = (
        "a: 'open\n---\nb: 1\nb: 2\nc: {d: 1, d: 2}\n---\nfine: true\n---\n- 1\n"
        "---\nx: !y 1\nz: 99999999999999999999\ntrue: 1\n"
    )
    documents, problems = parse_file(text.encode(), "f.yaml")
    assert documents == [(6, {"fine": True})]
    assert [(one.code, one.span.line) for one in problems if one.span] == [
        ("HR002", 1), ("HR004", 4), ("HR004", 5), ("HR009", 9),
        ("HR005", 11), ("HR010", 12), ("HR011", 13),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "number",
    ["18446744073709551616", "-9223372036854775809", "0x1ffffffffffffffff", "1e999", "9" * 900],
)
def test_numbers_beyond_64_bits_are_refused(number: str) -> None:
    assert codes(f"a: {number}") == ["HR010"]
    assert codes(f"{number}: a") == ["HR011"]


@pytest.mark.parametrize(
    "text", ["on: 1", "'8080': 1", '"": 1', "'<<': 1", "12a: 1", "-: 1", "é: 1"]
)
def test_keys_that_are_strings(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize("text", ["8080: 1", "true: 1", "~: 1", "1.5: 1", ".inf: 1", "0x1F: 1"])
def test_keys_that_are_not(text: str) -> None:
    assert codes(text) == ["HR011"]
    assert codes(f"{{{text}}}") == ["HR011"]


def test_merge_keys_are_refused_and_quoted_ones_are_keys() -> None:
    assert codes("<<: {a: 1}\nb: 1") == ["HR006"]
    assert value_of('"<<": {a: 1}') == {"<<": {"a": 1}}


def test_aliases_share_one_object() -> None:
    value = value_of("a: &x {b: [1]}\nc: *x\nd: &x 2\ne: *x\n*x : 3".replace("\n*x : 3", ""))
    assert value["a"] is value["c"]
    assert value["e"] == 2


def test_an_alias_may_be_a_key() -> None:
    assert value_of("a: &x name\n*x : 3\n") == {"a": "name", "name": 3}


def test_explosive_aliases_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert codes("\n".join(lines)) == ["HR008"]
    assert codes("\n".join(lines[:3])) == []


def test_many_small_documents_do_not_expand_together() -> None:
    """Each stands for less than a large document may, and all together for much more."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 4)]
    document = "\n".join([*lines, "b: [*a3, *a3]", ""])
    assert codes(document) == ["HR008"]
    assert codes("---\n".join([document] * 20)) == ["HR008"] * 20
    used = "a: &a [" + ", ".join(["x"] * 90) + "]\nb: [" + ", ".join(["*a"] * 100) + "]\n"
    assert codes(used) == []


def test_an_anchor_of_an_earlier_document_is_out_of_reach() -> None:
    assert codes("a: &x 1\n---\nb: *x\n") == ["HR008"]


def nested(depth: int, style: str) -> str:
    if style == "[":
        return "a: " + "[" * (depth - 1) + "]" * (depth - 1)
    if style == "{":
        return "{a: " * depth + "1" + "}" * depth
    if style == "block":
        return "".join(" " * n + "a:\n" for n in range(depth))
    if style == "both":
        half = depth // 2
        return "".join(f"{' ' * n}a:\n{' ' * n}-\n" for n in range(half))
    return "a:\n  " + "- " * (depth - 1) + "1"


@pytest.mark.parametrize("style", ["[", "{", "block", "-", "both"])
def test_nesting_has_a_limit(style: str) -> None:
    assert codes(nested(64, style)) == []
    assert codes(nested(66, style)) == ["HR007"]
    assert codes(nested(20, style)) == []


@pytest.mark.parametrize("unit", ["[", "{", "- ", "? ", "{a: ", "[{a: ", "-\t", "- ? "])
def test_nesting_cannot_exhaust_the_stack(unit: str) -> None:
    assert codes(unit * 30_000)
    assert codes("a: b\nc:\n  " + unit * 30_000)


def test_deep_indentation_cannot_exhaust_the_stack() -> None:
    assert codes("".join(" " * n + "a:\n" for n in range(3000))) == ["HR007"]
    assert codes("".join(" " * n + "- \n" for n in range(3000))) == ["HR007"]


def test_an_exact_limit_on_both_ways() -> None:
    at_limit = nested(64, "[").replace("[]", "[1]")
    assert quick(at_limit) == compose(at_limit).value
    with pytest.raises(DoubtError):
        quick(nested(65, "["))


@pytest.mark.parametrize(
    ("data", "summary", "place"),
    [
        (b"a: \xff\n", "byte 0xff at offset 3 is not UTF-8", "f.yaml:1:4"),
        ("a: 1\nü: é".encode() + b"\xc3", "byte 0xc3 at offset 11 is not UTF-8", "f.yaml:2:5"),
        ("a: 1".encode("utf-16"), "the file is UTF-16, not UTF-8", "f.yaml:1:1"),
        ("a: 1".encode("utf-16-le"), "the file is UTF-16, not UTF-8", "f.yaml:1:1"),
        ("a: 1".encode("utf-32"), "the file is UTF-32, not UTF-8", "f.yaml:1:1"),
    ],
)
def test_what_is_not_utf8(data: bytes, summary: str, place: str) -> None:
    text, problems = decode(data, "f.yaml")
    assert text is None
    assert [(one.code, one.summary, str(one.span)) for one in problems] == [
        ("HR001", summary, place)
    ]


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse_file(b"\xef\xbb\xbfa: 1\n", "f.yaml") == ([(1, {"a": 1})], [])


def test_control_characters_are_named_and_never_shown() -> None:
    found = told("a: \x1b[31m\nb: '\x07'\nc: 1\nc: 2\n")
    assert [one.split()[1] for one in found] == ["HR002", "HR002", "HR004"]
    assert all(one.isprintable() for one in found)
    escaped = told('"\\e[31m": 1\n"\\e[31m": 2\n')
    assert escaped[0].isprintable()
    assert "\\x1b[31m" in escaped[0]


def test_printable_cuts_and_escapes() -> None:
    assert printable("a\u202eb\x1b") == "a\\u202eb\\x1b"
    assert printable("x" * 99) == "x" * 57 + "..."


def test_unicode_line_breaks_are_characters() -> None:
    assert value_of("a: x\x85y\u2028z\u2029\nb\u2028c: 1") == {
        "a": "x\x85y\u2028z\u2029",
        "b\u2028c": 1,
    }


def test_crlf_and_columns_beyond_ascii() -> None:
    text = "a: 1\r\n'schlüssel': é\r\n'schlüssel': x\r\n"
    assert told(text) == [
        "f.yaml:3:1: HR004 key 'schlüssel' stands here a second time; delete one of the two"
    ]


def test_the_usual_document_goes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "---\nkind: X # c\na: 'b!'\nc: [1, {d: \"e\"}]\nf: x */5\ng: |\n  x\nh: a!b & c\n"
    expected = compose(text).value

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("hrctl.source.parse.compose", never)
    assert value_of(text) == expected
    assert expected["g"] == "x\n"


def test_without_the_c_library_everything_goes_the_careful_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class Pure(Reader, Scanner, Parser):
        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)

    monkeypatch.setattr(compose_module, "EventParser", Pure)
    monkeypatch.setattr("hrctl.source.quick.yaml.__with_libyaml__", False)
    assert value_of("---\na: 1\nb: [x, {c: on}]\n") == {"a": 1, "b": ["x", {"c": "on"}]}
    for text in [
        "a: 'x",
        "a: [1",
        "a: b: c",
        "a:\n\tb: 1",
        "a: *x",
        "a: !e!x 1",
        'a: "\\q"',
        "a: ]",
    ]:
        assert len(codes(text)) == 1, text


def test_strings_that_need_quotes() -> None:
    for text in [
        "on",
        "no",
        "012",
        "1_000",
        "1:30",
        "2024-01-31",
        "",
        "~",
        "<<",
        "1.5",
        "0x1F",
        "=",
    ]:
        assert needs_quotes(text), text
    for text in ["api", "a:b", "5s", "1Gi", "v1.2", "one", "null-ish", "1.2.3.4/8", "0.1.0-rc"]:
        assert not needs_quotes(text), text
    assert not is_string("12")
