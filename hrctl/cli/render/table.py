"""Lists for people: aligned columns, one row a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hrctl.cli.render.style import Paint, plain
from hrctl.cli.render.values import columns, elide, pad, printable

_GAP = 2
_NARROWEST = 12


@dataclass(frozen=True, slots=True)
class Narrow:
    """How a table that is too wide becomes narrower before anything is cut.

    `names` are shorter texts for the first column; `spare` the heads of columns that may be left
    out, in that order.
    """

    names: Callable[[], Sequence[str]] | None = None
    spare: Sequence[str] = ()


def table_lines(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int = 80,
    paint: Paint = plain,
    narrow: Narrow | None = None,
) -> Iterator[str]:
    """A line of headings and one a row; None shows as ``-``.

    Where a line would be wider than `width`, the table does what `narrow` says; then the widest
    columns are cut, but never the first one, which names the row.
    """
    texts = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    heads = list(heads)
    if narrow is not None:
        _narrow(heads, texts, width, narrow)
    sizes = _sizes(heads, texts)
    _shrink(sizes, width)
    yield paint(_line(heads, sizes), "bold")
    for row in texts:
        yield _line(row, sizes)


def _narrow(heads: list[str], texts: list[list[str]], width: int, narrow: Narrow) -> None:
    if narrow.names is not None and _wide(_sizes(heads, texts), width):
        for row, name in zip(texts, narrow.names(), strict=True):
            row[0] = printable(name)
    for head in narrow.spare:
        if head in heads and _wide(_sizes(heads, texts), width):
            at = heads.index(head)
            del heads[at]
            for row in texts:
                del row[at]


def _sizes(heads: Sequence[str], texts: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([columns(head), *(columns(row[index]) for row in texts)])
        for index, head in enumerate(heads)
    ]


def _wide(sizes: Sequence[int], width: int) -> bool:
    return sum(sizes) + _GAP * (len(sizes) - 1) > width


def _shrink(sizes: list[int], width: int) -> None:
    """Take from the widest columns but the first until a line fits, or nothing more can go."""
    while _wide(sizes, width) and len(sizes) > 1:
        widest = max(range(1, len(sizes)), key=lambda index: (sizes[index], index))
        if sizes[widest] <= _NARROWEST:
            return
        sizes[widest] -= 1


def _line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    rest = (elide(cell, size) for cell, size in zip(cells[1:], sizes[1:], strict=True))
    padded = (pad(cell, size) for cell, size in zip([cells[0], *rest], sizes, strict=True))
    return (" " * _GAP).join(padded).rstrip()
