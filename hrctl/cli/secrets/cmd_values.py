"""`hrctl secrets keygen`, `set` and `get`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hrctl.cli.app import console_of
from hrctl.cli.complete import complete_address
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs.edits import Commit, Message
from hrctl.diagnostics import HrctlError
from hrctl.memory import keep_out_of_dumps

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="Of a resource, or of the document that is handed down.",
        autocompletion=complete_address,
    ),
]
Field = Annotated[
    str,
    typer.Argument(metavar="FIELD", help="As env.TOKEN; of a Config the key alone."),
]
Audience = Annotated[
    str | None,
    typer.Option(
        "--audience", metavar="URL", help="Seal it for this server; drivers send it to no other."
    ),
]


def keygen(
    ctx: typer.Context,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where; default: where it is looked for."),
    ] = None,
) -> int:
    """Make an identity: a key that opens secrets. Its public half is printed.

    It is written to $XDG_CONFIG_HOME/hrctl/identities.txt, which only you can read; nothing that is
    there is overwritten. Put the public half into hrctl.yaml.

    Examples:
      hrctl secrets keygen
      hrctl secrets keygen --out shop.key
    """
    import pyrage

    console = console_of(ctx)
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    path = out or Path(config, "hrctl", "identities.txt")
    key = pyrage.x25519.Identity.generate()
    public = str(key.to_public())
    _write_private(path, f"# public key: {public}\n{key}\n")
    if console.json_output:
        console.json({"file": str(path), "recipient": public})
    else:
        console.data(public)
        console.note(f"Its identity is in {path}. Keep a copy where you keep such things.")
    return Exit.DONE


def _write_private(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise HrctlError.of(
            "HR143", f"{path} is there already", hint="name another file with --out"
        ) from None
    except OSError as error:
        why = (error.strerror or "").lower()
        raise HrctlError.of("HR146", f"{path} cannot be written: {why}") from None
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        file.write(text)


def set_(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    address: Address,
    field: Field,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Take the value from a file.")
    ] = None,
    audience: Audience = None,
    commit: Commit = False,
    message: Message = None,
) -> int:
    """Encrypt a value and write it into the manifest, bound to its place there.

    The value is typed at a prompt that shows nothing, or comes from standard input or a file; never
    from an argument. One line end behind a single line is not part of it. It is encrypted to whom
    the rules of hrctl.yaml name; no key is needed. With --audience the value is for one server: a
    driver sends it to no other.

    Examples:
      hrctl secrets set shop/prod:Config/app DB_PASSWORD
      pass show db | hrctl secrets set shop/prod:Config/app DB_PASSWORD
      hrctl secrets set prod:Service/api env.TLS_KEY --file tls.key --commit
      hrctl secrets set acme:Config/ops TOKEN --audience https://unleash.acme.org
    """
    from hrctl.cli.secrets.target import TOLERATED, find, lenient_tree
    from hrctl.cli.secrets.writing import put
    from hrctl.cli.verbs import edits
    from hrctl.cli.verbs.draft import Draft
    from hrctl.cli.verbs.edits import Then, Wish
    from hrctl.model.origin import origin

    with edits.edit_session(ctx) as session:
        tree = lenient_tree(session)
        target = replace(find(tree, address, field), audience=audience and origin(audience))
        value = read_value(str(target.place), file)
        draft = Draft(session.project.root)
        put(session, draft, tree, target, value)
        told = f"Encrypted {target.place} in {', '.join(draft.paths)}."
        wish = Wish(
            f"Set {target.place}",
            [target.address],
            Then(commit, message),
            told=(told,),
            tolerated=TOLERATED,
        )
        return edits.finish(session, draft, wish)


def read_value(what: str, file: Path | None) -> str:
    """A value that is typed, piped in, or in a file.

    Raises:
        HrctlError: HR179, where it is no text or two entries differ; HR067 for the file.
    """
    keep_out_of_dumps()
    if file is None and sys.stdin.isatty():
        return _typed(what)
    try:
        data = file.read_bytes() if file is not None else sys.stdin.buffer.read()
    except OSError as error:
        why = (error.strerror or "").lower()
        raise HrctlError.of("HR067", f"{file} cannot be read: {why}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise HrctlError.of(
            "HR179", "the value is not UTF-8 text", hint="encode it, as with base64"
        ) from None
    if not text:
        raise HrctlError.of("HR179", "there is no value: the input is empty")
    one = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in one else one


def _typed(what: str) -> str:
    from getpass import getpass

    try:
        value = getpass(f"Value of {what}: ", sys.stderr)
        again = getpass("Again: ", sys.stderr)
    except EOFError:
        raise HrctlError.of("HR179", "there is no value: nothing was typed") from None
    if value != again:
        raise HrctlError.of("HR179", "the two entries differ", hint="nothing was changed")
    if not value:
        raise HrctlError.of("HR179", "there is no value: nothing was typed")
    return value


def get(
    ctx: typer.Context,
    address: Address,
    field: Field,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Print it even on a terminal, where others may look.")
    ] = False,
) -> int:
    """Decrypt a value and print it, as it is, to a file or a pipe.

    This is the only command that prints plaintext.

    Examples:
      hrctl secrets get shop/prod:Config/app DB_PASSWORD | wl-copy
      hrctl secrets get prod:Service/api env.TOKEN --reveal
    """
    from hrctl.cli.secrets.finding import value_at
    from hrctl.cli.secrets.target import find, lenient_tree

    console = console_of(ctx)
    if sys.stdout.isatty() and not reveal:
        raise HrctlError.of(
            "HR185", "a secret is not printed on a terminal", hint="pipe it, or say --reveal"
        )
    with Session(console) as session:
        tree = lenient_tree(session)
        target = find(tree, address, field)
        value = value_at(session, tree, target)
    if console.json_output:
        console.json({"address": target.address, "field": target.pointer, "value": value})
    elif sys.stdout.isatty():
        console.data(value)
    else:
        sys.stdout.write(value)
    return Exit.DONE
