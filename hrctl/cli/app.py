"""The commands as typer runs them: global options on each, imports only of the one that runs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import typer._click as click
from typer._click.exceptions import BadParameter, UsageError
from typer._click.shell_completion import CompletionItem
from typer.completion import get_completion_inspect_parameters
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_click_param, get_command_from_info
from typer.models import CommandInfo

from hrctl.cli.commands import ROWS, root_help
from hrctl.cli.console import Console
from hrctl.diagnostics import HrctlError

FORMATS = ("text", "json")
REPORTS = ("github", "sarif", "junit", "markdown")  # further ones, for CI: see `reports`

WAIT = "--wait"
_WHOLE = 1_000  # characters: more than any first sentence has

Function = Callable[..., int | None]
F = TypeVar("F", bound=Function)

_formats: dict[Callable[..., Any], tuple[str, ...]] = {}  # further ones, by function


def reports(function: F) -> F:
    """Mark the function of a command that has every format of `REPORTS`, too."""
    return prints(*REPORTS)(function)


def prints(*formats: str) -> Callable[[F], F]:
    """Mark the function of a command that has further output formats."""

    def mark(function: F) -> F:
        _formats[function] = formats
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one name: `hrctl state list`. `help` ends with an ``Examples:`` section."""

    help: str
    commands: Mapping[str, Function]


def console_of(ctx: click.Context) -> Console:
    """The console that the global options of this call filled."""
    found = ctx.find_object(Console)
    if found is None:
        raise RuntimeError("a command was invoked without a console")
    return found


def _global_options() -> list[click.Parameter]:
    """Fresh options that write to the console, so that no command function has to name them."""
    return [
        _option(["-C", "directory"], _chdir, metavar="DIR", help="Work as if started in DIR."),
        _option(
            ["-o", "--output"],
            _set_output,
            metavar="FORMAT",
            autocompletion=_complete_format,
            help=_formats_help(FORMATS),
        ),
        _option(
            ["--identity"],
            _add_identities,
            metavar="FILE",
            multiple=True,
            help="A key that opens secrets; repeatable.",
        ),
        _option(["--no-color"], _set_no_color, is_flag=True, help="No colour."),
        _option(["-v", "--verbose"], _set_verbose, is_flag=True, help="Tell more."),
        _option(["-q", "--quiet"], _set_quiet, is_flag=True, help="Tell only data and errors."),
        _option(["--debug"], _set_debug, is_flag=True, help="Show tracebacks.", hidden=True),
    ]


def _complete_format(ctx: click.Context, *_rest: object) -> list[str]:
    return list(_formats_of(ctx.command) or FORMATS)


def _formats_of(command: click.Command) -> tuple[str, ...]:
    """What a command can print; nothing for a group, whose commands differ."""
    return command.formats if isinstance(command, Command) else ()


def _option(decls: list[str], callback: Callable[..., None], **settings: Any) -> TyperOption:
    return TyperOption(param_decls=decls, callback=callback, expose_value=False, **settings)


