"""A plan carried out, with its progress told."""

from __future__ import annotations

import os
from collections.abc import Callable

from hrctl.cli.session import Session
from hrctl.model.plan import Plan
from hrctl.reconcile.events import Event, Report


def run_plan(
    session: Session,
    plan: Plan,
    parallelism: int | None = None,
    watch: Callable[[Event], None] = lambda _: None,
    wait: float = 0.0,
) -> Report:
    """Carry a plan out, telling its progress; Ctrl-C stops it in good order.

    `watch` is called with each event, before it is told. `wait` is how many seconds to wait for the
    lease of another run.
    """
    from hrctl.cli import runs
    from hrctl.cli.interrupt import stoppable
    from hrctl.cli.render.progress import progress
    from hrctl.reconcile import applier
    from hrctl.reconcile.events import RunInfo

    run = RunInfo(runs.new_run(), runs.who(), runs.command(), dict(os.environ))
    instances = {change.driver for change in plan.changes}
    instances |= {one.previous_driver for one in plan.changes if one.previous_driver}
    drivers = session.drivers(instances | plan.drivers.keys())
    with stoppable(session.console) as stop, progress(session.console) as listen:

        def on_event(event: Event) -> None:
            watch(event)
            listen(event)

        try:
            return applier.apply(
                plan,
                session.ledger,
                drivers,
                run=run,
                parallelism=parallelism or session.project.parallelism,
                on_event=on_event,
                stop=stop,
                decrypt=session.decrypt,
                fence=session.fence,
                disconnect=session.disconnect,
                wait=wait,
            )
        except applier.Abandoned:
            session.abandon()
            raise
