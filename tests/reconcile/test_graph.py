from __future__ import annotations

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.reconcile.graph import ordered

A, B, C = (Address(f"acme:Config/{name}") for name in "abc")


def change(at: Address, action: Action, *edges: Address) -> Change:
    return Change(at, action, Reason.EDITED, "local", depends_on=edges)


def waits(
    *changes: Change, previous: dict[Address, tuple[Address, ...]] | None = None
) -> dict[str, list[str]]:
    found = ordered(changes, previous or {})
    position = {one.address: index for index, one in enumerate(found)}
    for one in found:
        assert all(position[other] < position[one.address] for other in one.waits_for)
    return {one.address.name: [other.name for other in one.waits_for] for one in found}


def test_forward_and_backward() -> None:
    create, delete = Action.CREATE, Action.DELETE
    assert waits(change(A, create, B), change(B, create)) == {"b": [], "a": ["b"]}
    assert waits(change(B, delete), change(A, delete, B)) == {"a": [], "b": ["a"]}


def test_a_replace_waits_for_the_delete_of_what_depended_on_it() -> None:
    found = waits(change(B, Action.REPLACE), change(A, Action.DELETE, B))
    assert found == {"a": [], "b": ["a"]}


def test_a_delete_waits_for_who_lets_go() -> None:
    found = waits(change(B, Action.DELETE), change(A, Action.UPDATE), previous={A: (B,)})
    assert found == {"a": [], "b": ["a"]}


@pytest.mark.parametrize("action", [Action.NOOP, Action.ADOPT, Action.FORGET])
def test_what_touches_only_the_ledger_waits_for_nothing(action: Action) -> None:
    found = waits(change(A, action, B), change(B, Action.UPDATE), change(C, Action.UPDATE, A))
    assert set(map(tuple, found.values())) == {()}


def test_an_edge_that_only_avoids_a_gap_gives_way() -> None:
    """The ledger's edges of two runs contradict each other: A used B, and B still uses A."""
    found = waits(
        change(B, Action.REPLACE, A),
        change(A, Action.DELETE, B),
        previous={B: (A,)},
    )
    assert found == {"b": [], "a": ["b"]}


def test_a_ring_names_each_step() -> None:
    with pytest.raises(HrctlError) as raised:
        waits(*(change(at, Action.CREATE, to) for at, to in [(A, B), (B, C), (C, A)]))
    text = str(raised.value)
    assert "HR046" in text
    steps = [f"{A} -> {B}", f"{B} -> {C}", f"{C} -> {A}"]
    assert sum(step in text for step in steps) == 3


def test_a_long_chain_in_order() -> None:
    chain = [Address(f"acme:Config/c{i}") for i in range(20_000)]
    changes = [change(at, Action.CREATE, *chain[max(0, i - 1) : i]) for i, at in enumerate(chain)]
    found = ordered(reversed(changes), {})
    assert [one.address for one in found] == chain
