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
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="DIR",
            help="Write nothing; leave with 1 where one that lies there is not current.",
        ),
    ] = None,
) -> int:
    """Print the JSON Schema of what users write, or write all of them.

    An editor that knows YAML schemas finds them by the first line of a manifest:
    # yaml-language-server: $schema=schemas/hrctl.schema.json

    Examples:
      hrctl schema
      hrctl schema Service
      hrctl schema --write schemas
      hrctl schema --check schemas
    """
    console = console_of(ctx)
    if check is not None:
        current = check_schemas(check)
        if console.json_output:
            console.json({"current": current})
        else:
            console.data(f"The schemas in {check} are current.")
        return Exit.DONE
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
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in _generated().items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


def check_schemas(folder: Path) -> list[str]:
    """The names of the schemas in a folder, which are those of this hrctl.

    Raises:
        HrctlError: HR295 for each that is another one, or where there is none.
    """
    generated = _generated()
    there = [name for name in generated if (folder / name).is_file()]
    write = f"hrctl schema --write {folder}"
    if not there:
        raise HrctlError.of("HR295", f"there is no schema of hrctl in {folder}", hint=write)
    stale = [name for name in there if (folder / name).read_bytes() != generated[name].encode()]
    if stale:
        raise HrctlError(
            *(
                Diagnostic("HR295", f"{folder / name} is not of this version of hrctl", hint=write)
                for name in stale
            )
        )
    return there


def _generated() -> dict[str, str]:
    from hrctl.model import schema as schemas
    from hrctl.model.planschema import plan_schema

    plan = json.dumps(plan_schema(), indent=1, ensure_ascii=False) + "\n"
    return {**schemas.generate(), "plan.schema.json": plan}
