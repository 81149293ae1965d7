"""What speaks for taking a flag out: its day, how long it decides nothing, who asks for it where.

Each check makes diagnostics, which `hrctl flag stale` tells in the format that was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.diagnostics import Diagnostic, HrctlError, Related, Severity
from hrctl.logic.flags import settled
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.source.code.search import Found, Places
from hrctl.source.report import expired

if TYPE_CHECKING:
    from hrctl.cli.verbs.flag_usage import Usage
    from hrctl.source.mainline import Mainline
    from hrctl.source.past import Version

CHECKS: Final = ("expired", "settled", "unused", "unreferenced", "undeclared")
CODES: Final = {
    "HR032": "expired",
    "HR257": "settled",
    "HR258": "unused",
    "HR259": "unreferenced",
    "HR260": "undeclared",
}
PERMANENT: Final = ("lifetime", "permanent")  # the label of a flag that stays for good
_SHOWN: Final = 3  # places in the code beside a finding
_NEAREST: Final = 50  # undeclared keys for which the nearest declared one is looked for

Spec = dict[str, Any]
Told = Callable[[int, int], None]  # done, of how many


@dataclass(slots=True)
class Stale:
    """The checks over some flags, and what they leave open.

    `found` is what a search of the code found (None: there was none).
    """

    session: Session
    tree: Tree
    flags: Sequence[Address]
    only: frozenset[str]
    found: Found | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    notes: list[str] = field(default_factory=list)
    since: dict[Address, datetime] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)  # flags, by the instance that counts

    def diagnostics(self, progress: Told | None = None) -> Iterator[Diagnostic]:
        """Every finding of the checks that are wanted."""
        if "expired" in self.only:
            yield from self._expired()
        if "settled" in self.only:
            yield from self._settled(progress)
        if "unused" in self.only:
            yield from self._unused()
        if self.found is not None and "unreferenced" in self.only:
            yield from self._unreferenced(self.found)
        if self.found is not None and "undeclared" in self.only:
            yield from _undeclared(self.found, self.tree)

    def spec(self, address: Address) -> Spec:
        """The complete spec of a flag."""
        held: Spec = self.tree.resource(address).body["spec"]
        return held

    def is_permanent(self, address: Address) -> bool:
        """Whether it bears the label of those that stay for good."""
        name, value = PERMANENT
        return self.tree.resource(address).labels.get(name) == value

    def _expired(self) -> Iterator[Diagnostic]:
        today = f"{self.now:%Y-%m-%d}"
        for address in self.flags:
            record, index = self.tree.where(address)
            expires = record.expires.get(index)
            if expires is not None and expires < today:
                span = self.tree.origin(address, "/spec/expires")
                yield self._with_code(expired(address, expires, span))

    def _settled(self, progress: Told | None) -> Iterator[Diagnostic]:
        asked = [one for one in self.flags if self._may_be_settled(one)]
        if not asked:
            return
        histories = _Histories(self.session, self.tree, self.now)
        try:
            self.since = histories.since(asked, progress)
        except HrctlError as error:
            if error.diagnostics[0].code not in {"HR062", "HR063"}:
                raise
            self.notes.append(
                "Without a commit in git nobody knows how long a flag has been at 0 or 100 %."
            )
        if histories.hidden:
            flags = f"{histories.hidden} flag{'s' * (histories.hidden > 1)}"
            self.notes.append(
                f"This is a shallow clone: since when everybody gets the same of {flags} is not in"
                " it. git fetch --unshallow brings it."
            )
        for address, since in self.since.items():
            spec = self.spec(address)
            if self.now - since > settled.patience(spec):
                yield self._with_code(self._stands(address, spec, since))

    def _may_be_settled(self, address: Address) -> bool:
        spec = self.spec(address)
        if settled.is_switch(spec) or self.is_permanent(address):
            return False
        return settled.sole(spec) is not None

    def _stands(self, address: Address, spec: Spec, since: datetime) -> Diagnostic:
        variant = settled.sole(spec)
        after = spec.get("staleAfter") or settled.STALE_AFTER
        return Diagnostic(
            "HR257",
            f"{naming.short(address)} gives everybody '{variant}' since {since:%Y-%m-%d}",
            span=self._place(address, *_decides(spec)),
            severity=Severity.WARNING,
            address=address,
            hint=f"that is longer than {after}: make '{variant}' what the code does",
        )

    def _unused(self) -> Iterator[Diagnostic]:
        from hrctl.cli.verbs.flag_usage import usages

        asked = [one for one in self.flags if not self.is_permanent(one)]
        counted = {
            address: one
            for address, one in usages(self.session, self.tree, asked).items()
            if one.live
        }
        for address, usage in counted.items():
            if (text := self._silence(address, usage)) is not None:
                yield self._with_code(
                    Diagnostic(
                        "HR258",
                        f"{naming.short(address)} {text}, as '{usage.source}' counts",
                        span=self._place(address, ""),
                        severity=Severity.WARNING,
                        address=address,
                        hint="take the flag out of code and tree",
                    )
                )
        self.counted = dict(Counter(one.source for one in counted.values()))
        if less := len(asked) - len(counted):
            these = "these flags" if less == len(asked) else f"{less} of {len(asked)} flags"
            self.notes.append(f"No driver counts what applications ask of {these}.")

    def _silence(self, address: Address, usage: Usage) -> str | None:
        """What to say of a flag that nobody has asked for during its `staleAfter`."""
        patience = settled.patience(self.spec(address))
        if usage.last is not None:
            if self.now - usage.last <= patience:
                return None
            return f"was last asked for on {usage.last:%Y-%m-%d}"
        if usage.evaluated or (usage.known is not None and self.now - usage.known <= patience):
            return None
        return "was never asked for"

    def _unreferenced(self, found: Found) -> Iterator[Diagnostic]:
        for address in self.flags:
            if address.name not in found.references:
                yield Diagnostic(
                    "HR259",
                    f"the code names the flag '{address.name}' nowhere",
                    span=self._place(address, "/metadata/name"),
                    severity=Severity.WARNING,
                    address=address,
                    hint="take the flag out, or search the folder of its code with --code, too",
                )

    def _place(self, address: Address, *pointers: str) -> Any:
        """The first of these fields that is written somewhere, else the document's beginning."""
        for pointer in pointers:
            span = self.tree.origin(address, pointer) if pointer.startswith("/spec") else None
            if span is not None:
                return span
        record, index = self.tree.where(address)
        at = next((one for one in pointers if one.startswith("/metadata")), None)
        if at is not None:
            return self.tree.locate(record.places(index)[0], at)
        return self.tree.resource(address).span

    def _with_code(self, one: Diagnostic) -> Diagnostic:
        """The diagnostic with the places in the code that name the flag."""
        if self.found is None or one.address is None:
            return one
        places = self.found.references.get(Address(one.address).name)
        return one if places is None else replace(one, **_beside(places, 0))


