"""Lists for people: aligned columns, one row a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hrctl.cli.render.style import Paint, plain
from hrctl.cli.render.values import columns, elide, pad, printable

_GAP = 2
_NARROWEST = 12


def table_lines(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int = 80,
    paint: Paint = plain,
) -> Iterator[str]:
    """A line of headings and one a row; None shows as ``-``.

    The first column, which names the row, is never cut; where a line would be wider than
    `width`, the widest of the others are.
    """
    texts = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    sizes = [
        max([columns(head), *(columns(row[index]) for row in texts)])
        for index, head in enumerate(heads)
    ]
    _shrink(sizes, width)
    yield paint(_line(heads, sizes), "bold")
    for row in texts:
        yield _line(row, sizes)


def _shrink(sizes: list[int], width: int) -> None:
    """Take from the widest columns but the first until a line fits, or nothing more can go."""
    while sum(sizes) + _GAP * (len(sizes) - 1) > width and len(sizes) > 1:
        widest = max(range(1, len(sizes)), key=lambda index: (sizes[index], index))
        if sizes[widest] <= _NARROWEST:
            return
        sizes[widest] -= 1


def _line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    rest = (elide(cell, size) for cell, size in zip(cells[1:], sizes[1:], strict=True))
    padded = (pad(cell, size) for cell, size in zip([cells[0], *rest], sizes, strict=True))
    return (" " * _GAP).join(padded).rstrip()
