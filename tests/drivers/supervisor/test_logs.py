from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.logs import Follower, show, tail
from hrctl.model.address import Address
from tests.drivers.supervisor.conftest import HERE, Project


def test_tail_reads_on_in_the_rotated_file(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert tail(log, 5) == []
    log.write_text("3\n4\n")
    log.with_name("x.log.1").write_text("1\n2\n")
    assert tail(log, 3) == ["2", "3", "4"]
    assert tail(log, 1) == ["4"]
    assert tail(log, 0) == []


def test_tail_of_long_lines_without_an_end(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"a" * 100_000 + b"\n" + b"b" * 70_000 + b"\n\xff half")
    assert tail(log, 2) == ["b" * 70_000, "\ufffd half"]


def test_follow_over_rotation_and_truncation(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    follower = Follower(log)
    assert follower.lines() == []
    log.write_text("one\ntw")
    assert follower.lines() == ["one"]
    with log.open("a") as file:
        file.write("o\nthree\n")
    log.rename(tmp_path / "x.log.1")
    log.write_text("four\n")
    assert follower.lines() == ["two", "three", "four"]
    log.write_text("5\n")
    assert follower.lines() == ["5"]
    follower.close()


def test_only_whole_lines_and_a_prefix_where_there_are_several(tmp_path: Path) -> None:
    paths = [tmp_path / "0.log", tmp_path / "1.log"]
    for path in paths:
        path.write_text(f"{path.name}\n")
    assert list(show(paths, tail_lines=5, follow=False)) == ["[0] 0.log", "[1] 1.log"]
    assert list(show(paths[:1], tail_lines=5, follow=False)) == ["0.log"]


def test_a_service_that_writes_much_is_rotated_and_followed(project: Project, api: Address) -> None:
    # 40 lines of 256 bytes are kept: a full file and the one that is written to.
    spec: dict[str, Any] = {
        "command": f"python3 {HERE / 'writer.py'}",
        "logs": {"keep": 40},
    }
    project.put(api, **spec)
    lines: Iterator[str] = project.driver.logs(api, tail=0, follow=True)
    got: list[int] = []

    def read() -> None:
        for line in lines:
            got.append(int(line.split()[0]))
            if len(got) == 300:
                return

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(10)
    assert not reader.is_alive()
    assert got == list(range(got[0], got[0] + 300))
    lines.close()  # type: ignore[attr-defined]  # it is a generator

    log = project.folders.log("acme.shop.prod.api", 0)
    assert log.with_name(log.name + ".1").exists()
    assert log.stat().st_size < 3 * 40 * 256
    assert len(list(project.driver.logs(api, tail=30, follow=False))) == 30


def test_logs_of_nothing(project: Project) -> None:
    with pytest.raises(HrctlError, match="HR092 acme:Service/x is not there"):
        project.driver.logs(Address("acme:Service/x"), tail=1, follow=False)
