from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hrctl.diagnostics import LockedError
from hrctl.ledger import processes
from hrctl.ledger.api import RunRecord
from hrctl.ledger.leases import overlap
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.address import Address

HOLD = """
import sys, time
from pathlib import Path
from hrctl.ledger.api import Entry, Intent, Settled, ChangeRecord
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.address import Address
from hrctl.model.plan import Action

with SqliteLedger(Path(sys.argv[1])) as ledger:
    lease = ledger.acquire(sys.argv[2], run="r-" + sys.argv[2], seconds=600)
    address = Address(sys.argv[2] + ":Service/api")
    entry = Entry(address, "local", "d", {"spec": {}}, "1")
    ledger.intend(lease, [Intent(address, Action.CREATE, "local", lease.run, entry)])
    print("holding", flush=True)
    time.sleep(600)
"""


@contextmanager
def holder(path: Path, subtree: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease and is about to create something."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), subtree], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


def other(ledger: SqliteLedger, **columns: object) -> None:
    """Make the one lease look like that of somebody else."""
    names = ", ".join(f"{name} = ?" for name in columns)
    ledger._file._writer().execute(f"UPDATE leases SET {names}", tuple(columns.values()))  # noqa: S608 - a test's own


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("acme", "acme", True),
        ("acme", "acme/prod", True),
        ("acme/prod", "acme", True),
        ("acme/prod", "acme/dev", False),
        ("acme/prod", "acme/production", False),
        ("", "acme", True),
        ("acme", "", True),
    ],
)
def test_overlap(one: str, two: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert overlap(one, two) is expected


def test_locked_error_says_who_what_and_until_when(ledger: SqliteLedger) -> None:
    held = ledger.acquire("acme/prod", run="r1", seconds=60)
    with pytest.raises(LockedError) as caught:
        ledger.acquire("acme", run="r2", seconds=60)
    assert caught.value.exit_code == 3
    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        rf"HR100 acme/prod is locked by {re.escape(held.holder)} since {when} until {when},"
        r" which overlaps acme; wait until that run ends \(at the latest in \d+ seconds, unless it"
        r" goes on\), or, where it cannot go on any more, `hrctl state unlock acme/prod`",
        str(caught.value),
    )


def test_disjoint_subtrees_side_by_side(ledger: SqliteLedger, path: Path) -> None:
    with holder(path, "acme/prod"):
        mine = ledger.acquire("acme/dev", run="r2", seconds=60)
        assert [lease.subtree for lease in ledger.leases()] == ["acme/dev", "acme/prod"]
        with pytest.raises(LockedError, match="HR100 acme/prod is locked by"):
            ledger.acquire("acme/prod/tenant", run="r3", seconds=60)
        ledger.release(mine)


def test_fences_grow(ledger: SqliteLedger) -> None:
    fences = []
    for _ in range(3):
        lease = ledger.acquire("acme", run="r1", seconds=60)
        fences.append(lease.fence)
        ledger.release(lease)
    assert fences == [1, 2, 3]
    assert ledger.leases() == []


