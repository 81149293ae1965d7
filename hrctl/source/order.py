"""The canonical order of the keys of a manifest: as docs/kinds tell them, `type` first.

Keys that no table knows keep their order, behind those that one does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hrctl.model.values import Json

_TOP: Final = ["apiVersion", "kind", "metadata", "spec", "dependsOn", "lifecycle"]
_METADATA: Final = ["name", "labels", "annotations", "movedFrom", "instances", "patch"]
_LIFECYCLE: Final = ["protect", "ignore", "createFirst", "deletion"]
_SPEC: Final = {
    kind: tuple(fields.split())
    for kind, fields in {
        "Project": "root ledger drivers safety blastRadius secrets parallelism",
        "Registry": "level description owner defaults drivers deletion sync discovery policies",
        "Service": "type state version install command workingDirectory env replicas ports"
        " healthCheck restart resources logs stopTimeout",
        "Engine": "type capacity scaling resources gpu queue",
        "Component": "type provider enabled connection capacity replication healthCheck redis"
        " postgresql mongodb kafka s3 minio nginx haproxy envoy",
        "FeatureFlag": "type status variants default hash rollout targeting owner expires"
        " staleAfter",
        "Node": "type address region zone weight capacity labels state healthCheck drainTimeout",
        "Config": "scope entries",
        "Route": "type listen hosts match destinations loadBalancer circuitBreaker retry timeout"
        " trafficSplit healthCheck tracing",
        "Plugin": "source hash enabled dependsOn config",
    }.items()
}


def known_keys(pointer: str, kind: Json) -> tuple[str, ...]:
    """The keys that have a place in the map at a pointer of a manifest of this kind, in order."""
    if pointer == "":
        return tuple(_TOP)
    if pointer == "/metadata":
        return tuple(_METADATA)
    if pointer == "/lifecycle":
        return tuple(_LIFECYCLE)
    if pointer == "/spec" and isinstance(kind, str):
        return _SPEC.get(kind, ("type",))
    return ()


def ordered(keys: Iterable[str], pointer: str, kind: Json) -> list[str]:
    """The keys of the map at a pointer, in canonical order."""
    rank = {key: at for at, key in enumerate(known_keys(pointer, kind))}
    return sorted(keys, key=lambda key: rank.get(key, len(rank)))


def place_of(key: str, siblings: list[str], pointer: str, kind: Json) -> int:
    """Before which of its siblings (an index, or their number) a new key goes."""
    known = known_keys(pointer, kind)
    if key not in known:
        return len(siblings)
    before = set(known[: known.index(key)])
    return max((at + 1 for at, one in enumerate(siblings) if one in before), default=0)