def _decides(spec: Spec) -> tuple[str, ...]:
    """The fields that decide that everybody gets the same, the nearest first."""
    if spec["status"] == "DISABLED":
        return "/spec/status", "/metadata/name"
    names = ("percentage", "steps", "live", "weights", "strategy")
    return (
        *(f"/spec/rollout/{one}" for one in names),
        "/spec/default",
        "/spec/status",
        "/metadata/name",
    )


def _beside(places: Places, skip: int) -> dict[str, Any]:
    """Related places in the code, and how many more there are."""
    shown = places.first[skip : skip + _SHOWN]
    more = places.count - skip - len(shown)
    found: dict[str, Any] = {"related": tuple(Related("the code names it", one) for one in shown)}
    if more > 0:
        found["note"] = f"and at {more} more place{'s' * (more > 1)}"
    return found


def _undeclared(found: Found, tree: Tree) -> Iterator[Diagnostic]:
    declared = {one.name for one in tree.rows if one.kind == "FeatureFlag"}
    for number, (key, places) in enumerate(undeclared(found, tree).items()):
        diagnostic = Diagnostic(
            "HR260",
            f"the code asks for the flag '{key}', which nobody declares",
            span=places.first[0],
            severity=Severity.WARNING,
            hint=_nearest(key, declared if number < _NEAREST else set()),
        )
        yield diagnostic if places.count == 1 else replace(diagnostic, **_beside(places, 1))


