"""The examples hold what they promise, and the storefront runs for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
HRCTL = Path(sys.executable).with_name("hrctl")
PORTS = ("18080", "18081", "18082", "18085", "18087", "18090")
MANIFESTS = sorted(EXAMPLES.rglob("*.yaml"))


def hrctl(project: Path, *arguments: str, exits: int = 0) -> str:
    environment = os.environ | {
        "PAYMENTS_PROVIDER_KEY": "for-the-test",
        "HRCTL_AGE_IDENTITY_FILE": str(EXAMPLES / "storefront/test-identity.txt"),
        "GIT_AUTHOR_NAME": "Test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "Test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }
    done = subprocess.run(
        [HRCTL, *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == exits, f"hrctl {arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def hrctl_json(project: Path, *arguments: str) -> Any:
    return json.loads(hrctl(project, *arguments, "-o", "json"))


def initialised(folder: Path, example: str) -> Path:
    folder.mkdir()
    hrctl(folder, "init", "--example", example)
    return folder


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_each_file_names_a_schema_that_is_there(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    modeline, found, schema = first.partition("$schema=")
    assert (modeline, found) == ("# yaml-language-server: ", "$schema=")
    wanted = "project" if path.name == "hrctl.yaml" else "hrctl"
    assert (path.parent / schema).resolve() == EXAMPLES.parent / f"schemas/{wanted}.schema.json"


@pytest.mark.parametrize("name", ["quickstart", "storefront"])
def test_an_example_is_valid_and_in_canonical_layout(name: str, tmp_path: Path) -> None:
    project = initialised(tmp_path / name, name)
    assert hrctl_json(project, "validate")["diagnostics"] == []
    hrctl(project, "fmt", "--check")


def test_quickstart_has_five_resources(tmp_path: Path) -> None:
    project = initialised(tmp_path / "quickstart", "quickstart")
    nodes = hrctl_json(project, "graph")["nodes"]
    kinds = [node["address"].partition(":")[2].partition("/")[0] for node in nodes]
    assert sorted(kinds) == ["Component", "Config", "FeatureFlag", "Registry", "Service"]


def test_storefront_has_every_kind_and_level(tmp_path: Path) -> None:
    project = initialised(tmp_path / "storefront", "storefront")
    changes = hrctl_json(project, "plan")["changes"]
    kinds = Counter(change["address"].partition(":")[2].partition("/")[0] for change in changes)
    assert kinds == {
        "Registry": 17,
        "Service": 13,
        "Component": 10,
        "Config": 9,
        "FeatureFlag": 5,
        "Engine": 4,
        "Node": 5,
        "Route": 4,
        "Plugin": 1,
    }
    levels = Counter(
        change["after"]["spec"]["level"] for change in changes if ":Registry/" in change["address"]
    )
    assert levels == {"ROOT": 1, "DOMAIN": 2, "PROJECT": 3, "ENVIRONMENT": 9, "TENANT": 2}


def test_storefront_uses_every_way_to_refer() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in MANIFESTS)
    for source in ("config", "component", "service", "env"):
        assert re.search(rf"valueFrom: {{{source}: ", text), source
    for word in ("instances:", "patch: true", "dependsOn:", "protect: true", "drivers:"):
        assert word in text


def _free_ports(count: int) -> list[str]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [str(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _end_supervisors(project: Path) -> None:
    """Of each driver instance that runs one."""
    processes = [
        int(file.read_text()) for file in project.glob(".hrctl/run/*/daemon.pid") if file.exists()
    ]
    for process in processes:
        os.kill(process, signal.SIGTERM)
    for process in processes:
        for _ in range(300):
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                break
            time.sleep(0.1)
        else:
            pytest.fail("supervisord does not end")


class Shop(NamedTuple):
    """A storefront that runs: where its project is, its gateway's URL, and where visitors come."""

    project: Path
    url: str
    mesh: str


@pytest.fixture
def storefront(tmp_path: Path) -> Iterator[Shop]:
    """The storefront with ports that are free here."""
    project = tmp_path / "storefront"
    shutil.copytree(EXAMPLES / "storefront", project, ignore=shutil.ignore_patterns(".hrctl"))
    free = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    for path in project.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub("|".join(PORTS), lambda found: free[found[0]], text), "utf-8")
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=Test", "-c", "user.email=t@example.org", "commit", "-qm", "Start"],
    ):
        subprocess.run(["git", *command], cwd=project, check=True, capture_output=True)
    try:
        yield Shop(project, f"http://127.0.0.1:{free['18080']}", f"127.0.0.1:{free['18090']}")
    finally:
        _end_supervisors(project)


