from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.options import ServerOptions

from hrctl.diagnostics import HrctlError
from hrctl.drivers.supervisor.folders import Folders
from hrctl.drivers.supervisor.groupfile import (
    APPLIED,
    Marker,
    group_name,
    is_as_written,
    program,
    read_marker,
    render,
)
from hrctl.model.address import Address

API = Address("acme/shop/prod:Service/api")
FOLDERS = Folders(Path("/srv/run"), Path("/srv/run/conf.d"), Path("/srv"))

names = st.sampled_from(["a", "b", "a-b", "0", "1", "a-0"])


def marker(**spec: Any) -> Marker:
    return Marker(
        owner="acme",
        address=API,
        digest="d",
        phase=APPLIED,
        installed="",
        launch="l",
        sealed={},
        python="/usr/bin/python3",
        launcher="/opt/launch.py",
        nonce="n",
        body={"metadata": {}, "spec": {"type": "API", **spec}},
    )


@given(st.lists(st.tuples(st.lists(names, min_size=1, max_size=4), names), unique_by=str))
def test_group_names_are_injective_and_valid(parts: list[tuple[list[str], str]]) -> None:
    addresses = {Address.of("/".join(path), "Service", name) for path, name in parts}
    groups = {group_name(address) for address in addresses}
    assert len(groups) == len(addresses)
    assert all(set(group).isdisjoint(" :/%_") for group in groups)


def test_long_names_are_cut_and_stay_apart() -> None:
    registry = "/".join(["n" * 63] * 5)
    names = {group_name(Address.of(registry, "Service", "n" * 62 + end)) for end in "ab"}
    assert len(names) == 2
    assert all(len(name) < 200 for name in names)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_marker_comes_back(command: str, value: str) -> None:
    written = marker(command=command, env={"A": value, "B": {"valueFrom": {"env": "X"}}})
    text = render(written, FOLDERS)
    found = read_marker(text)
    assert found is not None
    assert replace(found, sections="") == written
    assert is_as_written(found, text)
    assert text.isascii()


def test_what_is_edited_is_not_as_written() -> None:
    text = render(marker(command="x"), FOLDERS)
    found = read_marker(text)
    assert found is not None
    assert not is_as_written(found, text.replace("stopwaitsecs=10", "stopwaitsecs=1"))


@pytest.mark.parametrize(
    "text", ["", "[program:x]\ncommand=y\n", "; hrctl: {\n", '; hrctl: {"owner": "x"}\n', "; x\n"]
)
def test_no_marker(text: str) -> None:
    assert read_marker(text) is None


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ({}, {"autorestart": "true", "startretries": "3", "stopwaitsecs": "10"}),
        ({"restart": {"policy": "never", "backoff": "1s"}}, {"startretries": "0"}),
        ({"restart": {"policy": "on-failure"}}, {"autorestart": "unexpected"}),
        ({"restart": {"policy": "always", "backoff": "20s"}}, {"startretries": "20"}),
        ({"restart": {"policy": "always", "backoff": "1h"}}, {"startretries": "100"}),
        ({"stopTimeout": "1500ms"}, {"stopwaitsecs": "2"}),
        ({"logs": {"keep": 10}}, {"stdout_logfile_maxbytes": "2560"}),
    ],
)
def test_fields_become_options(spec: dict[str, Any], options: dict[str, str]) -> None:
    written = program(marker(command="x", **spec), 0, FOLDERS)
    assert {name: written[name] for name in options} == options


def test_only_an_external_supervisord_starts_services_at_boot() -> None:
    external = replace(FOLDERS, external_socket=Path("/run/s.sock"))
    assert program(marker(), 0, FOLDERS)["autostart"] == "false"
    assert program(marker(), 0, external)["autostart"] == "true"
    assert program(marker(state="STOPPED"), 0, external)["autostart"] == "false"


def parsed(folder: Path, text: str) -> list[Any]:
    """The programs, as supervisord's own parser reads the file."""
    (folder / "g.conf").write_text(text, encoding="utf-8")
    conf = folder / "s.conf"
    conf.write_text("[supervisord]\n[include]\nfiles=g.conf\n", encoding="utf-8")
    options = ServerOptions()
    options.realize(args=["-c", str(conf), "-n"])
    (group,) = options.process_group_configs
    return list(group.process_configs)


@pytest.mark.parametrize(
    "name", ["a b", "100%", "%(here)x", "it's", 'say "x"', "a;b#c", "é", "a\\b"]
)
def test_supervisord_reads_paths_exactly(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    (folder / "logs").mkdir(parents=True)
    folders = Folders(folder, tmp_path, tmp_path)
    written = replace(marker(command="x", replicas=2), python=f"/opt/{name}/python; #1")
    programs = parsed(tmp_path, render(written, folders))
    assert [one.name for one in programs] == ["0", "1"]
    assert programs[1].stdout_logfile == str(folder / "logs" / "acme.shop.prod.api.1.log")
    from shlex import split

    assert split(programs[1].command) == [
        f"/opt/{name}/python; #1",
        "-I",
        "-S",
        "/opt/launch.py",
        str(folder / "launch" / "acme.shop.prod.api.json"),
        "1",
    ]


def test_no_replicas_is_a_group_of_none(tmp_path: Path) -> None:
    assert parsed(tmp_path, render(marker(command="x", replicas=0), FOLDERS)) == []


@pytest.mark.parametrize("name", ["a ;b", "a\nb", "a #b"])
def test_a_path_that_cannot_be_written_is_refused(name: str) -> None:
    folders = replace(FOLDERS, run=Path("/srv") / name)
    with pytest.raises(HrctlError, match="HR083 supervisord's configuration cannot hold"):
        render(marker(command="x"), folders)
