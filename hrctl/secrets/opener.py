"""One run's way to plaintext: identities and what they have opened so far."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hrctl.diagnostics import HrctlError
from hrctl.model.places import SecretPlace
from hrctl.model.recipients import name_of
from hrctl.model.values import Json
from hrctl.secrets.identities import SOURCES, Identities
from hrctl.secrets.seal import MISPLACED, NO_KEY, UNBOUND, Binding, Unsealed, unseal


class Opener:
    """Opens secrets, each once. Safe to use from several threads.

    Attributes:
        identities: the keys.
        project: the name of the project, to which ciphertexts are bound.

    `known` are the public keys of the project's rules, by which a message names the key that is
    missing.
    """

    def __init__(self, identities: Identities, project: str, known: Sequence[str] = ()) -> None:
        self.identities = identities
        self.project = project
        self._known = tuple(known)
        self._opened: dict[str, Unsealed] = {}
        self._lock = threading.Lock()

    def __call__(self, source: Mapping[str, Json]) -> str:
        """Return the plaintext of a reference in a body, which bears its place in `for`.

        Raises:
            HrctlError: HR170, HR172, HR173, HR176, HR181.
        """
        return self.at(source, SecretPlace.parse(str(source.get("for", "")))).value

    def audience(self, source: Mapping[str, Json]) -> str | None:
        """Return the origin of the server that a secret is sealed for, None where it names none.

        Raises:
            HrctlError: as a call.
        """
        place = SecretPlace.parse(str(source.get("for", "")))
        return self.at(source, place).binding.audience

    def at(self, source: Mapping[str, Json], place: SecretPlace) -> Unsealed:
        """Open what stands at a place of this project, and check that it was made for it.

        Raises:
            HrctlError: HR170, HR172, HR173, HR176, HR181.
        """
        opened = self.open(source, place)
        require_binding(opened.binding, self.project, place)
        return opened

    @property
    def has_keys(self) -> bool:
        """Whether there is any identity at all.

        Raises:
            HrctlError: HR176.
        """
        with self._lock:
            return bool(self.identities.keys)

    def open(self, source: Mapping[str, Json], place: SecretPlace | None = None) -> Unsealed:
        """Open a secret wherever it stands; `place` is for messages only.

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
                    found = unseal(source, keys, str(place or ""))
                except HrctlError as error:
                    first = error.diagnostics[0]
                    if first.code == NO_KEY:
                        raise self._missing(source, str(place or ""), len(keys)) from None
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


def require_binding(binding: Binding, project: str, place: SecretPlace) -> None:
    """Check that a secret stands where it was made for.

    Raises:
        HrctlError: HR173 where it stands elsewhere, HR181 where it is bound to no project.
    """
    if binding.place != place:
        raise HrctlError.of(
            MISPLACED,
            f"secret made for {binding.place} is used at {place}",
            hint="after a move run `hrctl secrets rebind`; else set the secret here anew",
        )
    if binding.project is None:
        raise HrctlError.of(
            UNBOUND,
            f"the secret at {place} is bound to no project",
            hint="`hrctl secrets rebind` shows such secrets, asks, and binds them to this project",
        )
    if binding.project != project:
        raise HrctlError.of(
            MISPLACED,
            f"secret made for the project {binding.project} is used in {project}, at {place}",
            hint="after a rename of the project run `hrctl secrets rebind`; else set it here anew",
        )
