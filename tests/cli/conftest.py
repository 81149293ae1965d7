"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.recording import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that remembers what it was asked."""
    recording = Server()
    yield recording
    recording.stop()


other = server  # a second one
