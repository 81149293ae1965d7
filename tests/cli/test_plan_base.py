"""`plan --base`: a pull request shows its author no one else's changes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hrctl.cli.main import main
from hrctl.model.planfile import from_json
from hrctl.model.planschema import plan_schema
from tests.conftest import ProjectFolder

HEAD = "apiVersion: hrctl.dev/v1\nkind: "


def config(name: str, **values: int) -> str:
    entries = "".join(
        f"    {key}: {{type: INTEGER, value: {value}}}\n" for key, value in values.items()
    )
    return f"{HEAD}Config\nmetadata: {{name: {name}}}\nspec:\n  entries:\n{entries}"


FILES = {
    ".gitignore": ".hrctl/\n",
    "registry.yaml": f"{HEAD}Registry\nmetadata: {{name: acme}}\nspec: {{level: ROOT}}\n",
    "mine.yaml": config("mine", A=1, B=1, C=1, D=1, E=1),
    "theirs.yaml": config("theirs", A=1),
    "drifted.yaml": config("drifted", A=1),
}


class Repository(ProjectFolder):
    """A project with `main` and a branch `work` that is checked out."""

    def on_main(self, **files: str) -> None:
        self.git("checkout", "-q", "main")
        self.put(**files)
        self.git("checkout", "-q", "work")

    def put(self, **files: str) -> None:
        self.write({f"{name}.yaml": text for name, text in files.items()})
        self.commit()

    def branch(self) -> None:
        self.git("checkout", "-q", "-b", "work")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "acme")
    made.git("init", "-q", "-b", "main")
    made.write(FILES).commit()
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def applied(repository: Repository) -> Repository:
    assert main(["apply", "--yes", "-q"]) == 0
    repository.branch()
    return repository


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return call


def told(run: Any, *arguments: str) -> dict[str, list[str]]:
    """Addresses and fields of the branch's changes, of the pending ones and of drift."""
    code, out, err = run("plan", "--base", "main", "-o", "json", *arguments)
    assert code == 0, err
    Draft202012Validator(plan_schema()).validate(json.loads(out))
    plan = from_json(out)
    assert plan.base is not None
    parts = {"ours": plan.changes, "pending": plan.base.pending, "drift": plan.base.drift}
    return {
        name: [
            f"{one.action.value} {one.address.name}"
            + "".join(f" {field.path.split('/')[-2]}" for field in one.fields)
            for one in found
        ]
        for name, found in parts.items()
        if found
    }


def drift(repository: Repository) -> None:
    import sqlite3

    with sqlite3.connect(repository.root / ".hrctl/registry.db") as connection:
        connection.execute(
            "UPDATE resources SET body = replace(body, '\"value\":1', '\"value\":77'),"
            " version = version + 1 WHERE address = 'acme:Config/drifted'"
        )


def test_the_branchs_own_what_is_pending_and_drift(applied: Repository, run: Any) -> None:
    applied.on_main(theirs=config("theirs", A=2))
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    drift(applied)
    assert told(run, "--live") == {
        "ours": ["update mine A"],
        "pending": ["update theirs A"],
        "drift": ["update drifted A"],
    }
    _, out, _ = run("plan", "--base", "main", "--live")
    assert out == (
        "acme\n"
        "  ~ Config/mine              edited     mine.yaml:1\n"
        "      entries.A.value        1 -> 2\n"
        "\n"
        "pending on main, not of this branch\n"
        "  ~ acme:Config/theirs  edited\n"
        "\n"
        "drifted, not of this branch\n"
        "  ! acme:Config/drifted  drifted\n"
        "\n"
        "Plan: 0 to add, 1 to change, 0 to destroy.\n"
        "Blast radius: low (1 change).\n"
    )


def test_what_the_base_applied_meanwhile_is_not_shown_as_undone(
    applied: Repository, run: Any
) -> None:
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    applied.git("checkout", "-q", "main")
    applied.put(theirs=config("theirs", A=5), new=config("new", A=1))
    assert main(["apply", "--yes", "-q"]) == 0
    applied.git("checkout", "-q", "work")
    assert "theirs" in run("plan")[1], "planned by itself, the branch would undo it"
    assert told(run) == {"ours": ["update mine A"]}


