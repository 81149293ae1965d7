from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hrctl.diagnostics import HrctlError, LockedError
from hrctl.ledger.api import ChangeRecord, Entry, Intent, Lease, Ledger, RunRecord, Settled
from hrctl.ledger.sqlite import SqliteLedger
from hrctl.model.address import Address
from hrctl.model.plan import Action, Lifecycle

Make = Callable[..., Entry]
Settle = Callable[..., Settled]

API, WEB, DB = (Address(f"acme/prod:Service/{name}") for name in ("api", "web", "db"))


def test_missing_ledger_is_empty_and_stays_missing(ledger: SqliteLedger, tmp_path: Path) -> None:
    assert ledger.serial() == 0
    assert list(ledger.stamps()) == []
    assert list(ledger.entries()) == []
    assert list(ledger.entries([API])) == []
    assert not ledger.intents()
    assert not ledger.leases()
    assert not ledger.runs()
    assert not ledger.run_changes("r")
    assert ledger.break_lease("acme") is None
    ledger.release(Lease("acme", "kim@here:1", 1, 0.0, "r1"))
    assert list(tmp_path.iterdir()) == []


def test_first_write_makes_the_folder_and_hides_it_from_git(lease: Lease, path: Path) -> None:
    assert lease.fence == 1
    assert path.exists()
    assert path.with_name(".gitignore").read_text() == "*\n"


def test_folder_that_is_there_keeps_its_gitignore(path: Path) -> None:
    path.parent.mkdir()
    with SqliteLedger(path) as ledger:
        ledger.acquire("acme", run="r1", seconds=60)
    assert not path.with_name(".gitignore").exists()


def test_implements_the_protocol(path: Path) -> None:
    checked_by_mypy: Ledger = SqliteLedger(path)
    for name in (name for name in dir(Ledger) if not name.startswith("_")):
        assert callable(getattr(checked_by_mypy, name)), name


def test_instances_of_entries_and_intents(
    ledger: SqliteLedger,
    lease: Lease,
    entry: Make,
    settled: Settle,
    intent: Callable[..., Intent],
) -> None:
    assert ledger.instances() == frozenset()
    ledger.settle(lease, [settled(entry(API)), settled(entry(WEB, driver="procs"))])
    ledger.intend(lease, [intent(entry(DB, driver="edge"))])
    assert ledger.instances() == {"local", "procs", "edge"}


def test_entry_comes_back_whole(ledger: SqliteLedger, lease: Lease, settled: Settle) -> None:
    whole = Entry(
        API,
        "procs",
        "d" * 32,
        {"metadata": {"labels": {"ü": "€"}}, "spec": {"n": 1.5, "l": [None, True, "\ud800"]}},
        "v7",
        depends_on=(DB, WEB),
        lifecycle=Lifecycle(
            protect=True, ignore=("/spec/n",), create_first=True, deletion="retain"
        ),
        outputs={"port": 8080, "empty": None},
        commit="4f1c2ab",
        run="r1",
    )
    ledger.settle(lease, [settled(whole)])
    assert list(ledger.entries()) == [whole]
    assert list(ledger.entries([API, WEB])) == [whole]
    assert list(ledger.entries([WEB])) == []
    assert list(ledger.stamps()) == [(API, "procs", "d" * 32, "v7")]
    (stamp,) = ledger.stamps()
    assert stamp.address.registry == "acme/prod"


