"""Texts cut into the words that may be names: quickly, however many names are looked for."""

from __future__ import annotations

from typing import Final

_NAME: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_CUT: Final = bytes(one if one in _NAME or one == ord("\n") else ord(" ") for one in range(256))


def cut(text: bytes) -> bytes:
    """The text with a space for whatever is of no name; what is, stays where it is."""
    return text.translate(_CUT)