def test_killed_holder_gives_way_at_once_and_leaves_its_intent(
    ledger: SqliteLedger, path: Path
) -> None:
    with holder(path, "acme/prod") as process:
        with pytest.raises(LockedError, match=f":{process.pid} since"):
            ledger.acquire("acme", run="r2", seconds=60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        lease = ledger.acquire("acme", run="r2", seconds=60)
        assert [one.subtree for one in ledger.leases()] == ["acme"]
        (intent,) = ledger.intents()
        assert (intent.address, intent.run) == ("acme/prod:Service/api", "r-acme/prod")
        assert list(ledger.stamps()) == []
        assert lease.fence == 2


def test_holder_that_is_a_zombie_gives_way(ledger: SqliteLedger, path: Path) -> None:
    with holder(path, "acme/prod") as process:
        process.kill()
        deadline = time.monotonic() + 5
        while not processes.is_gone(ledger.leases()[0].holder, None):  # nobody has reaped it yet
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ledger.acquire("acme", run="r2", seconds=60)


def test_expired_lease_gives_way_and_its_holder_is_refused(
    ledger: SqliteLedger, path: Path
) -> None:
    asleep = ledger.acquire("acme/prod", run="r1", seconds=-1)
    with SqliteLedger(path) as second:
        second.acquire("acme", run="r2", seconds=60)
    with pytest.raises(LockedError, match="HR101 the lease on acme/prod was lost to"):
        ledger.forget(asleep, [Address("acme/prod:Service/api")])
    with pytest.raises(LockedError, match="HR101"):
        ledger.renew(asleep, seconds=60)
    ledger.release(asleep)
    assert [lease.subtree for lease in ledger.leases()] == ["acme"]


def test_expired_lease_that_nobody_took_goes_on(ledger: SqliteLedger) -> None:
    lease = ledger.acquire("acme", run="r1", seconds=-1)
    assert ledger.renew(lease, seconds=60).expires > time.time()
    assert ledger.forget(lease, []) == 0


def test_old_lease_on_the_same_subtree_is_told_by_its_fence(ledger: SqliteLedger) -> None:
    old = ledger.acquire("acme", run="r1", seconds=-1)
    ledger.acquire("acme", run="r2", seconds=60)
    with pytest.raises(LockedError, match="HR101"):
        ledger.forget(old, [])
    ledger.release(old)
    assert [lease.run for lease in ledger.leases()] == ["r2"]


def test_unlock(ledger: SqliteLedger) -> None:
    held = ledger.acquire("acme/prod", run="r1", seconds=60)
    assert ledger.break_lease("acme") is None
    assert ledger.break_lease("acme/prod") == held
    with pytest.raises(LockedError, match="it had expired or was unlocked"):
        ledger.renew(held, seconds=60)
    assert ledger.acquire("acme", run="r2", seconds=60).fence == 2


def test_process_of_the_same_number_is_not_the_holder(ledger: SqliteLedger) -> None:
    ledger.acquire("acme", run="r1", seconds=60)
    boot, namespace, started = processes.identity().split("/")
    other(ledger, process=f"{boot}/{namespace}/{int(started) - 1}")
    assert ledger.acquire("acme", run="r2", seconds=60).fence == 2


def test_a_process_that_proc_hides_is_alive(
    ledger: SqliteLedger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With hidepid /proc shows nobody the processes of other users."""
    with holder(path, "acme/prod") as process:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/stat").symlink_to("/proc/self/stat")
        monkeypatch.setattr(processes, "_PROC", tmp_path / "proc")
        with pytest.raises(LockedError, match="HR100"):
            ledger.acquire("acme", run="r2", seconds=60)
        process.kill()
        process.wait()
        assert ledger.acquire("acme", run="r2", seconds=60).fence == 2


def test_a_killed_run_counts_as_interrupted(ledger: SqliteLedger, path: Path) -> None:
    record = RunRecord("r-acme", "kim", "2026-03-02T09:14:00Z", None, None, "p", "apply", "running")
    with holder(path, "acme") as process:
        (lease,) = ledger.leases()
        ledger.begin(lease, record)
        assert [one.status for one in ledger.runs()] == ["running"]
        process.kill()
        process.wait()
    assert [one.status for one in ledger.runs()] == ["interrupted"]
    found = ledger.run("r-acme")
    assert found is not None
    assert found.status == "interrupted"
    ledger.acquire("acme", run="r2", seconds=60)
    assert [one.status for one in ledger.runs()] == ["interrupted"]


def test_holder_before_a_reboot_is_gone(ledger: SqliteLedger) -> None:
    ledger.acquire("acme", run="r1", seconds=60)
    other(ledger, process=f"another-boot/{processes.identity().partition('/')[2]}")
    assert ledger.acquire("acme", run="r2", seconds=60).fence == 2


@pytest.mark.parametrize("change", ["host", "namespace"])
def test_holder_that_cannot_be_seen_counts_as_alive(ledger: SqliteLedger, change: str) -> None:
    ledger.acquire("acme", run="r1", seconds=60)
    boot, _, started = processes.identity().split("/")
    if change == "host":
        other(ledger, holder="kim@elsewhere:99999999")
    else:
        other(
            ledger, process=f"{boot}/[1]/{started}", holder=f"kim@{socket.gethostname()}:99999999"
        )
    with pytest.raises(LockedError, match="HR100 acme is locked by kim@"):
        ledger.acquire("acme", run="r2", seconds=60)


def test_two_processes_contend_and_one_wins(tmp_path: Path, path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from hrctl.diagnostics import LockedError
from hrctl.ledger.sqlite import SqliteLedger
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
with SqliteLedger(Path(sys.argv[1])) as ledger:
    try:
        print("won", ledger.acquire("acme", run="r", seconds=60).fence, flush=True)
    except LockedError:
        print("lost", flush=True)
    sys.stdin.read()
"""
    start = tmp_path / "start"
    command = [sys.executable, "-c", code, str(path), str(start)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    time.sleep(0.5)
    start.touch()  # they also race to make the file
    found = sorted(racer.stdout.readline() for racer in racers if racer.stdout)
    for racer in racers:
        racer.communicate()
    assert found == ["lost\n", "lost\n", "lost\n", "won 1\n"]


def test_holder_names_this_process() -> None:
    assert processes.holder().endswith(f"@{socket.gethostname()}:{os.getpid()}")
    assert not processes.is_gone(processes.holder(), processes.identity())