def test_both_sides_edit_one_resource(applied: Repository, run: Any) -> None:
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    applied.on_main(mine=config("mine", A=1, B=1, C=1, D=1, E=2))
    assert told(run) == {"ours": ["update mine A"], "pending": ["update mine E"]}


def test_the_digest_is_what_is_applied_after_the_merge(applied: Repository, run: Any) -> None:
    """Reviewed on the branch; meanwhile the base moves, and is applied; then merged and applied."""
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    digest = run("plan", "--base", "main", "--digest")[1].strip()
    applied.git("checkout", "-q", "main")
    applied.put(theirs=config("theirs", A=5))
    assert main(["apply", "--yes", "-q"]) == 0
    applied.git("merge", "-q", "--no-edit", "work")
    drift(applied)
    assert run("plan", "--digest")[1].strip() != digest, "the drift would be brought back, too"
    assert run("apply", "--approved", digest)[0] == 4
    code, out, _ = run("apply", "--approved", digest, "--keep-drift")
    assert code == 0
    assert "Apply done: 1 done" in out


def test_what_is_pending_on_the_base_was_not_approved(applied: Repository, run: Any) -> None:
    applied.on_main(theirs=config("theirs", A=5))
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    file = applied.root.parent / "approved.json"
    file.write_text(run("plan", "--base", "main", "--digest", "-o", "json")[1])
    applied.git("checkout", "-q", "main")
    applied.git("merge", "-q", "--no-edit", "work")
    code, _, err = run("apply", "--approved", str(file))
    assert code == 4
    assert "= not approved: update acme:Config/theirs" in err


# -- without a ledger ------------------------------------------------------------------------------


def test_without_a_ledger_two_trees_are_compared_and_that_is_said(
    repository: Repository, run: Any
) -> None:
    repository.branch()
    repository.on_main(theirs=config("theirs", A=2))
    repository.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1), new=config("new", A=1))
    (repository.root / "drifted.yaml").unlink()
    repository.commit()
    assert told(run) == {"ours": ["delete drifted", "update mine A", "create new"]}
    code, out, err = run("plan", "--base", "main", "-o", "markdown")
    assert code == 0
    assert "HR283 info: the ledger is empty: what 'main' declares stands for what is live" in err
    assert "whose declarations stand for what is live" in out
    assert not (repository.root / ".hrctl/ledger.db").exists()


def test_trees_give_the_digest_that_an_apply_has(repository: Repository, run: Any) -> None:
    """On a machine without ledger, key or system; where all of the base is applied elsewhere."""
    service = f"{HEAD}Service\nmetadata: {{name: api}}\nspec:\n  type: API\n  env:\n"
    reference = "    TOKEN: {valueFrom: {env: NAME_OF_IT}}\n"
    database = f"{HEAD}Component\nmetadata: {{name: db}}\nspec: {{type: "
    repository.put(api=service + reference, db=f"{database}DATABASE, provider: redis}}\n")
    repository.branch()
    repository.put(
        mine=config("mine", A=2, B=1, C=1, D=1, E=1),
        new=config("new", A=1),
        api=f"{service}{reference}    OTHER: {{valueFrom: {{env: ANOTHER}}}}\n",
        db=f"{database}CACHE, provider: redis}}\n",
    )
    repository.git("rm", "-q", "drifted.yaml")
    repository.commit()
    assert sorted(told(run)["ours"]) == [
        "create new",
        "delete drifted",
        "replace db spec",
        "update api env",
        "update mine A",
    ]
    digest = run("plan", "--base", "main", "--digest")[1].strip()
    repository.git("checkout", "-q", "main")
    assert main(["apply", "--yes", "-q"]) == 0
    repository.git("merge", "-q", "work")
    assert run("plan", "--digest")[1].strip() == digest
    assert run("apply", "--approved", digest)[0] == 0


def test_errors_of_the_base_are_none_of_the_branch(repository: Repository, run: Any) -> None:
    repository.put(theirs=config("theirs", A=1).replace("INTEGER", "INTEGR"))
    repository.branch()
    repository.put(theirs=config("theirs", A=2))
    code, out, err = run("plan", "--base", "main")
    assert code == 0
    assert "HR293 warning: 'main' has 1 error of its own" in err
    assert "Config/theirs" in out


