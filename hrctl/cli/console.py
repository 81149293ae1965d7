"""The two streams and how to write to them: format, colour, width, how much to tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hrctl.cli.streams import failure
from hrctl.model.values import Json

if TYPE_CHECKING:
    from hrctl.cli.render.style import Paint
    from hrctl.cli.render.table import Narrow

DEFAULT_WIDTH = 80
_NO_WIDTH = "\u200b"
IDENTITY = "HRCTL_AGE_IDENTITY"  # an age identity itself


class Console:
    """What the global options said, and where output goes.

    Data goes to standard output through `data` and `json`; everything else to standard error
    through `note` (not with -q), `detail` (only with -v) and `error`.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.output = "text"  # or json; some commands have more, see `hrctl.cli.app.REPORTS`
        self.no_color = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        self.verbose = 0
        self.quiet = False
        self.debug = environ.get("HRCTL_DEBUG", "0") not in {"", "0"}
        self.identities: list[Path] = []
        self.identity = environ.get(IDENTITY)
        self._columns = environ.get("COLUMNS", "")
        self._workflow = environ.get("GITHUB_ACTIONS") == "true"

    @property
    def json_output(self) -> bool:
        """Whether a program reads what is printed."""
        return self.output == "json"

    @property
    def width(self) -> int:
        """Columns to fill: COLUMNS, else the terminal's, else 80."""
        if self._columns.isdigit() and int(self._columns) > 0:
            return int(self._columns)
        try:
            return os.get_terminal_size(sys.stdout.fileno()).columns or DEFAULT_WIDTH
        except (OSError, ValueError):  # not a terminal, or no real stream
            return DEFAULT_WIDTH

    def color(self, stream: TextIO) -> bool:
        """Whether to colour what goes to this stream."""
        return not self.no_color and stream.isatty()

    @property
    def reader_left(self) -> bool:
        """Whether nobody can read the result any more, so that following it has no use."""
        return failure(sys.stdout) is not None

    def data(self, text: str) -> None:
        """Write a result, and end its line."""
        _write(sys.stdout, text)

    def lines(self, lines: Iterable[str]) -> None:
        """Write a result of several lines."""
        self.data("\n".join(lines))

    def log(self, lines: Iterable[str]) -> None:
        """Write a result for people alone, at once; in a log of GitHub nothing is a command."""
        self.data(self._harmless("\n".join(lines)))
        sys.stdout.flush()

    def table(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[object]],
        narrow: Narrow | None = None,
    ) -> None:
        """Write a result as a table; where a program reads it, and no COLUMNS is set, uncut."""
        from hrctl.cli.render.table import table_lines

        width = self.width if self._columns or sys.stdout.isatty() else sys.maxsize
        paint = self.brush(sys.stdout)
        self.lines(table_lines(heads, rows, width=width, paint=paint, narrow=narrow))

    def document(self, value: dict[str, Json]) -> None:
        """Write a result as a YAML document."""
        from hrctl.source.emit import entry

        self.lines(line for key, item in value.items() for line in entry(key, item, 0))

    def brush(self, stream: TextIO) -> Paint:
        """How to colour what goes to this stream."""
        from hrctl.cli.render.style import paint

        return paint(color=self.color(stream))

    def json(self, value: Json) -> None:
        """Write a result as JSON."""
        import json

        self.data(json.dumps(value, indent=2, ensure_ascii=False))

    def event(self, value: Json) -> None:
        """Write one line of JSON, at once."""
        import json

        self.data(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell something that is not the result."""
        if not self.quiet:
            self.error(text)

    def detail(self, text: str) -> None:
        """Tell something that only -v wants to know."""
        if self.verbose:
            self.error(text)

    def error(self, text: str) -> None:
        """Tell what went wrong."""
        _write(sys.stderr, self._harmless(text))

    def _harmless(self, text: str) -> str:
        """The text without workflow commands, where a runner reads it.

        A runner obeys lines that begin with ``::`` and what follows ``##[`` anywhere; names of
        files and values of manifests may be so. A space of no width keeps them from it.
        """
        if not self._workflow or not ("::" in text or "##[" in text):
            return text
        lines = text.replace("##[", f"##{_NO_WIDTH}[").split("\n")
        return "\n".join(_NO_WIDTH + one if one.lstrip()[:2] == "::" else one for one in lines)


def _write(stream: TextIO, text: str) -> None:
    """Write a line; what the stream's encoding cannot hold is escaped, never an error."""
    if stream is sys.stderr:
        sys.stdout.flush()  # so that the two keep their order where they end in one file
    line = text if text.endswith("\n") else text + "\n"
    try:
        stream.write(line)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
