"""The demo as the tests see it: the plant with its clock standing still, and a gateway over it, both over sockets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.config import Settings, load_settings
from gateway.demo import at_ports, demo_file
from gateway.tomlfile import TomlFile
from sources.plant.world.clock import START
from tests.e2e.demo.plant import Reply, RunningPlant, running_plant
from tests.serving import serving


@dataclass
class Demo:
    """The plant, the gateway's address and a client of it."""

    plant: RunningPlant
    url: str
    client: httpx2.Client

    def ask(self, query: str, operation: str | None = None, **variables: Any) -> Reply:
        """Post an operation."""
        body = {"query": query, "variables": variables, "operationName": operation}
        answer = self.client.post(f"{self.url}/graphql", json=body)
        return Reply(answer.status_code, answer.json(), answer.elapsed.total_seconds())


def settings_over(plant: RunningPlant, ports: Mapping[str, int] | None = None, **more: Any) -> Settings:
    """The demo's own configuration, at the ports of this plant; some may be those of something in between."""
    file = demo_file()
    moved = at_ports(file.data, plant.ports | dict(ports or {}))
    return load_settings(TomlFile(file.name, moved, file.lines), environ={}, options=more)


@pytest.fixture(scope="session")
def plant() -> Iterator[RunningPlant]:
    """One plant for all tests; they leave it as they found it."""
    with running_plant() as running:
        yield running


@pytest.fixture(scope="session")
def demo(plant: RunningPlant) -> Iterator[Demo]:
    """A gateway over the plant, at the moment at which the plant's clock stands; it keeps nothing, so that every
    answer says how the systems are.
    """
    app = create_app(settings_over(plant, cache={"max_entries": 0}), now=lambda: START)
    with serving(app) as url, httpx2.Client(timeout=30) as client:
        yield Demo(plant, url, client)
