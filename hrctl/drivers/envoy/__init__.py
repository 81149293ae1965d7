"""Routes and Nodes in a real Envoy, by files that it subscribes to.

`clusters`, `routes`, `listeners` and `weights` make Envoy's resources of specs, and `assembly` all
files of them; `snapshot` tells where each lies. `batch` (a `mesh.batch`) has the result checked by
`process.validate` and swapped in by `swap`, which waits until Envoy reports it. A store (of the
embedded registry's kind) keeps the bodies, `drift` finds out what was edited by hand, and `keeping`
leaves it there while other routes change. `verbs` asks the running Envoy.
"""

from hrctl.drivers.envoy.driver import EnvoyDriver

__all__ = ["EnvoyDriver"]
