"""Plans as files: saved so that no half of one is ever left, read with all that can be wrong."""

from __future__ import annotations

from pathlib import Path

from hrctl.diagnostics import HrctlError
from hrctl.files import atomic
from hrctl.model import plancheck, planfile
from hrctl.model.plan import Plan


def save(plan: Plan, path: Path) -> None:
    """Write a plan, readable by its owner alone.

    Raises:
        HrctlError: HR151, where the file cannot be written.
    """
    data = planfile.to_json(plan).encode("utf-8")
    try:
        atomic.write(path, data, mode=0o600)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HrctlError.of("HR151", f"plan file {path} cannot be written: {why}") from error


def read(path: Path) -> Plan:
    """Read a saved plan.

    Raises:
        HrctlError: HR152 where there is no such file or it cannot be read; what
            `planfile.from_json` says of what is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HrctlError.of(
            "HR152",
            f"plan file {path} cannot be read: {why}",
            hint=f"`hrctl plan --out {path}` makes one",
        ) from error
    plan = planfile.from_json(data)
    fault = plancheck.disorder(plan)
    if fault is not None:
        raise HrctlError.of(
            "HR124",
            f"the plan file was altered and sealed anew: it {fault}",
            hint="make the plan again",
        )
    return plan
