"""One run of a command: every way it can end becomes an exit code and one message."""

from __future__ import annotations

import gc
import os
import sys
import threading
from dataclasses import replace

import typer._click as click
from typer._click.exceptions import NoArgsIsHelpError, NoSuchOption, UsageError
from typer.exceptions import Exit as Leave

from hrctl.cli.app import Root
from hrctl.cli.commands import ROWS
from hrctl.cli.console import IDENTITY, Console
from hrctl.cli.exits import Exit
from hrctl.cli.streams import failure, streams
from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.model.revealed import redact

REPORT_TO = "https://github.com/hrctl/hrctl/issues"

# Commands that are given a secret by other ways than an argument.
_TAKE_SECRETS = frozenset({"hrctl secrets set", "hrctl config set"})

# A command allocates much and drops little: fewer collections, none of what the imports left.
_COLLECT_AFTER = 200_000


def run(args: list[str], complete: str) -> int:
    """Run hrctl with these arguments; returns the exit code, and never raises.

    `complete` names the variable by which a shell asks for completions.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)
    console = Console()
    if os.environ.pop(IDENTITY, None):  # no program that is started from here on inherits it
        from hrctl.memory import keep_out_of_dumps

        keep_out_of_dumps()
    with streams():
        code = _guarded(args, console, complete)
        return _after_output(console, code)


def refused(error: OSError) -> int:
    """Tell that output could not be written; returns the exit code."""
    return _fail(Console(), _of_os_error(error))


def _after_output(console: Console, code: int) -> int:
    """Report output that was lost on the way, now that the work is done; returns the exit code.

    What the command itself ended with matters more than its output.
    """
    sys.stdout.flush()
    lost = failure(sys.stdout)
    if lost is not None and not isinstance(lost, BrokenPipeError):
        diagnostic = _of_os_error(lost).diagnostics[0]
        note = f"the command did its work and would have ended with {code}; its output is cut short"
        _fail(console, HrctlError(replace(diagnostic, note=note)))
        return code or Exit.ERROR
    sys.stderr.flush()
    lost = lost or failure(sys.stderr)
    if lost is None:
        return code
    return code or (Exit.BROKEN_PIPE if isinstance(lost, BrokenPipeError) else Exit.ERROR)


def _guarded(  # noqa: PLR0911  # one for each way to end
    args: list[str], console: Console, complete: str
) -> int:
    try:
        result = _invoke(args, console, complete)
    except NoArgsIsHelpError as error:
        console.data(error.ctx.get_help())
        return Exit.DONE
    except UsageError as error:
        return _fail(console, _of_usage(error))
    except HrctlError as error:
        return _fail(console, error)
    except Leave as error:
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted(console)
    except SystemExit as error:  # typer leaves so from completion
        return error.code if isinstance(error.code, int) else Exit.ERROR
    except OSError as error:
        return _unexpected(console, error) or _fail(console, _of_os_error(error))
    except Exception as error:  # noqa: BLE001  # the last line of defence: no traceback for users
        return _unexpected(console, error) or _fail(console, _of_bug(error))
    return result if isinstance(result, int) else Exit.DONE


def _invoke(args: list[str], console: Console, complete: str) -> object:
    """Run the command, or answer the shell that asks for completions."""
    root = Root()
    if complete in os.environ:
        root._main_shell_completion({}, "hrctl", complete)  # noqa: SLF001  # typer's only way
    with root.make_context("hrctl", args, obj=console) as context:
        return root.invoke(context)


def _interrupted(console: Console) -> int:
    """Leave; drivers' threads that are still at work would keep the process alive."""
    console.error("interrupted")
    if any(one is not threading.main_thread() and not one.daemon for one in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)
    return Exit.INTERRUPTED


def _fail(console: Console, error: HrctlError) -> int:
    from hrctl.cli.telling import report

    report(console, error.diagnostics, files=getattr(error, "files", None))
    return error.exit_code


def _unexpected(console: Console, error: Exception) -> int:
    """Show the traceback where --debug asks for it (values of variables never are in it)."""
    if not console.debug:
        return 0
    import traceback

    console.error(redact("".join(traceback.format_exception(error))))
    return Exit.ERROR


def _of_usage(error: UsageError) -> HrctlError:
    message = error.format_message().rstrip(".")
    summary = message[:1].lower() + message[1:]
    path = error.ctx.command_path if error.ctx else "hrctl"
    hint = None
    if path in _TAKE_SECRETS and summary.startswith("got unexpected extra argument"):
        # what stands there may be the secret, so it is not repeated
        summary = f"{path} takes no value as an argument, where other users could see it"
        hint = "type it when it asks, or give it to standard input"
    elif isinstance(error, NoSuchOption):
        summary = f"no such option: {error.option_name}"
        if error.possibilities:
            hint = f"did you mean {' or '.join(sorted(error.possibilities))}?"
    elif summary.startswith("no such command"):
        from difflib import get_close_matches

        typed = summary.partition("'")[2].rstrip("'")
        near = get_close_matches(typed, _siblings(error.ctx))
        hint = f"did you mean {' or '.join(near)}?" if near else None
    return HrctlError(
        Diagnostic("HR145", summary, hint=hint, note=f"`{path} --help` tells what there is")
    )


def _siblings(ctx: click.Context | None) -> list[str]:
    commands = getattr(ctx.command, "commands", None) if ctx else None
    return list(commands or ROWS)


def _of_os_error(error: OSError) -> HrctlError:
    what = f"'{error.filename}'" if error.filename else "output"
    return HrctlError.of("HR146", f"{what}: {(error.strerror or str(error)).lower()}")


def _of_bug(error: Exception) -> HrctlError:
    return HrctlError(
        Diagnostic(
            "HR159",
            f"internal error: {type(error).__name__}: {redact(str(error))}",
            hint=f"please report it at {REPORT_TO}",
            note="the same command with --debug prints the traceback to add",
        )
    )
