"""What the canary test runs each command of hrctl with.

A command that is missing here fails `test_canary.test_every_command_is_run`. To add one: a line in
`COMMANDS`, with a list of arguments for each way to run it (one that does well, one that fails).
FILE stands for a file of manifests, PLAN for a saved plan, REV for the first commit. A command that
would not end by itself, or only talks to another program, goes into `NOT_RUN` with the reason.
Verbs that every kind has are in `VERBS`, and need no line of their own; nor do those of a kind that
can hold no secret.
"""

from __future__ import annotations

from hrctl.model.kinds import GROUPS

APP = "acme/shop/prod:Config/app"
CACHE = "acme/shop/prod:Component/cache"
WORKER = "acme/shop/prod:Service/worker"

NAMES = {
    "registry": "prod",
    "service": "prod:worker",
    "component": "cache",
    "config": "prod:app",
}

# NAME is a resource of the kind, or no such.
VERBS: dict[str, list[list[str]]] = {
    "list": [[], ["--live"]],
    "show": [["NAME"], ["nope"]],
    "create": [["fresh"]],
    "remove": [["NAME"], ["nope"]],
    "delete": [["NAME"]],
    "stats": [[]],
    "import": [["FILE"], ["none.yaml"]],
    "export": [[], ["--format", "json"]],
}

COMMANDS: dict[str, list[list[str]]] = {
    "init": [["--name", "x"]],
    "validate": [[], ["--strict"], ["--rev", "REV"]],
    "fmt": [["--check"], []],
    "schema": [[]],
    "import": [["local"], ["procs"]],
    "plan": [["--out", "x.plan", "--context", "5"], ["--since", "REV"], ["--no-such-option"]],
    "apply": [["--yes", "--target", APP], ["none.plan"], ["PLAN"]],
    "destroy": [["--yes", "--target", "acme/shop/prod:Config/nope"], []],
    "drift": [[], ["--detailed-exitcode"]],
    "get": [[], [APP], [CACHE], [WORKER], ["acme:Config/nope"]],
    "explain": [[APP], [CACHE], [WORKER], ["HR170"], ["acme:Config/nope"]],
    "graph": [[], ["--format", "dot"]],
    "history": [[APP], [APP, "entries.K00"], [WORKER]],
    "blame": [[APP], [WORKER]],
    "diff": [["REV"], ["REV", "HEAD"], ["nope"]],
    "rollback": [["REV"], ["nope"]],
    "registry hierarchy": [[]],
    "service install": [["prod:worker"]],
    "service start": [["prod:worker"]],
    "service stop": [["prod:worker"]],
    "service uninstall": [["prod:worker"]],
    "service restart": [["prod:worker"]],
    "service health": [[]],
    "service metrics": [[]],
    "service logs": [["prod:worker"]],
    "service dependencies": [["prod:worker"]],
    "flag stale": [["nope"], ["--code", "."]],  # it reads every file, and shows lines of some
    # with --reveal and a key, `config get` and `config export` print secrets: that is asked for
    "config get": [["K00", "--in", "prod"], ["K00", "--in", "prod", "--explain"], ["nope"]],
    "config set": [["K00", "--in", "prod"], ["K00", "typed-by-hand", "--in", "prod"]],
    "config unset": [["K00", "--in", "prod"]],
    "config reset": [["K00", "--in", "prod"]],
    "config history": [["K00", "--in", "prod"]],
    "config diff": [["prod:app", "global"], ["prod", "acme"]],
    "config rollback": [["K00", "--in", "prod", "--to", "REV"]],
    "config validate": [[]],
    "config export": [["--in", "prod"], ["--manifests"], ["--format", "dotenv"]],
    "secrets keygen": [["--out", "x.key"]],
    "secrets set": [["prod:Config/app", "K01"], ["prod:Config/app", "nope.nope"]],
    "secrets get": [["prod:Config/app", "PLAIN"]],  # what does well prints a canary
    "secrets edit": [["prod:Config/app"]],
    "secrets list": [[]],
    "secrets rotate": [[], ["--all"]],
    "secrets rebind": [["--yes"]],
    "secrets check": [[]],
    "secrets import-sops": [["shop/prod/config.yaml"]],
    "secrets merge-driver": [[], ["--install"]],
    "state list": [[]],
    "state show": [[APP], [WORKER], [CACHE]],
    "state forget": [["acme:Config/nope"]],
    "state runs": [[]],
    "state unlock": [[]],
    "driver list": [[]],
    "driver check": [[]],
    "driver stop": [["--yes"]],
}

NOT_RUN: dict[str, str] = {
    "ci comment": "talks to a forge; what it writes is the plan that `plan -o markdown` shows",
    "ci approved": "talks to a forge, and prints a digest",
    "ci issue": "talks to a forge; what it writes is what `drift -o markdown` shows",
}


def is_of_a_kind_without_secrets(command: str) -> bool:
    """Whether it is a verb of a kind that can hold no secret."""
    group = command.partition(" ")[0]
    return group in GROUPS and group not in NAMES


def ways(command: str) -> list[list[str]] | None:
    """The arguments to run a command with; None where nobody has said."""
    if command in COMMANDS:
        return COMMANDS[command]
    if command in NOT_RUN:
        return []
    group, _, verb = command.partition(" ")
    if group not in GROUPS:
        return None
    if is_of_a_kind_without_secrets(command):  # nothing of it is declared
        return VERBS.get(verb, [["nope"]])[-1:]
    found = VERBS.get(verb)
    if found is None:
        return None
    name = NAMES[group]
    return [[name if word == "NAME" else word for word in way] for way in found]
