"""Names that are enough, those that are not, and what the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hrctl.cli.console import Console
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell


@pytest.mark.parametrize(
    "name",
    [
        "worker",
        "Service/worker",
        "dev:worker",
        "shop/dev:worker",
        "acme/shop/dev:worker",
        "acme/shop/dev:Service/worker",
    ],
)
def test_one_service_has_many_names(shell: Shell, name: str) -> None:
    assert shell.json("service", "show", name)["address"] == "acme/shop/dev:Service/worker"


@pytest.mark.parametrize("name", ["dev", "shop/dev", "acme/shop/dev", "acme/shop/dev:dev"])
def test_a_registry_is_named_by_its_path(shell: Shell, name: str) -> None:
    assert shell.json("registry", "show", name)["name"] == "acme/shop/dev"


def test_an_ambiguous_name_lists_what_it_may_be(shell: Shell) -> None:
    assert shell.fails("service", "stop", "api") == 1
    assert shell.err.startswith(
        "HR160 'api' may be any of 2 Services\n"
        "   = say more of the registry: dev:api\n"
        "   = acme/shop/dev:Service/api\n"
        "   = acme/shop/prod:Service/api\n"
    )
    shell.write("dev/registry.yaml", shell.read("shop/dev/registry.yaml"))
    assert shell.fails("registry", "show", "dev") == 1
    assert "HR160 'dev' may be any of 2 registries" in shell.err
    assert shell.fails("service", "list", "--in", "dev") == 1
    assert "acme/shop/dev" in shell.err


def test_an_unknown_name_gets_a_hint(shell: Shell) -> None:
    assert shell.fails("service", "show", "wroker") == 1
    assert "HR141 no Service 'wroker' is declared\n   = did you mean worker?" in shell.err
    assert shell.fails("service", "show", "shop/dev:wroker") == 1
    assert "= did you mean shop/dev:worker?" in shell.err
    assert shell.fails("service", "show", "something-else") == 1
    assert "= `hrctl service list` shows what is" in shell.err
    assert shell.fails("service", "show", "prod:worker") == 1
    assert "there is acme/shop/dev:worker" in shell.err
    assert shell.fails("service", "list", "--in", "nowhere") == 1
    assert "HR141 no registry 'nowhere'" in shell.err


@pytest.mark.parametrize("command", ["explain", "history", "blame"])
def test_what_is_no_address_may_name_one(shell: Shell, command: str) -> None:
    for name in ("worker", "dev:worker", "Service/worker"):
        assert shell.fails(command, name) == 1
        assert f"HR140 '{name}' is not an address\n" in shell.err
        assert "= did you mean acme/shop/dev:Service/worker?" in shell.err
    assert shell.fails(command, "api") == 1
    assert "= acme/shop/prod:Service/api\n" in shell.err
    assert shell.fails(command, "Route/worker") == 1
    assert "the form is <registry path>:<Kind>/<name>" in shell.err


def test_names_with_in_are_looked_for_there(shell: Shell) -> None:
    rows = shell.fails("service", "health", "api", "--in", "prod", "-o", "json")
    assert rows == 1  # not applied
    assert '"acme/shop/prod:Service/api"' in shell.out
    assert "acme/shop/dev" not in shell.out


def complete(shell: Shell, *words: str) -> list[str]:
    env = {
        **os.environ,
        "_HRCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["hrctl", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "hrctl"],
        cwd=shell.root,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_shell_completes_names_of_the_kind(shell: Shell) -> None:
    assert complete(shell, "service", "stop", "w") == ["worker"]
    assert complete(shell, "service", "stop", "a") == [
        "acme/shop/dev:Service/api",
        "acme/shop/dev:Service/mailer",
        "acme/shop/dev:Service/worker",
        "acme/shop/prod:Service/api",
    ]
    assert complete(shell, "flag", "show", "a") == []
    assert complete(shell, "registry", "delete", "acme/shop/") == [
        "acme/shop/dev",
        "acme/shop/prod",
    ]
    assert complete(shell, "service", "list", "--in", "acme/shop/p") == ["acme/shop/prod"]


def test_the_shortest_name_is_enough(shell: Shell) -> None:
    service = "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: api}\nspec: {type: API}\n"
    root = "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: %s}\nspec: {level: DOMAIN}\n"
    for path in ("other", "dev"):
        shell.write(f"{path}/registry.yaml", root % path)
        shell.write(f"{path}/api.yaml", service)
    with Session(Console()) as session:
        tree = session.tree()
        services = [one for one in tree.rows if one.kind == "Service"]
        found = dict(zip(services, naming.shortest(tree, services), strict=True))
        assert {one: naming.find(tree, "Service", name) for one, name in found.items()} == {
            one: one for one in services
        }
    assert sorted(found.values()) == [
        "acme/dev:api",
        "dev:mailer",
        "dev:worker",
        "other:api",
        "prod:api",
        "shop/dev:api",
    ]
