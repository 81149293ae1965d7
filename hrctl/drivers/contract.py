"""The tests that every driver must pass, ours or a third party's.

Subclass `DriverContract` in a test file, say how to reach the live system and what to put there,
and run pytest. The fixture gives each test an empty live system:

    class TestMyDriver(DriverContract):
        @pytest.fixture(autouse=True)
        def _server(self, tmp_path, request):
            self.server = start_server(tmp_path)
            request.addfinalizer(self.server.stop)

        def make_driver(self, project="contract"):
            return MyDriver({"url": self.server.url}, context_for(self.server.folder, project))

        def sample_body(self, kind, n):
            return {"metadata": {}, "spec": {"type": "API", "replicas": 1 + n % 2}}

        def changed_body(self, body):
            return merge(body, {"spec": {"replicas": 3}})

        def tamper(self, address):               # optional: as somebody else would
            self.server.set(address, replicas=9)

        def with_secret(self, body, reference):  # optional: where a secret may stand
            return merge(body, {"spec": {"env": {"TOKEN": reference}}})

What a driver does not claim to do (to rename, to import, to tell its health) it need not. Where a
hook is missing its tests are skipped, and only that needs pytest.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from hrctl.drivers.api import Driver, Health, Importer, Outcome, Ownership, Result
from hrctl.drivers.contract_base import (
    NO_KEY,
    PLAINTEXT,
    PROJECT,
    SECRET,
    ContractSecrets,
    context_for,
    differences,
    require,
)
from hrctl.drivers.contract_crash import CrashContract
from hrctl.drivers.discovery import check_driver
from hrctl.model.address import Address
from hrctl.model.plan import Action

# ruff: noqa: D102 - a test's name is its documentation

__all__ = ["ContractSecrets", "DriverContract", "context_for", "differences", "require"]


class DriverContract(CrashContract):
    """The conformance tests; see the module for how to use them."""

    def test_class_is_in_order(self) -> None:
        driver = self.make_driver()
        found = check_driver(type(driver))
        require(not found, "\n".join(map(str, found)))
        require(isinstance(driver, Driver), f"{type(driver)} lacks a method of Driver")

    def test_scan_of_nothing_is_empty(self) -> None:
        with self.make_driver() as driver:
            require(not list(driver.scan()), "scan() finds something in an empty system")

    def test_read_of_nothing_is_empty(self) -> None:
        with self.make_driver() as driver:
            require(not list(driver.read([])), "read([]) gives something")
            unknown = [self.address(kind, 7) for kind in sorted(driver.kinds)]
            require(not list(driver.read(unknown)), "read() gives what is not there")

    def test_create_is_seen(self) -> None:
        with self.make_driver() as driver:
            for kind in sorted(driver.kinds):
                change = self.create(kind, 1)
                outcome = self.done(driver, change)
                self.require_live(driver, change, outcome)

    def test_read_leaves_out_what_is_not_there(self) -> None:
        with self.make_driver() as driver:
            change = self.create(self.a_kind(driver), 1)
            self.done(driver, change)
            unknown = self.address(self.a_kind(driver), 2)
            found = [live.address for live in driver.read([unknown, change.address])]
            require(found == [change.address], f"read() of one and an unknown one gives {found}")

    def test_version_stands_still(self) -> None:
        with self.make_driver() as driver:
            change = self.create(self.a_kind(driver), 1)
            self.done(driver, change)
            first = self.stamp(driver, change.address)
            list(driver.read([change.address]))
            require(
                self.stamp(driver, change.address) == first,
                "the stamp moves although nothing changed: every plan would find drift",
            )

    def test_update_is_seen(self) -> None:
        with self.make_driver() as driver:
            for kind in sorted(driver.kinds):
                made = self.create(kind, 1)
                version = self.done(driver, made).version
                change = self.update(made, version)
                outcome = self.done(driver, change)
                require(outcome.version != version, "an update leaves the version as it was")
                self.require_live(driver, change, outcome)

    def test_update_removes_what_is_no_longer_wanted(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            wider = replace(made, after=self.changed_body(made.after or {}))
            outcome = self.done(driver, wider)
            change = replace(self.update(wider, outcome.version), after=made.after)
            self.require_live(driver, change, self.done(driver, change))

    def test_stale_update_is_refused(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            old = self.done(driver, made)
            update = self.update(made, old.version)
            self.done(driver, update)
            again = replace(update, after=made.after)  # still expects the version before
            self.require_refused(driver, again, "an update that expects an old version")

    def test_stale_delete_is_refused(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            old = self.done(driver, made)
            self.done(driver, self.update(made, old.version))
            self.require_refused(
                driver, self.delete(made, old.version), "a delete that expects an old version"
            )

    def test_create_over_something_is_refused(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            self.done(driver, made)
            other = replace(made, after=self.changed_body(made.after or {}))
            self.require_refused(driver, other, "a create where something is")

    def test_update_of_nothing_is_refused(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            version = self.done(driver, made).version
            self.done(driver, self.delete(made, version))
            self.require_refused(
                driver, self.update(made, version), "an update of what has vanished"
            )

    def test_delete_makes_it_vanish(self) -> None:
        with self.make_driver() as driver:
            for kind in sorted(driver.kinds):
                made = self.create(kind, 1)
                outcome = self.done(driver, made)
                gone = self.done(driver, self.delete(made, outcome.version))
                require(gone.version is None, "a delete ends with a version")
                require(self.find(driver, made.address) is None, "scan() shows what is deleted")
                require(not list(driver.read([made.address])), "read() gives what is deleted")

    def test_delete_of_what_has_vanished(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            outcome = self.done(driver, made)
            delete = self.delete(made, outcome.version)
            self.done(driver, delete)
            (again,) = self.apply(driver, [delete])
            require(again.result is not Result.FAILED, "a second delete fails; it is done or stale")

    def test_version_is_never_used_again(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            first = self.done(driver, made).version
            self.done(driver, self.delete(made, first))
            second = self.done(driver, made).version
            require(
                first != second, f"made anew it has the old version {first}: a lost thing hides"
            )

    def test_replace(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            version = self.done(driver, made).version
            change = replace(self.update(made, version), action=Action.REPLACE)
            outcome = self.done(driver, change)
            require(outcome.version != version, "a replace leaves the version as it was")
            self.require_live(driver, change, outcome)

    def test_rename(self) -> None:
        with self.make_driver() as driver:
            if not driver.capabilities.renames:
                return
            made = self.create(self.a_kind(driver), 1)
            version = self.done(driver, made).version
            change = replace(
                self.update(made, version),
                address=self.address(self.a_kind(driver), 2),
                previous_address=made.address,
                after=made.after,
            )
            self.require_live(driver, change, self.done(driver, change))
            require(self.find(driver, made.address) is None, "the old address is still there")

    def test_batch_has_one_outcome_for_each_change(self) -> None:
        with self.make_driver() as driver:
            kind = self.a_kind(driver)
            there = [self.create(kind, n) for n in range(3)]
            versions = [self.done(driver, change).version for change in there]
            batch = [
                self.create(kind, 3),
                self.update(there[0], versions[0]),
                replace(self.update(there[1], versions[1]), expect_version="no-such-version"),
                self.delete(there[2], versions[2]),
                self.create(kind, 4),
            ]
            results = [outcome.result for outcome in self.apply(driver, batch)]
            wanted = [Result.DONE, Result.DONE, Result.STALE, Result.DONE, Result.DONE]
            require(results == wanted, f"of a batch with a stale one came {results}")
            alive = {stamp.address for stamp in driver.scan()}
            expected = {self.address(kind, n) for n in (0, 1, 3, 4)}
            require(alive == expected, f"after the batch there are {sorted(alive)}")

    def test_many(self) -> None:
        with self.make_driver() as driver:
            kind = self.a_kind(driver)
            few = max(1, self.many // 4)
            seconds = []
            for numbers in (range(few), range(few, few + self.many)):
                started = time.perf_counter()
                for outcome in self.apply(driver, [self.create(kind, n) for n in numbers]):
                    require(outcome.result is Result.DONE, f"{outcome}")
                seconds.append(time.perf_counter() - started)
            count = sum(1 for _ in driver.scan())
            require(count == few + self.many, f"scan() shows {count} of {few + self.many}")
            bound = 0.5 + 3 * seconds[0] * self.many / few  # a square law would be 5 times and more
            require(
                seconds[1] < bound, f"{few} took {seconds[0]:.2f} s, {self.many} {seconds[1]:.2f} s"
            )

    def test_side_by_side(self) -> None:
        with self.make_driver() as driver:
            count = driver.capabilities.max_parallel
            if count == 1:
                return
            batches = [[self.create(self.a_kind(driver), n)] for n in range(min(count, 4))]
            with ThreadPoolExecutor(len(batches)) as pool:
                results = list(pool.map(lambda batch: self.apply(driver, batch), batches))
            for (outcome,) in results:
                require(outcome.result is Result.DONE, f"beside others: {outcome}")

    def test_used_by_one_thread_after_another(self) -> None:
        with self.make_driver() as driver, ThreadPoolExecutor(1) as pool:
            made = self.create(self.a_kind(driver), 1)
            pool.submit(lambda: list(driver.scan())).result()
            (outcome,) = pool.submit(self.apply, driver, [made]).result()
            require(outcome.result is Result.DONE, f"in another thread: {outcome}")
            require(self.find(driver, made.address), "scan() does not show it afterwards")

    def test_names_do_not_collide(self) -> None:
        with self.make_driver() as driver:
            long = "n" * 63
            made = [
                replace(self.create(kind, 1), address=Address.of(registry, kind, long))
                for kind in sorted(driver.kinds)
                for registry in ("acme/contract", "acme", "acme-contract", "acme/contract/prod")
            ]
            for outcome in self.apply(driver, made):
                require(outcome.result is Result.DONE, f"{outcome}")
            found = sorted(stamp.address for stamp in driver.scan())
            wanted = sorted(change.address for change in made)
            require(found == wanted, f"scan() shows {found} instead of {wanted}")

    def test_tampering_is_seen(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            self.done(driver, made)
            before = self.stamp(driver, made.address)
        self.tamper(made.address)
        with self.make_driver() as driver:
            after = self.find(driver, made.address)
            require(after is None or after.version != before.version, "the version did not move")
            for live in driver.read([made.address]):
                require(differences(made.after, live.body), "read() gives back what was applied")
            update = self.update(made, before.version)
            (outcome,) = self.apply(driver, [update])
            require(outcome.result is Result.STALE, f"an update on it ends as {outcome}")

    def test_other_changes_leave_it_as_somebody_left_it(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            self.done(driver, made)
        self.tamper(made.address)
        with self.make_driver() as driver:
            before = self.find(driver, made.address)
            bodies = [live.body for live in driver.read([made.address])]
            self.done(driver, self.create(made.address.kind, 2))
        with self.make_driver() as driver:
            after = self.find(driver, made.address)
            require(after == before, f"another's create made {after} of {before}")
            now = [live.body for live in driver.read([made.address])]
            require(now == bodies, "read() tells something else of it after another's create")

    def test_next_process_sees_the_same(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            outcome = self.done(driver, made)
        with self.make_driver() as driver:
            self.require_live(driver, made, outcome)

    def test_other_projects_keep_their_own(self) -> None:
        driver = self.make_driver()
        if driver.capabilities.ownership is Ownership.LEDGER:
            return
        with driver:
            made = self.create(self.a_kind(driver), 1)
            self.done(driver, made)
        with self.make_driver("another") as other:
            seen = self.find(other, made.address)
            require(
                seen is None or seen.owner == PROJECT, f"another project sees {seen} as its own"
            )
            if seen is not None:
                changed = replace(made, after=self.changed_body(made.after or {}))
                self.require_refused(other, changed, "a create where another project's thing is")

    def test_secrets_stay_secret(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            made = replace(made, after=self.with_secret(made.after or {}, SECRET))
            outcome = self.done(driver, made)
            self.require_live(driver, made, outcome)
            update = self.update(made, outcome.version)
            outcomes = self.apply(driver, [update, update])  # the second one is refused
            shown = [*driver.scan(), *driver.read([made.address]), outcome, *outcomes]
            require(PLAINTEXT not in repr([_shown(one) for one in shown]), "plaintext comes back")

    def test_missing_key_fails_only_its_own_change(self) -> None:
        with self.make_driver() as driver:
            plain, secret = self.create(self.a_kind(driver), 1), self.create(self.a_kind(driver), 2)
            secret = replace(secret, after=self.with_secret(secret.after or {}, SECRET))
            outcomes = self.apply(driver, [secret, plain], ContractSecrets(keys=False))
            require(outcomes[1].result is Result.DONE, f"what needs no key ends as {outcomes[1]}")
            if outcomes[0].result is Result.DONE:  # a store that keeps the reference needs no key
                return
            require(outcomes[0].error == NO_KEY, f"the error is not passed on: {outcomes[0]}")
            require(self.find(driver, secret.address) is None, "it was made without its secret")

    def test_plan_is_a_last_word(self) -> None:
        with self.make_driver() as driver:
            made = self.create(self.a_kind(driver), 1)
            for change in (made, self.update(made, "1"), self.delete(made, "1")):
                said = driver.plan(change)
                kept = (said.address, said.driver, said.expect_version)
                require(
                    kept == (change.address, change.driver, change.expect_version),
                    f"plan() changes more than what is done: {said}",
                )

    def test_discover_gives_what_nobody_owns(self) -> None:
        with self.make_driver() as driver:
            if not isinstance(driver, Importer):
                return
            self.done(driver, self.create(self.a_kind(driver), 1))
            found = [live.address for live in driver.discover() if live.owner is not None]
            if driver.capabilities.ownership is Ownership.MARK:
                found = [live.address for live in driver.discover()]
            require(not found, f"discover() gives what is owned: {found}")

    def test_health_of_each(self) -> None:
        with self.make_driver() as driver:
            if not isinstance(driver, Health):
                return
            made = self.create(self.a_kind(driver), 1)
            self.done(driver, made)
            wanted = [made.address, self.address(self.a_kind(driver), 2)]
            seen = {report.address for report in driver.health(wanted) if report.status}
            require(made.address in seen, "health() has no report for what is there")
            require(seen <= set(wanted), f"health() reports what was not asked for: {seen}")


def _shown(one: Any) -> Any:
    """What hrctl would show or record of it: all but the outputs that are said to be sensitive."""
    if not isinstance(one, Outcome):
        return one
    outputs = one.outputs.items()
    shown = {key: value for key, value in outputs if key not in one.sensitive_outputs}
    return replace(one, outputs=shown)
