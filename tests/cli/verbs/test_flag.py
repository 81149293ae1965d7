"""Flags by the command line: the live system, a schedule, users, and how long it takes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from hrctl.ledger.evaluations import Evaluations
from tests.cli.verbs.conftest import Shell
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """\
    apiVersion: hrctl.dev/v1
    kind: Project
    metadata: {name: acme}
    spec:
      drivers:
        flags: {type: flagd, %s}
    """
ROOT = """\
    apiVersion: hrctl.dev/v1
    kind: Registry
    metadata: {name: acme}
    spec: {level: ROOT, drivers: {FeatureFlag: flags}}
    """
DEFAULTS = "defaults: {FeatureFlag: {hash: unleash}}"
FLAG = """\
    # whoever pays
    apiVersion: hrctl.dev/v1
    kind: FeatureFlag
    metadata: {name: express}
    spec:
      type: BOOLEAN
      status: ROLLOUT
      rollout: {strategy: GRADUAL, percentage: 10} # carefully
      targeting:
        - {attribute: plan, values: [gold], variant: "on"}
    """


def begin(shell: Shell, where: str = "file: flags.json", flag: str = FLAG) -> None:
    shell.write("hrctl.yaml", PROJECT % where)
    shell.write("registry.yaml", ROOT)
    shell.write("express.yaml", flag)
    shell.git("add", "-A")
    shell.git("commit", "-qm", "Flags")


def to_unleash(shell: Shell) -> None:
    """The same project with its flags in an Unleash that does not answer."""
    where = "url: 'http://127.0.0.1:1', token: {valueFrom: {env: NONE}}"
    shell.write("hrctl.yaml", (PROJECT % where).replace("flagd", "unleash"))


def refused(shell: Shell, *args: str) -> str:
    """Standard error of a run that ends with exit code 1."""
    assert shell.fails(*args) == 1
    return shell.err


def document(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shell.root / "flags.json").read_text("utf-8"))
    return found


def test_the_live_system_is_asked_and_said_to_differ(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("apply", "--yes", "--target", "FeatureFlag")
    user = ("flag", "evaluate", "express", "--user", "user-42", "--live")
    same = shell.json(*user)
    assert (same["live"]["variant"], same["differs"]) == (same["variant"], False)
    shell.hrctl("flag", "rollout", "express", "100")
    found = shell.json(*user)
    assert (found["variant"], found["live"]["variant"], found["differs"]) == ("on", "off", True)
    assert "(differs)" in shell.hrctl(*user)
    assert "on (differs)" not in shell.hrctl("flag", "evaluate", "--all", *user[3:])
    shell.hrctl("flag", "disable", "express", "--commit", "--apply", "--yes")
    assert document(shell)["flags"]["express"]["state"] == "DISABLED"
    assert shell.json(*user)["differs"] is False


def test_a_flag_that_was_never_applied_is_missing(shell: Shell) -> None:
    begin(shell)
    found = shell.json("flag", "evaluate", "express", "--user", "u", "--live")
    assert (found["live"]["error"], found["differs"]) == ("FLAG_NOT_FOUND", True)
    assert "live     FLAG_NOT_FOUND (differs)" in shell.hrctl(
        "flag", "evaluate", "express", "--user", "u", "--live"
    )


def test_an_error_is_one_diagnostic_for_programs_too(shell: Shell) -> None:
    begin(shell)
    assert shell.fails("flag", "evaluate", "express", "-o", "json") == 1
    assert json.loads(shell.out)["error"] == "TARGETING_KEY_MISSING"
    (told,) = json.loads(shell.err)["diagnostics"]
    assert told["code"] == "HR254"


def test_the_embedded_registry_answers_for_its_flags(shell: Shell) -> None:
    begin(shell)
    shell.write("registry.yaml", ROOT.replace(", drivers: {FeatureFlag: flags}", ""))
    asked = ("flag", "evaluate", "--all", "--user", "user-42", "--live")
    (before,) = shell.json(*asked)
    assert (before["live"]["error"], before["differs"]) == ("FLAG_NOT_FOUND", True)
    shell.hrctl("apply", "--yes", "--target", "FeatureFlag")
    (after,) = shell.json(*asked)
    assert (after["live"]["reason"], after["differs"]) == ("SPLIT", False)
    shell.hrctl("flag", "rollout", "express", "100")
    assert "(differs)" in shell.hrctl(*asked)


def test_a_list_of_nobody_is_refused(shell: Shell) -> None:
    begin(shell)
    shell.write("users.txt", "\n")
    for verb in (["evaluate", "express"], ["rollout", "express", "50"]):
        assert "HR253 users.txt names nobody" in refused(
            shell, "flag", *verb, "--users", "users.txt"
        )
    assert "percentage: 10" in shell.read("express.yaml")


def test_a_plan_with_nothing_to_do_and_drift(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("apply", "--yes", "--target", "FeatureFlag")
    assert shell.json("plan", "--target", "FeatureFlag")["changes"] == []
    held = document(shell)
    arms = held["flags"]["express"]["targeting"]["if"][2]["if"][1]["fractional"]
    arms[1][1], arms[2][1] = 90, 10
    (shell.root / "flags.json").write_text(json.dumps(held))
    told = shell.hrctl("drift")
    assert "rollout.percentage" in told
    assert "live 90, wanted 10" in told


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("hrctl.body", "{"),
        ("hrctl.body", "[]"),
        ("hrctl.body", '{"spec": 1}'),
        ("hrctl.body", '{"spec": {"status": "ROLLOUT", "rollout": {"strategy": "X"}}}'),
        ("hrctl.start", "yesterday"),
    ],
)
def test_marks_that_people_wrote_into_are_drift(shell: Shell, mark: str, text: str) -> None:
    begin(shell)
    shell.hrctl("apply", "--yes")
    held = document(shell)
    held["flags"]["express"]["metadata"][mark] = text
    (shell.root / "flags.json").write_text(json.dumps(held))
    assert "drifted" in shell.hrctl("plan")
    shell.hrctl("apply", "--yes")
    shell.hrctl("plan", "--detailed-exitcode")
    assert document(shell)["flags"]["express"]["metadata"].get(mark) != text


def test_targeting_of_people_is_not_kept_beside_other_changes(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("apply", "--yes")
    held = document(shell)
    held["flags"]["express"]["targeting"] = {"if": [{"==": [{"var": "plan"}, "x"]}, "on"]}
    (shell.root / "flags.json").write_text(json.dumps(held))
    shell.write("express.yaml", FLAG.replace("percentage: 10", "percentage: 20"))
    before = document(shell)
    assert shell.fails("apply", "--yes", "--keep-drift") == 1
    assert "HR252 acme:FeatureFlag/express cannot keep" in shell.err
    assert document(shell) == before
    shell.hrctl("apply", "--yes", "--overwrite")
    shell.hrctl("plan", "--detailed-exitcode")


def test_a_foreign_flag_of_the_same_key_stops_the_plan(shell: Shell) -> None:
    begin(shell)
    theirs = {"state": "ENABLED", "variants": {"a": 1}, "metadata": {"owner": "checkout-team"}}
    text = json.dumps({"flags": {"express": theirs}})
    (shell.root / "flags.json").write_text(text)
    said = refused(shell, "apply", "--yes", "--target", "FeatureFlag")
    assert "HR251" in said
    assert "'checkout-team'" in said
    assert (shell.root / "flags.json").read_text() == text


def test_a_hash_that_flagd_lacks_stops_the_plan(shell: Shell) -> None:
    begin(shell, flag=FLAG.replace("type: BOOLEAN", "type: BOOLEAN\n      hash: unleash"))
    assert "HR252" in refused(shell, "plan", "--target", "FeatureFlag")
    assert not (shell.root / "flags.json").exists()
    for _ in range(2):  # parsed, and from the cache
        assert shell.fails("validate") == 1
        said = shell.out
        assert "express.yaml:7:9: HR252 the flag 'express' goes by hash unleash" in said
        assert "write `hash: fractional-v3`" in said


def test_a_flag_of_unleash_without_its_hash_is_told_before_unleash_is_asked(shell: Shell) -> None:
    begin(shell)
    assert "1 flag" in shell.hrctl("flag", "stale", "--only", "expired")
    to_unleash(shell)  # no manifest is another: the record comes from the cache
    assert shell.fails("validate") == 1
    said = shell.out
    assert "express.yaml:2:1: HR252 the flag 'express' goes by hash fractional-v3" in said
    assert "write `hash: unleash`" in said
    assert "HR080" not in refused(shell, "plan")
    shell.write("registry.yaml", ROOT.replace("ROOT,", f"ROOT, {DEFAULTS},"))
    assert "all valid" in shell.hrctl("validate")


def test_a_new_flag_pins_the_hash_of_its_driver(shell: Shell) -> None:
    begin(shell)
    (shell.root / "express.yaml").unlink()
    shell.hrctl("flag", "create", "before")
    assert "hash" not in (shell.root / "before.yaml").read_text()
    (shell.root / "before.yaml").unlink()
    to_unleash(shell)
    shell.hrctl("flag", "create", "first")
    assert "  hash: unleash\n" in (shell.root / "first.yaml").read_text()
    assert "HR252" in refused(shell, "flag", "create", "other", "--set", "hash=fractional-v3")
    assert not (shell.root / "other.yaml").exists()
    shell.write("registry.yaml", ROOT.replace("ROOT,", f"ROOT, {DEFAULTS},"))
    shell.hrctl("flag", "create", "second")
    assert "hash" not in (shell.root / "second.yaml").read_text()


def test_comments_stay(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "50", "--strategy", "GRADUAL")
    text = (shell.root / "express.yaml").read_text()
    assert "# whoever pays" in text
    assert "{strategy: GRADUAL, percentage: 50} # carefully" in text


def test_a_schedule_begins_with_its_commit(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "--step", "0@0s", "--step", "100@1h", "--commit")
    asked = ("flag", "evaluate", "express", "--user", "u")
    began = shell.json(*asked)
    assert began["variant"] in {"on", "off"}
    # the shell's commits may have a fixed date: what counts is that both sides agree
    shell.hrctl("apply", "--yes", "--target", "FeatureFlag")
    assert shell.json(*asked, "--live")["differs"] is False
    start = document(shell)["flags"]["express"]["metadata"]["hrctl.start"]
    committed = int(shell.git("log", "-1", "--format=%ct", "--", "express.yaml"))
    from datetime import datetime

    assert datetime.fromisoformat(start).timestamp() == committed
    # another flag's change, or one of another field, does not begin it anew
    shell.hrctl("flag", "disable", "express", "--commit")
    shell.hrctl("flag", "enable", "express", "--commit", "--apply", "--yes")
    again = document(shell)["flags"]["express"]["metadata"]["hrctl.start"]
    assert again == start


def test_a_schedule_goes_on_where_it_is_indented_anew(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "--step", "0@0s", "--step", "100@1h", "--commit")
    before = shell.json("flag", "evaluate", "express", "--user", "u", "--explain")["steps"][1]
    assert before["step"] == "schedule"
    path = shell.root / "express.yaml"
    text = path.read_text()
    path.write_text(text.replace("percentage: ", "percentage:  "))
    assert path.read_text() != text
    later = {**os.environ, "GIT_COMMITTER_DATE": "2040-01-01T00:00:00Z"}
    subprocess.run(["git", "commit", "-qam", "Style"], cwd=shell.root, env=later, check=True)
    after = shell.json("flag", "evaluate", "express", "--user", "u", "--explain")["steps"][1]
    assert after == before


def test_a_schedule_that_is_older_than_a_shallow_clone(shell: Shell, tmp_path: Path) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "--step", "0@0s", "--step", "100@1h", "--commit")
    shell.git("commit", "-q", "--allow-empty", "-m", "Later")
    clone = tmp_path / "clone"
    shell.git("clone", "-q", "--depth", "1", shell.root.as_uri(), str(clone))
    here = Shell(clone, shell.capsys)
    asked = ("-C", str(clone), "flag", "evaluate", "express", "--user", "u")
    what = "HR064 when the schedule of acme:FeatureFlag/express began is not in this shallow clone"
    assert what in refused(here, *asked)
    apply = ("-C", str(clone), "apply", "--yes")
    assert here.fails(*apply) != 0
    assert what in here.err
    assert not (clone / "flags.json").exists()
    here.git("fetch", "-q", "--unshallow")
    here.hrctl(*apply)
    assert here.json(*asked, "--live")["differs"] is False


def test_a_flag_as_it_was_before_its_name(shell: Shell) -> None:
    begin(shell)
    named = FLAG.replace("{name: express}", "{name: fast, movedFrom: FeatureFlag/express}")
    shell.write("express.yaml", named)
    shell.git("commit", "-qam", "Rename")
    asked = ("--user", "user-7", "--explain")
    then = shell.json("flag", "evaluate", "fast", *asked, "--at", "HEAD~1")
    assert then["address"] == "acme:FeatureFlag/express"
    assert then == shell.json("flag", "evaluate", "express", *asked, "--at", "HEAD~1")
    assert shell.json("flag", "evaluate", "fast", *asked)["address"] == "acme:FeatureFlag/fast"
    assert "HR141" in refused(shell, "flag", "evaluate", "express", "--at", "HEAD")
    assert "HR141" in refused(shell, "flag", "evaluate", "nobody", "--at", "HEAD~1")


def test_evaluations_are_counted_without_names(shell: Shell) -> None:
    begin(shell)
    for _ in range(3):
        shell.hrctl("flag", "evaluate", "express", "--context", "plan=gold")
    refused(shell, "flag", "evaluate", "express")
    with Evaluations(shell.root / ".hrctl") as record:
        found = {(one.variant, one.reason): one.count for one in record.all()}
    assert found == {("on", "TARGETING_MATCH"): 3, ("off", "ERROR"): 1}


def test_a_patch_takes_away_what_it_inherits(shell: Shell) -> None:
    begin(shell)
    base = FLAG.replace("{name: express}", "{name: express, instances: ENVIRONMENT}")
    shell.write("express.yaml", base)
    shell.git("add", "-A")
    shell.git("commit", "-qm", "Environments")
    shell.hrctl("flag", "rollout", "prod:express", "--strategy", "INSTANT")
    text = (shell.root / "shop/prod/patches.yaml").read_text()
    assert "percentage: null" in text
    assert shell.json("flag", "evaluate", "prod:express")["variant"] == "on"


@pytest.mark.parametrize("share", ["nan", "inf"])
def test_a_share_that_is_no_number(shell: Shell, share: str) -> None:
    begin(shell)
    assert f"HR162 '{share}' is no percentage" in refused(
        shell, "flag", "rollout", "express", share
    )


@pytest.mark.parametrize(
    "pairs", [("app.os=ios", "app=3"), ("app=3", "app.os=ios"), ("a=1", "a=2")]
)
def test_a_context_that_says_two_things(shell: Shell, pairs: tuple[str, str]) -> None:
    begin(shell)
    options = [word for pair in pairs for word in ("--context", pair)]
    said = refused(shell, "flag", "evaluate", "express", "--user", "u", *options)
    assert said.startswith(f"HR162 '{pairs[1]}' ")


def test_another_strategy_takes_away_the_variant_that_it_does_nothing_with(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "50", "--variant", "on")
    assert "variant: on" in shell.read("express.yaml").replace('"', "")
    shell.hrctl("flag", "rollout", "express", "--live", "on")
    assert shell.json("flag", "show", "express")["spec"]["rollout"]["live"] == "on"
    assert "variant" not in shell.read("express.yaml").partition("rollout")[2].partition("\n")[0]
    said = refused(shell, "flag", "rollout", "express", "--live", "on", "--variant", "off")
    assert "rollout.variant does nothing with strategy BLUE_GREEN" in said + shell.out


def test_a_hundred_thousand_users_take_less_than_a_second(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "list")  # fills the cache
    users = shell.root / "users.txt"
    users.write_text("".join(f"user-{n}\n" for n in range(100_000)))
    best = 60.0
    for share in (50, 60, 70):
        start = time.perf_counter()
        found = shell.json("flag", "rollout", "express", str(share), "--users", str(users))
        best = min(best, time.perf_counter() - start)
        (change,) = found["moved"]["changes"]
        assert (change["from"], change["to"], len(change["users"])) == ("off", "on", 20)
    assert best < 3  # a second on a quiet machine, and this one may be busy


@pytest.mark.parametrize("line", ["{", '{"a":'])
def test_a_line_that_is_no_context(shell: Shell, line: str) -> None:
    begin(shell)
    (shell.root / "users.txt").write_text(f"user-1\n\n{line}\n")
    said = refused(shell, "flag", "evaluate", "express", "--users", "users.txt")
    assert "HR253 users.txt:3 is no context" in said


@pytest.mark.parametrize("line", ['{"a": NaN}', '{"a": "\\ud800"}', '{"a":' * 20_000])
def test_a_line_that_other_readers_of_json_refuse(shell: Shell, line: str) -> None:
    begin(shell)
    (shell.root / "users.txt").write_text(f"user-1\n{line}\n")
    for verb in (["evaluate", "express"], ["rollout", "express", "50"]):
        said = refused(shell, "flag", *verb, "--users", "users.txt")
        assert "HR253 users.txt:2 is no context" in said


def test_a_list_with_the_byte_order_mark_of_an_editor(shell: Shell) -> None:
    begin(shell)
    lines = '\ufeffann\r\nbob\x0b\r\n{"targetingKey": "eve", "plan": "gold\u2028"}\r\n'
    (shell.root / "users.txt").write_bytes(lines.encode())
    rows = shell.json("flag", "evaluate", "express", "--users", "users.txt")
    assert [row["user"] for row in rows] == ["ann", "bob", "eve"]


def test_keys_do_not_reach_the_terminal_as_commands(shell: Shell) -> None:
    begin(shell)
    key = "\x1b[31mred"  # in bucket 10.9, so 90 % adds it
    (shell.root / "users.txt").write_text(f"{key}\n")
    for verb in (
        ["rollout", "express", "90", "--users", "users.txt"],
        ["evaluate", "express", "--user", key, "--context", 'plan="\\e]0;"', "--explain"],
    ):
        said = shell.hrctl("flag", *verb)
        assert "\\x1b[31mred" in said
        assert "\x1b" not in said


@pytest.mark.parametrize(
    "given",
    [
        ["--context", "a={b: 1}", "--context", "a.b=2"],
        ["--context", "userId=1", "--context", "targetingKey=2"],
        ["--user", "ann", "--context", "userId=bob"],
        ["--user", "\udcff"],
        ["--context", "a=\udcff"],
    ],
)
def test_a_context_that_says_two_things_otherwise_or_no_text(
    shell: Shell, given: list[str]
) -> None:
    begin(shell)
    assert "HR162" in refused(shell, "flag", "evaluate", "express", *given)


def test_a_context_of_several_dotted_paths(shell: Shell) -> None:
    begin(shell, flag=FLAG.replace("attribute: plan", "attribute: a.plan"))
    given = ("--context", "a.b=1", "--context", "ab=1", "--context", "a.plan=gold")
    assert shell.json("flag", "evaluate", "express", *given)["reason"] == "TARGETING_MATCH"


@pytest.mark.parametrize("key", ['{"x": 1}', "[]", "true", "1.5"])
def test_a_key_in_a_list_that_is_no_text(shell: Shell, key: str) -> None:
    begin(shell)
    (shell.root / "users.txt").write_text(f'user-1\n{{"targetingKey": {key}}}\n')
    for verb in (["evaluate", "express"], ["rollout", "express", "50"]):
        said = refused(shell, "flag", *verb, "--users", "users.txt")
        assert "HR253 users.txt:2 has a targetingKey that is no text" in said


def test_a_key_in_a_list_that_is_a_number_or_missing(shell: Shell) -> None:
    begin(shell)
    lines = ("7", '{"targetingKey": 7}', '{"userId": 7}', '{"targetingKey": null, "plan": "gold"}')
    (shell.root / "users.txt").write_text("\n".join(lines))
    rows = shell.json("flag", "evaluate", "express", "--users", "users.txt")
    assert [row["user"] for row in rows] == ["7", "7", "7", None]
    assert len({row["variant"] for row in rows[:3]}) == 1
    assert rows[3]["reason"] == "TARGETING_MATCH"


def test_what_is_given_twice(shell: Shell) -> None:
    begin(shell)
    said = refused(shell, "flag", "create", "x", "--variant", "a=true", "--variant", "a=false")
    assert "the variant 'a' is given twice" in said
    weights = ("--weight", "on=50", "--weight", "on=50")
    assert "two weights" in refused(shell, "flag", "rollout", "express", *weights)


def test_stats_count_what_was_asked_here(shell: Shell) -> None:
    begin(shell)
    assert shell.json("flag", "stats")["evaluations"] == []
    for plan in ("gold", "gold", "silver"):
        shell.hrctl("flag", "evaluate", "express", "--user", "u", "--context", f"plan={plan}")
    shell.hrctl("flag", "disable", "express")
    shell.hrctl("flag", "evaluate", "express", "--user", "u", "--context", "plan=gold")
    found = shell.json("flag", "stats")
    (row,) = found["evaluations"]
    assert (row["address"], row["enabled"], row["disabled"]) == ("acme:FeatureFlag/express", 2, 2)
    assert (row["source"], row["live"], row["known"]) == ("hrctl flag evaluate", False, None)
    assert row["since"] <= row["last"]
    assert row["variants"] == {"on": 2, "off": 2}
    assert found["total"] == sum(found["type"].values()) == 1
    said = shell.hrctl("flag", "stats")
    assert "on this machine since" in said
    assert "which tells nothing of applications" in said


def test_stats_of_a_record_that_began_without_a_time(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "evaluate", "express", "--user", "u")
    with sqlite3.connect(shell.root / ".hrctl" / "evaluations.db") as held:
        held.executescript("ALTER TABLE counts DROP COLUMN first; PRAGMA user_version = 1")
    (row,) = shell.json("flag", "stats")["evaluations"]
    assert (row["evaluated"], row["since"]) == (1, None)
    shell.hrctl("flag", "evaluate", "express", "--user", "u")
    (row,) = shell.json("flag", "stats")["evaluations"]
    assert (row["evaluated"], row["since"]) == (2, None)


@pytest.mark.parametrize(
    ("spec", "on"),
    [
        ('type: BOOLEAN, default: "on"', 2),
        ("type: STRING, variants: {a: x, b: y}, default: b", 0),
    ],
)
def test_enabled_is_true_or_another_than_the_default(shell: Shell, spec: str, on: int) -> None:
    flag = FLAG[: FLAG.index("spec:")] + f"spec: {{status: ENABLED, {spec}}}\n"
    begin(shell, flag=flag)
    for _ in range(2):
        shell.hrctl("flag", "evaluate", "express", "--user", "u")
    (row,) = shell.json("flag", "stats")["evaluations"]
    assert (row["enabled"], row["disabled"]) == (on, 2 - on)


def test_stats_of_an_unleash_that_is_down(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it counts is not known: said, and the record of this machine is shown as such."""
    monkeypatch.setenv("TOKEN", "secret-token")
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", "TOKEN")
    begin(shell, flag=FLAG + "  hash: unleash\n")
    url = f"http://127.0.0.1:{free_ports()}"
    block = f"{{type: unleash, url: '{url}', token: {{valueFrom: {{env: TOKEN}}}}}}"
    shell.write("hrctl.yaml", PROJECT.replace("{type: flagd, %s}", block))
    shell.hrctl("flag", "evaluate", "express", "--user", "u")
    (row,) = shell.json("flag", "stats")["evaluations"]
    assert (row["source"], row["live"]) == ("hrctl flag evaluate", False)
    assert "HR080 cannot reach Unleash" in shell.err
    assert "secret-token" not in shell.err


