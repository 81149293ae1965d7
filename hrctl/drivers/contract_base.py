"""What the contract tests are written with: hooks, changes, and what holds for every outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, NoReturn

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.api import Context, Driver, Live, Outcome, Ownership, Result, Stamp
from hrctl.drivers.fence import Fence
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason
from hrctl.model.values import Body, Json, is_reference, is_sensitive_reference, pointer

PROJECT: Final = "contract"
PLAINTEXT: Final = "correct-horse-battery-staple"
SECRET: Final[Json] = {"valueFrom": {"age": "-----BEGIN AGE ENCRYPTED FILE-----"}}
FENCE: Final = Fence()  # of all drivers that are tested
NO_KEY: Final = Diagnostic("HR086", "the key for this secret is missing")


class ContractSecrets:
    """Knows every secret of the tests: each one is `PLAINTEXT`. Without `keys` it knows none."""

    def __init__(self, *, keys: bool = True) -> None:
        self.keys = keys

    def reveal(self, value: Json) -> Json:
        """References replaced, plaintext included."""
        return self._walk(value, secrets=True)

    def resolve(self, value: Json) -> Json:
        """References replaced, except for the sensitive ones."""
        return self._walk(value, secrets=False)

    def _walk(self, value: Json, *, secrets: bool) -> Json:
        if is_sensitive_reference(value):
            if secrets and not self.keys:
                raise HrctlError(NO_KEY)
            return PLAINTEXT if secrets else value
        if is_reference(value):
            return "a-resolved-value"
        if isinstance(value, dict):
            return {key: self._walk(item, secrets=secrets) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item, secrets=secrets) for item in value]
        return value


def context_for(folder: Path, project: str = PROJECT, instance: str = "tested") -> Context:
    """Surroundings below a folder of the test's own."""
    return Context(
        instance=instance,
        project=project,
        root=folder,
        state_dir=folder / ".hrctl",
        fence=FENCE,
    )


def require(condition: object, message: str) -> None:
    """Fail the test where the condition does not hold."""
    __tracebackhide__ = True
    if not condition:
        raise AssertionError(message)


def differences(desired: Json, live: Json, applied: Json = None, path: str = "") -> list[str]:
    """Field paths where `live` is not as desired, under the three-way rule.

    What only the live side has is no difference, unless it was applied and is no longer desired. A
    reference that is sensitive may stand as it is, masked, or not at all.
    """
    if is_sensitive_reference(desired) or (desired in (None, {}, []) and live in (None, {}, [])):
        return []
    if isinstance(desired, dict) and isinstance(live, dict) and not is_reference(desired):
        before = applied if isinstance(applied, dict) else {}
        found = [
            f"{path}{pointer([key])}" for key in before if key not in desired and live.get(key)
        ]
        for key, item in desired.items():
            below = f"{path}{pointer([key])}"
            found += differences(item, live.get(key), before.get(key), below)
        return found
    if isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        pairs = enumerate(zip(desired, live, strict=True))
        return [one for i, (a, b) in pairs for one in differences(a, b, None, f"{path}/{i}")]
    return [] if desired == live else [path]


