"""The values behind references, for drivers and for no one else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.ledger.api import Entry
from hrctl.memory import keep_out_of_dumps
from hrctl.model import revealed
from hrctl.model.address import Address
from hrctl.model.expansion import Referred
from hrctl.model.plan import Action, Change
from hrctl.model.values import Body, Json, lookup, references
from hrctl.reconcile.bodies import substitute
from hrctl.reconcile.graph import LEDGER_ONLY
from hrctl.reconcile.options import Decrypt
from hrctl.reconcile.outputs import static_outputs, target

if TYPE_CHECKING:
    from hrctl.model.kinds.outputs import Output

Key = tuple[Address, str]

_ABSENT: Final = object()
_DEEPEST: Final = 32  # references to references; a tree has no cycles, a plan file may have


class RunSecrets:
    """`drivers.api.Secrets` for one run. Safe to use from several threads.

    Plaintext is handed to drivers, and kept only so that `redact` can take it out of what a driver
    says in an error. That is the last line of defence: plans, ledger and events hold
    references by their construction.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        entries: Mapping[Address, Entry],
        decrypt: Decrypt | None = None,
    ) -> None:
        """`entries` are those of the resources that are referred to, see `targets`."""
        self._environ = dict(environ)
        self._decrypt = decrypt
        self._sensitive: set[Key] = set()
        self._bodies: dict[Address, Body] = {}
        self._live: dict[Address, Mapping[str, Json]] = {}
        self._static: dict[Address, dict[str, Output]] = {}
        for entry in entries.values():
            self.learn(entry.address, entry.body, entry.outputs)

    # -- what drivers call -----------------------------------------------------------------------

    def reveal(self, value: Json) -> Json:
        """The value with every reference replaced, plaintext included.

        Raises:
            HrctlError: HR086, where a key, a variable or an output is missing; HR344, where the
                values are too large together.
        """
        return self._walk(value, _Room(), secrets=True)

    def resolve(self, value: Json) -> Json:
        """The value with those references replaced whose values anyone may see.

        Raises:
            HrctlError: HR086, where an output is missing; HR344 as above.
        """
        return self._walk(value, _Room(), secrets=False)

    # -- what the applier calls ------------------------------------------------------------------

    def learn(
        self,
        address: Address,
        body: Body,
        outputs: Mapping[str, Json],
        sensitive: Iterable[str] = (),
    ) -> None:
        """What a resource gives to those that refer to it, now that it is as `body`."""
        self._bodies[address] = body
        self._live[address] = outputs
        self._static.pop(address, None)
        self._sensitive.update((address, name) for name in sensitive)

    def guard(self, changes: Iterable[Change]) -> None:
        """Keep secret what the plan marks as sensitive."""
        for change in changes:
            for path in change.sensitive:
                reference = lookup(change.after, path)
                key = target(reference["valueFrom"]) if isinstance(reference, dict) else None
                if key is not None:
                    self._sensitive.add(key)

    def missing(self, changes: Iterable[Change], keeping: Collection[str] = ()) -> list[Diagnostic]:
        """What is known already to be missing when these are applied, each thing once.

        An output of a resource that the changes touch may still come. The driver instances named
        in `keeping` keep references to secrets as they are and need none of them.
        """
        listed = [change for change in changes if change.action not in LEDGER_ONLY]
        touched = {one.address: one for one in listed if one.action is not Action.DELETE}
        found: dict[str, Diagnostic] = {}
        for change in filter(refers, listed):
            room, seen = _Room(), set[Key]()
            for path, reference in references(change.after):
                try:
                    for source in _known_now(reference, touched, seen):
                        self._value(source, room, secrets=change.driver not in keeping)
                except HrctlError as error:
                    one = error.diagnostics[0]
                    place = replace(
                        one,
                        summary=f"{one.summary}, needed by {change.address} {path}",
                        span=change.span,
                        address=change.address,
                    )
                    found.setdefault(one.summary, place)
        return list(found.values())

    def redact(self, text: str) -> str:
        """The text without any value that was revealed in this run."""
        return revealed.redact(text)

    # -- beneath ---------------------------------------------------------------------------------

    def _walk(self, value: Json, room: _Room, *, secrets: bool) -> Json:
        def replacement(_: str, reference: Json) -> Json:
            found = self._value(reference["valueFrom"], room, secrets=secrets)
            return reference if found is _ABSENT else found

        with room.deeper():
            return substitute(value, replacement)

    def _value(self, source: Mapping[str, Json], room: _Room, *, secrets: bool) -> Json:
        """The value behind a reference; `_ABSENT` for a secret that is not asked for."""
        if "env" in source or "age" in source:
            if not secrets:
                return _ABSENT
            plaintext = self._secret(source)
            room.take(plaintext)
            return plaintext
        key = target(source)
        if key is None:
            raise _missing(f"'{', '.join(source)}' is no source of values")
        found = self._output(*key)
        if not secrets and (key in self._sensitive or (found is not None and found.sensitive)):
            return _ABSENT
        if found is None:
            raise _missing(
                f"{key[0]} has no output '{key[1]}' yet",
                hint=f"apply it first: --target {key[0]}",
            )
        from hrctl.model.kinds.outputs import render

        value = render(found.value, lambda one: self._walk(one, room, secrets=True))
        room.take(value)
        return self._remember(value) if key in self._sensitive or found.sensitive else value

    def _output(self, address: Address, name: str) -> Output | None:
        """An output by name; what the live system says comes before what follows from the body."""
        if address not in self._bodies:
            return None
        live = self._live[address]
        if name in live:
            from hrctl.model.kinds.outputs import Output

            return Output(live[name])
        static = self._static.get(address)
        if static is None:
            static = self._static[address] = static_outputs(address, self._bodies[address])
        return static.get(name)

    def _secret(self, source: Mapping[str, Json]) -> str:
        keep_out_of_dumps()
        if "env" in source:
            name = source["env"]
            if name not in self._environ:
                raise _missing(
                    f"the environment variable {name} is not set",
                    hint=f"set it where hrctl runs: {name}=... hrctl apply",
                )
            return str(self._remember(self._environ[name]))
        if self._decrypt is None:
            raise _missing(
                "there is an encrypted value, and no key to open it with",
                hint="give an identity to what applies",
            )
        return str(self._remember(self._decrypt(source)))

    def _remember(self, value: Json) -> Json:
        if isinstance(value, str):
            revealed.remember(value)
        return value


