"""`plan --base`: hrctl.yaml of the branch decides nothing, and each change of it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hrctl.cli.main import main
from hrctl.model.planschema import plan_schema
from tests.cli.recording import Server
from tests.conftest import ProjectFolder

HEAD = "apiVersion: hrctl.dev/v1\nkind: "
PROJECT = f"{HEAD}Project\nmetadata: {{name: acme}}\n"
FLAG = f"{HEAD}FeatureFlag\nmetadata: {{name: f}}\nspec: {{type: BOOLEAN, hash: unleash}}\n"
ROUTE = (
    f"{HEAD}Route\nmetadata: {{name: r}}\n"
    "spec: {type: HTTP, listen: '127.0.0.1:9000', destinations: [{address: '127.0.0.1:9001'}]}\n"
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project that is applied, and a branch `work` that is checked out."""
    made = ProjectFolder(tmp_path / "acme")
    made.git("init", "-q", "-b", "main")
    made.write({".gitignore": ".hrctl/\n", "hrctl.yaml": PROJECT, "registry.yaml": registry()})
    made.commit()
    monkeypatch.chdir(made.root)
    assert main(["apply", "--yes", "-q"]) == 0
    made.git("checkout", "-q", "-b", "work")
    return made


def registry(drivers: str = "{}") -> str:
    spec = f"spec: {{level: ROOT, drivers: {drivers}}}\n"
    return f"{HEAD}Registry\nmetadata: {{name: acme}}\n{spec}"


def settings(text: str) -> dict[str, str]:
    return {"hrctl.yaml": f"{PROJECT}spec: {{{text}}}\n"}


def on_main(folder: ProjectFolder, files: dict[str, str]) -> None:
    """Commit on main, apply it, and let the branch start from there."""
    folder.git("checkout", "-q", "main")
    put(folder, files)
    assert main(["apply", "--yes", "-q"]) == 0
    folder.git("checkout", "-q", "-B", "work")


def put(folder: ProjectFolder, files: dict[str, str]) -> None:
    folder.write(files)
    folder.commit()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return call


BLOCKS = {
    "unleash": ("FeatureFlag", "type: unleash, url: 'http://{}', token: {{valueFrom: {{env: T}}}}"),
    "envoy": ("Route", "type: envoy, mode: external, admin: '{}', configDir: /tmp/nowhere"),
}


@pytest.mark.parametrize("driver", BLOCKS)
def test_a_driver_of_the_branch_is_never_asked(
    repository: ProjectFolder, run: Any, server: Server, driver: str
) -> None:
    kind, block = BLOCKS[driver]
    put(
        repository,
        {
            **settings(f"drivers: {{x: {{{block.format(server.address)}}}}}"),
            "registry.yaml": registry(f"{{{kind}: x}}"),
            "r.yaml": FLAG if kind == "FeatureFlag" else ROUTE,
        },
    )
    code, out, err = run("plan", "--base", "main")
    assert code == 0, err
    assert "project  drivers.x.type" in out
    assert f"+ {kind}/" in out
    assert "HR313 info: no live system was looked at" in err
    code, _, err = run("plan", "--base", "main", "--live")
    assert code == 1
    assert "HR314 'main' does not configure the driver instance x, so it is not connected" in err
    assert server.requests == []