def test_where_somebody_falls_by_either_hash(shell: Shell) -> None:
    """A bucket of Unleash is a whole number from 1 on, and the last one is inside."""
    begin(shell)
    asked = ("flag", "evaluate", "express", "--user", "user-42", "--explain")
    assert "from 10 up to 100 <- here" in shell.hrctl(*asked)
    to_unleash(shell)
    shell.write(
        "express.yaml", FLAG.replace("percentage: 10", "percentage: 40") + "  hash: unleash"
    )
    said = shell.hrctl(*asked)
    assert "bucket   40 of 100, by unleash of 'express:user-42'" in said
    assert "on         over 0 up to 40 <- here" in said
    assert "off        over 40 up to 100\n" in said


@pytest.mark.parametrize("commit", [["--commit"], []])
def test_an_edit_that_cannot_be_planned_is_taken_back(shell: Shell, commit: list[str]) -> None:
    begin(shell)
    shell.write("flags.json", "{")
    head, before = shell.git("rev-parse", "HEAD"), shell.files()
    said = refused(shell, "flag", "rollout", "express", "20", *commit, "--apply", "--yes")
    assert said.startswith("HR080 ")
    assert said.endswith("Nothing was changed.\n")
    assert shell.files() == before
    assert shell.git("rev-parse", "HEAD") == head
    assert shell.git("status", "--porcelain").split() == ["??", "flags.json"]


