"""Routes and Nodes in a real HAProxy, by a configuration and its runtime socket.

`backends` and `frontends` make sections of specs, and `configuration` the whole file. `batch` (a
`mesh.batch`) has it checked by `process.check` and brought in by `swap`: what only changes
weights, servers or splits goes through `runtime`, the rest by a reload. `drift` finds out what was
edited by hand, in the file or at the socket; `verbs` asks the running HAProxy.
"""

from hrctl.drivers.haproxy.driver import HaproxyDriver

__all__ = ["HaproxyDriver"]
