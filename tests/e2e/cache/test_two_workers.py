"""Two gateways that share a Redis: what one is told the other knows at once, and a write is seen wherever it is read."""

import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from resolvers.tokens import write_token
from sources.base import Written
from tests.e2e.cache.gateways import programs_over
from tests.e2e.demo.plant import RunningPlant
from tests.redis_server import RedisServer

LONG = {"types": {"*": {"max_age": 300, "stale_while_revalidate": 0}}}
ORDER = "po:1710/1000040"
QUERY = """query($token: String) { productionOrder(id: "po:1710/1000040", freshness: {afterWrite: $token}) {
    execution { percentComplete provenance { mode fetchedAt } } } }"""
ROUNDS = 9
HEARD = 0.1
"""Seconds within which an invalidation is seen by another worker; what a busy machine adds once may be more."""
BUSY = 2.0


class Pair:
    """Two gateways and a client."""

    def __init__(self, urls: list[str], client: httpx2.Client) -> None:
        self.urls, self.client = urls, client

    def read_at(self, number: int, token: str | None = None) -> float:
        """When the value that a gateway gives was read, in seconds since the epoch."""
        body: dict[str, Any] = {"query": QUERY, "variables": {"token": token}}
        said = self.client.post(f"{self.urls[number]}/graphql", json=body).json()
        assert "errors" not in said, said
        found = said["data"]["productionOrder"]["execution"]["provenance"]
        return datetime.fromisoformat(found["fetchedAt"]).timestamp()

    def invalidate(self, number: int, *tags: str) -> None:
        """Tell a gateway what has changed."""
        answer = self.client.post(f"{self.urls[number]}/admin/invalidate", json={"tags": tags})
        assert answer.status_code == 200, answer.text

    def seen(self, number: int, before: float) -> float:
        """Seconds until a gateway gives something read later than that."""
        began = time.monotonic()
        while self.read_at(number) <= before:
            assert time.monotonic() - began < BUSY, "the other gateway did not hear of it"
        return time.monotonic() - began


@pytest.fixture(scope="module")
def pair(plant: RunningPlant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two programs over one plant and one Redis."""
    folder: Path = tmp_path_factory.mktemp("pair")
    with (
        RedisServer() as redis,
        programs_over(plant, folder, 2, cache=LONG, redis_url=redis.url) as urls,
        httpx2.Client(timeout=30) as client,
    ):
        yield Pair(urls, client)


def test_what_one_read_the_other_has(pair: Pair, plant: RunningPlant) -> None:
    """A value read by one is given by the other as it is, and the system is not asked again."""
    read_at = pair.read_at(0)
    plant.forget()
    assert pair.read_at(1) == read_at
    assert plant.count() == {}


def test_an_invalidation_is_seen_by_the_other(pair: Pair) -> None:
    """Told to one, seen by the other within 100 ms: the time from its answer to the first new value, question included."""
    times = []
    for turn in range(ROUNDS):
        told, other = turn % 2, 1 - turn % 2
        before = max(pair.read_at(told), pair.read_at(other))
        assert pair.read_at(other) == before
        pair.invalidate(told, ORDER)
        times.append(pair.seen(other, before))
    print(f"seen after {statistics.median(times) * 1000:.1f} ms, at most {max(times) * 1000:.1f} ms")
    assert statistics.median(times) <= HEARD


def test_the_command_invalidates_everywhere(pair: Pair) -> None:
    """`crossdock invalidate` speaks to one gateway and is heard by all."""
    before = max(pair.read_at(0), pair.read_at(1))
    done = CliRunner().invoke(app, ["invalidate", "sys:MES_KAS", "--url", pair.urls[0]])
    assert (done.exit_code, done.output) == (0, "sys:MES_KAS\n")
    assert pair.seen(1, before) < BUSY
    assert pair.read_at(0) > before


def test_a_write_is_seen_on_the_other_worker(pair: Pair, plant: RunningPlant) -> None:
    """The token of a write, shown at a worker that has heard nothing of it, has the system asked; without it, not."""
    before = max(pair.read_at(0), pair.read_at(1))
    token = write_token(Written(time.time(), frozenset({ORDER}), "MES_KAS"))
    plant.forget()
    assert pair.read_at(1) == before
    assert plant.count() == {}
    assert pair.read_at(1, token) > before
    assert plant.count()["MES_KAS"] == 1
    plant.forget()
    other = write_token(Written(time.time(), frozenset({"po:1710/1000041"}), "MES_KAS"))
    pair.read_at(1, other)
    assert plant.count() == {}
