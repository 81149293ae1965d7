"""Every command has help with an example; the table, the help and typer agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer._click as click

from hrctl.cli.app import CommandGroup, Root, load
from hrctl.cli.commands import ROWS, SECTIONS, root_help
from hrctl.cli.console import Console
from hrctl.cli.main import main

HEAVY = {"pydantic", "rich", "git", "deepdiff", "jsonschema", "ruamel", "asyncio"}


def commands() -> Iterator[tuple[str, click.Command]]:
    for name in ROWS:
        command = load(name)
        yield name, command
        if isinstance(command, CommandGroup):
            for inner, one in command.commands.items():
                yield f"{name} {inner}", one


@pytest.mark.parametrize(("path", "command"), [pytest.param(*one, id=one[0]) for one in commands()])
def test_help_has_a_text_and_examples_of_itself(path: str, command: click.Command) -> None:
    context = click.Context(command, info_name=f"hrctl {path}", obj=Console())
    text = command.get_help(context)
    assert max(map(len, text.splitlines())) <= 80
    assert "Global options:" in text
    examples = text.partition("\nExamples:\n")[2]
    assert re.search(rf"^  hrctl (-\S+ \S+ )?{path}\b", examples, re.MULTILINE)
    about = text.partition("\n\n")[2].splitlines()[0]
    assert about.startswith("  ")
    assert about.strip()


@pytest.mark.parametrize("name", ROWS)
def test_help_of_a_group_says_what_each_command_does(name: str) -> None:
    group = load(name)
    if not isinstance(group, CommandGroup):
        return
    text = group.get_help(click.Context(group, info_name=f"hrctl {name}", obj=Console()))
    listed = " ".join(text.partition("\nCommands:\n")[2].partition("\n\n")[0].split())
    for inner, command in group.commands.items():
        about = " ".join((command.help or "").partition("\n\n")[0].split()).replace("`", "")
        assert f"{inner} {about.partition('. ')[0].rstrip('.')}." in listed


@pytest.mark.parametrize(("path", "command"), [pytest.param(*one, id=one[0]) for one in commands()])
def test_every_option_says_what_it_does(path: str, command: click.Command) -> None:
    for param in command.params:
        assert getattr(param, "help", None), f"{path}: {param.name}"


def test_root_help_is_one_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == root_help()
    assert Root().get_help(click.Context(Root(), info_name="hrctl")) == root_help().rstrip("\n")
    assert main(["-q", "--help"]) == 0
    assert capsys.readouterr().out.strip() == root_help().strip()
    assert max(map(len, root_help().splitlines())) <= 80


def test_no_command_stands_twice() -> None:
    names = [row[0] for _, rows in SECTIONS for row in rows]
    assert len(names) == len(set(names))


def imports(*args: str, cwd: Path) -> set[str]:
    """The top-level names that a run of hrctl imports."""
    code = (
        "import sys, os\n"
        "from hrctl.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.stdout.flush()\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:2000]
    return set(done.stderr.split())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    import shutil

    made = tmp_path / "acme"
    shutil.copytree(Path(__file__).parent / "project", made)
    made.joinpath(".gitignore").write_text(".hrctl/\n")
    who = ["-c", "user.name=Robin", "-c", "user.email=robin@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=made, check=True)
    return made


@pytest.mark.parametrize("args", [["--version"], ["--help"], []])
def test_version_and_help_import_next_to_nothing(args: list[str], tmp_path: Path) -> None:
    ours = {name for name in imports(*args, cwd=tmp_path) if name.startswith("hrctl")}
    assert ours <= {"hrctl", "hrctl.cli", "hrctl.cli.main", "hrctl.cli.commands"}


def test_a_plan_with_nothing_to_do_imports_nothing_heavy(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "x")
    imports("apply", "--yes", "-q", cwd=project)
    imports("plan", cwd=project)
    names = imports("plan", cwd=project)
    assert not {name.partition(".")[0] for name in names} & HEAVY
    assert "importlib.metadata" not in names


def complete(words: str, cwd: Path) -> list[str]:
    env = {
        **os.environ,
        "_HRCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "hrctl"],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_completion_of_commands_options_and_addresses(project: Path, tmp_path: Path) -> None:
    assert complete("hrctl pla", project) == ["plan"]
    assert complete("hrctl state f", project) == ["forget"]
    assert complete("hrctl plan --detailed", project) == ["--detailed-exitcode"]
    assert complete("hrctl explain acme/shop/prod:S", project) == ["acme/shop/prod:Service/api"]
    assert "acme/shop/dev" in complete("hrctl plan --target acme/shop/d", project)
    assert complete("hrctl -o ", project) == ["text", "json"]
    assert complete("hrctl explain ac", tmp_path) == []


def test_global_options_stand_before_or_after_the_command(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for args in (
        ["-C", str(project), "-o", "json", "validate"],
        ["validate", "-o", "json", "-C", str(project)],
        ["-o", "json", "validate", "-C", str(project)],
    ):
        monkeypatch.chdir("/")
        assert main(args) == 0
        assert '"valid": true' in capsys.readouterr().out
