"""A plan as JSON: what `-o json` prints and what `--out` saves. docs/plan-format.md describes it.

One format for both. It has a version, and a digest over all of its content, so that a file which
was cut short or altered is never applied. Reading back what was written gives an equal plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError, Related, Severity, Span
from hrctl.model import approval, danger
from hrctl.model.address import Address
from hrctl.model.plan import (
    ABSENT,
    Action,
    Base,
    Change,
    FieldChange,
    Lifecycle,
    Plan,
    Reason,
    SettingChange,
)
from hrctl.model.radius import BlastRadius, Grade, Measured
from hrctl.model.values import Json, digest

FORMAT_VERSION: Final = "1.2"
_SIDES: Final = ("desired", "applied", "live")
_LISTS: Final = ("changes", "kept", "drift", "settings", "diagnostics")

Object = dict[str, Json]


def to_json(plan: Plan) -> str:
    """The plan as JSON text with a line for each change, ending in a line feed."""
    lines = []
    for key, value in to_object(plan).items():
        if key in _LISTS and value:
            text = "[\n    " + ",\n    ".join(map(_compact, value)) + "\n  ]"
        else:
            text = _compact(value)
        lines.append(f"  {_compact(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def to_object(plan: Plan) -> Object:
    """The plan as a JSON object."""
    content: Object = {
        "format_version": FORMAT_VERSION,
        "id": plan.id,
        "created": plan.created,
        "commit": plan.commit,
        "dirty": plan.dirty,
        "tree_digest": plan.tree_digest,
        "serial": plan.serial,
        "drivers": dict(plan.drivers),
        "destroy": plan.destroy,
        "complete": plan.complete,
        "resources": plan.resources,
        "options": dict(plan.options),
        "summary": summary(plan),
        "blast_radius": radius_object(plan.radius),
        "approval": approval.plan_digest(plan),
        "changes": [change_object(change) for change in plan.changes],
        "drift": [
            _drift_object(change, kept=kept)
            for kept, changes in ((False, plan.changes), (True, plan.kept))
            for change in changes
            if kept or has_drift(change)
        ],
        "kept": [change_object(change) for change in plan.kept],
        "base": _base_object(plan.base),
        "settings": [_setting_object(one) for one in plan.settings],
        "diagnostics": [diagnostic_object(one) for one in plan.diagnostics],
    }
    content["digest"] = digest(content)
    return content


def from_json(text: str | bytes) -> Plan:
    """Read a saved plan.

    Raises:
        HrctlError: HR123, where another version of hrctl wrote it; HR124, where it is cut short
            or was altered, also where the digest was made anew.
    """
    from hrctl.model import plancheck

    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged("is no JSON: it may be cut short") from error
    if not isinstance(content, dict) or "format_version" not in content:
        raise _damaged("is no plan of hrctl")
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise HrctlError.of(
            "HR123",
            f"the plan file has format version {version}, this hrctl reads {FORMAT_VERSION}",
            hint="make the plan with the same hrctl that applies it",
        )
    found = content.pop("digest", None)
    try:
        sealed = found == digest(content)
    except (ValueError, RecursionError) as error:
        raise _damaged("holds a value that hrctl does not write") from error
    if not sealed:
        raise _damaged("was altered after it was saved")
    place = plancheck.misfit(content)
    if place is not None:
        raise _damaged(f"was altered and sealed anew: {place} is not of the format")
    plan = _plan(content)
    fault = plancheck.contradiction(plan, content)
    if fault is not None:
        raise _damaged(f"was altered and sealed anew: it {fault}")
    return plan


def summary(plan: Plan) -> dict[str, int]:
    """The numbers of the last line of a plan.

    A replace counts as one to add and one to destroy; a move counts as moved and as nothing else,
    and so does what only brings back a live system: it counts as drifted.
    """
    counts = dict.fromkeys(
        ("add", "change", "destroy", "replace", "adopt", "forget", "moved", "drifted"), 0
    )
    for change in plan.changes:
        if change.drifted and change.action is not Action.NOOP:
            counts["drifted"] += 1
        elif change.reason is Reason.MOVED:
            counts["moved"] += change.action is not Action.DELETE
        else:
            for name in _COUNTED[change.action]:
                counts[name] += 1
    counts["drifted"] += len(plan.kept)
    return counts


_COUNTED: Final[Mapping[Action, tuple[str, ...]]] = {
    Action.NOOP: (),
    Action.CREATE: ("add",),
    Action.UPDATE: ("change",),
    Action.REPLACE: ("add", "destroy", "replace"),
    Action.DELETE: ("destroy",),
    Action.ADOPT: ("adopt",),
    Action.FORGET: ("forget",),
}


def actions(change: Change) -> list[str]:
    """What is done, step by step: a replace is two of them, in the order in which they happen."""
    if change.action is not Action.REPLACE:
        return [change.action.value]
    steps = ["delete", "create"]
    return steps[::-1] if change.lifecycle.create_first else steps


def has_drift(change: Change) -> bool:
    """Whether something in it undoes what was changed in a live system."""
    if change.action is Action.NOOP:
        return False
    return change.drifted or any(one.reason is Reason.DRIFTED for one in change.fields)


# -- values to JSON ------------------------------------------------------------------------------


def change_object(change: Change) -> Object:
    """One change as a JSON object."""
    life = change.lifecycle
    return {
        "address": change.address,
        "previous_address": change.previous_address,
        "actions": actions(change),
        "reason": change.reason.value,
        "note": change.note,
        "driver": change.driver,
        "previous_driver": change.previous_driver,
        "before": change.before,
        "after": change.after,
        "after_unknown": list(change.unknown),
        "sensitive": list(change.sensitive),
        "fields": [_field_object(one) for one in change.fields],
        "applied": change.applied,
        "recorded": change.recorded,
        "expect_version": change.expect_version,
        "waits_for": list(change.waits_for),
        "depends_on": list(change.depends_on),
        "digest": change.digest,
        "lifecycle": {
            "protect": life.protect,
            "ignore": list(life.ignore),
            "create_first": life.create_first,
            "deletion": life.deletion,
        },
        "protected": change.protected,
        "record_keepers": list(change.record_keepers),
        "settings": change.settings,
        "files": change.files,
        "span": _span_object(change.span),
        "dangers": [
            {"danger": one.danger.value, "text": one.text} for one in danger.dangers(change)
        ],
        "approval": approval.change_digest(change),
    }


def _base_object(base: Base | None) -> Object | None:
    if base is None:
        return None
    return {
        "revision": base.revision,
        "commit": base.commit,
        "fork": base.fork,
        "merged": base.merged,
        "declared": base.declared,
        "pending": [change_object(change) for change in base.pending],
        "drift": [change_object(change) for change in base.drift],
    }


def _setting_object(setting: SettingChange) -> Object:
    sides = {"before": setting.before, "after": setting.after}
    return {
        "path": setting.path,
        **{name: value for name, value in sides.items() if value is not ABSENT},
        "span": _span_object(setting.span),
        "approval": approval.setting_digest(setting),
    }


def radius_object(radius: BlastRadius) -> Object:
    """The blast radius as a JSON object; `reasons` are texts, the weightiest first."""
    return {
        "grade": radius.grade.value,
        "reasons": [one.text for one in radius.reasons],
        "measured": [
            {"measure": one.measure, "count": one.count, "grade": one.grade.value}
            for one in radius.measured
        ],
    }


def diagnostic_object(one: Diagnostic) -> Object:
    """One diagnostic as a JSON object."""
    return {
        "code": one.code,
        "severity": one.severity.value,
        "summary": one.summary,
        "span": _span_object(one.span),
        "address": one.address,
        "hint": one.hint,
        "note": one.note,
        "related": [
            {"message": other.message, "span": _span_object(other.span)} for other in one.related
        ],
    }


def _field_object(one: FieldChange) -> Object:
    sides = {name: getattr(one, name) for name in _SIDES}
    return {
        "path": one.path,
        **{name: value for name, value in sides.items() if value is not ABSENT},
        "reason": one.reason.value,
        "sensitive": one.sensitive,
        "unknown": one.unknown,
        "origin": _span_object(one.origin),
    }


def _drift_object(change: Change, *, kept: bool) -> Object:
    fields = [_field_object(one) for one in change.fields if one.reason is Reason.DRIFTED]
    return {
        "address": change.address,
        "driver": change.driver,
        "lost": change.reason is Reason.LOST,
        "kept": kept,
        "fields": fields,
    }


def _span_object(span: Span | None) -> Object | None:
    if span is None:
        return None
    return {"path": span.path, "line": span.line, "column": span.column, "length": span.length}


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


# -- and back ------------------------------------------------------------------------------------


def _plan(content: Object) -> Plan:
    return Plan(
        id=content["id"],
        created=content["created"],
        commit=content["commit"],
        dirty=content["dirty"],
        tree_digest=content["tree_digest"],
        serial=content["serial"],
        drivers=content["drivers"],
        changes=tuple(map(_change, content["changes"])),
        destroy=content["destroy"],
        complete=content["complete"],
        diagnostics=tuple(map(_diagnostic, content["diagnostics"])),
        resources=content["resources"],
        options=content["options"],
        kept=tuple(map(_change, content["kept"])),
        radius=_radius(content["blast_radius"]),
        base=_base(content["base"]),
        settings=tuple(map(_setting, content["settings"])),
    )


def _change(item: Object) -> Change:
    life = item["lifecycle"]
    steps = item["actions"]
    return Change(
        address=Address(item["address"]),
        action=Action(steps[0]) if len(steps) == 1 else Action.REPLACE,
        reason=Reason(item["reason"]),
        driver=item["driver"],
        before=item["before"],
        after=item["after"],
        applied=item["applied"],
        fields=tuple(map(_field, item["fields"])),
        expect_version=item["expect_version"],
        waits_for=_addresses(item["waits_for"]),
        depends_on=_addresses(item["depends_on"]),
        digest=item["digest"],
        lifecycle=Lifecycle(
            life["protect"], tuple(life["ignore"]), life["create_first"], life["deletion"]
        ),
        previous_address=_address(item["previous_address"]),
        span=_span(item["span"]),
        note=item["note"],
        sensitive=tuple(item["sensitive"]),
        unknown=tuple(item["after_unknown"]),
        recorded=item["recorded"],
        previous_driver=item["previous_driver"],
        protected=item["protected"],
        record_keepers=tuple(item["record_keepers"]),
        settings=item["settings"],
        files=item["files"],
    )


def _base(item: Object | None) -> Base | None:
    if item is None:
        return None
    parts = {name: tuple(map(_change, item[name])) for name in ("pending", "drift")}
    return Base(**{**item, **parts})


def _setting(item: Object) -> SettingChange:
    before, after = (item.get(name, ABSENT) for name in ("before", "after"))
    return SettingChange(item["path"], before, after, _span(item["span"]))


def _radius(item: Object) -> BlastRadius:
    return BlastRadius(
        Grade(item["grade"]),
        tuple(
            Measured(one["measure"], one["count"], Grade(one["grade"])) for one in item["measured"]
        ),
    )


def _field(item: Object) -> FieldChange:
    desired, applied, live = (item.get(name, ABSENT) for name in _SIDES)
    return FieldChange(
        item["path"],
        desired,
        applied,
        live,
        Reason(item["reason"]),
        item["sensitive"],
        item["unknown"],
        _span(item["origin"]),
    )


def _diagnostic(item: Object) -> Diagnostic:
    return Diagnostic(
        item["code"],
        item["summary"],
        _span(item["span"]),
        Severity(item["severity"]),
        item["address"],
        tuple(Related(one["message"], _span(one["span"])) for one in item["related"]),
        item["hint"],
        item["note"],
    )


def _span(item: Mapping[str, Any] | None) -> Span | None:
    return None if item is None else Span(**item)


def _address(text: str | None) -> Address | None:
    return None if text is None else Address(text)


def _addresses(items: Iterable[str]) -> tuple[Address, ...]:
    return tuple(map(Address, items))


def _damaged(what: str) -> HrctlError:
    return HrctlError.of("HR124", f"the plan file {what}", hint="make the plan again")
