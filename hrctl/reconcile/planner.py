"""From what is desired, applied and live to a frozen plan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from hrctl.diagnostics import Diagnostic, Severity
from hrctl.drivers.api import Driver, Live
from hrctl.ledger.api import Entry, Ledger
from hrctl.model.address import Address
from hrctl.model.plan import ABSENT, Change, Plan
from hrctl.model.radius import NOWHERE, BlastRadius
from hrctl.model.resource import Desired, Resource, Row
from hrctl.reconcile import graph, recorded, safety
from hrctl.reconcile.ciphertext import Ciphertexts
from hrctl.reconcile.decide import Decider, Situation
from hrctl.reconcile.observe import Observation, observe
from hrctl.reconcile.options import PlanOptions, PlanSource, named
from hrctl.reconcile.references import References
from hrctl.reconcile.selection import Selection
from hrctl.reconcile.settle import judge, read_live, read_unmarked

Rows = Mapping[Address, Row]


def plan(
    desired: Desired,
    ledger: Ledger,
    drivers: Mapping[str, Driver],
    options: PlanOptions,
    source: PlanSource,
) -> Plan:
    """Make the plan. Nothing is changed by it, neither live nor in the ledger.

    1. Read the narrow rows: what is declared, the ledger's stamps, and, side by side, a scan of
       each driver. Compare them as sets. Where all three agree nothing below happens.
    2. Add what unsettled intents and moves concern; take out what targets and excludes leave.
    3. Get the entries of what is left, then read it live, in one batch for each driver.
    4. Settle intents of runs that were cut off, on paper: `apply` does it for good.
    5. Replace references whose values are known by now; mark the others sensitive or unknown.
    6. Decide each address by the table: a three-way difference, field by field. Immutable fields
       turn an update into a replace; the driver has the last word.
    7. Where a change may give another output, take up those who refer to it, until no more do.
    8. Check protection, limits and registries. Findings go into the plan, `safety.refuse` raises
       them before an apply.
    9. Say of each value that is written elsewhere where. Draw the edges, put the changes in order.
    10. Freeze.

    Args:
        desired: the tree.
        ledger: entered; only read.
        drivers: entered instances by name; one that is missing here is not planned for.
        options: what the person asked for.
        source: what is planned from.

    Raises:
        HrctlError: HR046 where changes wait for one another; or what a ledger raises.
    """
    return _Planning(desired, ledger, drivers, options, source).run()


class _Planning:
    """The state of one planning, step by step."""

    def __init__(
        self,
        desired: Desired,
        ledger: Ledger,
        drivers: Mapping[str, Driver],
        options: PlanOptions,
        source: PlanSource,
    ) -> None:
        self.desired = desired
        self.ledger = ledger
        self.drivers = {} if options.offline else drivers
        self.options = options
        self.source = source
        self.rows: Rows = {} if options.destroy else desired.rows
        self.seen: Observation
        self.entries: dict[Address, Entry] = {}
        self.live: dict[tuple[str, Address], Live] = {}
        self.pending: set[Address] = set()
        self.asked: set[Address] = set()  # addresses whose entries were asked for
        self.moves: dict[Address, Address] = {}  # old -> new, of what the ledger has
        self.changes: dict[Address, Change] = {}
        self.references = References(self.entries)
        self.ciphertexts = Ciphertexts(source.decrypt)
        self.decider = Decider(options, source, drivers, desired, self.ciphertexts)
        self.selection = Selection(desired, self.entries, options)

    def run(self) -> Plan:
        serial = self.ledger.serial()
        self.seen = observe(self.rows, self.ledger, self.drivers, project=self.source.project)
        candidates = self._candidates()
        unreachable = [one for found in self.source.absent.values() for one in found]
        diagnostics = [*unreachable, *self.seen.diagnostics, *self._orphans()]
        changes: tuple[Change, ...] = ()
        if candidates:
            self._take_up(candidates)
            self._follow_references()
            ready = self._annotated(map(self._traced, self.changes.values()))
            diagnostics += self.ciphertexts.faults(ready)
            diagnostics += self._safety(ready)
            diagnostics += recorded.warnings(ready, self.drivers)
            previous = {a: entry.depends_on for a, entry in self.entries.items()}
            changes = graph.ordered(ready, previous)
        if self.options.targets or self.options.excludes:
            diagnostics += self.selection.unmatched(self.seen.applied)
        diagnostics += self.decider.diagnostics
        return self._frozen(serial, changes, tuple(dict.fromkeys(diagnostics)))

    # -- what is looked at -----------------------------------------------------------------------

    def _candidates(self) -> set[Address]:
        found = set(self.seen.differing)
        intents = [one for one in self.ledger.intents() if one.driver in self.drivers]
        self.pending = {intent.address for intent in intents}
        found |= self.pending
        if not self.options.destroy:
            for old, new in self.desired.moves.items():
                if old in self.seen.applied and old not in self.rows and new in self.rows:
                    self.moves[old] = new
                    found |= {old, new}
        if self.options.refresh_only:
            found &= self.seen.applied.keys()
        if not found:
            return found
        return self._answered(found)

    def _answered(self, found: set[Address]) -> set[Address]:
        """Without what belongs to instances that are not there; they are named, once each."""
        if self.options.offline:
            return found
        missing: dict[str, int] = {}
        kept = set()
        for address in found:
            here = True
            for name in {row.driver for row in self._bound(address)}:
                if name not in self.seen.scans:
                    missing[name] = missing.get(name, 0) + 1
                    here = False
            if here:
                kept.add(address)
        for name, count in sorted(missing.items()):
            if name not in self.drivers and name not in self.source.absent:
                self.decider.diagnostics.append(
                    Diagnostic(
                        "HR134",
                        f"driver {name} is not there: nothing can be planned for {named(count)}",
                        hint="configure it in hrctl.yaml, or let go of them with"
                        " `hrctl state forget`",
                    )
                )
        return kept

    def _bound(self, address: Address) -> Iterable[Row]:
        if (row := self.rows.get(address)) is not None:
            yield row
        if (stamp := self.seen.applied.get(address)) is not None:
            yield Row(stamp.driver, stamp.digest)

    def _orphans(self) -> Iterable[Diagnostic]:
        for address in sorted(self.seen.orphans):
            if not self.options.targets and address not in self.desired.rows:
                yield Diagnostic(
                    "HR130",
                    f"{address} is live and bears our mark, but is neither declared nor in the"
                    " ledger",
                    severity=Severity.WARNING,
                    address=address,
                    hint="declare it to have it back; it is never deleted by itself",
                )

    # -- reading and deciding --------------------------------------------------------------------

    def _take_up(self, candidates: set[Address]) -> None:
        self._fetch_entries(candidates | self.moves.keys())
        chosen = self.selection.of(candidates)
        for old, new in self.moves.items():  # both halves of a move or none
            if old in chosen or new in chosen:
                chosen |= {old, new} & candidates
        self._fetch_live(chosen)
        self._settle(chosen)
        resources = {a: self.desired.resource(a) for a in sorted(chosen) if a in self.rows}
        needed: set[Address] = set()
        for resource in resources.values():
            if resource.deferred:
                needed |= self.references.needed(resource)
        self._fetch_entries(needed)
        self._decide(sorted(chosen), resources)

    def _fetch_entries(self, addresses: set[Address]) -> None:
        wanted = (addresses - self.asked) & self.seen.applied.keys()
        self.asked |= addresses
        if not wanted:
            return
        everything = len(wanted) == len(self.seen.applied)
        for entry in self.ledger.entries(None if everything else sorted(wanted)):
            self.entries[entry.address] = entry

    def _fetch_live(self, addresses: set[Address]) -> None:
        if self.options.offline:
            for address in addresses & self.entries.keys():
                entry = self.entries[address]
                live = Live(address, entry.body, entry.version or "", self.source.project)
                self.live[entry.driver, address] = live
            return
        wanted = [
            (name, address)
            for address in sorted(addresses)
            for name in sorted({row.driver for row in self._bound(address)})
            if (name, address) not in self.live
        ]
        stamped = [one for one in wanted if self.seen.stamp(*one)]
        for (name, address), live in read_live(self.drivers, stamped).items():
            stamp = self.seen.stamp(name, address)
            self.live[name, address] = replace(live, owner=stamp.owner if stamp else live.owner)
        if len(stamped) < len(wanted):
            others = (one for one in wanted if not self.seen.stamp(*one))
            for name, live in read_unmarked(self.drivers, others):
                self.live[name, live.address] = live

    def _settle(self, chosen: set[Address]) -> None:
        """Step 4: what the ledger would say after the intents were settled."""
        for intent in self.ledger.intents() if self.pending & chosen else ():
            at = intent.address
            if at not in chosen or intent.driver not in self.drivers:
                continue
            live = self.live.get((intent.driver, at))
            if live is None:
                live = read_live(self.drivers, [(intent.driver, at)]).get((intent.driver, at))
                if live is not None:
                    self.live[intent.driver, at] = live
            verdict = judge(intent, self.entries.get(at), live)
            if verdict.entry is None:
                self.entries.pop(at, None)
            else:
                self.entries[at] = verdict.entry

    def _decide(self, chosen: Iterable[Address], resources: Mapping[Address, Resource]) -> None:
        came_from = {new: old for old, new in self.moves.items()}
        for address in chosen:
            case = self._situation(address, resources.get(address), came_from)
            if case is None:
                continue
            change = self.decider.decide(case)
            if change is not None:
                self.changes[address] = change

    def _situation(
        self,
        address: Address,
        resource: Resource | None,
        came_from: Mapping[Address, Address],
    ) -> Situation | None:
        entry = self.entries.get(address)
        if resource is None:
            return self._leaving(address, entry)
        body, sensitive, unknown = self.references.resolve(resource)
        old = came_from.get(address)
        renamed = False
        if old is not None and entry is None and self._renames(old, resource.driver):
            renamed, entry = True, self.entries[old]
        at = old if renamed and old is not None else address
        before = None
        if entry is not None and entry.driver != resource.driver:
            before = self.live.get((entry.driver, at))
        return Situation(
            address,
            resource,
            body,
            sensitive,
            unknown,
            entry,
            self.live.get((resource.driver, at)),
            before,
            pending=address in self.pending,
            moved_from=old if old in self.entries else None,
            renamed=renamed,
        )

    def _leaving(self, address: Address, entry: Entry | None) -> Situation | None:
        if entry is None:
            return None
        new = self.moves.get(address)
        carried = new is not None and new not in self.entries
        if carried and new is not None and self._renames(address, self.rows[new].driver):
            return None  # the change at the new address carries it over
        return Situation(
            address,
            None,
            entry=entry,
            live=self.live.get((entry.driver, address)),
            pending=address in self.pending,
            moved_to=new,
        )

    def _renames(self, old: Address, driver: str) -> bool:
        instance = self.drivers.get(driver)
        entry = self.entries.get(old)
        return (
            instance is not None
            and instance.capabilities.renames
            and entry is not None
            and entry.driver == driver
        )

    def _follow_references(self) -> None:
        """Step 7: each round takes up those who refer to what changed in the round before."""
        if self.options.destroy or self.options.refresh_only:
            return
        fresh = list(self.changes.values())
        while fresh:
            users: set[Address] = set()
            for change in fresh:
                if self.references.follow(change):
                    users.update(self.desired.dependents(change.address))
            affected = {a: one for a in sorted(users) if (one := self._refers_anew(a)) is not None}
            chosen = self.selection.of(affected)
            if not self.options.offline:
                chosen = self._answered(chosen)
            self._fetch_entries(chosen)
            self._fetch_live(chosen)
            before = {a: self.changes.get(a) for a in chosen}
            self._decide(sorted(chosen), affected)
            now = {a: self.changes[a] for a in before if a in self.changes}
            fresh = [change for a, change in now.items() if change != before[a]]

    def _refers_anew(self, address: Address) -> Resource | None:
        """The resource, where an output that it refers to may change and that is not known yet."""
        resource = self.desired.resource(address)
        change = self.changes.get(address)
        known = change.unknown if change is not None else ()
        for one in resource.deferred:
            if one.path not in known and self.references.changes(one):
                return resource
        return None

    def _traced(self, change: Change) -> Change:
        """The change with the place of each value that is written outside its own manifest."""
        if not change.fields or change.span is None:
            return change
        fields = []
        for one in change.fields:
            place = None
            if one.desired is not ABSENT:
                place = self.desired.origin(change.address, one.path)
            foreign = place is not None and place.path != change.span.path
            fields.append(replace(one, origin=place) if foreign else one)
        return replace(change, fields=tuple(fields))

    def _annotated(self, changes: Iterable[Change]) -> list[Change]:
        """Return the changes with what is shown and approved besides them.

        That are the blocks of their driver instances, the files of the tree that they would run,
        and the instances that only record a resource of the kind.
        """
        changes = list(changes)
        contents, settings = self.source.contents(changes), self.source.settings()
        annotated = []
        for change in changes:
            names = (change.driver, *filter(None, (change.previous_driver,)))
            keepers = recorded.keepers(change, self.drivers, self.source.driver_versions)
            blocks = "\n".join(settings.get(name, "") for name in names).strip()
            files = contents.get(change.address, "")
            if keepers or blocks or files:
                more = keepers or change.record_keepers
                change = replace(  # noqa: PLW2901
                    change, settings=blocks, files=files, record_keepers=more
                )
            annotated.append(change)
        return annotated

    # -- the plan --------------------------------------------------------------------------------

    def _safety(self, changes: list[Change]) -> list[Diagnostic]:
        if self.options.refresh_only:
            return []
        return safety.check(
            changes,
            entries=self.seen.applied.keys(),
            options=self.options,
        )

    def _radius(self, changes: tuple[Change, ...]) -> BlastRadius:
        if not changes:
            return NOWHERE
        from hrctl.reconcile.radius import blast_radius

        return blast_radius(changes, self.desired, self.options.thresholds)

    def _frozen(
        self, serial: int, changes: tuple[Change, ...], diagnostics: tuple[Diagnostic, ...]
    ) -> Plan:
        options = self.options
        silent = self.seen.failed or any(self.source.absent.values())
        partial = options.targets or options.excludes or options.offline or silent
        errors = any(one.severity is Severity.ERROR for one in diagnostics)
        versions = self.source.driver_versions
        return Plan(
            id=os.urandom(8).hex(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=self.source.commit,
            dirty=self.source.dirty,
            tree_digest=self.desired.digest,
            serial=serial,
            drivers={
                name: versions.get(name, type(driver).__name__)
                for name, driver in self.drivers.items()
            },
            changes=changes,
            destroy=options.destroy,
            complete=not (partial or errors),
            diagnostics=diagnostics,
            resources=len(self.rows),
            options=options.given(),
            kept=tuple(self.decider.kept.values()),
            radius=self._radius(changes),
        )
