"""Every way that a command can end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from hrctl.cli import cmd_validate
from hrctl.cli.main import main
from hrctl.diagnostics import Diagnostic, HrctlError, LockedError, PolicyError, SafetyError

Fail = Callable[[Exception | BaseException], None]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Make `hrctl validate` end with an exception."""

    def use(error: BaseException) -> None:
        class Failing:
            def __init__(self, _console: object) -> None:
                raise error

        monkeypatch.setattr(cmd_validate, "Session", Failing)

    return use


@pytest.mark.parametrize(
    ("kind", "code"), [(HrctlError, 1), (LockedError, 3), (SafetyError, 4), (PolicyError, 5)]
)
def test_errors_have_exit_codes(
    kind: type[HrctlError], code: int, fail: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(kind(Diagnostic("HR100", "it is so", hint="do this")))
    assert main(["validate"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("HR100 it is so\n   = do this\n\n1 error. `hrctl explain HR100` tells more.\n")


def test_an_interrupt(fail: Fail, capsys: pytest.CaptureFixture[str]) -> None:
    fail(KeyboardInterrupt())
    assert main(["validate"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_mistake_of_ours_has_no_traceback(fail: Fail, capsys: pytest.CaptureFixture[str]) -> None:
    fail(ZeroDivisionError("oops"))
    assert main(["validate"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("HR159 internal error: ZeroDivisionError: oops\n")
    assert "Traceback" not in err


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_traceback_where_it_is_asked_for(
    how: str, fail: Fail, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(ZeroDivisionError("oops"))
    if how == "variable":
        monkeypatch.setenv("HRCTL_DEBUG", "1")
    assert main(["validate", *(["--debug"] if how == "option" else [])]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_system_refuses(fail: Fail, capsys: pytest.CaptureFixture[str]) -> None:
    fail(PermissionError(13, "Permission denied", "/x/y"))
    assert main(["validate"]) == 1
    assert capsys.readouterr().err.startswith("HR146 '/x/y': permission denied\n")


def test_errors_as_json(fail: Fail, capsys: pytest.CaptureFixture[str]) -> None:
    fail(HrctlError.of("HR100", "it is so"))
    assert main(["validate", "-o", "json"]) == 1
    assert '"code": "HR100"' in capsys.readouterr().err


def test_a_reader_that_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert main(["schema"]) == 141


@pytest.mark.parametrize("args", [["--help"], ["schema"]])
def test_output_that_cannot_be_written(args: list[str]) -> None:
    import subprocess

    with open("/dev/full", "w") as full:  # noqa: PTH123  # no path, a device
        done = subprocess.run(
            [sys.executable, "-m", "hrctl", *args],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("HR146 output: no space left on device\n")
