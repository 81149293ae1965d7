"""From findings to what a person reads: each with its place, once, in the order of the files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, Related, Severity, Span
from hrctl.drivers import hashes
from hrctl.model.address import Address
from hrctl.model.document import Finding, Place
from hrctl.model.recipients import all_keys, fingerprint, keys_for, matches, name_of, short
from hrctl.model.registry import Record
from hrctl.model.tree import Tree
from hrctl.model.values import pointer
from hrctl.source.project import DriverSpec
from hrctl.source.sources import Sources

_DAY: Final = "%Y-%m-%d"


def arranged(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Errors first, then by place. What several instances of one document share is told once."""
    told: dict[tuple[str, Span | None, str], Diagnostic] = {}
    for one in sorted(found, key=_order):
        told.setdefault((one.code, one.span, one.summary), one)
    return tuple(told.values())


def _order(one: Diagnostic) -> tuple[bool, Span, str, str, str]:
    is_mild = one.severity is not Severity.ERROR
    return is_mild, one.span or Span(""), one.code, one.summary, one.address or ""


def check_drivers(record: Record, instances: Mapping[str, DriverSpec]) -> Iterator[Finding]:
    """That what a registry binds its kinds to is there, and can hold them."""
    bound: Mapping[str, str] = record.registry.spec.get("drivers") or {}
    for kind, name in bound.items():
        found = instances.get(name)
        field = pointer(["spec", "drivers", kind])
        if found is None:
            yield Finding(
                record.registry.place,
                field,
                "HR051",
                f"no driver instance '{name}' in hrctl.yaml",
                hint=_nearest(name, instances),
                note="there are " + ", ".join(sorted(instances)),
            )
        elif found.kinds and kind not in found.kinds:
            yield Finding(
                record.registry.place,
                field,
                "HR052",
                f"driver instance '{name}' ({found.type}) holds no {kind}",
                note="it holds " + ", ".join(sorted(found.kinds)),
            )


def check_hashes(record: Record, instances: Mapping[str, DriverSpec]) -> Iterator[Finding]:
    """That the driver of each flag spreads users by the hash that the flag pins."""
    for index, pinned in record.hashes.items():
        instance = instances.get(record.drivers[index])
        address = Address(record.addresses[index])
        found = hashes.refused(address.name, pinned, instance.type) if instance else None
        if found is not None:
            field = hashes.FIELD if pinned else ""
            place = record.places(index)[0]
            yield Finding(place, field, found.code, found.summary, hint=found.hint, address=address)


def check_recipients(record: Record, rules: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """That secrets are encrypted to whom the rules of hrctl.yaml say, and to nobody else.

    Their clear list is looked at: no key is needed, and it may lie (`hrctl secrets check`).
    """
    if not record.secrets or not rules:
        return
    keys = keys_for(rules, record.path)
    if not keys:
        first = record.secrets[0]
        yield Finding(
            first.document,
            f"{first.pointer}/valueFrom",
            "HR178",
            f"hrctl.yaml names no recipient for secrets of {record.path}: nobody can tell whether"
            " they are for the right ones",
            hint="add a rule that matches it under spec.secrets.recipients",
            severity=Severity.WARNING,
        )
        return
    wanted = {fingerprint(key): key for key in keys}
    everyone = all_keys(rules)
    for row in record.secrets:
        have = row.recipients or []
        less = [short(key) for mark, key in wanted.items() if mark not in have]
        more = [name_of(mark, everyone) for mark in have if mark not in wanted]
        if not less and not more:
            continue
        said = [f"not encrypted to {' and '.join(less)}"] if less else []
        said += [f"encrypted to {' and '.join(more)} as well"] if more else []
        what = ", and ".join(said) if row.recipients else "does not say whom it is encrypted to"
        verb = "is " if row.recipients else ""
        yield Finding(
            row.document,
            f"{row.pointer}/valueFrom",
            "HR174",
            f"the secret at {row.place} {verb}{what}",
            hint="hrctl secrets rotate brings it in line with hrctl.yaml",
        )


def idle_rules(records: Iterable[Record], rules: Sequence[Mapping[str, Any]]) -> list[Diagnostic]:
    """Rules of recipients that match no registry: whoever they name gets nothing."""
    paths = [record.path for record in records] if rules else []
    return [
        Diagnostic(
            "HR178",
            f"the rule for '{rule['path']}' under spec.secrets.recipients matches no registry",
            severity=Severity.WARNING,
            hint="a path begins with the ROOT's name, such as acme/shop/**",
        )
        for rule in rules
        if not any(matches(rule["path"], path) for path in paths)
    ]


def _nearest(name: str, instances: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(instances), n=1)
    return f"did you mean {near[0]}?" if near else "name it under spec.drivers there"


class Report:
    """Gives findings their places.

    `unread` are files whose documents are not in the tree: what is missed elsewhere may well stand
    in one of them, so it is no error as long as they say its name.
    """

    def __init__(self, tree: Tree, sources: Sources, unread: Sequence[str]) -> None:
        self._tree = tree
        self._sources = sources
        self._unread = unread
        self._texts: list[bytes] | None = None

    def placed(self, findings: Iterable[Finding]) -> list[Diagnostic]:
        """A diagnostic for each finding that is certain."""
        return [self._placed(one) for one in findings if not self._is_doubtful(one)]

    def _is_doubtful(self, one: Finding) -> bool:
        if one.wanted is None or not self._unread:
            return False
        if self._texts is None:
            self._texts = [self._sources.text(path) for path in self._unread]
        word = re.compile(rb"(?<![-\w])" + re.escape(one.wanted.encode()) + rb"(?![-\w])")
        return any(word.search(text) for text in self._texts)

    def _placed(self, one: Finding) -> Diagnostic:
        place, field = one.place, one.pointer
        if one.address is not None and one.pointer:
            place, field = self._last_word(one)
        return Diagnostic(
            one.code,
            one.summary,
            span=self._sources.locate(place, field, key=one.at_key),
            severity=one.severity,
            address=one.address,
            related=tuple(
                Related(message, self._sources.locate(at, inside))
                for message, at, inside in one.related
            ),
            hint=one.hint,
            note=one.note,
        )

    def _last_word(self, one: Finding) -> tuple[Place, str]:
        from hrctl.model.assemble import last_word

        try:
            record, index = self._tree.where(Address(one.address or ""))
        except KeyError:
            return one.place, one.pointer
        return last_word(self._tree, record, index, one.pointer)[:2]

    def stale_flags(self) -> Iterator[Diagnostic]:
        """Warnings that depend on the day, so no cache may hold them."""
        today = datetime.now(UTC).strftime(_DAY)
        for record in self._tree.records:
            for index, expires in record.expires.items():
                if expires < today:
                    address = Address(record.addresses[index])
                    span = self._sources.locate(record.places(index)[0], "/spec/expires")
                    yield expired(address, expires, span)


def expired(address: Address, expires: str, span: Span | None) -> Diagnostic:
    """The warning of a flag whose day has passed."""
    return Diagnostic(
        "HR032",
        f"the flag '{address.name}' expired on {expires}",
        span=span,
        severity=Severity.WARNING,
        address=address,
        hint="take the flag out of code and tree, or give it more time",
    )
