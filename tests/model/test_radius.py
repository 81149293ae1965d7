"""Grades from numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.model.radius import _SETTINGS, DEFAULTS, MEASURES, NOWHERE, Grade, graded

COUNTS = st.dictionaries(st.sampled_from(list(MEASURES)), st.integers(0, 3000))


def test_nothing_has_no_grade() -> None:
    assert graded({}) == NOWHERE
    assert graded({"changes": 0}).text == "none"


def test_the_highest_grade_counts_and_the_weightiest_reason_stands_first() -> None:
    radius = graded({"changes": 30, "deletes": 5, "environments": 1, "tenants": 2})
    assert radius.grade is Grade.HIGH
    assert radius.text == "high (5 deleted or replaced, 30 changes, 2 tenants)"
    assert [one.grade.value for one in radius.measured] == ["medium", "high", "none", "medium"]


def test_a_low_grade_has_its_reason_too() -> None:
    assert graded({"changes": 1, "dependents": 2}).text == "low (1 change)"


def test_thresholds_of_the_project() -> None:
    strict = {"changes": {"critical": 2}}
    assert graded({"changes": 1, "deletes": 9}, strict).grade is Grade.NONE
    assert graded({"changes": 2}, strict).text == "critical (2 changes)"


@given(COUNTS, st.sampled_from(list(MEASURES)), st.integers(1, 3000))
def test_more_is_never_less(counts: dict[str, int], measure: str, more: int) -> None:
    after = {**counts, measure: counts.get(measure, 0) + more}
    assert graded(after).grade.rank >= graded(counts).grade.rank


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_thresholds_that_rise(measure: str) -> None:
    thresholds = {**DEFAULTS, **_SETTINGS}[measure]
    numbers = [thresholds[one.value] for one in Grade if one.value in thresholds]
    assert numbers == sorted(numbers)
    assert numbers
