from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.command import (
    argv_of,
    build_launch,
    check_ports,
    command_of,
    replica_environments,
    text_of,
)
from hrctl.drivers.supervisor.folders import Folders
from hrctl.model.address import Address

API = Address("acme/shop/prod:Service/api")


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("python3 -m app --name 'a b'", ["python3", "-m", "app", "--name", "a b"]),
        ("echo '$HOME; *' \"a|b\" c\\;d", ["echo", "$HOME; *", "a|b", "c;d"]),
        ("serve $PORT", ["/bin/sh", "-c", "exec serve $PORT"]),
        ('serve "$PORT"', ["/bin/sh", "-c", 'exec serve "$PORT"']),
        ("serve > out.txt", ["/bin/sh", "-c", "exec serve > out.txt"]),
        ("serve ~/conf", ["/bin/sh", "-c", "exec serve ~/conf"]),
        ("a~b c#d", ["a~b", "c#d"]),
        ("one && two", ["/bin/sh", "-c", "one && two"]),
        ("one | two", ["/bin/sh", "-c", "one | two"]),
        ("DEBUG=1 serve", ["/bin/sh", "-c", "DEBUG=1 serve"]),
        ("serve --set A=1", ["serve", "--set", "A=1"]),
    ],
)
def test_a_shell_only_where_one_is_needed(command: str, argv: list[str]) -> None:
    assert argv_of(command) == argv


def test_an_open_quotation_is_named() -> None:
    with pytest.raises(HrctlError, match=r"HR083 command cannot be split.*no closing quotation"):
        argv_of("serve 'half")


@pytest.mark.parametrize("command", ["serve 'a b'", "serve $PORT", "one && two"])
def test_command_of_undoes_argv_of(command: str) -> None:
    assert command_of(argv_of(command)) == command


def test_replicas_learn_their_ports() -> None:
    spec = {
        "replicas": 2,
        "ports": [{"name": "http", "port": 80}, {"name": "grpc-web", "port": 90}],
        "env": {"PORT_HTTP": "mine"},
    }
    assert replica_environments(spec) == [
        {"HRCTL_REPLICA": "0", "PORT": "80", "PORT_GRPC_WEB": "90"},
        {"HRCTL_REPLICA": "1", "PORT": "81", "PORT_GRPC_WEB": "91"},
    ]


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ([("a", 80), ("b", 81)], "port 81 is wanted twice: a of replica 1 and b of replica 0"),
        ([("a", 65535)], "port a of replica 1 would be 65536"),
    ],
)
def test_ports_of_replicas_must_not_meet(ports: list[tuple[str, int]], message: str) -> None:
    declared = [{"name": name, "port": port} for name, port in ports]
    with pytest.raises(HrctlError, match="HR088") as caught:
        check_ports({"replicas": 2, "ports": declared})
    first, second = sorted(message.rpartition(":")[2].split(" and ")), caught.value
    assert all(part.strip() in str(second) for part in first)


def test_udp_and_tcp_are_apart() -> None:
    check_ports(
        {
            "ports": [
                {"name": "a", "port": 53, "protocol": "UDP"},
                {"name": "b", "port": 53, "protocol": "TCP"},
            ]
        }
    )


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (1, "1"), (True, "true"), (None, "null"), ([1], "[1]")]
)
def test_values_that_are_no_text_are_json(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_a_service_that_runs_needs_a_command(tmp_path: Path) -> None:
    folders = Folders(tmp_path, tmp_path, tmp_path)
    with pytest.raises(HrctlError, match="has no command to run"):
        build_launch(API, "group", {"spec": {"state": "RUNNING"}}, {}, folders)
    body = {"spec": {"state": "CREATED", "workingDirectory": "app"}}
    launch = build_launch(API, "group", body, {"A": 1}, folders)
    assert launch.argv == []
    assert launch.cwd == str(tmp_path / "app")
    assert launch.env == {
        "HRCTL_ADDRESS": API,
        "HRCTL_REGISTRY": "acme/shop/prod",
        "HRCTL_SERVICE": "api",
        "A": "1",
    }


def test_a_nul_character_is_refused(tmp_path: Path) -> None:
    folders = Folders(tmp_path, tmp_path, tmp_path)
    with pytest.raises(HrctlError, match=r"HR083 env\.A .* NUL"):
        build_launch(API, "group", {"spec": {"command": "true"}}, {"A": "x\0y"}, folders)
