"""`hrctl secrets edit`: an editor that does well, one that fails, and what is left behind."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

APP = "acme/shop/prod:Config/app"
EDITOR = """
import os, stat, sys
from pathlib import Path

path = Path(sys.argv[-1])
log = Path(__file__).with_name("log")
turn = len(log.read_text().splitlines()) if log.exists() else 0
with log.open("a") as file:
    mode = stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)
    print(path, *(oct(one) for one in mode), "HRCTL_AGE_IDENTITY" in os.environ, file=file)
text = path.read_text()
exec(Path(__file__).with_name(f"turn{turn}").read_text())
"""


class Desk:
    """An editor whose every turn is a line of Python on `path` and `text`."""

    def __init__(self, vault: Vault, folder: Path) -> None:
        folder.mkdir()
        self.vault = vault
        self.folder = folder
        (folder / "editor.py").write_text(EDITOR)
        vault.patch.setenv("EDITOR", f"{sys.executable} {folder / 'editor.py'}")
        vault.patch.delenv("VISUAL", raising=False)
        vault.patch.setenv("HRCTL_AGE_IDENTITY", str(vault.keys["ann"]))

    def turns(self, *code: str) -> None:
        (self.folder / "log").unlink(missing_ok=True)
        for number, one in enumerate(code):
            (self.folder / f"turn{number}").write_text(one)

    @property
    def log(self) -> list[list[str]]:
        return [line.split() for line in (self.folder / "log").read_text().splitlines()]

    def answers(self, text: str) -> None:
        """Someone at a terminal types this."""
        typed = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8")
        self.vault.patch.setattr(typed, "isatty", lambda: True, raising=False)
        self.vault.patch.setattr(sys, "stdin", typed)

    def value(self, key: str) -> str:
        self.vault.patch.setenv("HRCTL_AGE_IDENTITY", str(self.vault.keys["ann"]))
        return self.vault.hrctl("secrets", "get", APP, key)


@pytest.fixture
def desk(vault: Vault, tmp_path: Path) -> Desk:
    vault.hrctl("secrets", "set", APP, "TOKEN", typed="swordfish")
    vault.hrctl("secrets", "set", APP, "OTHER", typed="two\nlines\n")
    vault.commit()
    made = Desk(vault, tmp_path / "desk")
    made.answers("")
    vault.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b""), "utf-8"))
    return made


def test_only_what_was_edited_is_encrypted_anew(desk: Desk) -> None:
    desk.turns("path.write_text(text.replace('swordfish', 'halibut'))")
    out = desk.vault.hrctl("secrets", "edit", "Config/app")
    assert out == f"Encrypted TOKEN of {APP} in shop/prod/config.yaml.\n"
    assert desk.value("TOKEN") == "halibut"
    assert desk.value("OTHER") == "two\nlines\n"
    assert desk.vault.git("diff", "-U0").count("@@ -") == 1
    ((file, mode, folder_mode, has_identity),) = desk.log
    assert (mode, folder_mode, has_identity) == ("0o600", "0o700", "False")
    assert not Path(file).parent.exists()


def test_it_lies_in_memory_where_there_is_such_a_place(desk: Desk) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    memory = "/dev/shm" if " /dev/shm tmpfs " in mounts else gettempdir()  # noqa: S108 - looked at
    desk.vault.patch.delenv("XDG_RUNTIME_DIR", raising=False)
    desk.turns("")
    desk.vault.hrctl("secrets", "edit", "Config/app")
    assert desk.log[0][0].startswith(f"{memory}/hrctl-")


def test_a_field_alone_may_be_new(desk: Desk) -> None:
    desk.turns("path.write_text('env.NEW: fresh\\n')")
    desk.vault.hrctl("secrets", "edit", "prod:Service/api", "env.NEW")
    desk.vault.patch.setenv("HRCTL_AGE_IDENTITY", str(desk.vault.keys["ann"]))
    assert desk.vault.hrctl("secrets", "get", "prod:Service/api", "env.NEW") == "fresh"


def test_nothing_edited_changes_nothing(desk: Desk) -> None:
    desk.turns("")
    desk.vault.hrctl("secrets", "edit", "Config/app")
    assert "Nothing was changed." in desk.vault.err
    assert desk.vault.git("status", "--porcelain") == ""


BAD = {
    "raise SystemExit(3)": "left with 3",
    "path.write_text(text + 'a: [')": "not valid YAML",
    "path.write_text('- swordfish\\n')": "not valid YAML",
    "path.write_text('TOKEN: halibut\\n')": "OTHER is missing",
    "path.write_text(text + 'MORE: halibut\\n')": "'MORE' is new",
    "path.write_text(text.replace('swordfish', '12'))": "TOKEN is not text",
}


@pytest.mark.parametrize("turn", BAD)
def test_what_cannot_be_used_changes_nothing_and_leaves_nothing(desk: Desk, turn: str) -> None:
    desk.turns(turn)
    assert desk.vault.fails("secrets", "edit", "Config/app") == 1
    assert "HR180" in desk.vault.err
    assert BAD[turn] in desk.vault.err
    assert "halibut" not in desk.vault.err
    assert "swordfish" not in desk.vault.err
    assert desk.vault.git("status", "--porcelain") == ""
    assert not Path(desk.log[0][0]).parent.exists()


@pytest.mark.parametrize("turn", BAD)
def test_one_can_go_on_editing_and_nothing_is_lost(desk: Desk, turn: str) -> None:
    desk.turns(turn, "path.write_text('TOKEN: halibut\\nOTHER: x\\n# ' + repr(len(text)))")
    desk.answers("\n")
    desk.vault.hrctl("secrets", "edit", "Config/app")
    assert "Go on editing? [Y/n]" in desk.vault.err
    assert desk.log[0][0] == desk.log[1][0], "the same file, as it was left"
    assert desk.value("TOKEN") == "halibut"


MEANWHILE = """
import subprocess, sys
command = [sys.executable, "-m", "hrctl", "secrets", "set", {address!r}, {key!r}]
subprocess.run(command, input="trout", text=True, check=True, capture_output=True)
path.write_text(text.replace("swordfish", "halibut"))
"""


def test_a_secret_that_another_command_set_meanwhile_is_kept(desk: Desk) -> None:
    desk.turns(MEANWHILE.format(address=APP, key="TOKEN"))
    assert desk.vault.fails("secrets", "edit", "Config/app", "TOKEN") == 1
    assert "HR108 TOKEN of Config/app was changed by another program" in desk.vault.err
    assert desk.value("TOKEN") == "trout"


def test_another_secret_that_was_set_meanwhile_is_kept_too(desk: Desk) -> None:
    desk.turns(MEANWHILE.format(address=APP, key="LATER"))
    desk.vault.hrctl("secrets", "edit", "Config/app", "TOKEN")
    assert (desk.value("TOKEN"), desk.value("LATER")) == ("halibut", "trout")


def test_no_ends_it(desk: Desk) -> None:
    desk.turns("raise SystemExit(3)")
    desk.answers("n\n")
    assert desk.vault.fails("secrets", "edit", "Config/app") == 1
    assert len(desk.log) == 1


def test_an_editor_that_is_not_there(desk: Desk) -> None:
    desk.vault.patch.setenv("EDITOR", "no-such-editor-here")
    assert desk.vault.fails("secrets", "edit", "Config/app") == 1
    assert "cannot be started: no such file or directory" in desk.vault.err


def test_without_a_key_no_editor_is_started(desk: Desk) -> None:
    desk.turns("")
    desk.vault.patch.delenv("HRCTL_AGE_IDENTITY")
    assert desk.vault.fails("secrets", "edit", "Config/app") == 1
    assert "HR170" in desk.vault.err
    assert not (desk.folder / "log").exists()


def begun(desk: Desk) -> tuple[subprocess.Popen[bytes], Path]:
    """An edit whose editor is open, and the file in it."""
    desk.turns("import time; time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "hrctl", "secrets", "edit", "Config/app"],
        cwd=desk.vault.root,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (desk.folder / "log").exists() or not desk.log:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process, Path(desk.log[0][0])


def ended(process: subprocess.Popen[bytes], number: int) -> None:
    """End the edit, and then its editor."""
    process.send_signal(number)
    assert process.wait(30) != 0
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_leaves_nothing(desk: Desk, number: int) -> None:
    process, file = begun(desk)
    assert file.exists()
    ended(process, number)
    assert not file.parent.exists()


def test_what_a_killed_edit_left_is_removed_by_the_next_command(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    desk.vault.patch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    process, file = begun(desk)
    assert tmp_path / "run" in file.parents
    desk.vault.hrctl("validate")
    assert "swordfish" in file.read_text(), "an edit that goes on is left alone"
    ended(process, signal.SIGKILL)
    assert "swordfish" in file.read_text()
    desk.vault.hrctl("secrets", "list")
    assert "HR186 warning: removed the plaintext that 1 killed" in desk.vault.err
    assert not list((tmp_path / "run").rglob("secrets.yaml"))
    desk.vault.hrctl("validate")
    assert "HR186" not in desk.vault.err


@pytest.mark.parametrize("kind", ["link", "open to others"])
def test_a_folder_that_is_not_private_is_neither_used_nor_swept(
    desk: Desk, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "bait" / "x").mkdir(parents=True)
    desk.vault.patch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    folder = tmp_path / "run" / f"hrctl-edit-{os.getuid()}"
    if kind == "link":
        folder.symlink_to(tmp_path / "bait")
    else:
        (tmp_path / "bait").chmod(0o755)
        (tmp_path / "bait").rename(folder)
    desk.turns("")
    desk.vault.hrctl("secrets", "edit", "Config/app")
    assert tmp_path / "run" not in Path(desk.log[0][0]).parents
    assert (folder / "x").is_dir()


def test_without_a_private_place_nothing_is_decrypted(desk: Desk, tmp_path: Path) -> None:
    from hrctl.cli.secrets import leftovers

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f"hrctl-edit-{os.getuid()}").write_text("")
    desk.vault.patch.setattr(leftovers, "bases", lambda: [str(tmp_path / "run")])
    desk.turns("")
    assert desk.vault.fails("secrets", "edit", "Config/app") == 1
    assert "HR183" in desk.vault.err
    assert not (desk.folder / "log").exists()


UNLIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
"""
CRASH = f"""{UNLIMITED}
from hrctl.cli.main import main
assert main(sys.argv[1:]) == 0
sys.stdout.flush()
os.abort()
"""


