"""Plans in every format, approvals and grades, as commands of a real project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from hrctl.cli.main import main
from tests.conftest import ProjectFolder

FORMATS = ("text", "json", "github", "sarif", "junit", "markdown")
FILES = {
    "hrctl.yaml": """
apiVersion: hrctl.dev/v1
kind: Project
metadata: {name: acme}
spec: {blastRadius: {deletes: {critical: 1}}}
""",
    ".gitignore": ".hrctl/\n",
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
    PAGE: {type: INTEGER, value: 20}
""",
    "db.yaml": """
apiVersion: hrctl.dev/v1
kind: Component
metadata: {name: orders}
spec: {type: DATABASE, provider: postgresql}
""",
}
HOSTILE = "<script>`|` %0A ::error::x @all"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project of which everything is applied."""
    made = ProjectFolder(tmp_path / "acme").write(FILES)
    made.commit()
    monkeypatch.chdir(made.root)
    assert main(["apply", "--yes", "-q"]) == 0
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command: exit code, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return call


def edited(project: ProjectFolder, old: str = "20", new: str = "30") -> ProjectFolder:
    return project.write({"app.yaml": FILES["app.yaml"].replace(old, new)})


def reports(folder: Path) -> list[str]:
    return [f"--report={name}={folder / name}" for name in FORMATS]


def test_a_plan_in_every_format(project: ProjectFolder, tmp_path: Path, run: Any) -> None:
    edited(project).root.joinpath("db.yaml").unlink()
    code, out, _ = run("plan", *reports(tmp_path / "out"))
    assert code == 0
    found = {name: (tmp_path / "out" / name).read_text() for name in FORMATS}
    assert found["text"] == out
    assert json.loads(found["json"])["blast_radius"]["grade"] == "critical"
    assert found["github"] == (
        "::warning title=HR289 deleted or replaced::acme:Component/orders would be deleted"
        " (undeclared)\n"
        "::notice file=app.yaml,line=1,col=1,endColumn=2,title=HR291 would change::acme:Config/app"
        " would be updated (edited)\n"
    )
    results = json.loads(found["sarif"])["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == ["HR289"]
    assert len(list(ET.fromstring(found["junit"]).iter("testcase"))) == 2  # noqa: S314
    assert "| **delete** | `acme:Component/orders` | `undeclared` | " in (found["markdown"])


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_a_tree_with_errors_is_told_in_every_format(
    command: str, project: ProjectFolder, tmp_path: Path, run: Any
) -> None:
    edited(project, "INTEGER", "INTEGR")
    code, out, err = run(command, *reports(tmp_path / "out"))
    assert (code, out) == (1, "")
    assert "HR021" in err
    for name in FORMATS:
        assert "HR021" in (tmp_path / "out" / name).read_text()
    code, out, err = run(command, "-o", "github")
    assert out.startswith("::error file=app.yaml,line=7,")
    assert (code, err) == (1, "")


def test_a_plan_that_is_refused_is_told_in_every_format_and_leaves_with_4(
    project: ProjectFolder, tmp_path: Path, run: Any
) -> None:
    protected = FILES["db.yaml"] + "lifecycle: {protect: true}\n"
    project.write({"db.yaml": protected})
    assert run("apply", "--yes")[0] == 0
    (project.root / "db.yaml").unlink()
    code, _, err = run("plan", *reports(tmp_path / "out"))
    assert code == 4
    assert "HR121" in err
    for name in ("json", "github", "sarif", "junit", "markdown"):
        assert "HR121" in (tmp_path / "out" / name).read_text(), name
    code, out, err = run("plan", "-o", "github")
    assert (code, err) == (4, "")
    assert out.startswith("::error title=HR121 ")


def test_drift_in_every_format(project: ProjectFolder, tmp_path: Path, run: Any) -> None:
    edited(project)  # no part of it
    assert run("drift")[1] == "No drift. 3 resources declared.\n"
    _, out, _ = run("drift", "-o", "markdown")
    assert "### hrctl drift: no drift\n" in out
    _drift(project)
    code, out, _ = run("drift", "--detailed-exitcode", "-o", "github", *reports(tmp_path / "out"))
    assert code == 2
    assert out == (
        "::warning file=app.yaml,line=1,col=1,endColumn=2,title=HR290 changed behind hrctl's back::"
        "acme:Config/app was changed behind hrctl's back in entries/LOG_LEVEL/value and would be"
        " brought back\n"
    )
    text = (tmp_path / "out/markdown").read_text()
    assert text.startswith("<!-- hrctl:drift:acme -->\n### hrctl drift: ")
    assert 'live "by hand", wanted "info"' in text
    assert "PAGE" not in text
    assert list(ET.fromstring((tmp_path / "out/junit").read_text()).iter("failure"))  # noqa: S314


def _drift(project: ProjectFolder) -> None:
    """Change a value in the embedded registry itself, as somebody's hand would."""
    import sqlite3

    path = project.root / ".hrctl/registry.db"
    with sqlite3.connect(path) as connection:
        changed = connection.execute(
            "UPDATE resources SET body = replace(body, '\"info\"', '\"by hand\"'),"
            " version = version + 1 WHERE address = 'acme:Config/app'"
        )
        assert changed.rowcount == 1


