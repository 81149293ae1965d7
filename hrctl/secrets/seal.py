"""A value to an age file and back.

The payload is one line of JSON: the value, what it is bound to (project, place and at most one
server), and the fingerprints of whom it is encrypted to. The age file is armoured, so that it can
stand in YAML; `age -d` opens it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.memory import keep_out_of_dumps
from hrctl.model.places import SecretPlace
from hrctl.model.recipients import fingerprint
from hrctl.model.revealed import remember
from hrctl.secrets.agefile import AgeFile, AgeFileError, parse
from hrctl.secrets.agelib import AgeLibraryError, age_library, decrypt

if TYPE_CHECKING:
    from hrctl.model.values import Json

FORMAT: Final = 2
_FIRST: Final = 1  # the format before, which names no project
NO_KEY: Final = "HR170"  # none of the identities opens it
DAMAGED: Final = "HR172"
MISPLACED: Final = "HR173"
UNBOUND: Final = "HR181"


class Binding(NamedTuple):
    """Where a ciphertext is good: in a project, at a place, and for any server or only for one.

    Attributes:
        project: `metadata.name` of hrctl.yaml; None where a ciphertext of format 1 names none.
        place: the declaring document and the field, see `places.place_in`.
        audience: the origin of the only server that may be sent the value, see `model.origin`;
            None where the value is for no server in particular.
    """

    project: str | None
    place: SecretPlace
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class Unsealed:
    """The inside of an age file: the plaintext, what binds it, and whom it is encrypted to."""

    value: str
    binding: Binding
    recipients: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Unsealed({self.binding})"


def seal(value: str, binding: Binding, recipients: Sequence[str]) -> dict[str, Json]:
    """Encrypt a value and bind it.

    Args:
        value: the plaintext.
        binding: where it will be good.
        recipients: public keys: age1..., ssh-ed25519 ..., ssh-rsa ...

    Returns:
        What stands in ``valueFrom``: ``{"age": <armoured file>, "recipients": [<fingerprint>]}``.

    Raises:
        HrctlError: HR171, for a key that nothing can be encrypted to.
    """
    from hrctl.secrets.keys import recipient

    keep_out_of_dumps()
    remember(value)
    marks = [fingerprint(key) for key in recipients]
    return _sealed(value, binding, marks, [recipient(key) for key in recipients])


def _sealed(
    value: str, binding: Binding, marks: list[str], recipients: list[Any]
) -> dict[str, Json]:
    import pyrage

    payload: dict[str, Json] = {"v": FORMAT, "project": binding.project, "for": str(binding.place)}
    if binding.audience is not None:
        payload["audience"] = binding.audience
    payload |= {"to": marks, "value": value}
    data = json.dumps(payload, ensure_ascii=False).encode("utf-8") + b"\n"
    try:
        with age_library(quote=True):
            armoured = pyrage.encrypt(data, recipients, armored=True)
    except AgeLibraryError as error:  # a plugin that is not there, or that refuses
        raise HrctlError.of(
            "HR171",
            f"cannot encrypt to the recipients of {binding.place}: {error}",
            hint="where a plugin is needed, it must be in PATH",
        ) from None
    return {"age": armoured.decode("ascii"), "recipients": marks}


def unseal(source: Mapping[str, Json], identities: Sequence[Any], place: str = "") -> Unsealed:
    """Decrypt what `seal` has made.

    Args:
        source: what stands in ``valueFrom``.
        identities: of pyrage.
        place: where it stands, for messages.

    Raises:
        HrctlError: HR170 where none of the identities opens it, HR172 where it is damaged or not
            of hrctl's making. It is not judged whether it stands where it belongs.
    """
    where = f"the secret at {place}" if place else "the secret"
    try:
        file = header(source)
        data = decrypt(file, identities)
    except (AgeFileError, AgeLibraryError) as error:
        if isinstance(error, AgeLibraryError) and error.is_foreign:
            raise HrctlError.of(NO_KEY, f"no identity here opens {where}") from None
        raise HrctlError.of(
            DAMAGED,
            f"{where} is damaged: {error}",
            hint="take it from the last good commit, or set it anew",
        ) from None
    return _payload(data, where)


def header(source: Mapping[str, Json]) -> AgeFile:
    """Read the age file in ``valueFrom``; that takes no key.

    Raises:
        AgeFileError: where it is no armoured age file for keys.
    """
    text = str(source["age"])
    if not text.isascii() or not text.lstrip().startswith("-----BEGIN"):
        raise AgeFileError("it is no ASCII armour")
    file = parse(text.encode("ascii"))
    if file.has_passphrase:
        raise AgeFileError("it is encrypted with a passphrase, which secrets never are")
    return file


def _payload(data: bytes, where: str) -> Unsealed:
    """What the plaintext of an age file holds; nothing of it gets into a message."""
    try:
        payload = json.loads(data)
        value, place, marks = payload["value"], payload["for"], payload["to"]
        project = payload["project"] if payload["v"] == FORMAT else None
        audience = payload.get("audience")
        is_ours = (
            payload["v"] in {FORMAT, _FIRST}
            and isinstance(value, str)
            and isinstance(place, str)
            and isinstance(marks, list)
            and isinstance(project, str | None)
            and isinstance(audience, str | None)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        is_ours = False
    if not is_ours:
        remember(data.decode("utf-8", "replace").strip())
        raise HrctlError(
            Diagnostic(
                DAMAGED,
                f"{where} is an age file that `hrctl secrets set` has not made",
                hint="age -d opens it; give the value to `hrctl secrets set`",
                note="a secret holds its place too, so that it cannot be copied elsewhere",
            )
        ) from None
    remember(value)
    binding = Binding(project, SecretPlace.parse(place), audience)
    return Unsealed(value, binding, tuple(map(str, marks)))
