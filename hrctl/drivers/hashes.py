"""Which hash of flags a type of driver has: by another one users would get other answers there."""

from __future__ import annotations

from typing import Final

from hrctl.diagnostics import Diagnostic

FIELD: Final = "/spec/hash"
DEFAULT: Final = "flagd-v2"  # of a flag that pins none
HASHES: Final = {"flagd": "flagd-v2", "unleash": "unleash"}  # type of driver -> its only one
_CALLED: Final = {"flagd": "flagd", "unleash": "Unleash"}


def refused(name: str, pinned: str | None, type_: str) -> Diagnostic | None:
    """HR252, where a driver of this type cannot spread the users of a flag as it pins.

    Any hash goes with a type that is not known here.
    """
    pinned, has = pinned or DEFAULT, HASHES.get(type_)
    if has is None or has == pinned:
        return None
    return Diagnostic(
        "HR252",
        f"the flag '{name}' goes by hash {pinned}, which {_CALLED[type_]} does not have",
        hint=f"write `hash: {has}`; spec.defaults.FeatureFlag of a registry says it for all",
    )
