"""A plant and a Redis for the tests of the cache alone: they count what is asked and take things down."""

from collections.abc import Iterator

import pytest

from tests.e2e.demo.plant import RunningPlant, running_plant
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def plant() -> Iterator[RunningPlant]:
    """One plant, whose clock stands still."""
    with running_plant() as running:
        yield running


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis that may die."""
    with RedisServer() as server:
        yield server