def dumps_core(folder: Path, code: str, *arguments: str) -> bool:
    """Whether a program that aborts in the end leaves a core file."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    for file in folder.glob("core*"):
        file.unlink()
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


@pytest.mark.parametrize(
    ("command", "holds_plaintext"),
    [
        (["validate"], False),
        (["secrets", "list"], False),
        (["secrets", "check"], True),
        (["secrets", "get", APP, "TOKEN"], True),
        (["secrets", "set", APP, "NEW", "--file", "VALUE"], True),
    ],
)
def test_a_crash_writes_no_plaintext(
    desk: Desk, tmp_path: Path, command: list[str], *, holds_plaintext: bool
) -> None:
    value = tmp_path / "value"
    value.write_text("swordfish")
    words = [word.replace("VALUE", str(value)) for word in command]
    desk.vault.patch.setenv("HRCTL_AGE_IDENTITY_FILE", desk.vault.key("ann"))
    desk.vault.patch.delenv("HRCTL_AGE_IDENTITY")
    system_writes_them = dumps_core(desk.folder, f"{UNLIMITED}os.abort()")
    expected = system_writes_them and not holds_plaintext
    assert dumps_core(desk.vault.root, CRASH, *words) == expected


def test_the_key_in_the_environment_is_kept_out_of_dumps_from_the_start(desk: Desk) -> None:
    assert not dumps_core(desk.vault.root, CRASH, "validate")


def test_an_editor_may_not_write_a_core_file_and_what_hrctl_starts_to_stay_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hrctl import memory

    monkeypatch.setattr(memory, "_usual", None)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    given = resource.getrlimit(resource.RLIMIT_CORE)
    ask = [sys.executable, "-c", "import resource; print(*resource.getrlimit(4))"]
    try:
        memory.keep_out_of_dumps()
        memory.keep_out_of_dumps()
        assert subprocess.check_output(ask, text=True).split() == ["0", str(given[1])]
        with memory.usual_core_limit():
            assert subprocess.check_output(ask, text=True).split() == list(map(str, given))
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, given[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
