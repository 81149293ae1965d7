"""Reports of real commands: every format at once, of what is right and of what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hrctl.cli.main import main
from tests.conftest import ProjectFolder

FORMATS = ("text", "json", "github", "sarif", "junit", "markdown")
GOOD = {
    "registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: acme}
spec: {level: ROOT}
""",
    "app.yaml": """
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: app}
spec:
  entries:
    LOG_LEVEL: {type: STRING, value: info}
""",
}
BAD = {"app.yaml": GOOD["app.yaml"].replace("STRING", "STRIN")}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project in a folder of a repository, as the only one of it seldom is."""
    made = ProjectFolder(tmp_path / "repo/platform").write(GOOD)
    made.git("init", "-q", "..")
    monkeypatch.chdir(made.root)
    return made


def reports(folder: Path) -> list[str]:
    return [f"--report={name}={folder / name}" for name in FORMATS]


def read(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in FORMATS}


@pytest.mark.usefixtures("project")
def test_a_tree_without_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", *reports(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == "2 resources in 2 files, all valid.\n"
    found = read(tmp_path / "out")
    assert found["text"] == "2 resources in 2 files, all valid.\n"
    assert json.loads(found["json"])["valid"] is True
    assert found["github"] == ""
    assert json.loads(found["sarif"])["runs"][0]["results"] == []
    names = [case.get("file") for case in ET.fromstring(found["junit"]).iter("testcase")]  # noqa: S314
    assert names == ["platform/app.yaml", "platform/registry.yaml"]
    assert found["markdown"] == (
        "<!-- hrctl:validate:acme -->\n### hrctl validate: nothing wrong in 2 files\n"
    )


@pytest.mark.parametrize("command", ["validate"])
def test_a_tree_with_errors_is_told_in_every_format(
    command: str, project: ProjectFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write(BAD)
    assert main([command, *reports(tmp_path / "out")]) == 1
    assert "HR021" in "".join(capsys.readouterr())
    found = read(tmp_path / "out")
    assert "app.yaml:6:23: HR021" in found["text"]
    assert json.loads(found["json"])["diagnostics"][0]["code"] == "HR021"
    assert found["github"].startswith("::error file=platform/app.yaml,line=6,col=23,")
    (result,) = json.loads(found["sarif"])["runs"][0]["results"]
    assert result["ruleId"] == "HR021"
    (failure,) = ET.fromstring(found["junit"]).iter("failure")  # noqa: S314
    assert failure.get("type") == "HR021"
    assert f"### hrctl {command}: 1 error in 1 file" in found["markdown"]


@pytest.mark.parametrize("command", ["validate"])
def test_a_project_file_with_errors_is_told_in_every_format(
    command: str, project: ProjectFolder, tmp_path: Path
) -> None:
    project.write({"hrctl.yaml": "kind: Project\nspec: {}\n"})
    assert main([command, *reports(tmp_path / "out")]) == 1
    found = read(tmp_path / "out")
    assert found["github"].startswith("::error file=platform/hrctl.yaml,line=1,")
    assert found["markdown"].startswith(f"<!-- hrctl:{command} -->\n")


@pytest.mark.parametrize("output", ["github", "sarif", "junit", "markdown"])
def test_standard_output_has_the_format_and_nothing_else(
    output: str, project: ProjectFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write(BAD)
    assert main(["validate", "-o", output, f"--report={output}={tmp_path / 'same'}"]) == 1
    assert capsys.readouterr().out.rstrip("\n") == (tmp_path / "same").read_text().rstrip("\n")


def test_with_github_nothing_is_told_twice(
    project: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write({"hrctl.yaml": "kind: Project\n"})
    assert main(["validate", "-o", "github"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("::error file=platform/hrctl.yaml")
    assert err == ""


@pytest.mark.usefixtures("project")
def test_the_format_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-o", "sarif", "validate"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"
    assert main(["-o", "sarif", "graph"]) == 1
    assert "'sarif' is neither of text and json" in capsys.readouterr().err
    assert main(["validate", "-o", "xml"]) == 1
    assert (
        "'xml' is none of text, json, github, sarif, junit and markdown" in capsys.readouterr().err
    )


# -- outputs that cannot be ------------------------------------------------------------------------


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("text", ["sarif", "sarif=", "=x", "xml=x", ""])
def test_a_report_needs_format_and_file(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--report", text]) == 1
    assert f"HR145 '{text}' is no report" in capsys.readouterr().err


@pytest.mark.parametrize("second", ["out.txt", "./out.txt", "link", "sub/../out.txt"])
def test_two_outputs_to_one_file(
    second: str, project: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "sub").mkdir()
    (project.root / "link").symlink_to("out.txt")
    assert main(["validate", "--report=sarif=out.txt", f"--report=junit={second}"]) == 1
    assert "HR280 two outputs go to" in capsys.readouterr().err
    assert not (project.root / "out.txt").exists()


def test_standard_output_is_an_output_too(project: ProjectFolder) -> None:
    file = project.root / "out.txt"
    program = [sys.executable, "-c", "from hrctl.cli.main import main; main()"]
    with file.open("w") as stream:
        done = subprocess.run(
            [*program, "validate", "-o", "sarif", "--report=junit=./out.txt"],
            cwd=project.root,
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "HR280 two outputs go to out.txt: standard output and junit=./out.txt" in done.stderr


@pytest.mark.usefixtures("project")
def test_a_device_may_be_written_to_twice_and_stays_one() -> None:
    assert main(["validate", "--report=sarif=/dev/null", "--report=junit=/dev/null"]) == 0
    assert Path(os.devnull).is_char_device()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("where", [".", "app.yaml/out", "app.yaml/deep/out"])
def test_an_unwritable_output_is_told_before_anything_is_done(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good"
    assert main(["validate", f"--report=sarif={where}", f"--report=junit={good}"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"HR146 {where} cannot be written: " in err
    assert not good.exists()


@pytest.mark.usefixtures("project")
def test_a_file_that_turns_out_unwritable_does_not_keep_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good"
    arguments = ["--report=sarif=/dev/full", f"--report=junit={good}"]
    assert main(["validate", *arguments]) == 1
    assert "HR146" in capsys.readouterr().err
    assert good.exists()
