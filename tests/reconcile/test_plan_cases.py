"""Every folder of tests/plans is a case: what is desired, applied and live, and the plan of it.

    desired.yaml   address -> spec, labels, driver, dependsOn, lifecycle, movedFrom, sensitive
    applied.yaml   the same of the ledger's entries, with version, outputs, digest
    live.yaml      the same of what is live, with version and owner
    options.yaml   fields of PlanOptions; `drivers` (instance -> capabilities); `notes` of removals
    plan.json      the plan
    plan.txt       the plan as a person sees it, 80 columns

HRCTL_UPDATE=1 writes plan.json and plan.txt anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hrctl.cli.render.text import plan_lines
from hrctl.drivers.api import Ownership
from hrctl.model.address import Address, Selector
from hrctl.model.planfile import from_json, to_json
from hrctl.model.planschema import plan_schema
from hrctl.reconcile.options import PlanOptions, SafetyLimits

if TYPE_CHECKING:
    from tests.reconcile.conftest import MemoryDriver, World

CASES = Path(__file__).parents[1] / "plans"
UPDATE = os.environ.get("HRCTL_UPDATE") == "1"


def read(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text("utf-8")) if path.exists() else None) or {}


def options_of(given: dict[str, Any]) -> PlanOptions:
    fields = {key: value for key, value in given.items() if key not in {"drivers", "notes"}}
    for name in ("targets", "excludes"):
        fields[name] = tuple(map(Selector, fields.get(name, ())))
    for name in ("adopt", "overwrite"):
        if isinstance(fields.get(name), list):
            fields[name] = tuple(map(Selector, fields[name]))
    fields["force"] = frozenset(map(Address, fields.get("force", ())))
    fields["limits"] = SafetyLimits(**fields.get("limits", {}))
    return PlanOptions(**fields)


@pytest.mark.parametrize("case", sorted(one.name for one in CASES.iterdir() if one.is_dir()))
def test_case(case: str, world: World, memory_driver: type[MemoryDriver], helpers: Any) -> None:
    folder = CASES / case
    given = read(folder / "options.yaml")
    for name, able in given.get("drivers", {}).items():
        if "ownership" in able:
            able["ownership"] = Ownership(able["ownership"])
        for field in {"immutable", "records_only"} & able.keys():
            able[field] = frozenset(able[field])
        world.drivers[name] = memory_driver(able)
    world.declare(read(folder / "desired.yaml"))
    world.put(read(folder / "live.yaml"))
    applied = read(folder / "applied.yaml")
    world.record([helpers.entry_of(address, item) for address, item in applied.items()])
    notes = given.get("notes", {})

    plan = helpers.renumbered(world.plan(options_of(given), removed_note=notes.get))

    text = to_json(plan)
    lines = "\n".join(plan_lines(plan, width=80)) + "\n"
    if UPDATE:
        (folder / "plan.json").write_text(text, "utf-8")
        (folder / "plan.txt").write_text(lines, "utf-8")
    assert json.loads(text) == json.loads((folder / "plan.json").read_text("utf-8"))
    assert from_json(text) == plan
    Draft202012Validator(plan_schema()).validate(json.loads(text))
    assert "in-the-clear" not in text
    if (folder / "plan.txt").exists():
        assert lines == (folder / "plan.txt").read_text("utf-8")


def test_there_is_a_case_for_each_row_of_the_table() -> None:
    reasons = set()
    actions = set()
    for folder in CASES.iterdir():
        for change in json.loads((folder / "plan.json").read_text("utf-8"))["changes"]:
            reasons.add(change["reason"])
            actions.add(tuple(change["actions"]))
    assert reasons == {
        "new",
        "edited",
        "drifted",
        "conflict",
        "lost",
        "undeclared",
        "moved",
        "immutable",
        "referenced",
    }
    assert {one for pair in actions for one in pair} == {
        "no-op",
        "create",
        "update",
        "delete",
        "adopt",
        "forget",
    }
