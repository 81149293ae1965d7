"""`hrctl init`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.console import Console
from hrctl.cli.exits import Exit
from hrctl.diagnostics import Diagnostic, HrctlError, Severity

_MODELINE = re.compile(r"(?m)^(# yaml-language-server: \$schema=)\S+$")
_SCHEMAS = ("hrctl.schema.json", "project.schema.json")
_LEFT_OUT = {"__pycache__", ".hrctl", ".git"}

_PROJECT = """\
# yaml-language-server: $schema=-
apiVersion: hrctl.dev/v1
kind: Project
metadata: {{name: {name}}}
spec: {{}}
"""
_REGISTRY = """\
# yaml-language-server: $schema=-
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {{name: {name}}}
spec:
  level: ROOT
"""
# One association covers every document of a file; a line in a file covers one document.
_VSCODE = {
    Path(".vscode/settings.json"): b"""\
{
  "yaml.schemas": {
    "./schemas/project.schema.json": "hrctl.yaml",
    "./schemas/hrctl.schema.json": ["*.yaml", "*.yml", "!hrctl.yaml"]
  },
  "[yaml]": {
    "editor.tabSize": 2,
    "editor.quickSuggestions": {"other": true, "comments": false, "strings": true}
  }
}
""",
    Path(".vscode/extensions.json"): b"""\
{
  "recommendations": ["redhat.vscode-yaml"]
}
""",
}


def _complete_example(incomplete: str) -> list[str]:
    return [name for name in _examples() if name.startswith(incomplete)]


def init(
    ctx: typer.Context,
    *,
    example: Annotated[
        str | None,
        typer.Option(
            "--example",
            metavar="NAME",
            help="Start from an example: quickstart or storefront.",
            autocompletion=_complete_example,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Of the project; default: the folder's."),
    ] = None,
    git: Annotated[
        bool,
        typer.Option(
            "--git/--no-git", help="Make a git repository with a first commit, if there is none."
        ),
    ] = True,
    vscode: Annotated[
        bool, typer.Option("--vscode", help="Write .vscode/ too, so that it knows the schemas.")
    ] = False,
) -> int:
    """Start a project in the current folder.

    Writes hrctl.yaml, registry.yaml, the JSON Schemas that editors check manifests with, a
    .gitignore for what hrctl keeps to itself, and a .gitattributes by which git merges manifests
    field by field. Nothing that is there is overwritten.

    Examples:
      hrctl init
      hrctl init --example quickstart --vscode
      hrctl -C shop init --name shop --no-git
    """
    from hrctl.cli.secrets.merging import ATTRIBUTES, install_driver, name_driver
    from hrctl.source.git import toplevel

    console = console_of(ctx)
    here = Path.cwd()
    files = _of_example(example) if example else _empty(_project_name(here, name))
    files |= _VSCODE if vscode else {}
    there = [path for path in files if (here / path).exists()]
    if there:
        raise HrctlError(
            *(
                Diagnostic("HR143", f"{path} is there already", hint="nothing was written")
                for path in there
            )
        )
    files = {path: _with_modeline(path, data) for path, data in files.items()}
    written = [*_write(here, files), *_write_schemas(here)]
    written.append(_ignore(here, written))
    name_driver(here)
    written.append(Path(ATTRIBUTES[0]))
    commit = _commit(console, here, written) if git else None
    if toplevel(here) is not None:
        install_driver(here)
    _tell(console, written, commit)
    return Exit.DONE


def _tell(console: Console, written: list[Path], commit: str | None) -> None:
    if console.json_output:
        console.json({"written": [str(path) for path in written], "commit": commit})
        return
    console.data(f"Wrote {len(written)} files.")
    if commit:
        console.data(f"Made a git repository with them in its first commit, {commit}.")
    console.note("`hrctl plan` shows what an apply would do.")


def _examples() -> dict[str, Path]:
    """The examples by name: beside the package in a checkout, inside it where it is installed."""
    import hrctl

    package = Path(hrctl.__file__).parent
    for folder in (package / "examples", package.parent / "examples"):
        if folder.is_dir():
            return {
                one.name: one for one in sorted(folder.iterdir()) if (one / "hrctl.yaml").is_file()
            }
    return {}


def _of_example(name: str) -> dict[Path, bytes]:
    examples = _examples()
    if name not in examples:
        raise HrctlError(
            Diagnostic(
                "HR156", f"there is no example '{name}'", note=f"one of {', '.join(examples)}"
            )
        )
    return {path.relative_to(examples[name]): path.read_bytes() for path in _files(examples[name])}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _empty(name: str) -> dict[Path, bytes]:
    return {
        Path("hrctl.yaml"): _PROJECT.format(name=name).encode(),
        Path("registry.yaml"): _REGISTRY.format(name=name).encode(),
    }


def _project_name(here: Path, name: str | None) -> str:
    """What was given, or the folder's name made a valid one."""
    from hrctl.model.address import is_name

    if name is not None:
        if not is_name(name):
            raise HrctlError.of(
                "HR157",
                f"'{name}' cannot be the name of a project",
                hint="lower-case letters, digits and hyphens, as in shop-2",
            )
        return name
    return re.sub(r"[^a-z0-9]+", "-", here.name.lower()).strip("-")[:63].strip("-") or "project"


def _with_modeline(path: Path, data: bytes) -> bytes:
    """The modeline of a manifest, with the way from there to the schemas."""
    if path.suffix not in {".yaml", ".yml"}:
        return data
    name = _SCHEMAS[path.name == "hrctl.yaml"]
    way = "../" * (len(path.parts) - 1)
    return _MODELINE.sub(rf"\g<1>{way}schemas/{name}", data.decode("utf-8")).encode("utf-8")


def _write(here: Path, files: dict[Path, bytes]) -> list[Path]:
    for path, data in files.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes(data)
        if b"AGE-SECRET-KEY-1" in data:
            (here / path).chmod(0o600)  # a test identity is kept as a real one would be
    return list(files)


def _write_schemas(here: Path) -> list[Path]:
    """The two schemas that modelines name; one that is there is brought up to date."""
    from hrctl.model import schema

    texts = schema.generate()
    return _write(here, {Path("schemas", name): texts[name].encode("utf-8") for name in _SCHEMAS})


def _ignore(here: Path, written: Iterable[Path]) -> Path:
    """Have git ignore `.hrctl/`, and what Python leaves beside the programs of an example."""
    path = here / ".gitignore"
    text = path.read_text("utf-8") if path.exists() else ""
    python = any(one.suffix == ".py" for one in written)
    wanted = [".hrctl/", *(["__pycache__/"] if python else [])]
    missing = "".join(f"{one}\n" for one in wanted if one not in text.splitlines())
    if missing:
        path.write_text(f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{missing}")
    return Path(".gitignore")


def _commit(console: Console, here: Path, files: list[Path]) -> str | None:
    """A repository with a first commit; its short id, or None where there is a repository."""
    from hrctl.source import git

    if git.toplevel(here) is not None:
        return None
    git.run(here, "init", "--quiet")
    git.run(here, "add", "--", *map(str, files))
    try:
        git.run(here, "commit", "--quiet", "-m", "Start with hrctl")
    except HrctlError as error:
        from hrctl.cli.telling import report

        cause = error.diagnostics[0].summary
        report(
            console,
            [
                Diagnostic(
                    "HR066",
                    cause,
                    severity=Severity.WARNING,
                    hint="the files are staged: tell git who you are (user.name, user.email)"
                    " and commit them",
                )
            ],
        )
        return None
    return git.run(here, "rev-parse", "--short", "HEAD").decode().strip()
