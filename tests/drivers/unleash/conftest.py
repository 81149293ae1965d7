"""One unleash-server for all tests of this package; each test finds it empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.unleash.server import Running, Unleash


@pytest.fixture(scope="session")
def running() -> Iterator[Unleash]:
    """The server, stopped at the end by its own pid."""
    made = Running()
    try:
        yield made.unleash
    finally:
        made.stop()


@pytest.fixture
def unleash(running: Unleash) -> Unleash:
    """The server without features."""
    running.clear()
    return running
