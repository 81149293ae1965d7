"""`flag stale` by the command line: git's own dates, code in another repository, every format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.cli.verbs import flag_usage
from hrctl.cli.verbs.flag_usage import Usage
from hrctl.model.address import Address

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.verbs.conftest import Shell

FLAG = """\
    apiVersion: hrctl.dev/v1
    kind: FeatureFlag
    metadata: {{name: {name}{metadata}}}
    spec: {{type: BOOLEAN, status: ROLLOUT{spec}}}
    """
HALF = ", rollout: {strategy: GRADUAL, percentage: 50}"
FULL = ", rollout: {strategy: GRADUAL, percentage: 100}"


def flag(shell: Shell, name: str, spec: str = HALF, metadata: str = "") -> None:
    shell.write(f"{name}.yaml", FLAG.format(name=name, spec=spec, metadata=metadata))


def commit(shell: Shell, days: float, subject: str = "Flags") -> None:
    """Commit everything, so many days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", at.isoformat())
        shell.git("add", "-A")
        shell.git("commit", "-qm", subject)


def stale(shell: Shell, *args: str, code: int = 1) -> Any:
    """What a run with -o json says, and that its exit code is 1."""
    assert shell.fails("flag", "stale", *args, "-o", "json") == code, shell.err
    return json.loads(shell.out)


def codes(found: Any) -> list[tuple[str, str | None]]:
    """Code and name of the flag, or key, of each diagnostic."""
    return [
        (one["code"], Address(one["address"]).name if one["address"] else None)
        for one in found["diagnostics"]
    ]


def test_how_long_it_stands_is_told_by_the_commits(shell: Shell) -> None:
    for name in ("old", "half", "patient", "young"):
        flag(shell, name)
    commit(shell, 90)
    flag(shell, "old", FULL)
    flag(shell, "patient", FULL + ", staleAfter: 60d")
    commit(shell, 40)
    flag(shell, "young", FULL)
    commit(shell, 20)
    found = stale(shell)
    assert codes(found) == [("HR257", "old")]
    assert "gives everybody 'on' since" in found["diagnostics"][0]["summary"]
    by_key = {row["key"]: row for row in found["flags"]}
    assert by_key["old"]["stale"] == ["settled"]
    since = {key: row["since"] and row["since"][:10] for key, row in by_key.items()}
    day = datetime.now(UTC).date()
    assert since["old"] == since["patient"] == str(day - timedelta(days=40))
    assert since["young"] == str(day - timedelta(days=20))
    assert since["half"] is None
    flag(shell, "old", HALF)  # not committed yet
    assert codes(stale(shell, code=0)) == []


def test_what_stays_for_good_says_so(shell: Shell) -> None:
    flag(shell, "breaker", FULL, ", labels: {lifetime: permanent}")
    flag(shell, "colour", ", rollout: {strategy: BLUE_GREEN, live: 'on'}")
    flag(shell, "depot", ", rollout: {strategy: BLUE_GREEN, live: 'on'}, staleAfter: 10d")
    commit(shell, 50)
    assert codes(stale(shell)) == [("HR257", "depot")]


def test_each_instance_stands_for_itself_and_a_document_is_told_once(shell: Shell) -> None:
    spec = ", expires: 2020-01-31" + HALF
    flag(shell, "express", spec, ", instances: ENVIRONMENT")
    patch = FLAG.format(name="express", metadata=", patch: true", spec=FULL)
    shell.write("shop/prod/patch.yaml", patch.replace("type: BOOLEAN, ", ""))
    commit(shell, 50)
    found = stale(shell)
    assert codes(found) == [("HR032", "express"), ("HR257", "express")]
    assert [one["span"]["path"] for one in found["diagnostics"]] == [
        "express.yaml",
        "shop/prod/patch.yaml",
    ]
    assert [(row["address"][:13], row["stale"]) for row in found["flags"]] == [
        ("acme/shop/dev", ["expired"]),
        ("acme/shop/pro", ["expired", "settled"]),
    ]
    assert codes(stale(shell, "dev:express")) == [("HR032", "express")]
    assert len(stale(shell, "express")["flags"]) == 2
    assert len(stale(shell, "--in", "prod")["flags"]) == 1
    assert "HR032" not in shell.err  # it is told once, as a finding


