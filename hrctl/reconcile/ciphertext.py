"""Ciphertexts compared by what is in them, where a key is at hand.

Each encryption of a value gives another ciphertext. Without a key two of them are a change, which
is all that can be known; with one a value that was only encrypted anew is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.managed import names
from hrctl.model.plan import Change
from hrctl.model.values import Body, Json, is_ciphertext, is_reference, references
from hrctl.reconcile.bodies import has_secret
from hrctl.reconcile.graph import LEDGER_ONLY
from hrctl.reconcile.options import Decrypt

# What says something about the secret itself, and not about the keys that happen to be here.
_FAULTS: Final = frozenset({"HR172", "HR173", "HR181"})
_UNKNOWABLE: Final = _FAULTS | {"HR170"}


class Ciphertexts:
    """Compares with the keys that are here, or with none.

    Args of the methods are bodies; plaintext is neither kept nor returned.
    """

    def __init__(self, decrypt: Decrypt | None) -> None:
        self._decrypt = decrypt

    def aligned(self, other: Body | None, desired: Body) -> Body | None:
        """`other` with the ciphertexts of `desired` where both hold the same value."""
        if other is None or self._decrypt is None or not has_secret(desired):
            return other
        return self._aligned(other, desired)  # type: ignore[no-any-return]  # a map stays a map

    def _aligned(self, other: Json, desired: Json) -> Json:
        if is_reference(desired):
            return desired if self._same(other, desired) else other
        if isinstance(desired, dict) and isinstance(other, dict) and not is_reference(other):
            return {
                key: self._aligned(item, desired[key]) if key in desired else item
                for key, item in other.items()
            }
        if isinstance(desired, list) and isinstance(other, list):
            wanted, present = names(desired), names(other)
            if wanted is not None and present is not None:
                return [self._aligned(item, wanted.get(item["name"])) for item in other]
            if len(desired) == len(other):
                return [self._aligned(*pair) for pair in zip(other, desired, strict=True)]
        return other

    def _same(self, other: Json, desired: Json) -> bool:
        """Whether two ciphertexts that differ hold one value."""
        if not (is_ciphertext(other) and is_ciphertext(desired)) or self._decrypt is None:
            return False
        if other["valueFrom"] == desired["valueFrom"]:
            return False  # nothing to put in its place
        try:
            return self._decrypt(other["valueFrom"]) == self._decrypt(desired["valueFrom"])
        except HrctlError as error:
            if error.diagnostics[0].code in _UNKNOWABLE:
                return False
            raise

    def faults(self, changes: Iterable[Change]) -> list[Diagnostic]:
        """Secrets of these changes that are damaged or stand where they do not belong.

        What no key here opens is no fault: someone else may have it.
        """
        if self._decrypt is None:
            return []
        found: dict[str, Diagnostic] = {}
        for change in changes:
            if change.action in LEDGER_ONLY or not change.sensitive or change.after is None:
                continue
            for _, source in references(change.after):
                if "age" in source and (fault := self._fault(source)) is not None:
                    found.setdefault(fault.summary, fault)
        return list(found.values())

    def _fault(self, source: Mapping[str, Json]) -> Diagnostic | None:
        assert self._decrypt is not None  # noqa: S101 - asked before
        try:
            self._decrypt(source)
        except HrctlError as error:
            first = error.diagnostics[0]
            if first.code in _FAULTS:
                return first
            if first.code not in _UNKNOWABLE:
                raise
        return None


def settled(live: Body, applied: Body | None) -> Body:
    """`live`, which nobody has touched since, with the ciphertexts that the ledger holds.

    A driver that keeps references keeps the older ciphertext where only that changed.
    """
    if applied is None or not has_secret(applied):
        return live
    return _settled(live, applied)  # type: ignore[no-any-return]  # a map stays a map


def _settled(live: Json, applied: Json) -> Json:
    if is_reference(applied):
        return applied if is_ciphertext(applied) and is_ciphertext(live) else live
    if isinstance(applied, dict) and isinstance(live, dict):
        return {
            key: _settled(item, applied[key]) if key in applied else item
            for key, item in live.items()
        }
    if isinstance(applied, list) and isinstance(live, list) and len(applied) == len(live):
        return [_settled(*pair) for pair in zip(live, applied, strict=True)]
    return live
