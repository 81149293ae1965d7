"""Envoy's files: where each lies, and its form; `assembly` makes what they hold.

    rtds/weights.json                 the weights of splits, see `weights`; embedded alone
    lds/listeners.json                every listener
    cds/clusters.json                 every cluster
    rds/<listener>/routes.json        the route configuration of one HTTP listener
    eds/<cluster>/endpoints.json      the endpoints of one cluster

Each folder is watched by one subscription alone. A file's `version_info` is the digest of what it
holds, so a file with the same version is the same file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from hrctl.drivers.envoy import listeners, routes
from hrctl.drivers.envoy.names import Resource, source
from hrctl.drivers.mesh.names import DEFAULT_LISTEN
from hrctl.model.values import Json

RTDS: Final = "rtds/weights.json"
LDS: Final = "lds/listeners.json"
CDS: Final = "cds/clusters.json"
# Envoy takes an inotify instance for each subscription, of which a user has 128, and dies where
# there are no more. Beyond so many files of a sort all of the sort stand in the list above them.
MOST_FILES: Final = 40
_VERSION: Final = re.compile(rb'\{"version_info":"([0-9a-f]+)",')

Files = dict[str, bytes]
Spec = Mapping[str, Json]


def rds(listen: str) -> str:
    """The file of a listener's routes."""
    return f"rds/{listeners.stat_prefix(listen)}/routes.json"


def eds(cluster: str) -> str:
    """The file of a cluster's endpoints."""
    return f"eds/{cluster}/endpoints.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What beside the resources goes into the files.

    `folder` is where Envoy finds them; `listen` is where routes listen that do not say so;
    `traces` is the OTLP receiver, host:port or the path of a unix socket; `apart` says whether
    weights stand in a file of their own.
    """

    folder: Path
    listen: str = DEFAULT_LISTEN
    traces: str | None = None
    apart: bool = False

    def source(self, path: str) -> Resource:
        """The subscription to one of the files."""
        place = self.folder / path
        return source(str(place), str(place.parent))


def listen_of(spec: Spec, settings: Settings) -> str:
    """Where a route listens."""
    return str(spec.get("listen") or settings.listen)


def response(resources: Iterable[Resource]) -> bytes:
    """A discovery response, its version the digest of what it holds."""
    text = json.dumps(list(resources), sort_keys=True, separators=(",", ":"))
    version = blake2b(text.encode(), digest_size=8).hexdigest()
    return f'{{"version_info":"{version}","resources":{text}}}\n'.encode()


def vacant(path: str) -> bytes:
    """The file of a listener that is gone.

    It stays: while the listener drains, its subscription lives, and one that comes back at the same
    address shares it. With the folder gone it would never hear of its routes.
    """
    name = path.split("/")[1]
    return response([{"@type": routes.ROUTES, "name": name, "virtual_hosts": []}])


def with_vacant(found: Files, old: Iterable[str]) -> Files:
    """The files, and those of listeners that were there before."""
    gone = (path for path in old if path.startswith("rds/") and path not in found)
    return found | {path: vacant(path) for path in gone}


def version_of(data: bytes) -> str:
    """The version of a file of ours."""
    found = _VERSION.match(data)  # files may be large
    return found[1].decode() if found else str(json.loads(data)["version_info"])


def resources_of(data: bytes) -> list[dict[str, Any]]:
    """What a file holds; nothing where it is damaged."""
    try:
        found = json.loads(data)["resources"]
    except (ValueError, KeyError, TypeError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class Parsed:
    """Files, and what they hold; each is read when it is first asked for.

    `held` is what is known of some, as they were just made of it.
    """

    def __init__(
        self, files: Files, held: Mapping[str, list[dict[str, Any]]] | None = None
    ) -> None:
        self.files = files
        self._held = dict(held or {})

    def __getitem__(self, path: str) -> list[dict[str, Any]]:
        """The resources of a file; none where there is no such file."""
        if path not in self._held:
            self._held[path] = resources_of(self.files.get(path, b""))
        return self._held[path]
