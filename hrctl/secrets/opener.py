"""One run's way to plaintext: identities and what they have opened so far."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.places import SecretPlace
from hrctl.model.recipients import name_of
from hrctl.model.values import Json
from hrctl.secrets.identities import SOURCES, Identities
from hrctl.secrets.seal import MISPLACED, NO_KEY, Unsealed, unseal


class Opener:
    """Opens secrets, each once. Safe to use from several threads.

    `known` are the public keys of the project's rules, by which a message names the key that is
    missing.
    """

    def __init__(self, identities: Identities, known: Sequence[str] = ()) -> None:
        self.identities = identities
        self._known = tuple(known)
        self._opened: dict[str, Unsealed] = {}
        self._lock = threading.Lock()

    def __call__(self, source: Mapping[str, Json]) -> str:
        """The plaintext of a reference in a body, which bears its place in `for`.

        Raises:
            HrctlError: HR170, HR172, HR173, HR176.
        """
        place = source.get("for")
        opened = self.open(source, str(place or ""))
        if place is not None:
            require_place(opened, SecretPlace.parse(str(place)))
        return opened.value

    @property
    def has_keys(self) -> bool:
        """Whether there is any identity at all.

        Raises:
            HrctlError: HR176.
        """
        with self._lock:
            return bool(self.identities.keys)

    def open(self, source: Mapping[str, Json], place: str = "") -> Unsealed:
        """What is inside, wherever it stands.

        Raises:
            HrctlError: HR170, HR172, HR176.
        """
        text = str(source["age"])
        with self._lock:
            found = self._opened.get(text)
            if found is None:
                keys = self.identities.keys
                try:
                    if not keys:
                        raise HrctlError.of(NO_KEY, "")
                    found = unseal(source, keys, place)
                except HrctlError as error:
                    first = error.diagnostics[0]
                    if first.code == NO_KEY:
                        raise self._missing(source, place, len(keys)) from None
                    raise
                self._opened[text] = found
        return found

    def _missing(self, source: Mapping[str, Json], place: str, count: int) -> HrctlError:
        marks = source.get("recipients") or []
        names = [name_of(str(mark), self._known) for mark in marks]
        whom = f" is encrypted to {' and '.join(names)}, and" if names else ":"
        what = f"the secret at {place}" if place else "a secret"
        have = {0: "there is no identity here", 1: "the identity here is another's"}
        said = have.get(count, f"none of the {count} identities here opens it")
        notes = self.identities.notes
        found = HrctlError.of(NO_KEY, f"{what}{whom} {said}", hint=f"give one by {SOURCES}")
        if not notes:
            return found
        return HrctlError(replace(found.diagnostics[0], note="; ".join(notes)))


def require_place(opened: Unsealed, place: SecretPlace) -> None:
    """That a secret stands where it was made for.

    Raises:
        HrctlError: HR173.
    """
    if opened.place != place:
        raise HrctlError(
            Diagnostic(
                MISPLACED,
                f"secret made for {opened.place} is used at {place}",
                hint="after a move run `hrctl secrets rebind`; else set the secret here anew",
            )
        )
