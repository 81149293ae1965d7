"""`hrctl schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import KINDS
from hrctl.cli.exits import Exit
from hrctl.diagnostics import Diagnostic, HrctlError


def _complete(incomplete: str) -> list[str]:
    return [word for word in (*KINDS, "project", "plan") if word.startswith(incomplete)]


def schema(
    ctx: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND|project|plan]",
            help="Of one kind, of hrctl.yaml, or of saved plans. Default: of any manifest.",
            autocompletion=_complete,
            show_default=False,
        ),
    ] = None,
    *,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write all of them into a folder.")
    ] = None,
) -> int:
    """Print the JSON Schema of what users write, or write all of them.

    An editor that knows YAML schemas finds them by the first line of a manifest:
    # yaml-language-server: $schema=schemas/hrctl.schema.json

    Examples:
      hrctl schema
      hrctl schema Service
      hrctl schema --write schemas
    """
    console = console_of(ctx)
    if write is not None:
        changed = write_schemas(write)
        if console.json_output:
            console.json({"written": [str(path) for path in changed]})
        else:
            for path in changed:
                console.data(str(path))
            if not changed:
                console.note(f"the schemas in {write} are as they should be")
        return Exit.DONE
    console.data(_text(what))
    return Exit.DONE


def _text(what: str | None) -> str:
    from hrctl.model import schema as schemas

    if what is None:
        made = schemas.document_schema()
    elif what.lower() == "project":
        made = schemas.project_schema()
    elif what.lower() == "plan":
        from hrctl.model.planschema import plan_schema

        made = plan_schema()
    else:
        names = {kind.lower(): kind for kind in KINDS}
        if what.lower() not in names:
            raise HrctlError(
                Diagnostic(
                    "HR155",
                    f"there is no kind '{what}'",
                    note=f"one of {', '.join([*KINDS, 'project', 'plan'])}",
                )
            )
        made = schemas.kind_schema(names[what.lower()])
    return json.dumps(made, indent=1, ensure_ascii=False)


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema into a folder; returns those that changed."""
    from hrctl.model import schema as schemas
    from hrctl.model.planschema import plan_schema

    changed = schemas.write(folder)
    path = folder / "plan.schema.json"
    text = json.dumps(plan_schema(), indent=1, ensure_ascii=False) + "\n"
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
        changed.append(path)
    return changed