def test_entries_come_in_the_order_of_their_addresses(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    ledger.settle(lease, [settled(entry(one)) for one in (WEB, API, DB)])
    assert [found.address for found in ledger.entries()] == [API, DB, WEB]
    assert [found.address for found in ledger.entries([WEB, API])] == [API, WEB]


def test_settle_updates_deletes_and_keeps(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    ledger.settle(lease, [settled(entry(one)) for one in (API, WEB, DB)])
    ledger.settle(
        lease,
        [
            settled(entry(API, digest="d2", body={"spec": {}}, version="2")),
            settled(None, WEB),
            settled(None, DB, "failed", keep_entry=True),
        ],
    )
    assert [(one[0], one[2], one[3]) for one in ledger.stamps()] == [
        (API, "d2", "2"),
        (DB, "d1", "1"),
    ]
    assert next(iter(ledger.entries([API]))).body == {"spec": {}}


def test_last_outcome_of_an_address_holds(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    ledger.settle(lease, [settled(None, API), settled(entry(API, digest="new"))])
    assert [one.digest for one in ledger.stamps()] == ["new"]
    assert len(ledger.run_changes("r1")) == 2


def test_serial_grows_with_entries_alone(
    ledger: SqliteLedger,
    lease: Lease,
    entry: Make,
    settled: Settle,
    intent: Callable[..., Intent],
) -> None:
    ledger.intend(lease, [intent(entry(API))])
    ledger.settle(lease, [settled(None, API, "failed", keep_entry=True)])
    assert ledger.serial() == 0
    ledger.settle(lease, [settled(entry(API)), settled(entry(WEB))])
    assert ledger.serial() == 1
    ledger.move(lease, [(WEB, DB)])
    assert ledger.serial() == 2
    ledger.forget(lease, [DB])
    assert ledger.serial() == 3
    ledger.forget(lease, [DB])
    assert ledger.serial() == 3


def test_intent_stays_until_its_outcome_is_known(
    ledger: SqliteLedger,
    lease: Lease,
    entry: Make,
    settled: Settle,
    intent: Callable[..., Intent],
) -> None:
    ledger.settle(lease, [settled(entry(API))])
    wanted = intent(entry(API, digest="d2", depends_on=(DB,)), Action.UPDATE)
    gone = Intent(WEB, Action.DELETE, "local", "r1", None)
    ledger.intend(lease, [wanted, gone])
    assert ledger.intents() == [wanted, gone]
    assert [one.pending for one in ledger.entries()] == [Action.UPDATE]
    unknown = settled(None, API, "failed", keep_entry=True, keep_intent=True)
    ledger.settle(lease, [unknown, settled(None, WEB)])
    assert ledger.intents() == [wanted]
    ledger.settle(lease, [settled(wanted.entry)])
    assert ledger.intents() == []
    assert [one.pending for one in ledger.entries()] == [None]


def test_runs_are_told_newest_first(ledger: SqliteLedger, lease: Lease, run: RunRecord) -> None:
    ledger.begin(lease, run)
    other = ledger.acquire("other", run="r2", seconds=60)
    ledger.begin(other, replace(run, id="r2", commit=None))
    done = replace(run, finished="2026-03-02T09:15:00Z", status="partial", counts={"done": 3})
    ledger.finish(lease, done)
    assert ledger.runs() == [replace(run, id="r2", commit=None), done]
    assert [one.id for one in ledger.runs(limit=1)] == ["r2"]


def test_run_changes_in_the_order_in_which_they_ended(
    ledger: SqliteLedger, lease: Lease, entry: Make
) -> None:
    records = [
        ChangeRecord("r1", WEB, "create", "done", None, 1.5),
        ChangeRecord("r1", API, "update", "failed", "HR083 no", 0.25),
    ]
    outcomes = [Settled(records[0].address, entry(WEB), records[0])]
    outcomes.append(Settled(records[1].address, None, records[1], keep_entry=True))
    ledger.settle(lease, outcomes)
    assert ledger.run_changes("r1") == records
    assert ledger.run_changes("r2") == []


def test_forget_drops_entries_and_intents(
    ledger: SqliteLedger,
    lease: Lease,
    entry: Make,
    settled: Settle,
    intent: Callable[..., Intent],
) -> None:
    ledger.settle(lease, [settled(entry(API)), settled(entry(WEB))])
    ledger.intend(lease, [intent(entry(API)), intent(entry(DB))])
    assert ledger.forget(lease, [API, DB, Address("acme:Service/none")]) == 2
    assert [one.address for one in ledger.entries()] == [WEB]
    assert ledger.intents() == []


def test_move_keeps_all_and_others_follow(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    api, web = entry(API, outputs={"a": 1}), entry(WEB, depends_on=(DB, API))
    ledger.settle(lease, [settled(api), settled(web)])
    new = Address("acme/new:Service/api")
    ledger.move(lease, [(API, new)])
    found = {one.address: one for one in ledger.entries()}
    assert found == {
        new: replace(api, address=new),
        WEB: replace(web, depends_on=(DB, new)),
    }


def test_two_may_change_places(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    ledger.settle(lease, [settled(entry(API, digest="a")), settled(entry(WEB, digest="w"))])
    ledger.move(lease, [(API, WEB), (WEB, API)])
    assert [(one.address, one.digest) for one in ledger.stamps()] == [(API, "w"), (WEB, "a")]


def test_move_onto_another_is_refused_whole(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    ledger.settle(lease, [settled(entry(API)), settled(entry(WEB)), settled(entry(DB))])
    before = list(ledger.entries())
    with pytest.raises(HrctlError, match="HR107 nothing can be moved to acme/prod:Service/web"):
        ledger.move(lease, [(DB, Address("acme:Service/db")), (API, WEB)])
    assert list(ledger.entries()) == before


def test_write_outside_the_lease_is_refused(
    ledger: SqliteLedger, entry: Make, settled: Settle
) -> None:
    lease = ledger.acquire("acme/prod", run="r1", seconds=60)
    ledger.settle(lease, [settled(entry(API))])
    outside = entry("acme/production:Service/api")
    with pytest.raises(LockedError, match="HR101 the lease on acme/prod does not cover"):
        ledger.settle(lease, [settled(entry(WEB)), settled(outside)])
    assert [one.address for one in ledger.stamps()] == [API]


def test_batch_of_a_thousand_does_not_slow_down(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle
) -> None:
    steps = []
    connection = ledger._file._writer()
    for start in range(0, 3000, 1000):
        numbers = range(start, start + 1000)
        outcomes = [settled(entry(f"acme:Node/n{number:05}")) for number in numbers]
        count = [0]

        def tick(count: list[int] = count) -> int:
            count[0] += 1
            return 0

        connection.set_progress_handler(tick, 1000)  # thousands of steps of SQLite's machine
        ledger.settle(lease, outcomes)
        connection.set_progress_handler(None, 0)
        steps.append(count[0])
    assert len(ledger.stamps()) == 3000
    assert steps[2] <= steps[0] * 1.2 + 5


def test_heartbeat_from_another_thread(ledger: SqliteLedger, lease: Lease) -> None:
    renewed: list[Lease] = []
    thread = threading.Thread(target=lambda: renewed.append(ledger.renew(lease, seconds=3600)))
    thread.start()
    thread.join()
    assert renewed[0].expires > lease.expires + 3000
    assert ledger.leases() == renewed


def test_rest_is_for_one_thread(ledger: SqliteLedger, lease: Lease) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            ledger.release(lease)
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            caught.append(error)

    ledger.stamps()
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread" in str(caught[0])


def test_nothing_of_a_body_reaches_an_error(
    ledger: SqliteLedger, lease: Lease, entry: Make, settled: Settle, path: Path
) -> None:
    ledger.settle(lease, [settled(entry(API, body={"spec": {"token": "hidden"}}))])
    ledger._file._writer().execute("UPDATE bodies SET body = substr(body, 2)")
    with pytest.raises(HrctlError) as caught:
        list(ledger.entries())
    assert str(caught.value).startswith(
        f"HR105 the ledger {path} is damaged: the row of acme/prod:Service/api cannot be read"
    )
    assert "hidden" not in str(caught.value)
