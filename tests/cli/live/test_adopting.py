"""Weights that somebody set by hand and then declares are those that every later change writes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from subprocess import Popen
from threading import Thread

from hrctl.drivers.local_store import LocalStore
from hrctl.model.address import Address
from tests.cli.test_transcripts import run
from tests.drivers.envoy.conftest import Answer

WEB = Address("acme/shop:Route/web")


def test_adopted_weights_hold_while_a_node_drains(env: dict[str, str], tmp_path: Path) -> None:
    root, port = tmp_path / "acme", int(env["PORT0"])
    run("hrctl apply --yes --quiet", root, env)
    weights = root / ".hrctl/run/edge/xds/rtds/weights.json"
    text = weights.read_text("utf-8")
    swapped = re.sub(r'(-v1-[0-9a-f]+":)100', r"\g<1>0", text)
    swapped = re.sub(r'(-v2-[0-9a-f]+":)0', r"\g<1>100", swapped)
    assert swapped != text
    weights.write_text(swapped, "utf-8")
    routes, nodes = root / "shop/routes.yaml", root / "shop/nodes.yaml"
    declared = routes.read_text("utf-8").replace("v1, percentage: 100", "v1, percentage: 0")
    routes.write_text(declared.replace("v2, percentage: 0", "v2, percentage: 100"), "utf-8")
    run("git commit --quiet --all --message Weights", root, env)
    assert "1 to adopt" in run("hrctl apply --yes", root, env)
    with LocalStore(root / ".hrctl/run/edge/envoy.db") as store:
        (live,) = store.read([WEB])
    shares = {
        one["subset"]: one["percentage"] for one in live.body["spec"]["trafficSplit"]["rules"]
    }
    assert shares == {"v1": 0, "v2": 100}

    # the same route changes in an apply that waits for a node to have nothing to do
    routes.write_text(routes.read_text("utf-8").replace("  tracing:", "  timeout: 9s\n  tracing:"))
    kept, _, _ = nodes.read_text("utf-8").partition("---")
    nodes.write_text(kept, "utf-8")
    run("git commit --quiet --all --message South", root, env)
    asked = {"Host": "kiosk.example", "x-kiosk": env["KEY"]}
    slow = Thread(target=Answer.of, args=(port, "/slow/4"), kwargs={"headers": asked})
    slow.start()
    command = ["bash", "-c", "hrctl apply --yes --quiet"]
    answers: Counter[str] = Counter()
    with Popen(command, cwd=root, env=env) as applying:
        while applying.poll() is None:
            answers[Answer.of(port).body] += 1
    slow.join()
    assert applying.returncode == 0
    assert set(answers) == {"v2"}, answers
