"""Expressions of manifests take time that grows with the text alone."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.model.regex import MAX_WORK, Expression, Refusal, TooMuchWorkError, compiled, portable


def expression(pattern: str) -> Expression:
    found = portable(pattern)
    assert isinstance(found, Expression)
    return found


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(.*a){20}", "(a|aa)+", "([a-z]+)*"])
def test_what_makes_others_backtrack_takes_no_time(pattern: str) -> None:
    started = time.process_time()
    assert not expression(pattern + "$").fullmatch("a" * 5_000 + "!")
    assert not expression(pattern + "b").search("a" * 5_000 + "!")
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "cannot be referred to"),
        (r"(?P<n>a)(?P=n)", r"\(\?:\.\.\.\) groups"),
        ("(?>a)", r"\(\?:\.\.\.\) groups"),
        ("a++", "leave out the \\+"),
        (r"\u20ac", r"\\x\{20AC\}"),
        (r"a\Z", r"\\z"),
        ("[[:alpha:]]", r"such as \[A-Za-z0-9\]"),
        (r"\Qa.b\E", "before each special character"),
        (r"\C", "write ."),
        ("a{1001}", "shorten"),
        ("((a{100}){100}){100}", "shorten"),
        ("a" * 4097, "divide"),
    ],
)
def test_what_differs_is_refused_with_what_to_write(pattern: str, why: str) -> None:
    refusal = portable(pattern)
    assert isinstance(refusal, Refusal)
    assert refusal.hint is not None
    assert re.search(why, refusal.hint)
    assert len(refusal.why) < 150


@pytest.mark.parametrize("pattern", ["[", "(", "*a", "[z-a]", "a**", "\\"])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    assert isinstance(portable(pattern), Refusal)


def test_an_escaped_backslash_begins_no_escape() -> None:
    assert expression(r"\\C").fullmatch(r"\C")
    assert expression(r"\\Q").fullmatch(r"\Q")


def test_a_class_of_ascii_is_said_to_be_one() -> None:
    word = expression(r"\w+")
    assert not word.fullmatch("Zürich")
    assert (
        word.note("Zürich") == r"\w knows ASCII alone; \pL stands for any letter, \pN for any digit"
    )
    assert word.note("a b") is None
    assert expression("[a-z]+").note("ü") is None
    assert expression(r"\pL+").fullmatch("Zürich")


def test_a_text_that_is_too_large_is_not_looked_at() -> None:
    large = expression("(?:.*a){300}")
    with pytest.raises(TooMuchWorkError):
        large.fullmatch("a" * (MAX_WORK // large.size + 1))


_SAFE = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\.", "^", "$"]),
    lambda part: st.one_of(
        st.tuples(part, part).map("".join),
        st.tuples(part, part).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(part, st.sampled_from(["*", "+", "?", "{2}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@given(_SAFE, st.text("ab.", max_size=8))
def test_it_agrees_with_python_where_both_know_a_pattern(pattern: str, text: str) -> None:
    found = compiled(pattern)
    assert isinstance(found, Expression)
    python = re.compile(pattern)
    assert found.fullmatch(text) == (python.fullmatch(text) is not None)
    assert found.search(text) == (python.search(text) is not None)
