"""Whose the changes of a plan are: the branch's, the base's, or nobody's (drift)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrctl.model.address import Address
from hrctl.reconcile.branch import Parts, divide

if TYPE_CHECKING:
    from tests.reconcile.conftest import World

Items = dict[str, dict[str, Any]]
A, B = "acme:Config/a", "acme:Config/b"


def spec(**values: Any) -> dict[str, Any]:
    return {"spec": values}


@dataclass
class Case:
    """A world in which `applied` is live too, but for `drift`."""

    world: World
    helpers: Any
    applied: Items = field(default_factory=dict)
    drift: Items = field(default_factory=dict)

    def parts(self, base: Items, branch: Items, **more: Any) -> Parts:
        entry_of = self.helpers.entry_of
        self.world.record([entry_of(address, item) for address, item in self.applied.items()])
        self.world.put({**self.applied, **self.drift})
        self.world.declare(base)
        before = self.world.desired
        self.world.declare(branch)
        plan = self.world.plan()
        return divide(plan.pending, self.world.desired, before, **more)

    def told(self, base: Items, branch: Items, **more: Any) -> dict[str, list[str]]:
        parts = self.parts(base, branch, **more)
        return {
            name: [
                f"{one.action.value} {one.address.name}"
                + "".join(f" {each.path.removeprefix('/spec/')}" for each in one.fields)
                for one in getattr(parts, name)
            ]
            for name in ("ours", "pending", "drift")
            if getattr(parts, name)
        }


@pytest.fixture
def case(world: World, helpers: Any) -> Case:
    return Case(world, helpers)


def test_nothing_of_the_branch(case: Case) -> None:
    case.applied = {A: spec(x=1)}
    assert case.told({A: spec(x=1)}, {A: spec(x=1)}) == {}


def test_creates_and_deletes(case: Case) -> None:
    case.applied = {A: spec(x=1), B: spec(x=1)}
    base = {A: spec(x=1), "acme:Config/theirs": spec()}
    branch = {"acme:Config/theirs": spec(), "acme:Config/mine": spec()}
    assert case.told(base, branch) == {
        "ours": ["delete a", "create mine"],
        "pending": ["delete b", "create theirs"],
    }


def test_an_edit_of_the_branch_one_of_the_base_and_drift(case: Case) -> None:
    case.applied = {A: spec(x=1), B: spec(x=1), "acme:Config/c": spec(x=1)}
    case.drift = {"acme:Config/c": {**spec(x=9), "version": "2"}}
    base = {**case.applied, B: spec(x=2)}
    assert case.told(base, {**base, A: spec(x=3)}) == {
        "ours": ["update a x"],
        "pending": ["update b x"],
        "drift": ["update c x"],
    }


def test_one_resource_is_divided_by_its_fields(case: Case) -> None:
    case.applied = {A: spec(mine=1, theirs=1, drifted=1, still=1)}
    case.drift = {A: spec(mine=1, theirs=1, drifted=9, still=1)}
    base = {A: spec(mine=1, theirs=2, drifted=1, still=1)}
    assert case.told(base, {A: spec(mine=2, theirs=2, drifted=1, still=1)}) == {
        "ours": ["update a mine"],
        "pending": ["update a theirs"],
        "drift": ["update a drifted"],
    }


def test_what_both_changed_in_one_field_is_the_branchs(case: Case) -> None:
    case.applied = {A: spec(x=1)}
    assert case.told({A: spec(x=2)}, {A: spec(x=3)}) == {"ours": ["update a x"]}


def test_fields_of_lists_are_found_by_the_names_of_their_elements(case: Case) -> None:
    def ports(**numbers: int) -> dict[str, Any]:
        return spec(ports=[{"name": name, "port": port} for name, port in numbers.items()])

    case.applied = {A: ports(web=1, admin=2)}
    base = {A: ports(web=1, admin=3)}
    assert case.told(base, {A: ports(new=9, web=1, admin=3)}) == {
        "ours": ["update a ports/0"],
        "pending": ["update a ports/2/port"],
    }


def test_a_create_that_the_base_makes_otherwise_says_so(case: Case) -> None:
    parts = case.parts({A: spec(x=1)}, {A: spec(x=2)})
    (one,) = parts.ours
    assert one.note == "the base declares it too, and it is not applied yet"


def test_what_is_lost_and_edited_is_no_drift(case: Case) -> None:
    case.applied = {A: spec(x=1)}
    case.world.local.things.clear()
    case.world.record([case.helpers.entry_of(A, spec(x=1))])
    case.applied = {}
    parts = case.parts({A: spec(x=1)}, {A: spec(x=2)})
    assert [(one.reason.value, one.note) for one in parts.ours] == [
        ("edited", "it is gone from the live system")
    ]
    lost = case.parts({A: spec(x=1)}, {A: spec(x=1)})
    assert [one.reason.value for one in lost.drift] == ["lost"]


@pytest.mark.parametrize(
    ("mine", "theirs", "ours", "pending"),
    [
        ("fixed", "other", "replace", "update"),
        ("other", "fixed", "update", "replace"),
        ("fixed", "fixed2", "replace", "replace"),
    ],
)
def test_the_part_replaces_that_makes_it_a_replace(  # noqa: PLR0913, PLR0917  # a table
    mine: str,
    theirs: str,
    ours: str,
    pending: str,
    case: Case,
    memory_driver: Any,
) -> None:
    fixed = frozenset({"/spec/fixed", "/spec/fixed2"})
    case.world.drivers["local"] = memory_driver({"immutable": fixed})
    case.applied = {A: spec(fixed=1, fixed2=1, other=1)}
    base = {A: spec(**{"fixed": 1, "fixed2": 1, "other": 1, theirs: 2})}
    branch = {A: spec(**{**base[A]["spec"], mine: 2})}
    assert case.told(base, branch, immutable=lambda _: fixed) == {
        "ours": [f"{ours} a {mine}"],
        "pending": [f"{pending} a {theirs}"],
    }


def test_what_refers_to_a_change_of_the_branch_goes_with_it(case: Case) -> None:
    socket = {"valueFrom": {"component": "acme:Component/db", "output": "socket"}}
    api: Items = {"acme:Service/api": {**spec(type="API", env={"DB": socket}), "digest": "same"}}
    old: Items = {"acme:Component/db": spec(type="DATABASE", provider="postgresql")}
    new: Items = {"acme:Component/db": spec(type="CACHE", provider="redis")}
    case.applied = {
        "acme:Service/api": {**spec(type="API", env={"DB": "/run/db"}), "digest": "same"},
        "acme:Component/db": {**old["acme:Component/db"], "outputs": {"socket": "/run/db"}},
    }
    assert case.told({**old, **api}, {**new, **api}) == {
        "ours": ["replace db type provider", "update api env/DB"]
    }
    assert case.told({**new, **api}, {**new, **api}) == {
        "pending": ["replace db type provider", "update api env/DB"]
    }


def test_what_refers_goes_with_it_although_its_digest_is_another(case: Case) -> None:
    """In a real tree the digest of a resource holds those of what it refers to."""
    socket = {"valueFrom": {"component": "acme:Component/db", "output": "socket"}}
    api = spec(type="API", env={"DB": socket, "LEVEL": "info"})
    old: Items = {"acme:Component/db": spec(type="DATABASE", provider="postgresql")}
    new: Items = {"acme:Component/db": spec(type="CACHE", provider="redis")}
    case.applied = {
        "acme:Service/api": {**spec(type="API", env={"DB": "/a", "LEVEL": "info"}), "digest": "a"},
        "acme:Component/db": {**old["acme:Component/db"], "outputs": {"socket": "/a"}},
    }
    before = {**old, "acme:Service/api": {**api, "digest": "a"}}
    assert case.told(before, {**new, "acme:Service/api": {**api, "digest": "b"}}) == {
        "ours": ["replace db type provider", "update api env/DB"]
    }
    edited = spec(type="API", env={"DB": socket, "LEVEL": "debug"})
    assert case.told(before, {**new, "acme:Service/api": {**edited, "digest": "c"}}) == {
        "ours": ["replace db type provider", "update api env/DB env/LEVEL"]
    }


def test_a_move_that_the_base_made_is_pending(case: Case) -> None:
    case.applied = {A: spec(x=1)}
    base = {B: {**spec(x=1), "movedFrom": A}}
    assert case.told(base, base) == {"pending": ["create b", "delete a"]}
    assert set(case.told({A: spec(x=1)}, base)) == {"ours"}


def test_another_driver_is_the_branchs(case: Case, memory_driver: Any) -> None:
    case.world.drivers["other"] = memory_driver({})
    case.applied = {A: spec(x=1)}
    assert case.told({A: spec(x=1)}, {A: {**spec(x=1), "driver": "other"}}) == {
        "ours": ["replace a"]
    }


def test_the_order_stays(case: Case) -> None:
    names = [f"acme:Config/n{number}" for number in range(6)]
    branch = {name: {"dependsOn": names[:number]} for number, name in enumerate(names)}
    parts = case.parts({}, branch)
    assert [one.address for one in parts.ours] == [Address(name) for name in names]


VALUES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(VALUES, VALUES, VALUES, VALUES)
def test_every_field_is_somebodys_and_nobody_has_one_twice(
    case: Case, was: dict[str, int], live: dict[str, int], base: dict[str, int], new: dict[str, int]
) -> None:
    world = case.world
    entry = case.helpers.entry_of(A, spec(**was))
    world.record([entry])
    world.put({A: {**spec(**live), "version": "other"}})
    world.declare({A: spec(**base)})
    before = world.desired
    world.declare({A: spec(**new)})
    changes = world.plan().pending
    parts = divide(changes, world.desired, before)
    divided = [*parts.ours, *parts.pending, *parts.drift]
    assert {one.address for one in divided} == {one.address for one in changes}
    assert sorted(field.path for one in divided for field in one.fields) == sorted(
        field.path for one in changes for field in one.fields
    )
    mine = {field.path.removeprefix("/spec/") for one in parts.ours for field in one.fields}
    assert all(base.get(key) != new.get(key) for key in mine), "what both declare is not its own"
    rest = {field.path.removeprefix("/spec/") for one in changes for field in one.fields} - mine
    assert all(base.get(key) == new.get(key) for key in rest)
