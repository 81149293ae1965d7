"""`hrctl mesh` and `hrctl grid`: edits of routes and nodes, and answers from the YAML alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrctl.cli.verbs.mesh_simulate import apportioned

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

ROUTES = """\
# Who gets what.
apiVersion: hrctl.dev/v1
kind: Route
metadata: {name: web}
spec:
  type: HTTP
  listen: 127.0.0.1:18999
  hosts: [shop.example]
  destinations:
    - {address: 127.0.0.1:1, subset: v1}  # the old one
    - {address: 127.0.0.1:2, subset: v2}
    - {grid: {balance: CONSISTENT_HASH, hashHeader: x-user}, subset: v3}
  trafficSplit:
    mode: PERCENTAGE
    rules:
      - {subset: v1, percentage: 90}  # most
      - {subset: v2, percentage: 10}
---
apiVersion: hrctl.dev/v1
kind: Route
metadata: {name: admin}
spec:
  type: HTTP
  listen: 127.0.0.1:18999
  hosts: [shop.example]
  match: [{path: {prefix: /admin}, headers: {x-staff: "yes"}}]
  destinations: [{address: 127.0.0.1:3}]
"""
NODES = "---\n".join(
    f"apiVersion: hrctl.dev/v1\nkind: Node\nmetadata: {{name: n{number}}}\n"
    f"spec: {{type: WORKER, address: 10.0.0.{number}:80, weight: {number}, region: {region}}}\n"
    for number, region in ((1, "eu"), (2, "eu"), (3, "us"))
)


@pytest.fixture
def mesh(shell: Shell) -> Shell:
    shell.write("shop/dev/mesh.yaml", ROUTES)
    shell.write("shop/dev/nodes.yaml", NODES)
    return shell


def test_balance_tells_of_every_grid_destination(mesh: Shell) -> None:
    one = "{grid: {affinity: [{key: region, operator: eq, values: [%s]}]}, weight: %d}"
    destinations = f"[{one % ('eu', 3)}, {one % ('us', 1)}]"
    mesh.write(
        "shop/dev/more.yaml",
        "apiVersion: hrctl.dev/v1\nkind: Route\nmetadata: {name: both}\n"
        f"spec: {{type: HTTP, listen: '127.0.0.1:18998', destinations: {destinations}}}\n",
    )
    east, west = mesh.json("grid", "balance", "--route", "both")["destinations"]
    assert (east["part"], west["part"]) == (0.75, 0.25)
    assert [len(one["shares"]) for one in (east, west)] == [2, 1]
    said = mesh.hrctl("grid", "balance", "--route", "both")
    assert "destination 0: 75.00 % of requests" in said
    assert "destination 1: 25.00 % of requests" in said
    assert "n3" in said


def test_a_split_changes_its_two_lines(mesh: Shell) -> None:
    before = mesh.read("shop/dev/mesh.yaml")
    mesh.hrctl("mesh", "traffic-split", "web", "v1=50", "v2=50")
    after = mesh.read("shop/dev/mesh.yaml")
    assert after == before.replace("90}  # most", "50}  # most").replace("e: 10}", "e: 50}")
    assert mesh.hrctl("mesh", "traffic-split", "web", "v1=50", "v2=50") == ""
    mesh.hrctl("mesh", "traffic-split", "web", "v3=100")
    assert "percentage: 100" in mesh.read("shop/dev/mesh.yaml")


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (["v1=90", "v2=20"], "the parts add up to 110"),
        (["v1=90", "v9=10"], "no destination with the subset 'v9'"),
        (["v1"], "is not SUBSET=PERCENT"),
        (["v1=-5", "v2=105"], "is not SUBSET=PERCENT"),
    ],
)
def test_a_wrong_split_changes_nothing(mesh: Shell, parts: list[str], says: str) -> None:
    before = mesh.files()
    assert mesh.fails("mesh", "traffic-split", "web", *parts) == 1
    assert says in mesh.err
    assert mesh.files() == before


@pytest.mark.parametrize("parts", [["v1=90", "v2=20"], ["v1"]])
def test_the_hint_of_a_wrong_split_can_be_typed(mesh: Shell, parts: list[str]) -> None:
    mesh.fails("mesh", "traffic-split", "web", *parts)
    assert "as v1=34 v2=33 v3=33" in mesh.err
    mesh.hrctl("mesh", "traffic-split", "web", "v1=34", "v2=33", "v3=33")


def test_a_route_without_subsets_cannot_be_split(mesh: Shell) -> None:
    assert mesh.fails("mesh", "traffic-split", "admin", "v1=100") == 1
    assert "it has none: give its destinations a `subset`" in mesh.err


def test_breaker_and_retries_are_set_shown_and_taken_away(mesh: Shell) -> None:
    mesh.hrctl("mesh", "circuit-breaker", "web", "--failures", "7", "--open-for", "10s")
    mesh.hrctl("mesh", "retry", "web", "--attempts", "4", "--on", "reset", "--status-code", "429")
    shown = mesh.json("mesh", "show", "web")["spec"]
    assert shown["circuitBreaker"]["failureThreshold"] == 7
    assert (shown["retry"]["attempts"], shown["retry"]["on"]) == (4, ["reset"])
    assert "failureThreshold: 7" in mesh.hrctl("mesh", "circuit-breaker", "web")
    assert mesh.json("mesh", "retry", "web")["retry"]["statusCodes"] == [429]
    mesh.hrctl("mesh", "retry", "web", "--off")
    assert "retry" not in mesh.json("mesh", "show", "web")["spec"]
    assert "  # the old one" in mesh.read("shop/dev/mesh.yaml")
    assert mesh.fails("mesh", "retry", "web", "--off", "--attempts", "1") == 1


def test_a_new_route_leads_where_it_is_told(mesh: Shell) -> None:
    mesh.hrctl(
        *("mesh", "add-route", "new", "--in", "dev", "--listen", "127.0.0.1:18998"),
        *("--to", "127.0.0.1:5@v1=90", "--to", "127.0.0.1:6@v2=10", "--prefix", "/new"),
    )
    spec = mesh.json("mesh", "show", "new")["spec"]
    assert [one["weight"] for one in spec["destinations"]] == [90, 10]
    assert spec["match"][0]["path"] == {"prefix": "/new"}


def test_a_request_is_simulated_from_the_yaml(mesh: Shell) -> None:
    ask = ("mesh", "simulate", "--host", "shop.example:80", "--times", "1000")
    (found,) = mesh.json(*ask)
    assert found["route"] == "acme/shop/dev:Route/web"
    assert [one["times"] for one in found["destinations"]] == [900, 100, 0]
    assert found["others"][0]["why"] == "the path does not begin with /admin"
    (found,) = mesh.json(*ask, "--path", "/admin/x", "--header", "X-Staff: yes")
    assert found["route"] == "acme/shop/dev:Route/admin"
    assert "not acme/shop/dev:Route/admin: the header x-staff is not 'yes'" in mesh.hrctl(
        *ask, "--path", "/admin"
    )
    assert mesh.fails("mesh", "simulate", "--host", "other.example") == 1
    assert "nobody answers" in mesh.out
    assert mesh.fails("mesh", "simulate", "--listen", "127.0.0.1:1") == 1
    assert "HR142" in mesh.err


def test_listeners_of_two_drivers_are_two(mesh: Shell) -> None:
    drivers = "{east: {type: envoy}, west: {type: envoy, listen: '127.0.0.1:9'}}"
    mesh.write("hrctl.yaml", mesh.read("hrctl.yaml") + f"spec: {{drivers: {drivers}}}\n")
    for name, driver in (("dev", "east"), ("prod", "west")):
        registry = mesh.read(f"shop/{name}/registry.yaml")
        bound = registry.replace("MENT}", f"MENT, drivers: {{Route: {driver}}}}}")
        mesh.write(f"shop/{name}/registry.yaml", bound)
        mesh.write(f"shop/{name}/mesh.yaml", ROUTES.replace("  listen: 127.0.0.1:18999\n", ""))
    found = mesh.json("mesh", "simulate", "--host", "shop.example")
    assert [(one["listen"], one["driver"], one["route"]) for one in found] == [
        ("127.0.0.1:10000", "east", "acme/shop/dev:Route/web"),
        ("127.0.0.1:9", "west", "acme/shop/prod:Route/web"),
    ]
    assert "127.0.0.1:10000 of east\n" in mesh.hrctl("mesh", "simulate", "--host", "shop.example")


def test_expected_numbers_are_whole_and_complete() -> None:
    assert apportioned((1 / 3, 1 / 3, 1 / 3), 100) == [34, 33, 33]
    assert apportioned((0.9, 0.1), 1) == [1, 0]


def test_nodes_share_by_strategy_and_a_key_has_its_node(mesh: Shell) -> None:
    shares = mesh.json("grid", "balance", "--strategy", "weighted")["shares"]
    assert {one.rpartition("/")[2]: round(share, 3) for one, share in shares.items()} == {
        "n1": 0.167,
        "n2": 0.333,
        "n3": 0.5,
    }
    assert len(mesh.json("grid", "balance", "--where", "region=eu")["shares"]) == 2
    chosen = mesh.json("grid", "balance", "--route", "web", "--key", "user-42")["chosen"]
    assert chosen == mesh.json("grid", "balance", "--key", "user-42")["chosen"]
    mesh.hrctl("grid", "drain", chosen)
    assert mesh.json("grid", "balance", "--key", "user-42")["chosen"] != chosen
    mesh.hrctl("grid", "activate", chosen)
    assert mesh.json("grid", "balance", "--key", "user-42")["chosen"] == chosen
    assert mesh.fails("grid", "balance", "--where", "region=asia") == 1
    for wrong in (
        ["--where", "region"],
        ["--strategy", "x"],
        ["--route", "admin"],
        ["--strategy", "WEIGHTED", "--key", "user-42"],
    ):
        assert mesh.fails("grid", "balance", *wrong) == 1


def test_nodes_of_another_driver_take_no_keys_of_a_route(mesh: Shell) -> None:
    """They are in no ring of the proxy that the route is in."""
    asked = ("grid", "balance", "--route", "web")
    before = mesh.json(*asked)["shares"]
    far = NODES.partition("---")[0].replace("name: n1", "name: far").replace("10.0.0.1", "10.0.0.9")
    mesh.write("shop/prod/nodes.yaml", far)
    assert len(mesh.json(*asked)["shares"]) == len(before) + 1
    mesh.write("hrctl.yaml", mesh.read("hrctl.yaml") + "spec: {drivers: {edge: {type: envoy}}}\n")
    level, bound = "{level: ENVIRONMENT}", "{level: ENVIRONMENT, drivers: {Node: edge}}"
    registry = mesh.read("shop/prod/registry.yaml")
    mesh.write("shop/prod/registry.yaml", registry.replace(level, bound))
    assert mesh.json(*asked)["shares"] == before


def test_a_path_without_a_slash_is_none(mesh: Shell) -> None:
    assert mesh.fails("mesh", "simulate", "--path", "cart") == 1