def test_a_value_of_a_user_stays_where_it_belongs(project: ProjectFolder, run: Any) -> None:
    edited(project, "info", f"'{HOSTILE}'")
    _, out, _ = run("plan", "-o", "markdown")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(out)
    assert "<script" not in html
    assert HOSTILE in out, "in the block of code it is as it was written"
    _, out, _ = run("plan", "-o", "github")
    assert out.count("\n") == 1


# -- grades ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grade", "code"), [("low", 4), ("medium", 4), ("high", 4), ("critical", 4)]
)
def test_fail_on_a_grade(grade: str, code: int, project: ProjectFolder, run: Any) -> None:
    (project.root / "db.yaml").unlink()
    found, _, err = run("plan", "--fail-on", grade)
    assert found == code
    assert f"HR285 the blast radius is critical, and --fail-on is {grade}: 1 deleted" in err
    assert run("apply", "--yes", "--fail-on", grade)[0] == 4
    assert run("plan", "-o", "json")[1].count('"actions": ["delete"]') == 1, "it is still to do"


def test_below_the_grade_all_is_well(project: ProjectFolder, tmp_path: Path, run: Any) -> None:
    edited(project)
    assert run("plan", "--fail-on", "medium")[0] == 0
    assert run("plan", "--fail-on", "low", f"--report=markdown={tmp_path / 'm'}")[0] == 4
    assert "### hrctl plan: refused (0 to add, 1 to change" in (tmp_path / "m").read_text()
    code, _, err = run("plan", "--fail-on", "none")
    assert code == 1
    assert "HR145 'none' is no grade" in err


def test_thresholds_of_the_project_file(project: ProjectFolder, run: Any) -> None:
    head = "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\nspec:\n"
    project.write({"hrctl.yaml": f"{head}  blastRadius: {{changes: {{critical: 1}}}}\n"})
    edited(project)
    told = "Blast radius: critical (1 change, 7 settings of the project).\n"
    assert run("plan", "-o", "text")[1].endswith(told)
    project.write({"hrctl.yaml": f"{head}  blastRadius: {{changes: {{low: 5, high: 2}}}}\n"})
    code, _, err = run("plan")
    assert code == 1
    assert "high begins at 2, a lower grade at 5" in err


# -- approvals -------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_json(project: ProjectFolder, tmp_path: Path, run: Any) -> None:
    edited(project)
    code, digest, _ = run("plan", "--digest", f"--report=markdown={tmp_path / 'm'}")
    assert code == 0
    assert digest.strip() == json.loads(run("plan", "-o", "json")[1])["approval"]
    assert f"`{digest.strip()}`" in (tmp_path / "m").read_text()
    found = json.loads(run("plan", "--digest", "-o", "json")[1])
    assert found["approval"] == digest.strip()
    assert list(found["changes"]) == ["acme:Config/app"]
    assert run("plan", "--digest", "-o", "sarif")[0] == 1


