"""The plaintexts that this process has seen, so that no error can carry one to the outside.

The last line of defence only: what is secret stands as its reference wherever values are kept or
shown, by construction. An exception of a library may still quote a value.
"""

from __future__ import annotations

import threading
from typing import Final

REDACTED: Final = "(sensitive)"
_SHORTEST: Final = 4  # a shorter one would blot out half of any text

_lock: Final = threading.Lock()
_seen: Final[set[str]] = set()


def remember(text: str) -> None:
    """Note a plaintext, and each line of one that has several."""
    with _lock:
        _seen.update(part for part in (text, *text.splitlines()) if len(part) >= _SHORTEST)


def redact(text: str) -> str:
    """The text without any plaintext, as it is or as Python and JSON would quote it."""
    with _lock:
        seen = sorted(_seen, key=len, reverse=True)
    for one in seen:
        if one in text:
            text = text.replace(one, REDACTED)
        quoted = repr(one)[1:-1]
        if quoted != one and quoted in text:
            text = text.replace(quoted, REDACTED)
    return text
