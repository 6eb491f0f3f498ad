"""One server with all transports for the tests that need no other."""

from collections.abc import Iterator

import pytest

from tests.graph.streams.served import Served, served


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """A running server."""
    with served() as server:
        yield server


@pytest.fixture
def server(running: Served) -> Iterator[Served]:
    """The same; nothing of a test may be left open in it."""
    yield running
    running.feed.until("open", 0)
