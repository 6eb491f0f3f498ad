"""Fixtures that tests of several rooms share."""

from collections.abc import Iterator

import pytest

from tests.postgres_server import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real PostgreSQL for all tests that need one; each makes databases of its own in it."""
    with postgres_server() as server:
        yield server
