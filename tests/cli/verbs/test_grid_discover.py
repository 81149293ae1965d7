"""`hrctl grid discover`: nodes from a real name server on loopback, and from a file."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dns.message
import dns.rrset
import pytest

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

NAME = "_grid._tcp.example.org."
REGISTRY = """\
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {{name: grid}}
spec:
  level: TENANT
  discovery: {}
"""


class NameServer:
    """Answers over UDP from `records`: (name, type) -> texts; a name it has not does not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(65536)
            if data == b"stop":
                return
            query = dns.message.from_wire(data)
            asked = query.question[0]
            name, sort = asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype)
            answer = dns.message.make_response(query)
            texts = self.records.get((name, sort))
            if texts:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", sort, *texts))
            elif not any(known == name for known, _ in self.records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), peer)

    def stop(self) -> None:
        host, _, port = self.place.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"stop", (host, int(port)))
        self._thread.join(30)
        self._socket.close()


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.stop()


def changes(shell: Shell, *args: str) -> dict[str, str]:
    found = shell.json("grid", "discover", *args)
    return {one["address"].rpartition("/")[2]: one["change"] for one in found}


def test_records_become_manifests_and_follow_the_name_server(
    shell: Shell, server: NameServer
) -> None:
    source = f"{{dns: {{name: {NAME}, server: '{server.place}'}}}}"
    shell.write("shop/dev/grid/registry.yaml", REGISTRY.format(source))
    server.records = {
        (NAME, "SRV"): ["10 5 7000 edge-1.example.org.", "20 0 7000 edge-2.example.org."],
        ("edge-1.example.org.", "A"): ["10.0.0.1"],
        ("edge-2.example.org.", "AAAA"): ["fd00::2"],
    }
    assert changes(shell) == {"edge-1": "new", "edge-2": "new"}
    assert shell.fails("grid", "discover", "--detailed-exitcode") == 2
    assert "shop/dev/grid/discovered.yaml" not in shell.files()
    shell.hrctl("grid", "discover", "--write")
    text = shell.read("shop/dev/grid/discovered.yaml")
    assert "10.0.0.1:7000" in text
    assert "[fd00::2]:7000" in text
    assert changes(shell) == {"edge-1": "same", "edge-2": "same"}

    # what people add stays, as do comments
    shell.hrctl("grid", "drain", "edge-1")
    shell.write(
        "shop/dev/grid/discovered.yaml",
        shell.read("shop/dev/grid/discovered.yaml").replace("weight: 5", "weight: 5  # ours"),
    )
    server.records[NAME, "SRV"] = [
        "10 9 7000 edge-1.example.org.",
        "10 1 7001 edge-3.example.org.",
        "10 1 7002 edge-3.example.org.",
    ]
    server.records["edge-3.example.org.", "A"] = ["10.0.0.30", "10.0.0.3"]
    wanted = {"edge-1": "changed", "edge-3-7001": "new", "edge-3-7002": "new", "edge-2": "gone"}
    assert changes(shell) == wanted
    shell.hrctl("grid", "discover", "--write")
    text = shell.read("shop/dev/grid/discovered.yaml")
    assert "weight: 9  # ours" in text
    assert "DRAINING" in text
    assert "edge-2" not in text
    assert text.count("10.0.0.3:") == 2
    assert set(changes(shell).values()) == {"same"}
    assert shell.hrctl("grid", "discover", "--write", "--detailed-exitcode").count("same") == 3


def test_a_name_server_that_does_not_know_takes_no_node_away(
    shell: Shell, server: NameServer
) -> None:
    source = f"{{dns: {{name: {NAME}, server: '{server.place}'}}}}"
    shell.write("shop/dev/grid/registry.yaml", REGISTRY.format(source))
    server.records = {
        (NAME, "SRV"): ["10 5 7000 edge-1.example.org."],
        ("edge-1.example.org.", "A"): ["10.0.0.1"],
    }
    shell.hrctl("grid", "discover", "--write")
    before = shell.files()
    server.records = {}
    assert shell.fails("grid", "discover", "--write") == 1
    assert "HR231" in shell.err
    server.records = {(NAME, "SRV"): ["10 5 7000 nowhere.example.org."]}
    assert shell.fails("grid", "discover", "--write") == 1
    assert "nowhere.example.org" in shell.err
    assert shell.files() == before


def test_a_file_names_nodes_and_those_declared_by_hand_are_left_alone(shell: Shell) -> None:
    shell.write("shop/dev/grid/registry.yaml", REGISTRY.format("{file: {path: nodes.json}}"))
    shell.write(
        "shop/dev/grid/hand.yaml",
        "apiVersion: hrctl.dev/v1\nkind: Node\nmetadata: {name: mine}\n"
        "spec: {type: GATEWAY, address: '10.0.0.9:1'}\n",
    )
    listed = [
        {"name": "mine", "address": "10.0.0.8:1"},
        {"name": "other", "address": "10.0.0.9:1"},
        {"name": "far", "address": "10.0.0.7:1", "type": "STORAGE", "region": "eu"},
    ]
    shell.write("nodes.json", json.dumps({"nodes": listed}))
    by_hand = shell.read("shop/dev/grid/hand.yaml")
    assert changes(shell, "--in", "grid") == {"mine": "declared", "far": "new"}
    shell.hrctl("grid", "discover", "--write", "--commit")
    assert shell.read("shop/dev/grid/hand.yaml") == by_hand
    assert "STORAGE" in shell.read("shop/dev/grid/discovered.yaml")
    assert "discovered node" in shell.git("log", "-1", "--format=%s")
    shell.write("nodes.json", json.dumps({"nodes": []}))
    assert changes(shell) == {"far": "gone"}
    shell.hrctl("grid", "discover", "--write", "--commit")
    assert "shop/dev/grid/discovered.yaml" not in shell.files()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot read the nodes in nodes.json"),
        ("[]", "nodes.json"),
        ('{"nodes": {}}', "has no list of nodes"),
        ('{"nodes": [{"name": "a"}]}', "node 1 in nodes.json has no address"),
        ('{"nodes": [{"name": "A!", "address": "h:1"}]}', "has no name that can be one: 'A!'"),
        (
            '{"nodes": [{"name": "a", "address": "h:1"}, {"name": "a", "address": "h:2"}]}',
            "names the node a twice",
        ),
        ('{"nodes": [{"name": "a", "address": "h:1", "colour": "red"}]}', "colour"),
        ('{"nodes": [{"name": "a", "address": "not one"}]}', "host:port"),
    ],
)
def test_a_file_that_makes_no_nodes_changes_nothing(
    shell: Shell, text: str | None, says: str
) -> None:
    shell.write("shop/dev/grid/registry.yaml", REGISTRY.format("{file: {path: nodes.json}}"))
    if text is not None:
        shell.write("nodes.json", text)
    before = shell.files()
    assert shell.fails("grid", "discover", "--write") == 1
    assert says in shell.err
    assert shell.files() == before


def test_options_and_registries_that_do_not_fit_are_told(shell: Shell) -> None:
    assert shell.fails("grid", "discover") == 1
    assert "no registry here has `discovery`" in shell.err
    assert shell.fails("grid", "discover", "--commit") == 1
    assert "--write" in shell.err
    source = "{etcd: {endpoints: ['127.0.0.1:1'], prefix: /x}}"  # reserved
    shell.write("shop/dev/grid/registry.yaml", REGISTRY.format(source))
    assert shell.fails("grid", "discover") == 1
    assert "HR370 discovery.etcd does nothing in this version" in shell.err
