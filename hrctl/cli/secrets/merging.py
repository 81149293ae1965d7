"""`hrctl secrets merge-driver`: how git merges manifests, field by field."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated, Final

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.diagnostics import HrctlError
from hrctl.drivers.interpreter import module

ATTRIBUTES: Final = (".gitattributes", ("*.yaml merge=hrctl", "*.yml merge=hrctl"))


def merge_driver(  # noqa: PLR0913 - what git hands over, and one option
    ctx: typer.Context,
    base: Annotated[
        Path | None, typer.Argument(metavar="[BASE]", help="The common ancestor: %O.")
    ] = None,
    ours: Annotated[
        Path | None, typer.Argument(metavar="[OURS]", help="Ours, and the result: %A.")
    ] = None,
    theirs: Annotated[Path | None, typer.Argument(metavar="[THEIRS]", help="Theirs: %B.")] = None,
    *,
    size: Annotated[
        int, typer.Option("--marker-size", metavar="N", help="Of conflict markers: %L.")
    ] = 7,
    install: Annotated[
        bool, typer.Option("--install", help="Have git in this repository use it.")
    ] = False,
) -> int:
    """Merge two versions of a file of manifests field by field; git calls it.

    Two people who change different fields, such as two secrets side by side, never conflict; where
    both change one field, the usual markers stand around it, and the exit code is 1. No key is
    needed. `hrctl init` installs it; a clone needs --install once, as git copies no settings.

    Examples:
      hrctl secrets merge-driver --install
      hrctl secrets merge-driver %O %A %B --marker-size %L
    """
    console = console_of(ctx)
    if install:
        changed = install_driver(Path.cwd())
        if console.json_output:
            console.json({"files": changed, "driver": command()})
        else:
            console.data("Git merges *.yaml and *.yml field by field in this repository.")
        return Exit.DONE
    if base is None or ours is None or theirs is None:
        raise HrctlError.of(
            "HR187", "three files are to be merged", hint="git names them: %O %A %B"
        )
    from hrctl.cli.files import write_text
    from hrctl.source.merge import Sides, merge

    merged = merge(Sides(*map(_text, (base, ours, theirs))), size=size)
    write_text(ours, merged.text)
    return Exit.ERROR if merged.conflicts else Exit.DONE


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        why = (error.strerror or "").lower()
        raise HrctlError.of("HR067", f"{path} cannot be read: {why}") from None


def command() -> str:
    """What git runs: hrctl, or its own merge of lines where that is not there any more."""
    found = shutil.which("hrctl")
    program = [found] if found else module("hrctl")
    words = " ".join(shlex.quote(word) for word in program)
    return (
        f"if command -v {shlex.quote(program[0])} >/dev/null;"
        f" then {words} secrets merge-driver %O %A %B --marker-size %L;"
        " else git merge-file --marker-size=%L %A %O %B; fi"
    )


def install_driver(folder: Path) -> list[str]:
    """Set it in the repository around a folder, and name it in the folder's .gitattributes.

    Returns:
        The files that were written.
    """
    from hrctl.source import git

    git.run(folder, "config", "merge.hrctl.name", "hrctl: manifests by field")
    git.run(folder, "config", "merge.hrctl.driver", command())
    return [ATTRIBUTES[0]] if name_driver(folder) else []


def name_driver(folder: Path) -> bool:
    """Name the driver in .gitattributes; whether that was written."""
    name, wanted = ATTRIBUTES
    path = folder / name
    text = path.read_text("utf-8") if path.exists() else ""
    less = [line for line in wanted if line not in text.splitlines()]
    if less:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        path.write_text(start + "".join(f"{line}\n" for line in less), "utf-8")
    return bool(less)
