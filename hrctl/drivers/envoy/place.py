"""Where an instance keeps its files, and how its Envoy is asked.

embedded: .hrctl/run/<instance>/      0700, and what `supervisor.folders` lists
    bootstrap.json                    Envoy's own configuration
    xds/                              what it subscribes to, see `snapshot`
    envoy.db, files.json              our bodies; the digest of each file as we wrote it, and the
                                      settings that it was made with
    made                              of which bodies the files are, see `Place.token`
    logs/envoy.log, logs/traces.log
    traces.port, traces.token         where applications send spans of their own, see `receiver`
external: <configDir>/                the same but for supervisord's files; Envoy runs elsewhere
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Final

from hrctl.drivers.api import Context
from hrctl.drivers.envoy import weights
from hrctl.drivers.envoy.names import socket_address
from hrctl.drivers.envoy.snapshot import CDS, LDS, RTDS, Files, Settings, resources_of, response
from hrctl.drivers.mesh.following import Given
from hrctl.drivers.mesh.names import DEFAULT_LISTEN
from hrctl.drivers.mesh.place import MeshPlace
from hrctl.drivers.supervisor.folders import Folders, write_private
from hrctl.files import atomic
from hrctl.model.values import Json

BOOTSTRAP: Final = "bootstrap.json"
_NODE: Final = "hrctl"
_DIGESTS: Final = "files.json"
_EVENTS: Final = "/dev/stdout"  # of circuits: supervisord adds them to the log, and keeps it short
_OURS: Final = re.compile(rf"{LDS}|{CDS}|{RTDS}|rds/[^/]+/routes\.json|eds/[^/]+/endpoints\.json")
_FOLLOWED: Final = "settings"  # among the digests: both are of one moment
_MADE: Final = "made"
_WEIGHTS: Final = "rtds_layer"


@dataclass(frozen=True, slots=True)
class Place(MeshPlace):
    """The folders of one instance. Nothing is created by making this."""

    program: ClassVar[str] = "envoy"
    proxy: ClassVar[str] = "Envoy"
    lock_file: ClassVar[str] = "xds.lock"

    settings: Settings
    admin: str
    forward: str | None = None  # where the embedded receiver hands spans on, host:port

    @classmethod
    def of(cls, config: Mapping[str, Json], context: Context) -> Place:
        """From the instance's block and surroundings; relative paths start at the project."""
        listen = str(config.get("listen") or DEFAULT_LISTEN)
        traces = config.get("traces")
        if config.get("mode", "embedded") == "embedded":
            folders = Folders.of({"mode": "embedded"}, context)
            receiver = str(folders.socket().with_suffix(".traces"))
            apart = _reads_weights(folders.run / BOOTSTRAP)
            settings = Settings(folders.run / "xds", listen, receiver, apart)
            admin = admin_socket(folders)
            return cls(folders.run, settings, admin, traces, folders=folders, fence=context.fence)
        home = context.place(config["configDir"])
        admin = str(config["admin"])
        if "/" in admin:
            admin = str(context.root / Path(admin).expanduser())
        return cls(
            home, Settings(home / "xds", listen, traces), admin, folders=None, fence=context.fence
        )

    @property
    def given(self) -> Given:
        """The settings that routes take after, see `following`."""
        traces = self.forward if self.embedded else self.settings.traces
        return {"listen": self.settings.listen, "traces": traces}

    def listens(self) -> set[str]:
        """Where Envoy listens by its files, ``host:port`` each."""
        lds = self.settings.folder / LDS
        present = resources_of(lds.read_bytes()) if lds.exists() else []
        return {str(one.get("name")) for one in present}

    def make(self) -> None:
        """Create what is missing: folders, empty lists, and the bootstrap.

        Raises:
            HrctlError: HR083, where that cannot be; HR089, where the folder is somebody else's.
        """
        try:
            if self.folders is not None:
                self.folders.make()
            self._require_ours()
            self.settings.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            bootstrap = json.dumps(self.bootstrap(), indent=2)
            atomic.write_all({self.home / BOOTSTRAP: bootstrap.encode()})
            with self.lock():
                first = {LDS: response([]), CDS: response([])}
                if self.embedded:  # without it Envoy would wait before it starts
                    first[RTDS] = response([weights.layer({})])
                for path, data in first.items():
                    if not (self.settings.folder / path).exists():
                        self.put({path: data})
                noted = self.digests()
                if noted and RTDS in first and RTDS not in noted:  # an older hrctl wrote the others
                    self.note({**noted, RTDS: digest(first[RTDS])}, self.followed())
        except OSError as error:
            raise self.cannot_write(error) from error

    def _require_ours(self) -> None:
        """Leave the bootstrap of somebody else's Envoy alone.

        Raises:
            HrctlError: HR089.
        """
        path = self.home / BOOTSTRAP
        if self.embedded or not path.exists():
            return
        try:
            ours = json.loads(path.read_bytes())["node"]["id"] == _NODE
        except (ValueError, LookupError, TypeError):
            ours = False
        if not ours:
            raise self.not_ours(path, "name another folder in `configDir`")

    def with_weights(self) -> Place:
        """The same for an Envoy that is started now, with the bootstrap that `make` wrote."""
        return replace(self, settings=replace(self.settings, apart=self.embedded))

    def bootstrap(self) -> dict[str, Json]:
        """What an Envoy is started with, to follow the files here."""
        pipe = {"pipe": {"path": self.admin, "mode": 0o600}}
        address = pipe if self.admin.startswith("/") else socket_address(self.admin)
        events = {"outlier_detection": {"event_log_path": _EVENTS}}
        layers: list[dict[str, Json]] = [
            {
                "name": "hrctl",
                # what is not said elsewhere counts for all clusters
                "static_layer": {
                    "upstream": {"healthy_panic_threshold": 0},
                    # spans are looked at by people who wait: 5,000 by default
                    "tracing.opentelemetry.flush_interval_ms": 500,
                },
            }
        ]
        if self.embedded:
            layer = {"name": weights.LAYER, "rtds_config": self.settings.source(RTDS)}
            layers.append({"name": weights.LAYER, _WEIGHTS: layer})
        return {
            **({"cluster_manager": events} if self.embedded else {}),
            "node": {"id": _NODE, "cluster": _NODE},
            "admin": {"address": address},
            "dynamic_resources": {
                "lds_config": self.settings.source(LDS),
                "cds_config": self.settings.source(CDS),
            },
            "stats_flush_interval": "1s",  # so old histograms may be, which tell how long it took
            "layered_runtime": {"layers": layers},
        }

    # -- files -----------------------------------------------------------------------------------

    def present(self) -> Files:
        """Every file that is there, but for those that we would never write."""
        top = self.settings.folder
        found = {}
        for path in sorted(top.glob("*ds/**/*.json")):
            name = str(path.relative_to(top))
            if _OURS.fullmatch(name):
                with suppress(FileNotFoundError):
                    found[name] = path.read_bytes()
        return found

    def put(self, files: Mapping[str, bytes | None]) -> None:
        """Replace files by renaming; None removes one, with its folder.

        Raises:
            OSError: where that cannot be.
        """
        top = self.settings.folder
        self.fence()
        written = {top / path: data for path, data in files.items() if data is not None}
        for path in written:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        atomic.write_all(written)
        for path in [top / path for path, data in files.items() if data is None]:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's file is in it
                path.parent.rmdir()

    def digests(self) -> dict[str, str]:
        """The digest of each file as it was last written by us."""
        return {path: one for path, one in self._noted().items() if path != _FOLLOWED}

    def followed(self) -> dict[str, Any]:
        """What `following.note` made when they were written; empty where an older hrctl did."""
        found = self._noted().get(_FOLLOWED)
        return found if isinstance(found, dict) else {}

    def _noted(self) -> dict[str, Any]:
        try:
            found = json.loads((self.home / _DIGESTS).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, digests: Mapping[str, str], followed: Mapping[str, Json]) -> None:
        """Note what was written, path -> digest, and the settings that it was made with."""
        held = {**digests, **({_FOLLOWED: followed} if followed else {})}
        self.fence()
        write_private(self.home / _DIGESTS, json.dumps(held).encode())

    def token(self, form: int, digests: Mapping[str, str], versions: Mapping[str, str]) -> str:
        """Stands for files that were made, in a form, of all rows of a store at their versions."""
        held = [form, str(self.settings), digests, versions]
        return digest(json.dumps(held, sort_keys=True).encode())

    def made(self) -> str:
        """The token that was noted last; empty where none is."""
        try:
            return (self.home / _MADE).read_text("utf-8")
        except (OSError, ValueError):
            return ""

    def note_made(self, token: str) -> None:
        """Note that the files are made of what the store holds now.

        It only spares work later, so where it cannot be written nothing is wrong.
        """
        self.fence()
        with suppress(OSError):
            write_private(self.home / _MADE, token.encode())


def _reads_weights(bootstrap: Path) -> bool:
    """Whether the embedded Envoy reads weights apart; one that runs may be of an older hrctl."""
    try:
        return f'"{_WEIGHTS}"' in bootstrap.read_text("utf-8")
    except (OSError, ValueError):  # none was started yet
        return True


def admin_socket(folders: Folders) -> str:
    """Beside the socket of supervisord, which has a path that is short enough."""
    return str(folders.socket().with_suffix(".admin"))


def digest(data: bytes) -> str:
    """Stands for what a file holds."""
    return blake2b(data, digest_size=12).hexdigest()
