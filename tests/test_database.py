"""Faults of the file system and of the file, each made for real."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrctl import database
from hrctl.database import Database, Schema, json_text
from hrctl.diagnostics import HrctlError

SCHEMA = Schema("notebook", (("CREATE TABLE notes (text TEXT)",),), "write a new one")
ROOT = os.getuid() == 0
STATUS = Path("/proc/self/status")
SYS_ADMIN = 1 << 21  # the capability that mount asks for
CAN_MOUNT = STATUS.exists() and any(
    line.startswith("CapEff:") and int(line.split()[1], 16) & SYS_ADMIN
    for line in STATUS.read_text().splitlines()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "notes.db"


def write(path: Path, text: str = "x") -> None:
    with Database(path, SCHEMA) as file, file.transaction() as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))


def give_up(file: Database) -> None:
    with file.transaction() as connection:
        connection.execute("INSERT INTO notes VALUES ('y')")
        raise KeyError


def count(path: Path) -> int:
    with Database(path, SCHEMA) as file, file.faults():
        connection = file.reader()
        if connection is None:
            return -1
        return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])


def code(path: Path) -> str:
    """The code of what goes wrong with a write."""
    with pytest.raises(HrctlError) as caught:
        write(path)
    return caught.value.diagnostics[0].code


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder in which this process may change nothing; root is somebody else meanwhile."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # everybody may enter it
    path = folder / "notes.db"
    write(path)
    path.chmod(0o444)
    folder.chmod(0o555)
    if ROOT:
        os.seteuid(65534)
    yield path
    if ROOT:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_missing_file_reads_as_none(path: Path) -> None:
    assert count(path) == -1
    assert not path.parent.exists()


def test_write_is_durable_and_in_wal_mode(path: Path) -> None:
    write(path)
    with Database(path, SCHEMA) as file, file.transaction() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert count(path) == 1


def test_exception_rolls_back(path: Path) -> None:
    write(path)
    with Database(path, SCHEMA) as file:
        with pytest.raises(KeyError):
            give_up(file)
        with file.transaction() as connection:
            connection.execute("INSERT INTO notes VALUES ('z')")
    assert count(path) == 2


def test_reading_leaves_no_trace(path: Path) -> None:
    write(path)
    before = path.read_bytes(), sorted(path.parent.iterdir())
    assert count(path) == 1
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before


def test_read_only_folder_can_be_read(read_only: Path) -> None:
    assert count(read_only) == 1


def test_read_only_folder_cannot_be_written(read_only: Path) -> None:
    assert code(read_only) == "HR102"
    assert count(read_only) == 1


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert code(tmp_path / "state" / "below" / "notes.db") == "HR102"
    assert code(tmp_path / "state" / "notes.db") == "HR102"


def test_folder_in_place_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    assert code(path) == "HR102"


def test_full_disk(path: Path) -> None:
    write(path)
    with Database(path, SCHEMA) as file:
        with file.transaction() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")
        with (
            pytest.raises(HrctlError, match="HR103 no space left to write the notebook"),
            file.transaction() as connection,
        ):
            connection.execute("INSERT INTO notes VALUES (?)", ("x" * 100_000,))
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)


def test_limit_on_the_length_of_files(path: Path) -> None:
    write(path)
    script = """
        import resource, sys
        from pathlib import Path
        from hrctl.database import Database, Schema
        from hrctl.diagnostics import HrctlError
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        schema = Schema("notebook", ((),), "")
        try:
            with Database(Path(sys.argv[1]), schema) as file, file.transaction() as connection:
                connection.execute("INSERT INTO notes VALUES (?)", ("x" * 300_000,))
        except HrctlError as error:
            print(error.diagnostics[0].code)
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "HR103\n"
    assert count(path) == 1


def fill(path: Path) -> None:
    with Database(path, SCHEMA) as file:
        for _ in range(1000):
            with file.transaction() as connection:
                connection.execute("INSERT INTO notes VALUES (?)", ("x" * 3000,))


if CAN_MOUNT:

    @pytest.mark.parametrize("kilobytes", [4, 32, 160])
    def test_small_file_system_runs_full(path: Path, kilobytes: int) -> None:
        path.parent.mkdir()
        size = f"size={kilobytes}k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", path.parent], check=True)
        try:
            with pytest.raises(HrctlError, match="HR103"):
                fill(path)
        finally:
            subprocess.run(["umount", path.parent], check=True)


def test_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("these are no notes\n" * 100)
    with pytest.raises(HrctlError, match=r"HR105 the notebook .* is damaged.*write a new one"):
        count(path)
    assert code(path) == "HR105"
    assert path.read_text().startswith("these are no notes")


def test_damaged_pages(path: Path) -> None:
    for number in range(50):
        write(path, "x" * 1000 + str(number))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(HrctlError, match="HR105"):
        count(path)


def test_file_cut_short(path: Path) -> None:
    for number in range(50):
        write(path, "x" * 1000 + str(number))
    with path.open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(HrctlError, match="HR105"):
        count(path)


def test_missing_table(path: Path) -> None:
    write(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE notes")
    connection.close()
    with pytest.raises(HrctlError, match=r"HR105 .*no such table: notes"):
        count(path)


def test_empty_file_is_an_empty_database(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert count(path) == 0
    assert path.stat().st_size == 0
    write(path)
    assert count(path) == 1


def test_other_program_that_never_commits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    assert code(path) == "HR106"
    assert count(path) == 1  # readers never wait
    shell.close()


def test_json_text() -> None:
    assert json_text({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'
    assert json_text(["\ud800ü"]) == '["\\ud800\\u00fc"]'
