"""Resources that depend on each other, and drivers that fail at them."""

from __future__ import annotations

from typing import Any

from hrctl.diagnostics import Diagnostic
from hrctl.drivers.api import Outcome, Result
from hrctl.model.address import Address
from hrctl.model.plan import Change
from hrctl.reconcile.options import PlanOptions

APP = Address("acme/shop:Config/app")
WEB = Address("acme/shop:Config/web")
DB = Address("acme/shop:Config/db")
FREE = PlanOptions(allow_deletes=10**6, allow_updates=10**6)


def config(value: Any, **fields: Any) -> dict[str, Any]:
    return {
        "spec": {"scope": "GLOBAL", "entries": {"A": {"type": "INTEGER", "value": value}}},
        **fields,
    }


def chain() -> dict[str, dict[str, Any]]:
    """Web depends on app, app on db."""
    return {
        WEB: config(1, dependsOn=[APP]),
        APP: config(1, dependsOn=[DB]),
        DB: config(1),
        "acme/shop:Config/apart": config(1),
    }


def fails(version: str | None = None) -> Any:
    def fault(change: Change) -> Outcome:
        error = Diagnostic("HR083", f"{change.address} refused")
        return Outcome(change.address, Result.FAILED, version, error=error)

    return fault


def raises(error: Exception) -> Any:
    def fault(_: Change) -> Outcome:
        raise error

    return fault


def results(report: Any) -> dict[str, str]:
    return {one.address.name: one.result for one in report.results}