@pytest.mark.parametrize(
    "words",
    [["20", "--apply", "--yes"], ["--strategy", "BLUE_GREEN", "--live", "on", "--variant", "off"]],
    ids=["by the plan", "by the tree"],
)
def test_a_refused_edit_is_taken_back_also_where_that_is_not_told(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Ctrl-C, or nobody who listens, as with `2>&1 | head`."""
    begin(shell)
    shell.write("flags.json", "{")
    before, edited = shell.files(), []

    def interrupted(*_: object, **__: object) -> None:
        edited.append(shell.files() != before)
        raise KeyboardInterrupt

    monkeypatch.setattr("hrctl.cli.telling.report", interrupted)
    assert shell.fails("flag", "rollout", "express", *words)
    assert edited == [True]
    assert shell.files() == before


def test_ctrl_c_while_it_is_planned_takes_the_edit_back(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret-token")
    monkeypatch.setenv("HRCTL_ALLOWED_ENV", "TOKEN")
    begin(shell, flag=FLAG + "  hash: unleash\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an Unleash that says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        block = f"{{type: unleash, url: '{url}', token: {{valueFrom: {{env: TOKEN}}}}}}"
        shell.write("hrctl.yaml", PROJECT.replace("{type: flagd, %s}", block))
        shell.git("commit", "-qam", "Unleash")
        head, before = shell.git("rev-parse", "HEAD"), shell.read("express.yaml")
        silent.settimeout(60)
        words = ["flag", "rollout", "express", "20", "--commit", "--apply", "--yes"]
        with subprocess.Popen(
            [sys.executable, "-m", "hrctl", *words],
            cwd=shell.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                asked, _ = silent.accept()
                assert "percentage: 20" in shell.read("express.yaml")
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
                asked.close()
            finally:
                process.kill()
    assert (process.returncode, "Traceback" in said) == (130, False)
    assert shell.read("express.yaml") == before
    assert shell.git("rev-parse", "HEAD") == head


def test_what_was_edited_before_stays_where_it_cannot_be_planned(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "20")
    shell.write("flags.json", "{")
    head = shell.git("rev-parse", "HEAD")
    said = refused(shell, "flag", "rollout", "express", "20", "--commit", "--apply", "--yes")
    assert "Nothing was changed" not in said
    assert "percentage: 20}" in shell.read("express.yaml")
    assert shell.git("rev-parse", "HEAD") == head


def test_an_edit_that_is_not_answered_with_yes_stands(shell: Shell) -> None:
    begin(shell)
    said = refused(shell, "flag", "rollout", "express", "20", "--commit", "--apply")
    assert (
        "it is not applied.\nTo finish: hrctl apply --target=acme:FeatureFlag/express\nHR129"
        in said
    )
    assert "20 %" in shell.git("log", "-1", "--format=%s")


def test_the_first_commit_of_a_repository_is_applied(shell: Shell) -> None:
    shell.write("hrctl.yaml", PROJECT % "file: flags.json")
    shell.write("registry.yaml", ROOT)
    shell.git("update-ref", "-d", "HEAD")
    shell.hrctl("flag", "create", "first", "--commit", "--apply", "--yes")
    assert document(shell)["flags"]["first"]["state"] == "DISABLED"


def test_tables_fit_in_eighty_columns(shell: Shell) -> None:
    begin(shell)
    name = "a-name-that-is-as-long-as-some-are"
    flag = FLAG.replace("{name: express}", f"{{name: {name}, instances: ENVIRONMENT}}")
    shell.write("express.yaml", flag)
    shell.hrctl("flag", "list", "--live")
    shell.hrctl("flag", "evaluate", "--all", "--user", "u", "--live")
    for words in ("list", "stats", "evaluate --all --user user-42 --live"):
        said = shell.hrctl("flag", *words.split())
        assert max(map(len, said.splitlines())) <= 80, said
        assert f"\nprod:{name} " in said


def test_an_edit_that_was_looked_at_is_committed_afterwards(shell: Shell) -> None:
    begin(shell)
    shell.hrctl("flag", "rollout", "express", "20")
    assert shell.git("status", "--porcelain").split() == ["M", "express.yaml"]
    shell.hrctl("flag", "rollout", "express", "20", "--commit", "--apply", "--yes")
    assert "express is so already" in shell.err
    assert "Committed" in shell.err
    assert shell.git("status", "--porcelain", "--untracked-files=no") == ""
    assert "20 %" in shell.git("log", "-1", "--format=%s")
    head = shell.git("rev-parse", "HEAD")
    shell.hrctl("flag", "rollout", "express", "20", "--commit")
    assert shell.git("rev-parse", "HEAD") == head


def test_other_changes_of_its_file_are_not_committed(shell: Shell) -> None:
    begin(shell)
    shell.write("express.yaml", FLAG.replace("# carefully", "# with care"))
    shell.hrctl("flag", "rollout", "express", "10", "--commit")
    assert "express is so already" in shell.err
    assert shell.git("status", "--porcelain").split() == ["M", "express.yaml"]


def test_other_weights_of_a_test_move_few(shell: Shell) -> None:
    """Sorted by name, 20 % would move where 10 % have to."""
    shell.write(
        "shop/dev/theme.yaml",
        "apiVersion: hrctl.dev/v1\nkind: FeatureFlag\nmetadata: {name: theme}\n"
        "spec:\n  type: STRING\n  status: ROLLOUT\n  variants: {a: A, b: B, c: C}\n  default: a\n"
        "  rollout: {strategy: AB_TEST, weights: {a: 20, b: 30, c: 50}}\n",
    )
    weights = [word for one in ("a=10", "b=30", "c=60") for word in ("--weight", one)]
    moved = shell.json("flag", "rollout", "theme", *weights)["moved"]
    (change,) = moved["changes"]
    assert (change["from"], change["to"]) == ("a", "c")
    assert abs(change["count"] - 10_000) < 500
    assert "slices" in shell.read("shop/dev/theme.yaml")
    shell.hrctl("validate", "--strict")
    back = [word for one in ("a=20", "b=30", "c=50") for word in ("--weight", one)]
    moved = shell.json("flag", "rollout", "theme", *back)["moved"]
    assert abs(sum(one["count"] for one in moved["changes"]) - 10_000) < 500
