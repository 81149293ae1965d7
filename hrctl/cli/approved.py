"""`apply --approved`: what was approved, and whether that is what would be applied now."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError, Related, SafetyError
from hrctl.model import approval, planfile
from hrctl.model.plan import Change, Plan
from hrctl.model.values import references

_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_TRIED: Final = 200  # changes that are left out, one by one, to see whether that is it
_NAMED: Final = 10  # changes that a diagnostic names
_SHORT: Final = 19  # characters of a digest in a message
_KEYS: Final = (
    "a secret that was only encrypted anew counts as changed where no key opens it: make both plans"
    " with the key, or both without"
)


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved: a digest, and that of each change, where they are known."""

    digest: str
    changes: Mapping[str, str] | None = None


def read(text: str) -> Approved:
    """What `--approved` names: a digest, or a file with one.

    The file is what `hrctl plan --digest` prints, as text or JSON, or a saved plan.

    Raises:
        HrctlError: HR145 for neither; HR152 where the file cannot be read; what a saved plan may
            have against it.
    """
    if (found := _DIGEST.fullmatch(text.strip())) is not None:
        return Approved(approval.PREFIX + found.group(1))
    if not text.strip():  # an empty variable of a script must not mean that anything is approved
        raise HrctlError.of(
            "HR145",
            "--approved is empty, so nothing is approved",
            hint="what was to print the digest has failed; `hrctl plan --digest` prints one",
        )
    path = Path(text)
    if not path.exists():
        raise HrctlError.of(
            "HR145",
            f"'{text}' is neither a digest nor a file",
            hint="`hrctl plan --digest` prints one, sha256: and 64 digits",
        )
    try:
        content = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HrctlError.of("HR152", f"{path} cannot be read: {why}") from error
    return _of_content(content, path)


def _of_content(content: str, path: Path) -> Approved:
    if (found := _DIGEST.fullmatch(content)) is not None:
        return Approved(approval.PREFIX + found.group(1))
    value = _object(content)
    if "format_version" in value:
        plan = planfile.from_json(content)
        return Approved(approval.plan_digest(plan), _digests(plan))
    changes, settings = value.get("changes"), value.get("settings", {})
    if isinstance(changes, dict) and isinstance(settings, dict):
        named = {**changes, **{_setting(path): one for path, one in settings.items()}}
        if approval.combined(named.values()) == value.get("approval"):
            return Approved(value["approval"], named)
    raise HrctlError.of(
        "HR145",
        f"{path} holds no digest",
        hint="`hrctl plan --digest` prints one, sha256: and 64 digits",
    )


def _object(content: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def check(plan: Plan, approved: Approved) -> None:
    """Compare the plan made now with what was approved.

    Raises:
        SafetyError: HR284, with what differs as far as it can be known.
    """
    now = approval.plan_digest(plan)
    if now == approved.digest:
        return
    if approved.changes is None:
        differs = _guessed(plan, approved.digest)
    else:
        differs = _compared(plan, approved.changes)
    told = [Related(text) for text in differs[:_NAMED]]
    if len(differs) > _NAMED:
        told.append(Related(f"and {len(differs) - _NAMED} more"))
    raise SafetyError(
        Diagnostic(
            "HR284",
            f"what would be applied is not what was approved: {now[:_SHORT]}... is not"
            f" {approved.digest[:_SHORT]}...",
            related=tuple(told),
            hint="review the plan made now, and approve that",
            note=_KEYS if any(map(_has_ciphertext, plan.pending)) else None,
        )
    )


def _has_ciphertext(change: Change) -> bool:
    """Whether an update holds one that may have been encrypted anew."""
    found = references(change.after) if change.fields else ()
    return any("age" in source for _, source in found)


def _digests(plan: Plan) -> dict[str, str]:
    """Return the digest of each change by its address, and of each setting by its name."""
    changes = {str(one.address): approval.change_digest(one) for one in plan.pending}
    settings = {_setting(one.path): approval.setting_digest(one) for one in plan.settings}
    return {**changes, **settings}


def _setting(path: str) -> str:
    return f"setting {path}"


def _compared(plan: Plan, approved: Mapping[str, str]) -> list[str]:
    """Each change that is in one of the two alone, or another in both."""
    now = _digests(plan)
    names = _names(plan)
    lines = []
    for address in sorted(now.keys() | approved.keys()):
        if address not in approved:
            lines.append(f"not approved: {names[address]}")
        elif address not in now:
            lines.append(f"approved, but no longer to be done: {address}")
        elif now[address] != approved[address]:
            lines.append(f"approved otherwise: {names[address]}")
    return lines


def _guessed(plan: Plan, approved: str) -> list[str]:
    """A digest alone says nothing of its parts; but drift can be told by leaving it out."""
    digests, names = _digests(plan), _names(plan)
    drift = {str(one.address) for one in plan.pending if one.drifted}
    alone = [{name} for name in list(names)[:_TRIED]]
    for more in [drift, *alone]:
        rest = (digest for address, digest in digests.items() if address not in more)
        if more and approval.combined(rest) == approved:
            why = "drift since then" if more == drift else "not approved"
            return [f"{why}: {name}" for key, name in names.items() if key in more]
    return [f"now: {name}" for name in names.values()]


def _names(plan: Plan) -> dict[str, str]:
    """Return what a message calls each change and each setting of a plan, by its key."""
    changes = {str(one.address): f"{one.action.value} {one.address}" for one in plan.pending}
    return {**changes, **{_setting(one.path): f"setting {one.name}" for one in plan.settings}}
