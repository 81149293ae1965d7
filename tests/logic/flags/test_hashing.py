"""Our hashes are those of the libraries that flagd and Unleash use, and never change."""

from __future__ import annotations

import cbor2
import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from UnleashClient.utils import normalized_hash

from hrctl.logic.flags import compile_flag, hashing
from hrctl.logic.flags.compiled import limits
from hrctl.logic.flags.shares import weights_of


@given(st.text())
def test_flagd_hashes_canonical_cbor(key: str) -> None:
    expected = mmh3.hash(cbor2.dumps(key, canonical=True), signed=False)
    assert hashing.fractional(key) == expected


@given(st.text())
def test_fractional_v2_hashes_the_bare_text(key: str) -> None:
    expected = mmh3.hash(key.encode(), signed=False)
    assert hashing.fractional(key, "fractional-v2") == expected


SUITS = {"clubs": 25, "diamonds": 25, "hearts": 25, "spades": 25}
# of flagd's test suite: the flag `fractional-flag`, evaluated for `user.name`
EXAMPLES = {
    "fractional-v2": {"jack": "hearts", "queen": "spades", "ten": "clubs", "nine": "diamonds"},
    "fractional-v3": {"jack": "diamonds", "queen": "diamonds", "ten": "clubs", "nine": "clubs"},
}


@pytest.mark.parametrize("pinned", EXAMPLES)
def test_names_are_those_of_flagd_s_tests(pinned: str) -> None:
    rollout = {"strategy": "AB_TEST", "weights": SUITS, "stickiness": "user.name"}
    spec = {
        "status": "ENABLED",
        "variants": {name: name for name in SUITS},
        "default": "clubs",
        "hash": pinned,
        "rollout": rollout,
    }
    ask = compile_flag("fractional-flag", spec)
    answers = {name: ask({"user": {"name": name}}).variant for name in EXAMPLES[pinned]}
    assert answers == EXAMPLES[pinned]


@pytest.mark.parametrize("length", [0, 23, 24, 255, 256, 65535, 65536])
def test_long_keys(length: int) -> None:
    key = "k" * length
    assert hashing.fractional(key) == mmh3.hash(cbor2.dumps(key, canonical=True), signed=False)


@given(st.text(), st.text(), st.integers(1, 10_000), st.integers(0, 2**32 - 1))
def test_unleash_hashes_as_its_client(group: str, user: str, modulus: int, seed: int) -> None:
    expected = normalized_hash(user, group, modulus, seed)
    assert hashing.unleash(group, user, modulus, seed) == expected


def test_pinned() -> None:
    """No upgrade may move a user: these numbers are for ever."""
    assert hashing.fractional("expressuser-42") == 3152058675
    assert hashing.unleash("express", "user-42") == 40
    assert hashing.unleash("express", "user-42", 1000, hashing.UNLEASH_VARIANT_SEED) == 57


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 10_000), min_size=2, max_size=5),
)
def test_limits_are_the_bucket_s_bounds(number: int, weights: list[int]) -> None:
    bucket = (number * sum(weights)) >> 32
    ends = [sum(weights[: at + 1]) for at in range(len(weights))]
    expected = next(at for at, end in enumerate(ends) if bucket < end)
    assert next(at for at, limit in enumerate(limits(weights)) if number < limit) == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 99_999))
def test_the_scale_of_weights_moves_nobody(number: int, thousandths: int) -> None:
    fine = (number * 100_000) >> 32 < thousandths
    share = thousandths / 1000
    inside, outside = weights_of([share, round(100 - share, 3)])
    assert ((number * (inside + outside)) >> 32 < inside) is fine