def _chdir(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        try:
            os.chdir(value)
            # as a shell does: it tells through which links the folder was named
            os.environ["PWD"] = str(Path(os.environ.get("PWD", "")) / value)
        except OSError as error:
            raise HrctlError.of(
                "HR144", f"cannot work in '{value}': {(error.strerror or '').lower()}"
            ) from error


def _set_output(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if not value:
        return
    formats = _formats_of(ctx.command)
    if value not in (formats or (*FORMATS, *REPORTS)):
        raise BadParameter(_no_format(value, formats or FORMATS), ctx, param)
    console_of(ctx).output = value


def _no_format(value: str, formats: tuple[str, ...]) -> str:
    neither = "neither of" if len(formats) == 2 else "none of"  # noqa: PLR2004  # a choice of two
    return f"'{value}' is {neither} {', '.join(formats[:-1])} and {formats[-1]}"


def _formats_help(formats: tuple[str, ...]) -> str:
    return f"{', '.join(formats[:-1])} or {formats[-1]}."


def _add_identities(
    ctx: click.Context, _param: click.Parameter, value: Sequence[str] | None
) -> None:
    console_of(ctx).identities += [Path(one).absolute() for one in value or ()]


def _set_no_color(ctx: click.Context, _param: click.Parameter, value: bool | None) -> None:  # noqa: FBT001  # click calls it so
    if value:
        console_of(ctx).no_color = True


def _set_verbose(ctx: click.Context, _param: click.Parameter, value: bool | None) -> None:  # noqa: FBT001  # click calls it so
    if value:
        console_of(ctx).verbose += 1


def _set_quiet(ctx: click.Context, _param: click.Parameter, value: bool | None) -> None:  # noqa: FBT001  # click calls it so
    if value:
        console_of(ctx).quiet = True


def _set_debug(ctx: click.Context, _param: click.Parameter, value: bool | None) -> None:  # noqa: FBT001  # click calls it so
    if value:
        console_of(ctx).debug = True


def _write_help(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter, own: int
) -> None:
    """Usage, text, options, subcommands, global options (after the first `own`), examples."""
    text, _, examples = inspect.cleandoc(command.help or "").partition("Examples:\n")
    command.format_usage(ctx, formatter)
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(text.strip().replace("`", ""))
    local = command.params[:own]
    shared = [*command.params[own:], command.get_help_option(ctx)]
    for title, params in (
        ("Arguments", [one for one in local if one.param_type_name == "argument"]),
        ("Options", [one for one in local if one.param_type_name == "option"]),
    ):
        _write_records(title, params, ctx, formatter)
    if isinstance(command, TyperGroup):
        _write_commands(command, ctx, formatter)
    _write_records("Global options", shared, ctx, formatter)
    if examples:
        with formatter.section("Examples"):
            for line in inspect.cleandoc(examples).splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _write_commands(
    command: TyperGroup, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Each command's first sentence, whole; click's own way cuts it off at the end of the line."""
    made = ((name, command.get_command(ctx, name)) for name in command.list_commands(ctx))
    rows = [(name, one.get_short_help_str(_WHOLE).replace("`", "")) for name, one in made if one]
    with formatter.section("Commands"):
        formatter.write_dl(rows)


def _write_records(
    title: str,
    params: list[Any],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    records = [record for one in params if one and (record := one.get_help_record(ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


class Command(TyperCommand):
    """One command, with the global options after its own."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._own = len(self.params)
        self.params = [*self.params, *_global_options()]
        self.formats: tuple[str, ...] = FORMATS

    def add_formats(self, *formats: str) -> None:
        """Take further output formats."""
        self.formats = (*self.formats, *formats)
        for param in self.params:
            if isinstance(param, TyperOption) and param.name == "output":
                param.help = _formats_help(self.formats)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments; an option whose value may be left out gets its default."""
        if WAIT in args:
            from hrctl.cli.waiting import with_limit

            args = with_limit(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; the format may have been given before its name."""
        output = console_of(ctx).output
        if output not in self.formats:
            raise UsageError(_no_format(output, self.formats), ctx)
        return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write help with an Examples section, laid out as the docstring has it."""
        _write_help(self, ctx, formatter, self._own)


class CommandGroup(TyperGroup):
    """Commands under one name, with the global options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            rich_markup_mode=None, no_args_is_help=True, suggest_commands=False, **settings
        )
        self.params = [*self.params, *_global_options()]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write help with an Examples section, laid out as the docstring has it."""
        _write_help(self, ctx, formatter, 0)


class Root(CommandGroup):
    """`hrctl` itself: it knows the names of the commands and imports the one that is wanted."""

    def __init__(self) -> None:
        super().__init__(name="hrctl", params=[_version_option(), *_completion_options()])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Names in the order of the table."""
        return list(ROWS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Import and build a command."""
        return load(cmd_name) if cmd_name in ROWS else None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """Write the help that `hrctl --help` gives without typer."""
        formatter.write(root_help())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, options as usual."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=summary)
            for name, summary, _ in ROWS.values()
            if name.startswith(incomplete)
        ]


def _version_option() -> TyperOption:
    def show(ctx: click.Context, _param: click.Parameter, value: bool | None) -> None:  # noqa: FBT001  # click calls it so
        if value:
            from hrctl import __version__

            console_of(ctx).data(f"hrctl {__version__}")
            ctx.exit()

    names = ["-V", "--version"]
    return _option(names, show, is_flag=True, is_eager=True, help="Print the version.")


def _completion_options() -> list[click.Parameter]:
    return [get_click_param(param)[0] for param in get_completion_inspect_parameters()]


def load(name: str) -> click.Command:
    """Import the command or group `name` of the table and build it."""
    module, _, attribute = ROWS[name][2].partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, Group):
        return _command(name, found)
    return CommandGroup(
        name=name,
        help=found.help,
        commands={key: _command(key, function) for key, function in found.commands.items()},
    )


def _command(name: str, function: Function) -> click.Command:
    info = CommandInfo(name=name, callback=function, cls=Command)
    made = get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)
    if function in _formats and isinstance(made, Command):
        made.add_formats(*_formats[function])
    return made