def undeclared(found: Found, tree: Tree) -> dict[str, Places]:
    """The keys that the code asks for and no flag has, with their places."""
    declared = {one.name for one in tree.rows if one.kind == "FeatureFlag"}
    return {key: at for key, at in sorted(found.asked.items()) if key not in declared}


def _nearest(key: str, declared: set[str]) -> str | None:
    from difflib import get_close_matches
    from re import split

    last = split(r"[:/.]", key)[-1]
    if last != key and last in declared:
        return f"applications ask for the name alone: {last}"
    near = get_close_matches(key, sorted(declared), n=1)
    return f"did you mean {near[0]}?" if near else None


class _Histories:
    """Since when flags give everybody the same, as git knows it.

    `hidden` is of how many a shallow clone does not have the commit.
    """

    def __init__(self, session: Session, tree: Tree, now: datetime) -> None:
        self._session = session
        self._tree = tree
        self._now = now
        self.hidden = 0

    def since(self, flags: Sequence[Address], progress: Told | None) -> dict[Address, datetime]:
        """The moment for each flag of which it can be told.

        Raises:
            HrctlError: HR062 outside of git, HR063 without a commit.
        """
        from hrctl.source.blobs import Blobs
        from hrctl.source.log import LogReader
        from hrctl.source.mainline import Mainline

        project = self._session.project
        reader = LogReader(project.root, "HEAD", project.manifests, main=True)
        found: dict[Address, datetime] = {}
        with Blobs(project.root) as blobs:
            main = Mainline(reader.read(), blobs, {one.name for one in flags})
            for number, address in enumerate(flags, 1):
                spec = self._tree.resource(address).body["spec"]
                past = list(self._past(main, address))
                since = settled.settled_since(spec, past, self._now)
                if since is not None:
                    found[address] = since
                    young = self._now - since <= settled.patience(spec)
                    self.hidden += young and main.is_cut and since == past[-1].since
                if progress is not None:
                    progress(number, len(flags))
        return found

    def _past(self, main: Mainline, address: Address) -> Iterator[settled.Past]:
        for commit, version in main.versions(address):
            at = datetime.fromisoformat(commit.committed).astimezone(UTC)
            yield settled.Past(at, _spec(version))


def _spec(version: Version | None) -> Spec | None:
    """The complete spec of a version; None where it was none that hrctl takes today."""
    from hrctl.model.validate import complete

    try:
        return complete("FeatureFlag", version.value["spec"]) if version is not None else None
    except ValueError:
        return None


def rows(stale: Stale, found: Sequence[Diagnostic]) -> list[Mapping[str, Any]]:
    """Every flag for a program: what was found of it, and where the code names it."""
    by_flag: dict[str, list[str]] = {}
    for one in found:
        if one.address is not None:
            by_flag.setdefault(one.address, []).append(CODES[one.code])
    return [_row(stale, one, by_flag.get(one, [])) for one in stale.flags]


def _row(stale: Stale, address: Address, found: Sequence[str]) -> Mapping[str, Any]:
    since = stale.since.get(address)
    row: dict[str, Any] = {
        "address": address,
        "key": address.name,
        "stale": found,
        "everybodyGets": settled.sole(stale.spec(address)),
        "since": since.isoformat() if since else None,
        "permanent": stale.is_permanent(address),
    }
    if stale.found is not None:
        row |= places_json(stale.found.references.get(address.name) or Places())
    return row


def places_json(places: Places) -> dict[str, Any]:
    """Places in the code for a program: how many, and the first of them."""
    first = [{"path": one.path, "line": one.line, "column": one.column} for one in places.first]
    return {"references": places.count, "places": first}
