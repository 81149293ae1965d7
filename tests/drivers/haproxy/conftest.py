"""As for Envoy, with a real HAProxy: the same projects, backends and requests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrctl.drivers.api import Context
from hrctl.drivers.haproxy import HaproxyDriver
from tests.drivers.envoy.conftest import Mesh, run
from tests.drivers.supervisor.conftest import free_ports


@pytest.fixture(scope="package")
def shared() -> Iterator[Mesh]:
    """One HAProxy and its backends for all tests of this package."""
    if shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None:
        pytest.skip("haproxy is not installed")
    root = Path(tempfile.mkdtemp(prefix="hrctl-haproxy-"))
    context = Context("edge", "acme", root, root / ".hrctl")
    yield from run(Mesh(HaproxyDriver({}, context).__enter__()))


@pytest.fixture
def mesh(shared: Mesh) -> Iterator[Mesh]:
    """The HAProxy without routes and nodes, and a port of its own to listen on."""
    shared.port = free_ports()
    yield shared
    shared.put({one.address: None for one in shared.driver.scan()})


def worker(mesh: Mesh) -> int:
    """The process that works: another one after each reload."""
    found = mesh.driver.runtime.pid()
    assert found is not None
    return int(found)