def test_errors_of_the_branch_are_told(applied: Repository, run: Any) -> None:
    applied.put(theirs=config("theirs", A=1).replace("INTEGER", "INTEGR"))
    code, out, _ = run("plan", "--base", "main", "-o", "github")
    assert code == 1
    assert out.startswith("::error file=theirs.yaml,line=6,")


# -- limits ----------------------------------------------------------------------------------------


def test_limits_and_grades_count_what_is_the_branchs(applied: Repository, run: Any) -> None:
    many = {f"extra-{number}": config(f"extra-{number}", A=1) for number in range(12)}
    applied.git("checkout", "-q", "main")
    applied.put(**many)
    assert main(["apply", "--yes", "-q"]) == 0
    applied.git("rm", "-q", *(f"{name}.yaml" for name in many))
    applied.commit()
    applied.git("checkout", "-q", "work")
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    assert run("plan")[0] == 4, "the twelve are not declared on the branch either"
    code, out, _ = run("plan", "--base", "main")
    assert code == 0
    assert "Blast radius: low (1 change)." in out
    assert out.count("- acme:Config/extra-") == 12


def test_uncommitted_files_count_where_nothing_has_to_be_merged(
    applied: Repository, run: Any
) -> None:
    applied.write({"mine.yaml": config("mine", A=2, B=1, C=1, D=1, E=1)})
    assert told(run) == {"ours": ["update mine A"]}
    applied.git("stash", "-q")
    applied.on_main(theirs=config("theirs", A=2))
    applied.git("stash", "pop", "-q")
    code, out, err = run("plan", "--base", "main")
    assert code == 0
    assert "HR292 warning: what is not committed is left out" in err
    assert "No changes of this branch." in out


# -- what cannot be --------------------------------------------------------------------------------


def test_a_base_that_does_not_exist_and_one_without_a_common_ancestor(
    applied: Repository, run: Any
) -> None:
    code, _, err = run("plan", "--base", "nowhere")
    assert code == 1
    assert "HR065 no revision 'nowhere'" in err
    applied.git("checkout", "-q", "--orphan", "alone")
    applied.put(more=config("more", A=1))
    code, out, _ = run("plan", "--base", "main", "-o", "github")
    assert code == 1
    assert out == (
        "::error title=HR281 no common ancestor::HEAD and 'main' have no common ancestor"
        "%0Agit log --oneline --graph --all shows how they came to be\n"
    )


def test_a_shallow_clone_in_ci(
    applied: Repository, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied.on_main(theirs=config("theirs", A=2))
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    clone = tmp_path / "clone"
    options = ("--quiet", "--depth=1", "--branch=work")
    subprocess.run(["git", "clone", *options, f"file://{applied.root}", str(clone)], check=True)
    monkeypatch.chdir(clone)
    code, _, err = run("plan", "--base", "origin/main")
    assert code == 1
    assert "HR064 no revision 'origin/main' in this shallow clone" in err
    assert "depth of 0" in err


@pytest.mark.parametrize("command", [("plan", "--base", "main"), ("drift",)])
def test_a_part_of_a_plan_is_not_applied(
    command: tuple[str, ...], applied: Repository, run: Any
) -> None:
    drift(applied)
    applied.put(mine=config("mine", A=2, B=1, C=1, D=1, E=1))
    file = applied.root.parent / "part.plan"
    file.write_text(run(*command, "-o", "json")[1])
    code, _, err = run("apply", "--yes", str(file))
    assert code == 1
    assert "alone, as parts of changes that cannot be applied" in err


@pytest.mark.parametrize("other", [("--out", "x.plan"), ("--since", "main")])
def test_options_that_do_not_go_with_it(
    other: tuple[str, str], applied: Repository, run: Any
) -> None:
    code, _, err = run("plan", "--base", "main", *other)
    assert code == 1
    assert "HR145" in err
    assert "do not go together" in err
    assert not (applied.root / "x.plan").exists()