def customer(project: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "services/customer.py", *arguments],
        cwd=project,
        env=os.environ | {"STOREFRONT_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def visitors(shop: Shop, times: int, *kiosk: str) -> Counter[str]:
    """How often visitors, who come through Envoy, get each greeting."""
    said = subprocess.run(
        [sys.executable, "services/visitors.py", str(times), *kiosk],
        cwd=shop.project,
        env=os.environ | {"MESH": shop.mesh},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    lines = (line.split(maxsplit=1) for line in said.splitlines())
    return Counter({greeting: int(count) for count, greeting in lines})


def _come_through_envoy(shop: Shop) -> None:
    """A canary split that changes, and a grid whose keys go where hrctl says."""
    doors = {"door-north": "Hello from dev", "door-south": "The next shop greets you"}
    for percent, least, most in ((10, 8, 55), (50, 105, 195)):  # of 300, by far
        if percent != 10:  # as it is written
            split = (f"stable={100 - percent}", f"next={percent}")
            verb = ("mesh", "traffic-split", "shop/dev:storefront", *split)
            hrctl(shop.project, *verb, "--commit", "--apply", "--yes")
        found = visitors(shop, 300)
        assert set(found) == set(doors.values())
        assert least <= found["The next shop greets you"] <= most
    seen: set[str] = set()
    for number in range(40):  # where the doors stand decides which keys are whose
        if number > 5 and len(seen) == len(doors):
            break
        key = f"kiosk-{number}"
        route = ("--route", "shop/dev:kiosks", "--key", key)
        chosen = hrctl_json(shop.project, "grid", "balance", *route)["chosen"]
        door = doors[chosen.rpartition("/")[2]]
        assert visitors(shop, 5, key) == {door: 5}
        seen.add(door)
    assert seen == set(doors.values())


def test_storefront_runs_follows_an_edit_and_is_mended(storefront: Shop) -> None:
    project, url, _ = storefront
    hrctl(project, "apply", "--yes")
    assert "No changes." in hrctl(project, "plan")
    assert json.loads(customer(project, url).stdout)["greeting"] == "Hello from dev"
    assert json.loads(customer(project, url, "teapot", "2").stdout)["total"] == "78.00 EUR"
    _come_through_envoy(storefront)

    (payments,) = hrctl_json(project, "service", "metrics", "payments/dev:payments")
    environment = Path("/proc", str(payments["pid"]), "environ")
    if environment.exists():
        assert b"SIGNING_KEY=template-signing-key-for-tests\0" in environment.read_bytes()

    patches = project / "commerce/shop/dev/patches.yaml"
    patches.write_text(patches.read_text().replace("Hello from dev", "The kettle is on"))
    plan = hrctl_json(project, "plan")
    changes = [one for one in plan["changes"] if one["actions"] != ["no-op"]]
    assert [(one["address"], one["actions"]) for one in changes] == [
        ("bramble/commerce/shop/dev:Config/shop", ["update"]),
        ("bramble/commerce/shop/dev:Service/gateway", ["update"]),
    ]
    hrctl(project, "apply", "--yes")
    assert json.loads(customer(project, url).stdout)["greeting"] == "The kettle is on"

    (metrics,) = hrctl_json(project, "service", "metrics", "shop/dev:checkout")
    os.kill(metrics["pid"], signal.SIGKILL)
    registry = sqlite3.connect(project / ".hrctl/registry.db")
    registry.execute(
        "UPDATE resources SET body = json_set(body, '$.spec.rollout.percentage', 100)"
        " WHERE address = 'bramble/commerce/shop/prod:FeatureFlag/express'"
    )
    registry.commit()
    registry.close()
    assert customer(project, url, "teapot").returncode == 1

    drift = hrctl_json(project, "drift")["drift"]
    assert [one["address"] for one in drift] == [
        "bramble/commerce/shop/dev:Service/checkout",
        "bramble/commerce/shop/prod:FeatureFlag/express",
    ]
    hrctl(project, "apply", "--yes")
    assert json.loads(customer(project, url, "teapot").stdout)["total"] == "39.00 EUR"
    assert hrctl_json(project, "drift")["drift"] == []


def test_storefront_holds_secrets_for_a_key_that_everybody_has(tmp_path: Path) -> None:
    project = initialised(tmp_path / "storefront", "storefront")
    identity = project / "test-identity.txt"
    assert identity.read_text().startswith("# TEST IDENTITY. EVERYBODY HAS IT")
    assert identity.stat().st_mode & 0o077 == 0
    checked = hrctl(project, "secrets", "check", "--identity", str(identity))
    assert checked == "4 secrets, all open and where they belong.\n"
    key = hrctl(project, "secrets", "get", "payments/prod:Config/payments", "SIGNING_KEY")
    assert key == "prod-signing-key-for-tests"


def test_prod_keeps_its_databases(storefront: Shop) -> None:
    project = storefront.project
    hrctl(project, "apply", "--yes", "--target", "bramble/commerce/shop/prod")
    components = project / "commerce/shop/components.yaml"
    text = components.read_text()
    components.write_text(text.partition("---\n")[0])
    checkout = project / "commerce/shop/services/checkout.yaml"
    kept = [line for line in checkout.read_text().splitlines() if "orders-db" not in line]
    checkout.write_text("\n".join(kept) + "\n")
    for folder in ("dev", "prod"):
        patches = project / f"commerce/shop/{folder}/patches.yaml"
        documents = patches.read_text().split("---\n")
        patches.write_text("---\n".join(one for one in documents if "orders-db" not in one))
    hrctl(project, "apply", "--yes", "--target", "bramble/commerce/shop/prod", exits=4)
