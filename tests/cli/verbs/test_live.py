"""One word of each live thing, whatever its replicas and drivers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.cli.verbs import live

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell


@pytest.mark.parametrize(
    ("replicas", "word"),
    [
        (["RUNNING"], "RUNNING"),
        (["FAILED", "FAILED"], "FAILED"),
        (["RUNNING", "FAILED", "RUNNING"], "DEGRADED 2/3"),
        (["STARTING", "FAILED"], "DEGRADED 0/2"),
    ],
)
def test_replicas_come_together(replicas: list[str], word: str) -> None:
    assert live.summarised(replicas) == word


def test_a_driver_that_does_not_answer_hides_no_other(shell: Shell) -> None:
    far = "{type: supervisor, mode: external, socket: /no/such, configDir: /no}"
    shell.write("hrctl.yaml", shell.read("hrctl.yaml") + f"spec: {{drivers: {{far: {far}}}}}\n")
    registry = shell.read("shop/prod/registry.yaml")
    shell.write(
        "shop/prod/registry.yaml",
        registry.replace("ENVIRONMENT}", "ENVIRONMENT, drivers: {Service: far}}"),
    )
    rows = {row["name"]: row["live"] for row in shell.json("service", "list", "--live")}
    assert "HR080" in shell.err
    assert rows["acme/shop/prod:api"] is None
    assert rows["acme/shop/dev:api"] == "MISSING"