def test_a_live_plan_goes_where_the_base_says(
    repository: ProjectFolder,
    run: Any,
    server: Server,
    other: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("T", "the-token")
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", "T")
    block = BLOCKS["unleash"][1]
    repository.git("checkout", "-q", "main")
    put(
        repository,
        {
            **settings(f"drivers: {{x: {{{block.format(server.address)}}}}}"),
            "registry.yaml": registry("{FeatureFlag: x}"),
            "r.yaml": FLAG,
        },
    )
    repository.git("checkout", "-q", "-B", "work")
    put(repository, settings(f"drivers: {{x: {{{block.format(other.address)}}}}}"))
    code, out, _ = run("plan", "--base", "main")
    assert code == 0
    assert f'drivers.x.url  "http://{server.address}" -> "http://{other.address}"' in out
    assert (server.requests, other.requests) == ([], [])
    run("plan", "--base", "main", "--live")
    assert any("the-token" in request for request in server.requests)
    assert other.requests == []


@pytest.fixture
def trusting(
    repository: ProjectFolder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    """A project whose driver names a file of certificates in the tree, and a branch of it."""
    monkeypatch.setenv("T", "the-token")
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", "T")
    block = BLOCKS["unleash"][1].format(server.address)
    repository.git("checkout", "-q", "main")
    files = settings(f"drivers: {{x: {{{block}, caFile: trusted/ca.pem}}}}")
    put(
        repository,
        {**files, "registry.yaml": registry("{FeatureFlag: x}"), "trusted/ca.pem": "those of ours"},
    )
    repository.git("checkout", "-q", "-B", "work")
    put(repository, {"r.yaml": FLAG})
    return repository


def test_a_file_that_the_branch_alters_lets_no_driver_connect(
    trusting: ProjectFolder, run: Any, server: Server
) -> None:
    put(trusting, {"trusted/ca.pem": "those of somebody else"})
    code, _, err = run("plan", "--base", "main", "--live")
    assert code == 1
    assert "HR328 a file that the driver instance x names is not as 'main' has it" in err
    assert server.requests == []
    put(trusting, {"trusted/ca.pem": "those of ours"})
    run("plan", "--base", "main", "--live")
    assert any("the-token" in request for request in server.requests)


def test_a_link_in_the_place_of_such_a_file_lets_no_driver_connect(
    trusting: ProjectFolder, run: Any, server: Server
) -> None:
    put(trusting, {"other/ca.pem": "those of somebody else"})
    trusting.git("rm", "-q", "-r", "trusted")
    (trusting.root / "trusted").symlink_to("other")
    trusting.commit()
    code, _, err = run("plan", "--base", "main", "--live")
    assert code == 1
    assert "HR328" in err
    assert server.requests == []


def test_an_approval_covers_the_files_that_a_driver_names(
    trusting: ProjectFolder, run: Any
) -> None:
    approved = run("plan", "--base", "main", "--digest")
    assert approved[0] == 0
    put(trusting, {"trusted/ca.pem": "those of somebody else"})
    assert run("plan", "--base", "main", "--digest") != approved
    put(trusting, {"trusted/ca.pem": "those of ours", "README.md": "# acme\n"})
    assert run("plan", "--base", "main", "--digest") == approved


# -- what is refused -------------------------------------------------------------------------------


def config(name: str) -> str:
    return f"{HEAD}Config\nmetadata: {{name: {name}}}\nspec: {{scope: GLOBAL}}\n"


def test_a_branch_does_not_raise_the_limits_that_refuse_it(
    repository: ProjectFolder, run: Any
) -> None:
    """60 databases deleted, `maxDeletes: 100000`, and no grade for deletes: it was exit code 0."""
    database = f"{HEAD}Component\nmetadata: {{name: db-%d}}\nspec: {{type: DATABASE,"
    files = {f"{n}.yaml": f"{database % n} provider: redis}}\n" for n in range(60)}
    on_main(repository, files)
    for name in files:
        (repository.root / name).unlink()
    weak = "safety: {maxDeletes: 100000, maxDeletePercent: 100}, blastRadius: {"
    weak += "deletes: {}, dataLoss: {}, stateful: {}, changes: {}}"
    put(repository, settings(weak))
    code, out, err = run("plan", "--base", "main", "--fail-on", "critical")
    assert code == 4
    assert "HR120 60 of 61 resources would be deleted or replaced" in err
    assert "(10)" in err
    assert "HR285 the blast radius is critical" in err
    assert "project  safety.maxDeletes" in out
    assert "10 -> 100000" in out


def test_a_branch_may_lower_its_limits(repository: ProjectFolder, run: Any) -> None:
    on_main(repository, {f"{n}.yaml": config(f"c-{n}") for n in range(2)})
    (repository.root / "0.yaml").unlink()
    put(repository, settings("safety: {maxDeletes: 0}, blastRadius: {deletes: {critical: 1}}"))
    code, out, err = run("plan", "--base", "main")
    assert code == 4
    assert "more than safety.maxDeletes allows (0)" in err
    assert "Blast radius: critical (1 deleted or replaced" in out


def test_the_ledger_is_that_of_the_base(repository: ProjectFolder, run: Any) -> None:
    """A branch that names another ledger could say that all of it is applied already."""
    put(repository, {**settings("ledger: 'sqlite:.hrctl/other.db'"), "c.yaml": config("c")})
    assert main(["apply", "--yes", "-q"]) == 0
    code, out, _ = run("plan", "--base", "main")
    assert code == 0
    assert "+ Config/c" in out
    assert 'project  ledger  "sqlite:.hrctl/ledger.db" -> "sqlite:.hrctl/other.db"' in out


# -- what is shown and approved --------------------------------------------------------------------


def test_a_setting_is_a_change_of_its_own_in_every_format(
    repository: ProjectFolder, run: Any
) -> None:
    put(repository, settings("parallelism: 4"))
    code, out, _ = run("plan", "--base", "main", "--detailed-exitcode")
    assert code == 2
    assert out == (
        "project  parallelism  10 -> 4\n\n"
        "Plan: 0 to add, 0 to change, 0 to destroy, 1 setting of the project.\n"
        "Blast radius: high (1 setting of the project).\n"
    )
    assert run("plan", "--base", "main", "--fail-on", "high")[0] == 4
    plan = json.loads(run("plan", "--base", "main", "-o", "json")[1])
    Draft202012Validator(plan_schema()).validate(plan)
    (shown,) = plan["settings"]
    assert (shown["path"], shown["before"], shown["after"]) == ("/spec/parallelism", 10, 4)
    assert shown["span"]["path"] == "hrctl.yaml"
    assert plan["approval"] == run("plan", "--base", "main", "--digest")[1].strip()
    out = run("plan", "--base", "main", "-o", "markdown")[1]
    assert "#### Settings of the project" in out
    assert "| `parallelism` | `10` | `4` | `hrctl.yaml:4` |" in out
    assert f"Approval: `{plan['approval']}`" in out
    out = run("plan", "--base", "main", "-o", "github")[1]
    assert "::warning file=hrctl.yaml,line=4" in out
    assert "HR311" in out


def test_a_default_that_is_written_out_is_no_change(repository: ProjectFolder, run: Any) -> None:
    put(repository, settings("parallelism: 10"))
    code, out, _ = run("plan", "--base", "main", "--detailed-exitcode")
    assert code == 0
    assert out == (
        "No changes of this branch. 1 resource declared; no live system was looked at.\n"
    )


def test_what_is_approved_includes_the_settings(repository: ProjectFolder, run: Any) -> None:
    put(repository, {"c.yaml": config("c")})
    without = run("plan", "--base", "main", "--digest")[1].strip()
    put(repository, settings("parallelism: 4"))
    digest = run("plan", "--base", "main", "--digest")[1].strip()
    assert digest != without
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "work")
    code, _, err = run("apply", "--approved", without)
    assert code == 4
    assert "not approved: setting parallelism" in err
    assert run("plan", "--digest")[1].strip() == digest
    assert run("apply", "--approved", digest)[0] == 0
    assert run("plan")[1] == "No changes. 2 resources as declared.\n", "the settings are in force"


def test_settings_alone_are_approved_and_noted(repository: ProjectFolder, run: Any) -> None:
    put(repository, settings("parallelism: 4"))
    digest = run("plan", "--base", "main", "--digest")[1].strip()
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "work")
    other = f"sha256:{'0' * 64}"
    assert run("apply", "--approved", other)[0] == 4
    assert run("plan")[1].startswith("project  parallelism  10 -> 4\n")
    assert run("apply", "--approved", digest)[0] == 0
    assert run("plan")[1] == "No changes. 1 resource as declared.\n"


