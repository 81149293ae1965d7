"""Where an instance keeps its files, whichever its proxy is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hrctl.diagnostics import HrctlError, LockedError
from hrctl.drivers.fence import Fence
from hrctl.drivers.mesh.following import Given
from hrctl.drivers.supervisor.folders import Folders
from hrctl.files.lock import exclusive


@dataclass(frozen=True, slots=True)
class MeshPlace(ABC):
    """The files of one instance. Nothing is created by making this."""

    program: ClassVar[str]  # of the proxy: ``envoy``
    proxy: ClassVar[str]  # its name for people: ``Envoy``
    lock_file: ClassVar[str]

    home: Path
    folders: Folders | None = field(kw_only=True)  # of the embedded supervisord
    fence: Fence = field(kw_only=True, default_factory=Fence, compare=False)

    @property
    def embedded(self) -> bool:
        """Whether the proxy is hrctl's own."""
        return self.folders is not None

    @property
    def store(self) -> Path:
        """The file that holds the bodies."""
        return self.home / f"{self.program}.db"

    @property
    def log(self) -> Path:
        """What the embedded proxy writes."""
        return self.home / "logs" / f"{self.program}.log"

    @property
    @abstractmethod
    def given(self) -> Given:
        """The settings that routes take after, see `following`."""

    @abstractmethod
    def followed(self) -> dict[str, Any]:
        """What `following.note` made with the files; empty where an older hrctl wrote them."""

    @abstractmethod
    def listens(self) -> Collection[str]:
        """Where the proxy listens by its files, ``host:port`` each."""

    @abstractmethod
    def make(self) -> None:
        """Create what is missing, so that a proxy without routes can be started.

        Raises:
            HrctlError: HR083, where that cannot be.
        """

    @contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[bool]:
        """Lock out other threads and processes; yield whether it succeeded. `make` comes first.

        Without `wait` it yields False where another process holds the lock.

        Raises:
            LockedError: HR360, where it waited and another process holds the lock for too long.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self.home / self.lock_file, wait=None if wait else 0))
            except LockedError:
                if wait:
                    raise
                yield False
            else:
                yield True

    def not_ours(self, path: Path, way: str) -> HrctlError:
        """HR089, for a file that is to be written and that somebody else wrote."""
        return HrctlError.of(
            "HR089",
            f"{path} is there, and hrctl did not write it",
            hint=f"move it away, or {way}; it is as before",
        )

    def cannot_write(self, error: OSError) -> HrctlError:
        """HR083, for a file of ours that cannot be written."""
        if isinstance(error, FileNotFoundError | NotADirectoryError) and error.filename:
            way = f"make the folder {Path(error.filename).parent}"
        else:
            way = "make room, or make the folder one that can be written to"
        return HrctlError.of(
            "HR083",
            f"cannot write {error.filename or f'the configuration of {self.proxy}'}:"
            f" {error.strerror}",
            hint=f"{way}; {self.proxy} goes on as before",
        )
