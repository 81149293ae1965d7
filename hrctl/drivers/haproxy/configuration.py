"""The whole configuration for a set of resources: one file, and the table of splits beside it.

    haproxy.cfg   frontends and backends; embedded: also `global`
    splits.map    key of a way -> cuts (see `frontends`), which the runtime socket can change

Weights and servers, and the cuts, are `State`: what can change without a reload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from hrctl.drivers.haproxy.backends import RESOLVERS, Backend, any_named, backends, defaults
from hrctl.drivers.haproxy.frontends import Spec, frontend
from hrctl.drivers.haproxy.text import quoted
from hrctl.drivers.mesh.names import DEFAULT_LISTEN
from hrctl.logic.grid.selection import Nodes
from hrctl.model.address import Address
from hrctl.model.values import Body, Json

HEAD: Final = "# Written by hrctl, with each apply anew: what is changed here by hand is drift."

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Settings:
    """What beside the resources goes into the files.

    `config` is the file; `table` is what HAProxy calls that of the splits, beside it; `socket` is
    the runtime socket of the embedded one.
    """

    config: Path
    table: str
    listen: str = DEFAULT_LISTEN
    socket: str | None = None

    @property
    def names(self) -> tuple[str, str]:
        """Both files, beside each other."""
        return self.config.name, Path(self.table).name


@dataclass(frozen=True)
class Configuration:
    """All that HAProxy is told."""

    settings: Settings
    frontends: tuple[tuple[str, ...], ...]
    backends: tuple[Backend, ...]
    cuts: Mapping[str, str]
    listens: Mapping[str, frozenset[Address]]  # where requests come in -> the routes there
    owners: frozenset[Address]  # all that it was made of

    @cached_property
    def text(self) -> str:
        """The file."""
        parts = [[HEAD], *self._global(), defaults()]
        if any_named(self.backends):
            parts.append([f"resolvers {RESOLVERS}", "    parse-resolv-conf"])
        parts += [list(one) for one in self.frontends]
        parts += [one.text() for one in self.backends]
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def _global(self) -> list[list[str]]:
        if self.settings.socket is None:
            return []
        socket = (
            f"stats socket {quoted(self.settings.socket)} mode 600 level admin expose-fd listeners"
        )
        return [["global", f"    {socket}", "    hard-stop-after 30m"]]

    @property
    def map(self) -> str:
        """The table of splits."""
        return "".join(f"{key} {cut}\n" for key, cut in sorted(self.cuts.items()))

    @cached_property
    def files(self) -> Files:
        """Name -> what it holds."""
        config, table = self.settings.names
        return {config: self.text.encode(), table: self.map.encode()}

    @cached_property
    def server_owners(self) -> dict[str, str]:
        """backend/server -> the node that it was made for, of those of a grid."""
        return {
            f"{backend.name}/{one.name}": str(one.node)
            for backend in self.backends
            for one in backend.servers
            if one.node is not None
        }

    @cached_property
    def state(self) -> State:
        """What the running HAProxy is to say of itself."""
        return {
            "servers": {
                f"{backend.name}/{one.name}": [one.address, one.weight, 0]
                for backend in self.backends
                for one in backend.servers
            },
            "cuts": dict(self.cuts),
        }


State = dict[str, dict[str, Json]]  # servers: backend/server -> address, weight, admin state; cuts


def split(bodies: Mapping[Address, Body]) -> tuple[dict[Address, Spec], dict[Address, Spec]]:
    """The specs of the routes, and those of the nodes."""
    found: dict[str, dict[Address, Spec]] = {"Route": {}, "Node": {}}
    for address, body in bodies.items():
        found[address.kind][address] = body["spec"]
    return found["Route"], found["Node"]


def configuration(bodies: Mapping[Address, Body], settings: Settings) -> Configuration:
    """From all bodies to all that HAProxy is told."""
    declared, grid = split(bodies)
    nodes = Nodes(grid)
    by_listen: dict[str, dict[str, Spec]] = {}
    made: list[Backend] = []
    for address, spec in sorted(declared.items()):
        listen = str(spec.get("listen") or settings.listen)
        by_listen.setdefault(listen, {})[address] = spec
        made += backends(address, spec, nodes)
    fronts = [frontend(listen, some, settings.table) for listen, some in sorted(by_listen.items())]
    return Configuration(
        settings,
        tuple(tuple(one.lines) for one in fronts),
        tuple(made),
        {key: cut for one in fronts for key, cut in one.cuts.items()},
        {listen: frozenset(map(Address, some)) for listen, some in by_listen.items()},
        frozenset(bodies),
    )
