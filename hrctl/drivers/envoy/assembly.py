"""From routes and nodes to what Envoy's files hold, made anew only where something changed.

A file is put together from parts that follow from few resources each: the clusters of a route,
the virtual host of some domains, a listener, the weights of a route. Where the files that are there
were made of known bodies by this very code, the parts whose bodies did not change are taken from
them. Either way the result is the same, byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hrctl.drivers.envoy import clusters, listeners, routes, weights
from hrctl.drivers.envoy.names import Resource, owner_of, socket_address
from hrctl.drivers.envoy.snapshot import (
    CDS,
    LDS,
    MOST_FILES,
    RTDS,
    Files,
    Parsed,
    Settings,
    Spec,
    eds,
    listen_of,
    rds,
    response,
)
from hrctl.drivers.mesh.bodies import Bodies
from hrctl.logic.grid.selection import Nodes, select
from hrctl.logic.mesh.order import hosts
from hrctl.model.address import Address

FORMAT: Final = 4  # to be raised where the same bodies make other files: then all are made anew
_FEW: Final = 20  # nodes that changed; beyond, each route with a grid is made anew

Specs = Mapping[Address, Spec]


@dataclass(frozen=True, slots=True)
class Before:
    """Files that are as this code made them, and the bodies that it made them of."""

    parsed: Parsed
    bodies: Bodies


@dataclass(frozen=True, slots=True)
class Made:
    """What the files are to hold: bytes that are there already, and resources."""

    kept: Files = field(default_factory=dict)
    fresh: dict[str, list[Resource]] = field(default_factory=dict)

    def files(self) -> Files:
        """Every file, by its path below the folder."""
        return {**self.kept, **{path: response(held) for path, held in self.fresh.items()}}


class _Side:
    """Routes, and what follows from all of them together."""

    def __init__(self, bodies: Bodies, settings: Settings) -> None:
        self.bodies = bodies
        self.routes = bodies.specs("Route")
        self.by_listen: dict[str, dict[Address, Spec]] = {}
        grids = 0
        for address, spec in self.routes.items():
            self.by_listen.setdefault(listen_of(spec, settings), {})[address] = spec
            grids += sum("grid" in one for one in spec["destinations"])
        self.watched = grids <= MOST_FILES  # a file for each grid's endpoints
        self.apart = len(self.by_listen) <= MOST_FILES  # a file for each listener's routes
        self.traced = settings.traces is not None and is_traced(self.routes.values())


def files(bodies: Mapping[Address, Any], settings: Settings) -> Files:
    """Every file, made from nothing."""
    given = bodies if isinstance(bodies, Bodies) else Bodies.given(bodies)
    return make(given, settings).files()


def make(bodies: Bodies, settings: Settings, before: Before | None = None) -> Made:
    """What the files hold for these bodies.

    Args:
        bodies: of all routes and nodes; with `before`, made of its bodies by `Bodies.but`.
        settings: of the instance.
        before: files to take parts from.
    """
    return _Making(bodies, settings, before).made()


class _Making:
    def __init__(self, bodies: Bodies, settings: Settings, before: Before | None) -> None:
        self._settings = settings
        self._new = _Side(bodies, settings)
        self._before = before
        self._old = None if before is None else _Side(before.bodies, settings)
        self._made = Made()

    def made(self) -> Made:
        """All parts."""
        self._clusters()
        self._listeners()
        if self._settings.apart:
            self._weights()
        return self._made

    def _keep(self, path: str) -> None:
        assert self._before is not None  # noqa: S101 - asked where something is kept alone
        self._made.kept[path] = self._before.parsed.files[path]

    def _differing(self) -> Iterable[tuple[Address, Spec | None, Spec | None]]:
        """Routes that came, went or changed, as they were and as they are."""
        old = {} if self._old is None else self._old.routes
        new = self._new.routes
        for address in sorted(self._new.bodies.changed if self._old else new):
            if address.kind == "Route" and old.get(address) is not new.get(address):
                yield address, old.get(address), new.get(address)

    # -- clusters and their endpoints ------------------------------------------------------------

    def _clusters(self) -> None:
        new, old, before = self._new, self._old, self._before
        kept: dict[Address, list[Resource]] = {}
        if before is not None and old is not None and old.watched == new.watched:
            others = self._reclustered(old)
            if not others and old.traced == new.traced:
                for path in before.parsed.files:
                    if path == CDS or path.startswith("eds/"):
                        self._keep(path)
                return
            for one in before.parsed[CDS]:
                owner = owner_of(one)
                if owner is not None and owner in new.routes and owner not in others:
                    kept.setdefault(Address(owner), []).append(one)
        self._made.fresh[CDS] = list(self._all_clusters(kept))

    def _reclustered(self, old: _Side) -> set[Address]:
        """Routes whose clusters came, went or changed."""
        found = {
            address
            for address, before, after in self._differing()
            if before is None
            or after is None
            or clusters.relevant(before) != clusters.relevant(after)
        }
        moved = [one for one in self._new.bodies.changed if one.kind == "Node"]
        if moved:
            sides = [
                {at: body["spec"] for at in moved if (body := bodies.get(at)) is not None}
                for bodies in (old.bodies, self._new.bodies)
            ]
            for address, spec in self._new.routes.items():
                grids = [one["grid"] for one in spec["destinations"] if "grid" in one]
                if any(len(moved) > _FEW or select(some, grid) for grid in grids for some in sides):
                    found.add(address)
        return found

    def _all_clusters(self, kept: Mapping[Address, list[Resource]]) -> Iterable[Resource]:
        new, source = self._new, self._settings.source
        watched = (lambda name: source(eds(name))) if new.watched else None
        making = [spec for address, spec in new.routes.items() if address not in kept]
        grids = any("grid" in one for spec in making for one in spec["destinations"])
        nodes = Nodes(new.bodies.specs("Node") if grids else {})
        for address, spec in new.routes.items():
            for cluster in kept.get(address, ()):
                if cluster["type"] == "EDS":
                    self._keep(eds(cluster["name"]))
                yield cluster
            if address in kept:
                continue
            for cluster, assignment in clusters.clusters(
                address, clusters.relevant(spec), nodes, watched
            ):
                if cluster["type"] == "EDS":
                    self._made.fresh[eds(cluster["name"])] = [assignment]
                yield cluster
        if new.traced:
            yield _traces(str(self._settings.traces))

    # -- listeners and their routes --------------------------------------------------------------

    def _listeners(self) -> None:
        new, old, before = self._new, self._old, self._before
        reuse = old is not None and old.apart == new.apart
        every: dict[str, frozenset[str]] = dict.fromkeys(new.by_listen, frozenset())
        touched = self._touched() if reuse else every
        made: dict[str, Resource] = {}
        kept = {str(one["name"]): one for one in before.parsed[LDS]} if before and reuse else {}
        for listen, some in sorted(new.by_listen.items()):
            if listen in kept and listen not in touched:
                made[listen] = kept[listen]
                if new.apart and (path := rds(listen)) in self._in_use(listen):
                    self._keep(path)
            elif any(spec["type"] == "TCP" for spec in some.values()):
                made[listen] = listeners.tcp(listen, some)
            else:
                made[listen] = self._http(listen, some, kept.get(listen), touched[listen])
        if reuse and not touched and old is not None and old.by_listen.keys() == made.keys():
            self._keep(LDS)
        else:
            self._made.fresh[LDS] = [made[listen] for listen in sorted(made)]

    def _in_use(self, listen: str) -> Iterable[str]:
        some = self._new.by_listen[listen].values()
        return () if any(spec["type"] == "TCP" for spec in some) else (rds(listen),)

    def _touched(self) -> dict[str, frozenset[str]]:
        """Listeners whose routes came, went or changed -> the host names that these ask for."""
        found: dict[str, set[str]] = {}
        for _, before, after in self._differing():
            sides = [one for one in (before, after) if one is not None]
            if len(sides) > 1 and self._led(sides[0]) == self._led(sides[1]):
                continue
            for one in sides:
                listen = listen_of(one, self._settings)
                found.setdefault(listen, set()).update(hosts(one))
        return {listen: frozenset(names) for listen, names in found.items()}

    def _led(self, spec: Spec) -> Spec:
        """What a listener and its routes are made of."""
        return weights.without(spec) if self._settings.apart and spec["type"] != "TCP" else spec

    def _http(
        self, listen: str, some: Mapping[Address, Spec], was: Resource | None, asked: frozenset[str]
    ) -> Resource:
        name, path = listeners.stat_prefix(listen), rds(listen)
        known = {} if was is None else self._virtual_hosts(was, path)
        way: Resource = routes.configuration(
            name,
            {address: self._led(spec) for address, spec in some.items()},
            apart=self._settings.apart,
            known=lambda names: None if asked.intersection(names) else known.get(tuple(names)),
        )
        if self._new.apart:
            self._made.fresh[path] = [way]
            way = {"route_config_name": name, "config_source": self._settings.source(path)}
            way = {"rds": way}
        else:
            way = {"route_config": {key: item for key, item in way.items() if key != "@type"}}
        traced = self._settings.traces is not None
        return listeners.http(listen, way, list(some.values()), traced=traced)

    def _virtual_hosts(self, was: Resource, path: str) -> dict[tuple[str, ...], Resource]:
        """The virtual hosts of a listener as it was, by their domains."""
        assert self._before is not None  # noqa: S101 - the listener was there
        manager = was["filter_chains"][0]["filters"][0]["typed_config"]
        held = [manager["route_config"]] if "route_config" in manager else self._before.parsed[path]
        return {
            tuple(host["domains"]): host for one in held for host in one.get("virtual_hosts", ())
        }

    # -- weights ---------------------------------------------------------------------------------

    def _weights(self) -> None:
        held: weights.Keys = {}
        if self._before is not None:
            (layer,) = self._before.parsed[RTDS]
            held = dict(layer["layer"])
        before = dict(held)
        for address, old, new in self._differing():
            for key in {} if old is None else weights.keys(address, old):
                held.pop(key, None)
            held |= {} if new is None else weights.keys(address, new)
        if self._before is not None and held == before:
            self._keep(RTDS)
        else:
            self._made.fresh[RTDS] = [weights.layer(held)]


def is_traced(declared: Iterable[Spec]) -> bool:
    """Whether any of these routes leaves traces."""
    return any(spec.get("tracing") for spec in declared)


def _traces(receiver: str) -> Resource:
    pipe = {"pipe": {"path": receiver}}
    address = pipe if receiver.startswith("/") else socket_address(receiver)
    endpoint = {"endpoint": {"address": address}}
    return {
        "@type": clusters.CLUSTER,
        "name": listeners.TRACES,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": listeners.TRACES,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
