"""What is listed, shown and counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hrctl.model.kinds import GROUPS

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

DATABASE = """\
    apiVersion: hrctl.dev/v1
    kind: Component
    metadata: {name: db}
    spec: {type: DATABASE, provider: postgresql, enabled: false, connection: {endpoint: "db:5432"}}
    """


def test_a_list_has_what_says_something(shell: Shell) -> None:
    assert shell.hrctl("service", "list").splitlines() == [
        "NAME                  TYPE    WANTED   DRIVER",
        "acme/shop/dev:api     API     RUNNING  local (recorded only)",
        "acme/shop/dev:mailer  WORKER  RUNNING  local (recorded only)",
        "acme/shop/dev:worker  WORKER  RUNNING  local (recorded only)",
        "acme/shop/prod:api    API     RUNNING  local (recorded only)",
    ]
    assert shell.hrctl("flag", "list") == ""
    assert shell.err == "No flags are declared here.\n"


def test_live_shows_what_the_drivers_say(shell: Shell) -> None:
    shell.hrctl("apply", "--yes", "--target", "acme/shop/prod")
    rows = {row["name"]: row["live"] for row in shell.json("service", "list", "--live")}
    assert rows["acme/shop/prod:api"] == "STORED"
    assert rows["acme/shop/dev:api"] == "MISSING"
    assert "live    MISSING  3" in shell.hrctl("service", "stats", "--live")


def test_components_are_counted_by_provider_and_status(shell: Shell) -> None:
    shell.write("db.yaml", DATABASE)
    assert shell.json("component", "stats") == {
        "total": 1,
        "type": {"DATABASE": 1},
        "provider": {"postgresql": 1},
        "status": {"DISABLED": 1},
        "driver": {"local": 1},
    }


def test_a_registry_shows_what_is_in_it(shell: Shell) -> None:
    shown = shell.json("registry", "show", "shop")
    assert shown["children"] == ["acme/shop/dev", "acme/shop/prod"]
    assert shown["below"] == {"Registry": 2, "Service": 4}
    assert shell.json("registry", "show", "dev")["resources"] == {"Service": 3}


def test_the_hierarchy_is_drawn(shell: Shell) -> None:
    assert shell.hrctl("registry", "hierarchy").splitlines() == [
        "acme  ROOT  (0 here, 4 in all)",
        "`-- shop  PROJECT  (0 here, 4 in all)",
        "    |-- dev  ENVIRONMENT  (3 here)",
        "    `-- prod  ENVIRONMENT  (1 here)",
    ]
    assert shell.json("registry", "hierarchy", "--in", "shop")["depth"] == 1


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("verb", ["list", "stats", "export"])
def test_every_kind_speaks_json(shell: Shell, group: str, verb: str) -> None:
    assert isinstance(json.loads(shell.hrctl(group, verb, "-o", "json")), list | dict)