def test_what_was_approved_is_applied_elsewhere_and_after_unrelated_commits(
    project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    edited(project)
    digest = run("plan", "--digest")[1].strip()
    project.write({"README.md": "unrelated\n"}).commit()
    elsewhere = tmp_path / "another/machine"
    shutil.copytree(project.root, elsewhere)
    monkeypatch.chdir(elsewhere)
    code, out, _ = run("apply", "--approved", digest)
    assert code == 0
    assert "Apply done: 1 done" in out
    code, out, _ = run("apply", "--approved", digest)
    assert (code, out) == (0, "No changes. 3 resources as declared.\n")


def test_another_plan_is_refused_and_nothing_is_changed(project: ProjectFolder, run: Any) -> None:
    edited(project)
    digest = run("plan", "--digest")[1].strip()
    edited(project, "20", "40")
    code, _, err = run("apply", "--approved", digest)
    assert code == 4
    assert "HR284 what would be applied is not what was approved: sha256:" in err
    assert "= now: update acme:Config/app" in err
    edited(project)
    assert run("plan", "--digest")[1].strip() == digest, "nothing was changed"


def test_a_single_change_that_came_in_between_is_named(project: ProjectFolder, run: Any) -> None:
    edited(project)
    digest = run("plan", "--digest")[1].strip()
    (project.root / "db.yaml").unlink()
    code, _, err = run("apply", "--approved", digest)
    assert code == 4
    assert "= not approved: delete acme:Component/orders" in err


def test_drift_that_came_in_between_is_named_and_can_be_left(
    project: ProjectFolder, run: Any
) -> None:
    project.write({"db.yaml": FILES["db.yaml"].replace("orders", "sales")})
    digest = run("plan", "--digest")[1].strip()
    _drift(project)
    code, _, err = run("apply", "--approved", digest)
    assert code == 4
    assert "= drift since then: update acme:Config/app" in err
    assert run("apply", "--approved", digest, "--keep-drift")[0] == 0


@pytest.mark.parametrize("kind", ["digest", "plan", "text"])
def test_a_file_that_was_approved(
    kind: str, project: ProjectFolder, tmp_path: Path, run: Any
) -> None:
    edited(project)
    file = str(tmp_path / "approved")
    arguments = {"digest": ["-o", "json"], "text": [], "plan": ["--report", f"json={file}"]}
    _, out, _ = run("plan", "--digest", *arguments[kind])
    if kind != "plan":
        Path(file).write_text(out)
    project.write({"db.yaml": FILES["db.yaml"].replace("orders", "sales")})
    code, _, err = run("apply", "--approved", file)
    assert code == 4
    if kind != "text":
        assert "= not approved: delete acme:Component/orders" in err
        assert "= not approved: create acme:Component/sales" in err
    project.git("checkout", "-q", "db.yaml")
    assert run("apply", "--approved", file)[0] == 0


@pytest.mark.parametrize("content", ["", "sha256:12", "{}", "[1]", '{"changes": {}}'])
def test_what_is_no_approval(
    content: str, project: ProjectFolder, tmp_path: Path, run: Any
) -> None:
    edited(project)
    file = tmp_path / "approved"
    file.write_text(content)
    code, _, err = run("apply", "--approved", str(file))
    assert code == 1
    assert "HR145" in err
    assert "holds no digest" in err
    code, _, err = run("apply", "--approved", "sha256:12")
    assert "HR145 'sha256:12' is neither a digest nor a file" in err


def test_a_plan_of_an_older_format(project: ProjectFolder, tmp_path: Path, run: Any) -> None:
    edited(project)
    file = tmp_path / "old.plan"
    text = run("plan", "-o", "json")[1]
    file.write_text(text.replace('"format_version": "1.2"', '"format_version": "1.0"'))
    for arguments in (["--approved", str(file)], ["--yes", str(file)]):
        code, _, err = run("apply", *arguments)
        assert code == 1
        assert "HR123 the plan file has format version 1.0, this hrctl reads 1.2" in err


def test_a_saved_plan_obeys_a_limit_that_became_stricter(
    project: ProjectFolder, tmp_path: Path, run: Any
) -> None:
    (project.root / "db.yaml").unlink()
    plan, allowed = tmp_path / "a.plan", tmp_path / "b.plan"
    assert run("plan", "--out", str(plan))[0] == 0
    assert run("plan", "--out", str(allowed), "--allow-deletes", "1")[0] == 0
    file = project.root / "hrctl.yaml"
    file.write_text(
        file.read_text().replace("{blastRadius", "{safety: {maxDeletes: 0}, blastRadius")
    )
    code, _, err = run("apply", "--yes", str(plan))
    assert code == 4
    assert "HR120 1 of 3 resources would be deleted or replaced" in err
    assert run("apply", "--yes", str(allowed))[0] == 0


def test_two_outputs_to_one_file(project: ProjectFolder, tmp_path: Path, run: Any) -> None:
    edited(project)
    file = tmp_path / "x"
    code, out, err = run("plan", "--out", str(file), f"--report=json={file}")
    assert (code, out) == (1, "")
    assert f"HR280 two outputs go to {file}: " in err
    assert not file.exists()
