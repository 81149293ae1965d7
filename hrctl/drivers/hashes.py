"""Which hash of flags a type of driver has: by another one users would get other answers there."""

from __future__ import annotations

from typing import Final

from hrctl.diagnostics import Diagnostic
from hrctl.model.kinds import DEFAULT_HASH, TEXT_HASH, desugar

FIELD: Final = "/spec/hash"
# type of driver -> the hashes that it has, the one for a new flag first
HASHES: Final = {"flagd": (DEFAULT_HASH, TEXT_HASH), "unleash": ("unleash",)}
_CALLED: Final = {"flagd": "flagd", "unleash": "Unleash"}


def refused(name: str, pinned: str | None, type_: str) -> Diagnostic | None:
    """HR252, where a driver of this type cannot spread the users of a flag as it pins.

    Any hash goes with a type that is not known here.
    """
    pinned, has = canonical(pinned), HASHES.get(type_)
    if has is None or pinned in has:
        return None
    return Diagnostic(
        "HR252",
        f"the flag '{name}' goes by hash {pinned}, which {_CALLED[type_]} does not have",
        hint=f"write `hash: {has[0]}`; spec.defaults.FeatureFlag of a registry says it for all",
    )


def canonical(pinned: str | None) -> str:
    """Return the name of today for a hash as a flag pins it (None: it pins none)."""
    return str(desugar("FeatureFlag", {"hash": pinned or DEFAULT_HASH})["hash"])
