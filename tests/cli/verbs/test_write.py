"""Manifests that are created and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell


def test_a_service_is_created_from_options(shell: Shell) -> None:
    shell.hrctl(
        *("service", "create", "web", "--in", "dev", "--type", "API", "--replicas", "2"),
        *("--command", "python3 web.py", "--port", "http=8080", "--port", "admin=8090"),
        *("--env", "LEVEL=1", "--set", "healthCheck.http=/up", "--set", "ports.1.protocol=TCP"),
    )
    assert shell.read("shop/dev/web.yaml") == (
        "apiVersion: hrctl.dev/v1\n"
        "kind: Service\n"
        "metadata:\n"
        "  name: web\n"
        "spec:\n"
        "  type: API\n"
        "  command: python3 web.py\n"
        "  env:\n"
        '    LEVEL: "1"\n'
        "  replicas: 2\n"
        "  ports:\n"
        "    - name: http\n"
        "      port: 8080\n"
        "    - name: admin\n"
        "      port: 8090\n"
        "      protocol: TCP\n"
        "  healthCheck:\n"
        "    http: /up\n"
    )


def test_other_kinds_are_created_from_settings(shell: Shell) -> None:
    shell.hrctl("engine", "create", "batch", "--set", "type=BATCH", "--set", "capacity={max: 4}")
    assert shell.json("engine", "show", "batch")["spec"]["capacity"]["max"] == 4
    shell.hrctl("registry", "create", "shop-eu", "--in", "acme", "--set", "level=DOMAIN")
    assert shell.json("registry", "show", "shop-eu")["file"] == "shop-eu/registry.yaml:1"


@pytest.mark.parametrize("name", ["hrctl", "registry"])
def test_a_file_that_means_something_else_is_not_written_into(shell: Shell, name: str) -> None:
    before = shell.read(f"{name}.yaml")
    shell.hrctl("service", "create", name, "--type", "API")
    assert shell.read(f"{name}.yaml") == before
    assert (shell.root / f"{name}-service.yaml").exists()


def test_a_second_one_goes_behind_the_first(shell: Shell) -> None:
    shell.hrctl("service", "create", "api", "--type", "API")
    first = shell.read("api.yaml")
    shell.hrctl("config", "create", "api", "--set", "scope=SERVICE")
    assert shell.read("api.yaml").startswith(f"{first}---\n")
    shell.hrctl("service", "remove", "acme:api")
    assert "kind: Service" not in shell.read("api.yaml")
    assert shell.json("config", "list")[0]["address"] == "acme:Config/api"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a_b", "--type", "API"], "HR026"),
        (["worker", "--in", "dev", "--type", "API"], "HR143"),
        (["x", "--set", "type"], "HR162"),
        (["x", "--set", "=API"], "HR162"),
        (["x", "--set", "a..b=1"], "HR162"),
        (["x", "--set", "command=a: b"], "HR162"),
        (["x", "--port", "8080"], "HR162"),
        (["x", "--env", "A"], "HR162"),
        (["x", "--type", "API", "--port", "http=many"], "HR022"),
        (["x", "--in", "nowhere"], "HR141"),
    ],
)
def test_what_cannot_be_created(shell: Shell, arguments: list[str], code: str) -> None:
    before = shell.files()
    assert shell.fails("service", "create", *arguments) == 1
    assert code in shell.err
    assert shell.files() == before


def test_a_document_goes_and_its_neighbours_stay(shell: Shell) -> None:
    before = shell.read("shop/dev/jobs.yaml")
    shell.hrctl("service", "remove", "mailer")
    assert shell.read("shop/dev/jobs.yaml") == before.partition("---\n")[0]


def test_an_instance_is_not_removed(shell: Shell) -> None:
    assert shell.fails("service", "remove", "prod:api") == 1
    assert "HR161 acme/shop/prod:Service/api" in shell.err


@pytest.mark.parametrize("verb", ["remove", "delete"])
def test_a_registry_that_is_not_empty_needs_cascade(shell: Shell, verb: str) -> None:
    before = shell.files()
    assert shell.fails("registry", verb, "dev") == 4
    assert "HR128 registry acme/shop/dev is not empty" in shell.err
    assert "acme/shop/dev:Service/mailer" in shell.err
    assert shell.fails("registry", verb, "shop") == 4
    assert "document for instances of Service/api in shop/services.yaml" in shell.err
    assert shell.files() == before


def test_cascade_takes_all_manifests_and_nothing_else(shell: Shell) -> None:
    shell.write("shop/dev/run.py", "print()\n")
    shell.write("shop/dev/compose.yaml", "services: {}\n")
    done = shell.json("registry", "delete", "dev", "--cascade", "--commit")
    assert done["files"] == ["shop/dev/jobs.yaml", "shop/dev/registry.yaml"]
    assert {one.name for one in (shell.root / "shop/dev").iterdir()} == {"run.py", "compose.yaml"}
    assert [one["name"] for one in shell.json("registry", "list")] == [
        "acme",
        "acme/shop",
        "acme/shop/prod",
    ]


def test_an_empty_registry_goes_with_its_folder(shell: Shell) -> None:
    shell.hrctl("registry", "create", "eu", "--set", "level=DOMAIN")
    shell.hrctl("registry", "remove", "eu")
    assert not (shell.root / "eu").exists()


def test_the_root_stays(shell: Shell) -> None:
    before = shell.files()
    assert shell.fails("registry", "remove", "acme", "--cascade") == 1
    assert "HR040" in shell.err
    assert shell.files() == before


def test_a_registry_is_deleted_from_what_is_live(shell: Shell) -> None:
    shell.hrctl("apply", "--yes")
    arguments = ["registry", "delete", "dev", "--cascade", "--commit", "--apply", "--yes"]
    assert shell.fails(*arguments) == 4
    assert "HR121" in shell.err  # mailer is protected


def test_an_apply_of_the_removal_takes_what_was_in_it(shell: Shell) -> None:
    shell.hrctl("apply", "--yes")
    shell.hrctl("registry", "delete", "prod", "--cascade", "--commit", "--apply", "--yes")
    assert "acme/shop/prod" not in shell.hrctl("get")
    assert "acme/shop/dev:Service/worker" in shell.out
