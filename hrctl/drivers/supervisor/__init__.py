"""Services as real processes under a real supervisord.

Two modes. `embedded`: hrctl starts a supervisord of its own under `.hrctl/run/<instance>/`, when an
apply or a verb first needs one, and stops it when the last service is gone. `external`: one that
runs already is spoken to over its unix socket; group files go to a folder that it includes.

What happens to a Service on its way down:

    driver      the protocol: scan, read, apply, and the verbs
    batch       one apply: compare versions, write files, reload once
    rollout     one Service: install, stop, remove, add, start, wait until it is healthy
    groupfile   body -> group file with hrctl's marker, and back
    quoting     words and paths as supervisord's configuration has them
    launch      the script that becomes the service's process; the only reader of its secrets
    drift       what someone changed by hand, field by field
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hrctl.drivers.supervisor.driver import SupervisorDriver

__all__ = ["SupervisorDriver"]


def __getattr__(name: str) -> Any:
    if name != "SupervisorDriver":
        raise AttributeError(name)
    from hrctl.drivers.supervisor.driver import SupervisorDriver

    return SupervisorDriver