class ContractBase:
    """Hooks that a subclass of `DriverContract` fills in, and steps that its tests are made of.

    `many` is the size of the large batch; lower it where each change is slow.
    """

    many: ClassVar[int] = 200

    def make_driver(self, project: str = PROJECT) -> Driver:
        """A new object, not entered, that reaches the live system of this test."""
        raise NotImplementedError

    def sample_body(self, kind: str, n: int) -> Body:
        """A valid complete body; different numbers may give the same one."""
        raise NotImplementedError

    def changed_body(self, body: Body) -> Body:
        """The same with a change that the driver makes in place."""
        raise NotImplementedError

    def tamper(self, address: Address) -> None:
        """Change the live thing behind hrctl's back, in a field that its sample body sets."""
        self.skip(f"{type(self).__name__} does not say how to tamper with {address}")

    def with_secret(self, body: Body, reference: Json) -> Body:
        """The body with the reference at a place that takes one."""
        self.skip(f"{type(self).__name__} does not say where {reference} may stand in {body}")

    def address(self, kind: str, n: int) -> Address:
        """Where sample `n` goes."""
        return Address.of("acme/contract", kind, f"sample-{n}")

    # -- steps

    def skip(self, why: str) -> NoReturn:
        """Skip the test that asks for it."""
        import pytest

        pytest.skip(why)

    def a_kind(self, driver: Driver) -> str:
        """The kind to test with where one is enough."""
        return "Service" if "Service" in driver.kinds else min(driver.kinds)

    def create(self, kind: str, n: int) -> Change:
        """The creation of sample `n`."""
        body = self.sample_body(kind, n)
        return Change(self.address(kind, n), Action.CREATE, Reason.NEW, "tested", after=body)

    def update(self, made: Change, version: str | None) -> Change:
        """The change of what `made` made to `changed_body`, at this version."""
        return replace(
            made,
            action=Action.UPDATE,
            reason=Reason.EDITED,
            before=made.after,
            applied=made.after,
            after=self.changed_body(made.after or {}),
            expect_version=version,
        )

    def delete(self, made: Change, version: str | None) -> Change:
        """The deletion of what `made` made, at this version."""
        return replace(
            made,
            action=Action.DELETE,
            reason=Reason.UNDECLARED,
            before=made.after,
            applied=made.after,
            after=None,
            expect_version=version,
        )

    def apply(
        self, driver: Driver, changes: Sequence[Change], secrets: ContractSecrets | None = None
    ) -> list[Outcome]:
        """Outcomes in the order of the changes, after what holds for every one was required."""
        found: list[Outcome] = []
        for batch in _batches(changes, driver.capabilities.max_batch):
            try:
                got = list(driver.apply(batch, secrets or ContractSecrets()))
            except HrctlError as error:
                message = f"apply() raises instead of giving an outcome for each: {error}"
                raise AssertionError(message) from error
            asked = sorted(change.address for change in batch)
            answered = sorted(outcome.address for outcome in got)
            require(asked == answered, f"asked for {asked}, the outcomes are for {answered}")
            left = list(got)
            for change in batch:
                outcome = next(one for one in left if one.address == change.address)
                left.remove(outcome)
                _require_sound(change, outcome)
                found.append(outcome)
        return found

    def done(self, driver: Driver, change: Change) -> Outcome:
        """The outcome of one change that must be done."""
        (outcome,) = self.apply(driver, [change])
        require(outcome.result is Result.DONE, f"{change.action} ends as {outcome}")
        return outcome

    def find(self, driver: Driver, address: Address) -> Stamp | None:
        """The stamp of an address, None where scan() has none."""
        found = [stamp for stamp in driver.scan() if stamp.address == address]
        require(len(found) <= 1, f"scan() gives {address} {len(found)} times")
        return found[0] if found else None

    def stamp(self, driver: Driver, address: Address) -> Stamp:
        """The stamp of an address, which must be there."""
        stamp = self.find(driver, address)
        if stamp is None:
            raise AssertionError(f"scan() does not show {address}")
        return stamp

    def live(self, driver: Driver, address: Address) -> Live:
        """What read() gives for an address, which must be there."""
        found = list(driver.read([address]))
        require([live.address for live in found] == [address], f"read([{address}]) gives {found}")
        return found[0]

    def require_live(self, driver: Driver, change: Change, outcome: Outcome) -> None:
        """Fail where the live thing is not as the change wants it, or versions disagree."""
        stamp, live = self.stamp(driver, change.address), self.live(driver, change.address)
        require(
            stamp.version == outcome.version == live.version,
            f"versions: outcome {outcome.version}, scan {stamp.version}, read {live.version}",
        )
        if driver.capabilities.ownership is not Ownership.LEDGER:
            require(stamp.owner == PROJECT, f"the owner is {stamp.owner}, not {PROJECT}")
        found = differences(ContractSecrets().resolve(change.after), live.body, change.applied)
        require(not found, f"read() differs from what was applied at {', '.join(found)}")

    def require_refused(self, driver: Driver, change: Change, what: str) -> None:
        """Fail where the change is made after all, wholly or in part."""
        before = self.find(driver, change.address), list(driver.read([change.address]))
        (outcome,) = self.apply(driver, [change])
        wanted = {Result.STALE} if change.action is not Action.CREATE else set(Result)
        require(
            outcome.result in wanted - {Result.DONE}, f"{what} is not refused: {outcome.result}"
        )
        after = self.find(driver, change.address), list(driver.read([change.address]))
        require(before == after, f"{what} is refused, and yet something changed")


def _batches(changes: Sequence[Change], size: int) -> Iterator[Sequence[Change]]:
    return (changes[start : start + size] for start in range(0, len(changes), size))


def _require_sound(change: Change, outcome: Outcome) -> None:
    if outcome.result is Result.DONE:
        require(outcome.error is None, f"done with an error: {outcome}")
        gone = change.action is Action.DELETE
        require(gone == (outcome.version is None), f"{change.action} is done with {outcome}")
    else:
        require(
            isinstance(outcome.error, Diagnostic), f"not done, and no error says why: {outcome}"
        )
