"""Where an instance keeps its files, and how its HAProxy is asked.

embedded: .hrctl/run/<instance>/      0700, and what `supervisor.folders` lists
    haproxy.cfg, splits.map           see `configuration`
    haproxy.db, applied.json          our bodies, and digests of what we wrote
    logs/haproxy.log
external: `config`, and <its name>.map beside it; the bodies and digests are kept as above
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Final

from hrctl.drivers.api import Context
from hrctl.drivers.haproxy.backends import defaults
from hrctl.drivers.haproxy.configuration import (
    HEAD,
    Configuration,
    Files,
    Settings,
    State,
    configuration,
)
from hrctl.drivers.haproxy.frontends import called
from hrctl.drivers.haproxy.runtime import is_path
from hrctl.drivers.haproxy.text import binding, without_binds
from hrctl.drivers.mesh import following
from hrctl.drivers.mesh.following import Given
from hrctl.drivers.mesh.names import DEFAULT_LISTEN
from hrctl.drivers.mesh.place import MeshPlace
from hrctl.drivers.supervisor.folders import Folders, write_private
from hrctl.files import atomic
from hrctl.model.values import Json, canonical

_BEGINNING: Final = 65_536  # bytes, of which our own words are among the first
_APPLIED: Final = "applied.json"
# HAProxy binds "<path>.<process id>.tmp" first and keeps 10 bytes for that of the 107 that Linux
# has for the path of a socket, of the 103 that macOS has.
_SOCKET_LIMIT: Final = 93 if sys.platform == "darwin" else 97


@dataclass(frozen=True, slots=True)
class Place(MeshPlace):
    """The files of one instance. Nothing is created by making this.

    `socket` is the runtime socket, `master` that of the master process; `reload` is the command in
    its place. `others` are the files that HAProxy loads before ours.
    """

    program: ClassVar[str] = "haproxy"
    proxy: ClassVar[str] = "HAProxy"
    lock_file: ClassVar[str] = "haproxy.lock"

    settings: Settings
    socket: str
    master: str | None = None
    reload: tuple[str, ...] = ()
    others: tuple[Path, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Json], context: Context) -> Place:
        """From the instance's block and surroundings; relative paths start at the project."""

        def path(text: str) -> str:
            return str(context.root / Path(text).expanduser())

        listen = str(config.get("listen") or DEFAULT_LISTEN)
        folders = Folders.of({"mode": "embedded"}, context)
        if config.get("mode", "embedded") == "embedded":
            socket = _socket(folders, ".haproxy", ".ha")
            settings = Settings(folders.run / "haproxy.cfg", "splits.map", listen, socket)
            own = _socket(folders, ".master", ".hm")
            return cls(folders.run, settings, socket, own, folders=folders, fence=context.fence)
        file = context.place(config["config"])
        settings = Settings(file, f"{file}.map", listen)
        found = str(config["socket"])
        master = config.get("master")
        return cls(
            folders.run,
            settings,
            path(found) if is_path(found) else found,
            path(master) if master else None,
            tuple(config.get("reload") or ()),
            tuple(Path(path(one)) for one in config.get("checkWith") or ()),
            folders=None,
            fence=context.fence,
        )

    @property
    def given(self) -> Given:
        """The settings that routes take after, see `following`."""
        return {"listen": self.settings.listen}

    def followed(self) -> dict[str, Any]:
        """What `following.note` made with the files; empty where an older hrctl wrote them."""
        return self.applied().get("settings") or {}

    def listens(self) -> list[str]:
        """Where HAProxy listens by its files, ``host:port`` each."""
        return self.applied().get("listens") or []

    def make(self) -> None:
        """Create what is missing: folders, and a configuration without routes.

        Raises:
            HrctlError: HR083, where that cannot be; HR089, where `config` is somebody else's.
        """
        try:
            if self.folders is not None:
                self.folders.make()
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.lock():
                self._require_ours()
                if not self.settings.config.exists():
                    empty = configuration({}, self.settings)
                    self.put(empty.files)
                    self.note(empty, following.note(self.given, {}))
        except OSError as error:
            raise self.cannot_write(error) from error

    def leave(self, listens: Collection[str]) -> None:
        """Take listeners out of the file; what was applied stays noted, so that is drift.

        Raises:
            HrctlError: HR083, where that cannot be.
        """
        frontends = {f"frontend {called(listen)}" for listen in listens}
        name = self.settings.config.name
        try:
            with self.lock():
                text = self.settings.config.read_text("utf-8", "replace")
                self.put({name: without_binds(text, frontends).encode()})
                left = [one for one in self.listens() if one not in listens]
                self._note({**self.applied(), "listens": left})
        except OSError as error:
            raise self.cannot_write(error) from error

    def _require_ours(self) -> None:
        """Leave the configuration of somebody else alone; what was edited by hand has our defaults.

        Raises:
            HrctlError: HR089.
        """
        path = self.settings.config
        if self.embedded or not path.exists():
            return
        with path.open("rb") as file:
            text = file.read(_BEGINNING).decode("utf-8", "replace")
        if text.strip() and HEAD not in text and f"\n{defaults()[0]}\n" not in text:
            raise self.not_ours(path, "name another file in `config`, which HAProxy loads as well")

    # -- files -----------------------------------------------------------------------------------

    def present(self) -> Files:
        """The files that are there."""
        found = {}
        for name in self.settings.names:
            with suppress(FileNotFoundError):
                found[name] = (self.settings.config.parent / name).read_bytes()
        return found

    def put(self, files: Mapping[str, bytes]) -> None:
        """Replace files by renaming.

        Raises:
            OSError: where that cannot be.
        """
        folder = self.settings.config.parent
        self.fence()
        atomic.write_all({folder / name: data for name, data in files.items()})

    # -- what was applied ------------------------------------------------------------------------

    def applied(self) -> dict[str, Any]:
        """What `note` wrote; empty where nothing was applied.

        `files` has the digest of each as we wrote it, `state` that of what is to run, `backends`
        their names, `listens` where requests come in; `loaded` whether HAProxy runs the files;
        `settings` what `following.note` made of those that they were made with.
        """
        try:
            found = json.loads((self.home / _APPLIED).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, made: Configuration, followed: Mapping[str, Json]) -> None:
        """Note what was written and with which settings, and that it is loaded."""
        try:
            there = binding(self.settings.config.read_text("utf-8", "replace"))
        except FileNotFoundError:
            there = set()
        listens = sorted(one for one in made.listens if f"frontend {called(one)}" in there)
        self._note(
            {
                "files": digests(made.files),
                "state": digest_of(made.state),
                "backends": [one.name for one in made.backends],
                "listens": listens,
                "loaded": True,
                "settings": followed,
            }
        )

    def loads(self, loaded: bool) -> None:  # noqa: FBT001 - it is what is noted
        """Note whether HAProxy runs the files that are there."""
        self._note({**self.applied(), "loaded": loaded})

    def _note(self, held: Mapping[str, Json]) -> None:
        self.fence()
        write_private(self.home / _APPLIED, json.dumps(held).encode())


def _socket(folders: Folders, suffix: str, shorter: str) -> str:
    """Return the path of a socket beside supervisord's, with the first suffix where that fits.

    The shorter suffix always fits: it has fewer bytes than ``.sock``, see `SOCKET_LIMIT`.
    """
    path = str(folders.socket().with_suffix(suffix))
    if len(os.fsencode(path)) <= _SOCKET_LIMIT:
        return path
    return str(folders.socket().with_suffix(shorter))


def digests(files: Files) -> dict[str, str]:
    """Stand for what files hold."""
    return {name: blake2b(data, digest_size=12).hexdigest() for name, data in files.items()}


def digest_of(state: State) -> str:
    """Stands for what runs."""
    return blake2b(canonical(state).encode(), digest_size=12).hexdigest()