@pytest.mark.parametrize("where", [".", "platform"])
def test_a_merge_brings_it_on_its_own_day(
    shell: Shell, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a folder of a repository, whose log git simplifies."""
    if where != ".":
        (shell.root / where).mkdir()
        for name in ("hrctl.yaml", "registry.yaml", "shop"):
            (shell.root / name).rename(shell.root / where / name)
        shell.root = shell.root / where
        monkeypatch.chdir(shell.root)
    flag(shell, "late")
    commit(shell, 90)
    shell.git("checkout", "-qb", "work")
    flag(shell, "late", FULL)
    commit(shell, 80)
    shell.git("checkout", "-q", "main")
    shell.git("merge", "-q", "--no-ff", "-m", "now", "work")
    found = stale(shell, code=0)
    assert found["flags"][0]["since"][:10] == f"{datetime.now(UTC):%Y-%m-%d}"
    shell.git("reset", "-q", "--hard", "work")
    assert codes(stale(shell)) == [("HR257", "late")]


def test_outside_of_git_it_says_what_it_does_not_know(shell: Shell) -> None:
    flag(shell, "full", FULL)
    subprocess.run(["rm", "-r", ".git"], cwd=shell.root, check=True)
    assert shell.fails("flag", "stale") == 0
    assert "Without a commit in git nobody knows how long" in shell.err


def test_a_shallow_clone_says_that_it_does_not_know(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag(shell, "full", FULL)
    commit(shell, 90)
    flag(shell, "other", HALF)
    commit(shell, 1)
    clone = shell.root.parent / "clone"
    shell.git("clone", "-q", "--depth=1", f"file://{shell.root}", str(clone))
    assert codes(stale(shell)) == [("HR257", "full")]
    monkeypatch.chdir(clone)
    assert shell.fails("flag", "stale") == 0
    assert "This is a shallow clone: since when everybody gets the same of 1 flag" in shell.err


def services(root: Path) -> Path:
    """A repository of its own beside the project's, with code."""
    code = root.parent / "services"
    (code / "src").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=code, check=True)
    (code / "src/app.ts").write_text(
        "const on = await client.getBooleanValue('express', false);\n"
        "const off = await client.getBooleanValue('expres', false);\n"
        "const odd = await client.getBooleanValue('prod:express', false);\n"
        "const gone = await client.getBooleanValue('gone', false); // hrctl: ignore\n"
        "const own = flags.enabled('mine');\n",
        encoding="utf-8",
    )
    (code / "src/again.ts").write_text("client.getBooleanValue('expres', true)\n", encoding="utf-8")
    (code / "README.md").write_text("about 'theme'\n", encoding="utf-8")
    return code


def test_code_in_another_repository(shell: Shell) -> None:
    flag(shell, "express")
    flag(shell, "theme")
    code = str(services(shell.root))
    found = stale(shell, "--code", code)
    assert [(one["code"], one["summary"], one["hint"]) for one in found["diagnostics"]] == [
        (
            "HR260",
            "the code asks for the flag 'expres', which nobody declares",
            "did you mean express?",
        ),
        (
            "HR260",
            "the code asks for the flag 'prod:express', which nobody declares",
            "applications ask for the name alone: express",
        ),
        (
            "HR259",
            "the code names the flag 'theme' nowhere",
            "take the flag out, or search the folder of its code with --code, too",
        ),
    ]
    first = found["diagnostics"][0]
    place = {"path": "../services/src/again.ts", "line": 1, "column": 25, "length": 6}
    assert first["span"] == place
    assert [one["span"]["path"] for one in first["related"]] == ["../services/src/app.ts"]
    assert [one["key"] for one in found["undeclared"]] == ["expres", "prod:express"]
    express = found["flags"][0]
    assert express["references"] == 2
    assert express["places"][0] == {"path": "../services/src/app.ts", "line": 1, "column": 42}
    assert found["code"]["files"] == 2
    mine = stale(shell, "--code", code, "--call", "enabled", "--only", "undeclared")
    assert [one["key"] for one in mine["undeclared"]] == ["expres", "mine", "prod:express"]
    narrowed = stale(shell, "express", "--code", code, code=0)
    assert "undeclared" not in narrowed
    skipped = stale(shell, "--code", code, "--skip", "src/app.ts")
    assert codes(skipped) == [("HR260", None), ("HR259", "express"), ("HR259", "theme")]


def test_manifests_and_what_hrctl_wrote_are_no_code(shell: Shell) -> None:
    driver = "spec: {drivers: {f: {type: flagd, file: f.json}}}\n"
    shell.write("hrctl.yaml", shell.read("hrctl.yaml") + driver)
    root = shell.read("registry.yaml")
    bound = root.replace("level: ROOT", "level: ROOT, drivers: {FeatureFlag: f}")
    shell.write("registry.yaml", bound)
    flag(shell, "express")
    commit(shell, 1)
    shell.hrctl("apply", "--yes", "--target", "FeatureFlag")
    assert "express" in shell.read("f.json")
    assert codes(stale(shell, "--code", ".")) == [("HR259", "express")]
    shell.write("deploy.yaml", "flag: express\n")  # a file of somebody else's
    assert codes(stale(shell, "--code", ".", code=0)) == []


