"""Nothing leaks: canaries in every sensitive place, and every byte that hrctl leaves searched.

`canary_commands.py` says what each command is run with; a new command has to be named there.
"""

from __future__ import annotations

import io
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b, md5, sha1, sha256, sha512
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.cli.app import load
from hrctl.cli.commands import ROWS
from hrctl.cli.secrets.leftovers import bases, folder_of_user
from hrctl.drivers.supervisor.driver import SupervisorDriver
from tests.cli.secrets.canary_commands import APP, is_of_a_kind_without_secrets, ways
from tests.cli.secrets.canary_world import AGE, World, sensitive_places

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

CRASH = """
import os, signal, sys
from hrctl.drivers.supervisor.driver import SupervisorDriver

def crash(self, batch, secrets):
    seen = [secrets.reveal(change.after) for change in batch]
    print("revealed", len(seen), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

SupervisorDriver.apply = crash
from hrctl.cli.main import main
main()
"""


@pytest.fixture
def world(vault: Vault) -> Iterator[World]:
    yield World(vault)
    for file in (vault.root / ".hrctl" / "run").glob("*/daemon.pid"):
        with suppress(ProcessLookupError, ValueError):
            pid = int(file.read_text().split()[0])
            os.kill(pid, signal.SIGTERM)
            _wait_for_end(pid)


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


_WORD = 16  # characters by which a digest is known
_WORDS = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16}")
_FORMS: dict[bytes, Callable[[bytes], str]] = {
    b"canary-": lambda data: data.decode("utf-8", "replace"),
    b64encode(b"canary-")[:9]: lambda data: b64decode(data[:60] + b"====").decode(
        "utf-8", "replace"
    ),
    b"canary-".hex().encode(): lambda data: bytes.fromhex(
        re.match(rb"(?:[0-9a-f]{2})*", data)[0].decode()  # type: ignore[index]
    ).decode("utf-8", "replace"),
}


class Search:
    """Looks for canaries as they are, encoded, and as hashes without salt."""

    def __init__(self, canaries: list[str]) -> None:
        self._known = set(canaries)
        self._hashes: dict[bytes, str] = {}
        for canary in canaries:
            data = canary.encode()
            made: list[Any] = [make(data) for make in (md5, sha1, sha256, sha512)]
            made += [blake2b(data, digest_size=size) for size in (8, 16, 20, 32, 64)]
            for one in made:
                for text in (one.hexdigest().encode(), b64encode(one.digest())):
                    self._hashes[text[:_WORD]] = f"{one.name} of {canary}"
        self.bytes = 0

    def __call__(self, data: bytes | str, where: str) -> None:
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.bytes += len(data)
        for sign, decode in _FORMS.items():
            at = data.find(sign)
            while at >= 0:
                found = decode(data[at : at + 120])
                known = [one for one in self._known if found.startswith(one)]
                assert not known, f"{known[0]} leaks in {where}"
                at = data.find(sign, at + 1)
        for word in _WORDS.finditer(data):
            assert word[0] not in self._hashes, f"{self._hashes[word[0]]} leaks in {where}"


def commands() -> list[str]:
    """Every command by its words."""
    found = []
    for name in ROWS:
        made: Any = load(name)
        inner = list(getattr(made, "commands", None) or ())
        found += [f"{name} {one}" for one in inner] or [name]
    return found


def formats(command: str) -> tuple[str, ...]:
    """What a command can print."""
    made: Any = load(command.partition(" ")[0])
    made = (getattr(made, "commands", None) or {}).get(command.partition(" ")[2], made)
    return tuple(getattr(made, "formats", ("text", "json")))


def test_every_command_is_run() -> None:
    missing = [one for one in commands() if ways(one) is None]
    assert not missing, (
        f"tests/cli/secrets/canary_commands.py does not say how to run {', '.join(missing)}: add"
        " a line for each to COMMANDS, so that this test can see that it leaks no secret"
    )


def test_every_sensitive_place_has_a_canary(world: World) -> None:
    assert len(world.canaries) >= AGE
    assert len(set(world.canaries)) == len(world.canaries)
    missing = sorted(place for place in sensitive_places() if not world.is_planted(place))
    assert not missing, (
        f"tests/cli/secrets/canary_world.py plants no canary in {', '.join(missing)}: add one"
    )
    world.vault.hrctl("validate")