class _Room:
    """How much the references of one body may stand for, and how deep they may lead."""

    def __init__(self) -> None:
        self._referred = Referred()
        self._depth = 0

    def take(self, value: Json) -> None:
        """Count a value that a reference stands for.

        Raises:
            HrctlError: HR344.
        """
        if not self._referred.take(value):
            raise HrctlError.of(
                "HR344",
                self._referred.summary(),
                hint="refer to less, or give the values to the application in a file",
            )

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count a reference behind another.

        Raises:
            HrctlError: HR344.
        """
        if self._depth > _DEEPEST:
            raise HrctlError.of(
                "HR344",
                f"a reference leads through more than {_DEEPEST} others",
                hint="refer to where the value stands",
            )
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


def _known_now(
    source: Mapping[str, Json], touched: Mapping[Address, Change], seen: set[Key]
) -> Iterator[Mapping[str, Json]]:
    """The references that can be followed before anything is done.

    Of an output of what the changes touch, those are the secrets that it will be made of; each
    output is looked into once.
    """
    waiting = [source]
    while waiting:
        source = waiting.pop()
        key = target(source)
        change = touched.get(key[0]) if key is not None else None
        if key is None or change is None:
            yield source
        elif key not in seen:
            seen.add(key)
            output = static_outputs(key[0], change.after or {}).get(key[1])
            if output is not None:
                waiting += [inner for _, inner in references(output.value)]


def refers(change: Change) -> bool:
    """Whether a reference stands in the body: each one that does is sensitive or unknown."""
    return change.after is not None and bool(change.sensitive or change.unknown)


def targets(changes: Iterable[Change]) -> set[Address]:
    """The addresses that the bodies of these changes refer to."""
    return {
        key[0]
        for change in changes
        if refers(change)
        for _, source in references(change.after)
        if (key := target(source)) is not None
    }


def _missing(summary: str, hint: str | None = None) -> HrctlError:
    return HrctlError.of("HR086", summary, hint=hint)