def test_what_a_driver_counts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    for name in ("asked", "never", "long-ago", "young", "nobody-counts", "breaker"):
        metadata = ", labels: {lifetime: permanent}" if name == "breaker" else ""
        flag(shell, name, metadata=metadata)

    def usage(name: str, last: datetime | None, known: int, *, live: bool = True) -> Usage:
        address = Address.of("acme", "FeatureFlag", name)
        since = now - timedelta(days=known)
        return Usage(address, "toggles", live, 0, 0, {}, since, last, since)

    counts = [
        usage("asked", now - timedelta(days=3), 90),
        usage("never", None, 90),
        usage("long-ago", now - timedelta(days=60), 90),
        usage("young", None, 3),
        usage("nobody-counts", None, 90, live=False),
        usage("breaker", None, 90),
    ]
    table = {one.address: one for one in counts}
    # what a real Unleash counts is tested with its driver and with `flag stats`
    monkeypatch.setattr(
        flag_usage, "usages", lambda _session, _tree, flags: {one: table[one] for one in flags}
    )
    found = stale(shell, "--only", "unused")
    assert codes(found) == [("HR258", "long-ago"), ("HR258", "never")]
    assert "was never asked for, as 'toggles' counts" in found["diagnostics"][1]["summary"]
    assert found["counted"] == {"toggles": 4}
    assert "No driver counts what applications ask of 1 of 5 flags." in shell.err


def test_every_format(shell: Shell) -> None:
    flag(shell, "theme")
    code = ["--code", str(services(shell.root)), "--only", "undeclared"]
    assert shell.fails("flag", "stale", *code) == 1
    assert "3 undeclared, in 1 flag and 2 files of code." in shell.out
    assert "getBooleanValue('expres', true)" in shell.out
    assert shell.fails("flag", "stale", *code, "-o", "github") == 1
    assert "::warning file=../services/src/again.ts,line=1,col=25" in shell.out
    assert shell.fails("flag", "stale", *code, "--exit-zero", "--report", "sarif=s.sarif") == 0
    (run,) = json.loads(shell.read("s.sarif"))["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["HR260"] * 3
    assert run["invocations"][0]["executionSuccessful"] is True


def test_places_are_told_from_the_top_of_the_repository(shell: Shell) -> None:
    (shell.root / "p").mkdir()
    for name in ("hrctl.yaml", "registry.yaml", "shop"):
        (shell.root / name).rename(shell.root / "p" / name)
    shell.write("src/app.py", "client.get_boolean_value('gone', False)\n")
    shell.write("p/flag.yaml", FLAG.format(name="theme", metadata="", spec=HALF))
    assert shell.fails("flag", "stale", "-C", "p", "--code", "../src", "-o", "github") == 1
    assert "file=src/app.py,line=1" in shell.out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--code", "servces"], "HR261", "there is no folder 'servces' to search"),
        (["--only", "stale"], "HR145", "'stale' is no check of flags"),
        (["--only", "unreferenced"], "HR145", "'unreferenced' needs the code"),
        (["theme", "--code", ".", "--only", "undeclared"], "HR145", "no flag in particular"),
        (["--code", ".", "--call", "a b"], "HR145", "'a b' is no name of a function"),
        (["thme"], "HR141", "no FeatureFlag 'thme' is declared"),
    ],
)
def test_bad_input(shell: Shell, args: list[str], code: str, words: str) -> None:
    flag(shell, "theme")
    assert shell.fails("flag", "stale", *args) == 1
    assert code in shell.err
    assert words in shell.err


def test_a_folder_without_code_is_the_wrong_one(shell: Shell) -> None:
    """Else every flag would be called unreferenced."""
    flag(shell, "theme")
    shell.write("docs/README.md", "theme\n")
    assert shell.fails("flag", "stale", "--code", "docs") == 1
    assert "HR261 there is no code in 'docs'" in shell.err


def test_words_for_the_shell(shell: Shell) -> None:
    flag(shell, "theme")
    done = subprocess.run(
        [sys.executable, "-m", "hrctl"],
        cwd=shell.root,
        env={
            **os.environ,
            "_HRCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": "hrctl flag stale th",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["theme"]


def test_no_flags(shell: Shell) -> None:
    assert shell.fails("flag", "stale") == 0
    assert "0 flags: nothing is stale." in shell.out
    assert codes(stale(shell, "--code", str(services(shell.root)))) == [("HR260", None)] * 3


def test_a_tree_with_errors_is_reported(shell: Shell) -> None:
    flag(shell, "theme", ", nope: 1")
    assert shell.fails("flag", "stale", "-o", "github") == 1
    assert "::error file=theme.yaml" in shell.out
