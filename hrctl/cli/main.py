"""Where the program starts.

`hrctl --version` and `hrctl --help` are answered here without an import that costs anything: the
command line library alone takes longer than both may. All else goes to `hrctl.cli.run`.
"""

from __future__ import annotations

import os
import sys

COMPLETE = "_HRCTL_COMPLETE"  # set by the shell when it asks for completions


def main(argv: list[str] | None = None) -> int:
    """Run hrctl with these arguments (without the program's name); returns the exit code.

    Without arguments of its own it is the program itself, and does not return: nothing is left to
    do by then, and taking a hundred thousand resources apart one by one would take its time.
    """
    if argv is not None:
        return _main(argv)
    code = _main(sys.argv[1:])
    if sys.getprofile() is None and sys.gettrace() is None:
        os._exit(code)  # both streams were flushed where a failure could still be told
    return code


def _main(args: list[str]) -> int:
    if COMPLETE not in os.environ:
        if args in (["--version"], ["-V"]):
            from hrctl import __version__

            return _say(f"hrctl {__version__}\n")
        if args in ([], ["--help"], ["-h"], ["help"]):
            from hrctl.cli.commands import root_help

            return _say(root_help())
    # pydantic would read the metadata of all that is installed to find plugins: a fifth of a
    # small plan, for something that no model here takes part in
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from hrctl.cli.run import run

    return run(args, COMPLETE)


def _say(text: str) -> int:
    """Write to standard output; a reader that has left is no error worth a traceback."""
    if sys.stdout is None:  # it was closed when hrctl started
        return 1
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        from hrctl.cli.run import refused

        return refused(error)
    return 0
