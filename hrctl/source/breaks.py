"""Characters that are line breaks in YAML 1.1, and so in the parser, but not in YAML 1.2."""

from __future__ import annotations

from typing import Final

from hrctl.model.values import Json

BREAKS: Final = "\x85\u2028\u2029"


def hide_breaks(text: str) -> tuple[str, dict[int, str]]:
    """Replace what only YAML 1.1 takes for a line break; the table brings it back.

    The length stays the same. The table is empty where there is nothing to replace.
    """
    if text.isascii() or not any(one in text for one in BREAKS):
        return text, {}
    free = (code for code in range(0xE000, 0xF8FF) if chr(code) not in text)
    codes = dict(zip(BREAKS, free, strict=False))
    back = {code: one for one, code in codes.items()}
    return text.translate({ord(one): code for one, code in codes.items()}), back


def show_breaks(value: Json, back: dict[int, str]) -> Json:
    """Undo `hide_breaks` in a value."""
    if isinstance(value, str):
        return value.translate(back)
    if isinstance(value, dict):
        return {key.translate(back): show_breaks(item, back) for key, item in value.items()}
    if isinstance(value, list):
        return [show_breaks(item, back) for item in value]
    return value
