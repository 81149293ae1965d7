"""`hrctl grid balance` names the node that the real Envoy sends a key to, however it is spelled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hrctl.drivers.envoy.draining import place_of, stat
from hrctl.drivers.envoy.verbs import hosts
from hrctl.logic.grid.balance import balance
from tests.drivers.envoy.conftest import node_body
from tests.drivers.supervisor.conftest import free_ports

if TYPE_CHECKING:
    from tests.drivers.envoy.conftest import Mesh

GRID = {"affinity": [], "balance": "CONSISTENT_HASH", "hashHeader": "x-key"}
KEYS = [f"key-{number}" for number in range(60)]


def test_an_address_in_another_spelling_is_the_same_on_the_ring(mesh: Mesh) -> None:
    """Envoy hashes the address that it connects to, not what the manifest says.

    Nobody listens at those of IPv6, so the statistics of the hosts tell which one was chosen.
    """
    port = free_ports(2)
    spellings = {
        "v1": f"[0:0:0:0:0:0:0:1]:{port}",
        "v2": f"[0:0::0001]:{port + 1}",
        "v3": mesh.backend("v3").address,
    }
    nodes = {f"acme:Node/{name}": node_body(address=at) for name, at in spellings.items()}
    mesh.put(nodes)
    mesh.route(destinations=[{"grid": GRID}])
    specs: dict[str, Any] = {name: body["spec"] for name, body in nodes.items()}
    of_port = {int(at.rpartition(":")[2]): name for name, at in spellings.items()}

    def asked() -> Counter[str]:
        found: Counter[str] = Counter()
        for some in hosts(mesh.driver.admin).values():
            for host in some:
                name = of_port.get(place_of(host)[1])
                if name is not None:
                    found[name] += stat(host, "rq_success") + stat(host, "cx_connect_fail")
        return found

    chosen = []
    for key in KEYS:
        before = asked()
        mesh.get(x_key=key)
        (name,) = asked() - before
        chosen.append(name)
    assert set(chosen) == set(spellings)
    assert [str(balance(specs, GRID, key).chosen).rpartition("/")[2] for key in KEYS] == chosen


def test_a_name_stands_on_the_ring_by_its_addresses() -> None:
    by_name: dict[str, Any] = {"n1": {"address": "db-1:80"}, "n2": {"address": "db-2:80"}}
    by_number: dict[str, Any] = {"n1": {"address": "10.0.0.1:80"}, "n2": {"address": "10.0.0.2:80"}}
    resolved = {"db-1": ["10.0.0.1"], "db-2": ["10.0.0.2"]}
    for key in KEYS:
        wanted = balance(by_number, GRID, key)
        assert balance(by_name, GRID, key, resolved=resolved) == wanted
