"""Where an instance keeps what it needs.

.hrctl/run/<instance>/      0700
    supervisord.conf        embedded only; includes conf.d/*.conf
    conf.d/                 one file a group (external: the configDir instead)
    launch/                 0600 files with environments, secrets among them
    logs/                   <group>.<replica>.log, <group>.install.log
    starts/                 <group>.<replica>: how often it started, and its last process; of a
                            program of ours, such as a proxy, <program>.0
    key                     what digests of secrets and versions are keyed with
    lock                    held while files are compared and written, and a daemon is started
    daemon.log, daemon.pid, supervisor.sock, socket (where the socket is, if not here)
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Context
from hrctl.drivers.fence import Fence
from hrctl.files import atomic
from hrctl.files.lock import exclusive
from hrctl.model.values import Json

# A unix socket's path has 108 bytes on Linux and 104 on macOS, a NUL included. supervisord binds
# "<socket>.<pid>" first, which takes up to 8 more.
SOCKET_LIMIT: Final = 95
LAUNCHER: Final = str(Path(__file__).with_name("launch.py"))


@dataclass(frozen=True, slots=True)
class Folders:
    """The paths of one instance, and its fence. Nothing is created by making this."""

    run: Path
    groups: Path
    root: Path
    external_socket: Path | None = None
    fence: Fence = field(default_factory=Fence, compare=False)

    @classmethod
    def of(cls, config: Mapping[str, Json], context: Context) -> Folders:
        """From the instance's block and surroundings; relative paths start at the project."""
        run = context.state_dir / "run" / context.instance
        if config.get("mode", "embedded") == "embedded":
            return cls(run, run / "conf.d", context.root, fence=context.fence)
        return cls(
            run,
            context.place(config["configDir"]),
            context.root,
            context.root / Path(config["socket"]).expanduser(),
            context.fence,
        )

    @property
    def embedded(self) -> bool:
        """Whether the supervisord is hrctl's own."""
        return self.external_socket is None

    def conf(self, group: str) -> Path:
        """The file of a group that supervisord reads."""
        return self.groups / f"{group}.conf"

    def launch(self, group: str) -> Path:
        """The file with command and environment that only `launch` reads."""
        return self.run / "launch" / f"{group}.json"

    def log(self, group: str, replica: int | str) -> Path:
        """What a replica writes, or (`install`) what the install commands wrote."""
        return self.run / "logs" / f"{group}.{replica}.log"

    def starts(self, group: str) -> Path:
        """`launch` appends ``.<replica>``."""
        return self.run / "starts" / group

    def make(self) -> None:
        """Create the folders that are missing, readable by their owner only.

        Raises:
            HrctlError: HR083, where that cannot be.
        """
        try:
            self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("launch", "logs", "starts"):
                (self.run / name).mkdir(mode=0o700, exist_ok=True)
            if self.embedded:
                self.groups.mkdir(mode=0o700, exist_ok=True)
            self.key()  # which takes the lock itself
        except OSError as error:
            raise HrctlError.of(
                "HR083",
                f"cannot create {error.filename}: {error.strerror}",
                hint="services need a folder that can be written to",
            ) from None

    def key(self) -> bytes:
        """The key of this instance's digests, made when it is first asked for.

        Empty where the instance has no folder yet: then it has no secrets either.
        """
        path = self.run / "key"
        with suppress(FileNotFoundError):
            return path.read_bytes()
        if not self.run.is_dir():
            return b""
        with self.lock():
            if not path.exists():
                write_private(path, os.urandom(32))
        return path.read_bytes()

    def lock(self) -> AbstractContextManager[None]:
        """Lock out other threads and processes; `make` comes first.

        Raises:
            LockedError: HR360, where another process holds the lock for too long.
        """
        return exclusive(self.run / "lock")

    def socket(self) -> Path:
        """Where the supervisord listens, or will."""
        if self.external_socket is not None:
            return self.external_socket
        here = self.run / "supervisor.sock"
        with suppress(OSError):
            return Path((self.run / "socket").read_text(encoding="utf-8"))
        return here if len(os.fsencode(here)) <= SOCKET_LIMIT else self._short_socket()

    def place_socket(self, *, elsewhere: bool = False) -> Path:
        """Choose the place for a socket that is about to be made, and note it down."""
        here = self.run / "supervisor.sock"
        pointer = self.run / "socket"
        if not elsewhere and len(os.fsencode(here)) <= SOCKET_LIMIT:
            pointer.unlink(missing_ok=True)
            return here
        place = self._short_socket()
        _own_private_folder(place.parent)
        write_private(pointer, str(place).encode())
        return place

    def _short_socket(self) -> Path:
        import tempfile

        name = blake2b(os.fsencode(self.run), digest_size=8).hexdigest() + ".sock"
        own = f"hrctl-{os.getuid()}"
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        candidates = [Path(runtime) / "hrctl"] if runtime and Path(runtime).is_dir() else []
        candidates.append(Path(tempfile.gettempdir()) / own)
        for folder in candidates:
            if len(os.fsencode(folder / name)) <= SOCKET_LIMIT:
                return folder / name
        # TMPDIR may be long; `_own_private_folder` sees that nobody else owns this one
        return Path("/tmp") / own / name  # noqa: S108


def write_private(path: Path, data: bytes) -> None:
    """Replace a file at once by one that only its owner can read."""
    atomic.write(path, data, mode=0o600)


def _own_private_folder(folder: Path) -> None:
    """Make the folder, or make sure that nobody else can put a socket there.

    Raises:
        HrctlError: HR080, where it belongs to someone else.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise HrctlError.of(
            "HR080",
            f"{folder} is not a folder of this user",
            hint="remove it, or set XDG_RUNTIME_DIR to a folder of your own",
        )
    folder.chmod(0o700)