def run_all(world: World, search: Search, *, turn: int) -> int:
    """Run every command in every way and format; how many runs that were."""
    vault = world.vault
    first = vault.git("rev-list", "--max-parents=0", "HEAD").strip()
    vault.write("../fresh.yaml", "")
    (vault.root.parent / "beside").mkdir(exist_ok=True)
    vault.fails("plan", "--out", "../saved.plan")
    vault.patch.setenv("EDITOR", "cat")
    stand_in = {"FILE": "../fresh.yaml", "PLAN": "../saved.plan", "REV": first}
    head = vault.git("rev-parse", "HEAD").strip()
    before = _state(vault.root)
    runs = 0
    for command in commands():
        for way in ways(command) or ():
            args = [stand_in.get(word, word) for word in way]
            if command == "init":
                args = ["-C", "../beside", *args]
            some = 1 if is_of_a_kind_without_secrets(command) else None
            for layout in formats(command)[:some]:
                loud = ["-v", "--debug"][: (runs + turn) % 3]
                words = [*command.split(), *args, "-o", layout, *loud]
                code = vault.fails(*words, typed="typed-by-hand\n")
                os.chdir(vault.root)  # -C goes elsewhere
                where = f"hrctl {' '.join(words)} (turn {turn}, {code})"
                search(vault.out, f"standard output of {where}")
                search(vault.err, f"standard error of {where}")
                runs += 1
                if _state(vault.root) != before:
                    vault.git("reset", "-q", "--hard", head)
                    vault.git("clean", "-fdq")
                    before = _state(vault.root)
    return runs


def _state(root: Path) -> list[object]:
    """What tells whether a command has changed the project's files, or committed."""
    files = [path for path in root.rglob("*") if not {".git", ".hrctl"} & set(path.parts)]
    return [*((path, path.stat().st_mtime_ns) for path in sorted(files)), *_heads(root)]


def _heads(root: Path) -> list[str]:
    return sorted(path.read_text() for path in (root / ".git/refs/heads").iterdir())


def search_files(world: World, search: Search) -> None:
    """Every byte of `.hrctl/`, saved plans, the working tree and git's objects."""
    vault = world.vault
    for path in sorted([*vault.root.rglob("*"), *vault.root.parent.glob("*.plan")]):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        if ".git" in path.parts and "objects" in path.parts:
            with suppress(zlib.error):
                data = zlib.decompress(data)
        if ".hrctl" in path.parts and "run" in path.parts and _is_launch_file(path, data):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            continue
        search(data, str(path))
    for folder in map(Path, map(folder_of_user, bases())):  # where `secrets edit` puts plaintext
        for path in folder.rglob("*") if folder.is_dir() else ():
            with suppress(FileNotFoundError, IsADirectoryError):  # an edit of another test
                search(path.read_bytes(), str(path))
    batch = ["git", "cat-file", "--batch-all-objects", "--batch"]
    done = subprocess.run(batch, cwd=vault.root, check=True, capture_output=True)
    search(done.stdout, "git's objects")


def _is_launch_file(path: Path, data: bytes) -> bool:
    """The one file that may hold plaintext: what a service is started with."""
    return path.suffix == ".json" and data.startswith(b'{"argv":')


@contextmanager
def watched(world: World, search: Search) -> Iterator[None]:
    """Look at the arguments of every process all the while, and at environments but a service's."""
    over = threading.Event()
    leaks: list[str] = []
    everything, encrypted = search, Search(world.canaries)

    def watch() -> None:
        while not over.wait(0.1):
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    arguments = (folder / "cmdline").read_bytes()
                    environment = (folder / "environ").read_bytes()
                    if arguments.startswith(b"sleep\x0060"):
                        environment = b""  # a service, which is to have them
                    try:
                        everything(arguments, f"the arguments of {arguments!r}")
                        encrypted(environment, f"the environment of {arguments!r}")
                    except AssertionError as error:
                        leaks.append(str(error))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not leaks, leaks[0]