def test_an_older_file_that_is_not_right_any_more_stops_no_plan(
    repository: ProjectFolder, run: Any
) -> None:
    """As after an upgrade of hrctl, which refuses what the last apply still took."""
    import sqlite3

    repository.git("checkout", "-q", "main")
    put(repository, {"hrctl.yaml": PROJECT.replace("kind: Project", "kind: Projekt")})
    old = repository.git("rev-parse", "HEAD")
    put(repository, {"hrctl.yaml": PROJECT})
    with sqlite3.connect(repository.root / ".hrctl/ledger.db") as connection:
        connection.execute("UPDATE runs SET revision = ?", (old,))
    connection.close()
    code, out, err = run("plan")
    assert code == 0
    assert out == "No changes. 1 resource as declared.\n"
    assert "HR318 info: the settings of the last apply are not compared" in err


# -- a base without the file -----------------------------------------------------------------------


def test_a_base_without_a_project_file(repository: ProjectFolder, run: Any) -> None:
    repository.git("checkout", "-q", "main")
    repository.git("rm", "-q", "hrctl.yaml")
    repository.git("commit", "-q", "-m", "none")
    repository.git("checkout", "-q", "-b", "new")
    put(repository, settings("safety: {maxDeletes: 9999}"))
    code, out, err = run("plan", "--base", "main")
    assert code == 0
    assert "HR312 warning: 'main' has no hrctl.yaml here" in err
    assert "project  safety.maxDeletes  10 -> 9999" in out


def test_a_base_whose_project_file_is_a_link(repository: ProjectFolder, run: Any) -> None:
    repository.git("checkout", "-q", "main")
    repository.git("mv", "hrctl.yaml", "other.txt")
    (repository.root / "hrctl.yaml").symlink_to("other.txt")
    repository.commit()
    repository.git("checkout", "-q", "-b", "new")
    (repository.root / "hrctl.yaml").unlink()
    put(repository, {"hrctl.yaml": PROJECT})
    code, _, err = run("plan", "--base", "main")
    assert code == 1
    assert "HR310 hrctl.yaml of" in err


def test_an_error_of_the_file_at_the_base_says_so(repository: ProjectFolder, run: Any) -> None:
    repository.git("checkout", "-q", "main")
    put(repository, {"hrctl.yaml": f"{PROJECT}spec: {{paralel: 1}}\n"})
    repository.git("checkout", "-q", "-b", "new")
    put(repository, {"hrctl.yaml": PROJECT})
    code, _, err = run("plan", "--base", "main")
    assert code == 1
    assert "HR061" in err
    assert "this is the file of" in err


def test_live_without_a_base(repository: ProjectFolder, run: Any) -> None:
    code, _, err = run("plan", "--live")
    assert code == 1
    assert "HR145 --live goes with --base" in err
    assert (repository.root / ".hrctl/ledger.db").exists()
