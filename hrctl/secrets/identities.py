"""Identities: the private keys that open secrets. Read where they lie, copied nowhere.

In this order, all that there are: files that are named (`--identity`), HRCTL_AGE_IDENTITY (the key
itself), HRCTL_AGE_IDENTITY_FILE, HRCTL_AGE_IDENTITY_COMMAND (what it prints),
``$XDG_CONFIG_HOME/hrctl/identities.txt`` and ``~/.ssh/id_ed25519``. What is named must be there,
the last two may be missing.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, HrctlError, Severity
from hrctl.memory import keep_out_of_dumps
from hrctl.model.revealed import remember
from hrctl.secrets.agefile import AgeFileError, parse
from hrctl.secrets.agelib import AgeLibraryError, age_library, decrypt_with
from hrctl.secrets.plugins import callbacks, person

CONTENT: Final = "HRCTL_AGE_IDENTITY"
FILE: Final = "HRCTL_AGE_IDENTITY_FILE"
COMMAND: Final = "HRCTL_AGE_IDENTITY_COMMAND"
SOURCES: Final = f"--identity FILE, {CONTENT}, {FILE} or {COMMAND}"
_COMMAND_SECONDS: Final = 60
_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH
_AGE_FILE: Final = (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----")


@dataclass
class Identities:
    """Where identities come from; they are read when the first secret is opened.

    Attributes:
        files: named on the command line.
        content: of HRCTL_AGE_IDENTITY, which no child process inherits.
        environ: the environment; `XDG_CONFIG_HOME` and `HOME` are looked at too.
        warn: is told what is doubtful and no error.
        notes: why an identity that need not be there could not be used.
    """

    files: Sequence[Path] = ()
    content: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    warn: Callable[[Diagnostic], None] = lambda _: None
    notes: list[str] = field(default_factory=list)

    @cached_property
    def keys(self) -> tuple[Any, ...]:
        """Identities of pyrage.

        Raises:
            HrctlError: HR176, where one that is named cannot be used.
        """
        keep_out_of_dumps()
        found: list[Any] = []
        for path in self.files:
            found += self._named(path)
        if self.content:
            remember(self.content)
            found += _parsed(self.content.encode(), CONTENT)
        if self.environ.get(FILE):
            found += self._named(Path(self.environ[FILE]).expanduser())
        if self.environ.get(COMMAND):
            found += _parsed(_printed(self.environ[COMMAND]), f"what {COMMAND} prints")
        for path in self._usual():
            if path.is_file():
                try:
                    found += self._named(path)
                except HrctlError as error:
                    self.notes.append(error.diagnostics[0].summary)
        return tuple(found)

    def _usual(self) -> list[Path]:
        home = self.environ.get("HOME")
        config = self.environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
        found = [Path(config, "hrctl", "identities.txt")] if config else []
        return [*found, Path(home, ".ssh", "id_ed25519")] if home else found

    def _named(self, path: Path) -> list[Any]:
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                data = file.read()
        except OSError as error:
            raise HrctlError.of(
                "HR176",
                f"the identity file {path} cannot be read: {(error.strerror or '').lower()}",
                hint=f"an identity comes from {SOURCES}; `hrctl secrets keygen` makes one",
            ) from None
        if mode & _OTHERS:
            self.warn(
                Diagnostic(
                    "HR177",
                    f"others can read the identity file {path} (mode {mode:04o})",
                    severity=Severity.WARNING,
                    hint=f"chmod 600 {path}; who has read it can read every secret for it",
                )
            )
        return _parsed(data, str(path))


def _printed(command: str) -> bytes:
    """What a command prints; it runs without a shell, and its errors go to ours."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            shlex.split(command),
            stdout=subprocess.PIPE,
            check=True,
            timeout=_COMMAND_SECONDS,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        if isinstance(error, subprocess.CalledProcessError):
            why = f"it left with {error.returncode}"
        elif isinstance(error, subprocess.TimeoutExpired):
            why = f"it took longer than {_COMMAND_SECONDS} s"
        else:
            why = (getattr(error, "strerror", None) or str(error)).lower()
        raise HrctlError.of(
            "HR176", f"the command of {COMMAND} gives no identity: {why}", hint="try it by itself"
        ) from None
    return done.stdout


def _parsed(data: bytes, name: str) -> list[Any]:
    """The identities in a file of age or of SSH.

    Raises:
        HrctlError: HR176, where it holds none, or one that cannot be used.
    """
    if data.lstrip().startswith(_AGE_FILE):
        data = _unlocked(data, name)
    if b"PRIVATE KEY-----" in data:
        return [_ssh(data, name)]
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    found = [_identity(line, name) for line in lines if line and not line.startswith("#")]
    if not found:
        raise _unusable(name, "it holds no identity")
    return found


def _identity(line: str, name: str) -> Any:
    import pyrage

    remember(line)
    is_plugin = line.upper().startswith("AGE-PLUGIN-")
    try:
        with age_library(quote=is_plugin):
            if not is_plugin:
                return pyrage.x25519.Identity.from_str(line)
            identity = pyrage.plugin.Identity.from_str(line)
            return pyrage.plugin.IdentityPluginV1(identity.plugin(), [identity], callbacks())
    except AgeLibraryError as error:
        why = str(error) if is_plugin else "a line of it is not an identity"
        raise _unusable(name, why) from None


def _ssh(data: bytes, name: str) -> Any:
    import pyrage

    try:
        with age_library():
            return pyrage.ssh.Identity.from_buffer(data)
    except AgeLibraryError as error:
        raise _unusable(name, str(error)) from None


def _unlocked(data: bytes, name: str) -> bytes:
    """An identity file that was encrypted with a passphrase (``age -p``)."""
    try:
        file = parse(data)
    except AgeFileError as error:
        raise _unusable(name, str(error)) from None
    phrase = person().ask(f"Passphrase of {name}", secret=True)
    if phrase is None:
        raise _unusable(name, "it has a passphrase, and there is no terminal to ask for it on")
    try:
        return decrypt_with(file, phrase)
    except AgeLibraryError:
        raise _unusable(name, "the passphrase is wrong, or the file is damaged") from None


def _unusable(name: str, why: str) -> HrctlError:
    return HrctlError.of(
        "HR176",
        f"the identity file {name} cannot be used: {why}",
        hint="an AGE-SECRET-KEY-1... line, or an SSH key of type ed25519 or RSA",
    )