def test_nothing_leaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, apply and everything else: without keys, with them, after a failure and a crash."""
    vault = world.vault
    search = Search([*world.canaries, *world.of_env])
    key = vault.key("ann")
    with watched(world, search):
        assert run_all(world, search, turn=0) > 150
        assert vault.fails("apply", "--yes") == 1, "there is no key, so nothing is applied"
        assert "HR170" in vault.err
        search(vault.out + vault.err, "an apply without a key")
        search_files(world, search)

        monkeypatch.setenv("HRCTL_AGE_IDENTITY_FILE", key)
        _crash_between(world, search, monkeypatch)
        vault.hrctl("apply", "--yes", "-v")
        search(vault.out + vault.err, "an apply with a key")
        _services_have_them(world)
        run_all(world, search, turn=1)
        search_files(world, search)

        _killed_between(world, search)
        vault.hrctl("secrets", "rotate", "--all", "--commit")
        vault.hrctl("plan")
        assert "No changes." in vault.out, "encrypted anew is no change"
        monkeypatch.delenv("HRCTL_AGE_IDENTITY_FILE")
        vault.hrctl("plan", "--out", "../changed.plan")
        search(vault.out + vault.err, "a plan without a key")
        assert "changed)" in vault.out
        search_files(world, search)
    assert search.bytes > 1_000_000
    everything = Search([*world.canaries, *world.of_env])
    canary = world.canaries[-1].encode()
    digest = sha256(canary)
    for form in (canary, b64encode(canary), canary.hex().encode(), digest.hexdigest().encode()):
        with pytest.raises(AssertionError, match="leaks in the search itself"):
            everything(b"x: " + form + b"x", "the search itself")


def _services_have_them(world: World) -> None:
    """The canaries do arrive: else nothing would be tested."""
    wanted = [world.canaries[0].encode(), world.of_env[0].encode()]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if all(one in (folder / "environ").read_bytes() for one in wanted[:1]):
                    return
        time.sleep(0.05)
    pytest.fail("no service has a canary in its environment")


def _crash_between(world: World, search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver, and then hrctl itself, end with an error that quotes plaintext."""
    vault = world.vault

    def fail(_self: object, batch: Any, secrets: Any) -> Any:
        raise RuntimeError(f"cannot send {[secrets.reveal(one.after) for one in batch]}")

    with monkeypatch.context() as patch:
        patch.setattr(SupervisorDriver, "apply", fail)
        for more in ((), ("-o", "json"), ("-v", "--debug")):
            assert vault.fails("apply", "--yes", *more) != 0
            search(vault.out + vault.err, f"a crash of a driver {more}")
            assert "(sensitive)" in vault.out + vault.err
    with monkeypatch.context() as patch:

        def quote(*_: object, **__: object) -> None:
            held = sys.modules["hrctl.model.revealed"]
            raise ValueError(f"cannot tell {sorted(held._seen)!r}")

        patch.setattr("hrctl.reconcile.applier.apply", quote)
        for more in ((), ("-o", "json"), ("-v", "--debug")):
            assert vault.fails("apply", "--yes", *more) == 1
            search(vault.out + vault.err, f"a crash of hrctl {more}")
            assert "(sensitive)" in vault.out + vault.err
    search_files(world, search)


def _killed_between(world: World, search: Search) -> None:
    """A process that is killed while it holds plaintext leaves none of it."""
    vault = world.vault
    text = vault.read("shop/prod/services.yaml").replace("sleep 600", "sleep 601")
    (vault.root / "shop/prod/services.yaml").write_text(text)
    vault.commit()
    done = subprocess.run(
        [sys.executable, "-c", CRASH, "apply", "--yes"],
        cwd=vault.root,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert b"revealed" in done.stdout
    search(done.stdout + done.stderr, "an apply that was killed")
    search_files(world, search)
    vault.hrctl("apply", "--yes")
    search(vault.out + vault.err, "an apply after one that was killed")


def test_a_shell_that_completes_is_told_none(world: World) -> None:
    search = Search([*world.canaries, *world.of_env])
    vault = world.vault
    vault.patch.setenv("_HRCTL_COMPLETE", "complete_bash")
    vault.patch.setenv("COMP_WORDS", f"hrctl explain {APP}")
    vault.patch.setenv("COMP_CWORD", "2")
    vault.patch.setattr(sys, "stdin", io.StringIO())
    vault.fails()
    assert vault.out  # fields of the Config are offered, and only their values are secret
    search(vault.out + vault.err, "completion")
