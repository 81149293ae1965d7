"""`hrctl config export`: values as files, secrets only where they are to be revealed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import config_find as find
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.config_find import Config, Where
from hrctl.diagnostics import HrctlError
from hrctl.model.entries import Entry, as_text
from hrctl.model.tree import Tree
from hrctl.model.values import Json, is_reference

Reveal = Annotated[bool, typer.Option("--reveal", help="Decrypt secrets; this needs a key.")]
FORMATS = ("dotenv", "json", "yaml")


def plain(session: Session, one: Entry, *, reveal: bool) -> Json:
    """The value of an entry; of a secret only where it is to be revealed.

    Raises:
        HrctlError: HR185 for a secret, HR199 for a value that only an apply knows; HR170 and its
            like where a secret does not open.
    """
    value = one.value
    if not is_reference(value):
        if one.is_secret and not reveal:
            raise _secret(one)
        return value
    source = value["valueFrom"]
    if "age" not in source:
        raise HrctlError.of(
            "HR199",
            f"the value of {one.key} is known to an apply only",
            hint="hrctl explain shows what it refers to",
        )
    if not reveal:
        raise _secret(one)
    return session.opener(source)


def _secret(one: Entry) -> HrctlError:
    return HrctlError.of("HR185", f"{one.key} is a secret", hint="--reveal decrypts it")


def export(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    *,
    where: Where = None,
    config: Config = None,
    layout: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="dotenv, json or yaml.",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = "yaml",
    manifests: Annotated[
        bool, typer.Option("--manifests", help="Write the manifests, for `import`, not the values.")
    ] = False,
    reveal: Reveal = False,
) -> int:
    """Write values out: of one Config, or those that hold at a registry.

    Secrets are left out, unless --reveal decrypts them. With --manifests whole Configs are written,
    with what they inherit, and secrets stay encrypted.

    Examples:
      hrctl config export --in shop/prod --format dotenv > .env
      hrctl config export --config prod:app --format json
      hrctl config export --in shop/prod --format dotenv --reveal
      hrctl config export --manifests > configs.yaml
    """
    console = console_of(ctx)
    if layout not in FORMATS:
        raise HrctlError.of("HR162", f"'{layout}' is no format", hint="dotenv, json or yaml")
    if manifests:
        return _manifests(ctx, where, layout)
    with Session(console) as session:
        tree = session.tree()
        if where is None and config is None:
            config = _the_only(tree)
        found = find.chosen(tree, where, config)
        values, left_out = _values(session, found, reveal=reveal)
    if console.json_output or layout == "json":
        console.json(values)
    else:
        _write(values, layout)
    if left_out:
        console.note(f"Left out: {', '.join(left_out)}. --reveal decrypts secrets.")
    return Exit.DONE


def _manifests(ctx: typer.Context, where: str | None, layout: str) -> int:
    from hrctl.cli.verbs.transfer import exporter
    from hrctl.model.kinds import kind

    if layout == "dotenv":
        raise HrctlError.of("HR162", "manifests are yaml or json", hint="leave out --manifests")
    function: Any = exporter(kind("Config"))
    code: int = function(ctx, where, layout)
    return code


def _the_only(tree: Tree) -> str | None:
    """The name of the one Config that there is; None where there is none.

    Raises:
        HrctlError: HR160, where there are several.
    """
    found = naming.of_kind(tree, "Config", None)
    if len(found) > 1:
        raise HrctlError.of(
            "HR160", f"there are {len(found)} Configs", hint="say --in REGISTRY or --config NAME"
        )
    return naming.short(found[0]) if found else None


def _values(
    session: Session, found: Iterable[Entry], *, reveal: bool
) -> tuple[dict[str, Json], list[str]]:
    """Key -> value of what may be written, and the keys of the rest."""
    values: dict[str, Json] = {}
    left_out = []
    for one in found:
        hidden = one.is_secret and not reveal
        unknown = is_reference(one.value) and "age" not in one.value["valueFrom"]
        if hidden or unknown or one.value is None:
            if one.value is not None:
                left_out.append(one.key)
        else:
            values[one.key] = plain(session, one, reveal=reveal)
    return values, left_out


def _write(values: dict[str, Json], layout: str) -> None:
    """What is not JSON; never through anything that cuts or colours."""
    if layout == "dotenv":
        from hrctl.cli.verbs.dotenv import dump

        text = "".join(f"{line}\n" for line in dump({k: as_text(v) for k, v in values.items()}))
    else:
        from hrctl.source.edit import dump as to_yaml

        text = to_yaml(values) if values else "{}\n"
    sys.stdout.write(text)
