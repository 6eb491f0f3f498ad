"""A rate shared through a real Redis: by two workers, by lanes, and when Redis is killed in between."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.app import make_catalog
from gateway.config import load_settings
from gateway.quota import PROBE, Quotas, RedisQuota
from gateway.tomlfile import parse_toml
from schema.base import Plant
from schema.errors import SourceError, SourceThrottled
from sources.base import Batch, Lane
from sources.guard import Guard
from sources.policy import Rate
from sources.rate import Bucket
from tests.quota_redis import RedisServer
from tests.unit.sources.guarding import Clock, Script, a_read, config, outcome, soon


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    """A server of this test's own."""
    server = RedisServer()
    await server.start()
    yield server
    await server.kill()


class Worker:
    """A guard of one worker, with a connection of its own."""

    def __init__(self, url: str, **rate: Any) -> None:
        settings = config(rate=rate)
        self.quotas = Quotas(url)
        self.guard = Guard(settings, quota=self.quotas(settings))
        self.script = Script("ok")

    async def __aenter__(self) -> "Worker":
        self._open = self.quotas.opening()
        await self._open.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.__aexit__(None, None, None)

    async def call(self, lane: Lane = Lane.APP, seconds: float = 5.0) -> None:
        """One call."""
        batch = Batch(("1710",), frozenset({Plant}), time.monotonic() + seconds, lane=lane)
        await self.guard.read(a_read(self.script), batch)


async def test_two_workers_share_one_quota(redis: RedisServer) -> None:
    """Of a burst of six, each of two workers gets a part; the seventh call of either waits or is refused."""
    async with Worker(redis.url, calls=6, seconds=60) as one, Worker(redis.url, calls=6, seconds=60) as two:
        await asyncio.gather(*[worker.call() for worker in (one, two) for _ in range(3)])
        for worker in (one, two):
            error = await outcome(worker.guard, worker.script, soon())
            assert isinstance(error, SourceThrottled)
            assert 5 < (error.retry_after or 0) <= 10
        assert (len(one.script.calls), len(two.script.calls)) == (3, 3)


async def test_together_they_keep_to_the_rate(redis: RedisServer) -> None:
    """Two workers at full load send what one rate allows, no more and not much less."""
    rate = {"calls": 50, "seconds": 0.5, "burst": 5}
    async with Worker(redis.url, **rate) as one, Worker(redis.url, **rate) as two:
        began = time.monotonic()
        await asyncio.gather(*[worker.call() for worker in (one, two) for _ in range(40)])
        # 75 turns after the burst, 10 ms each.
        assert 0.74 < time.monotonic() - began < 1.5


async def test_a_crawl_of_one_worker_leaves_turns_to_another(redis: RedisServer) -> None:
    """Lanes hold across workers: analytics takes its half, and the app of another worker goes at once."""
    async with Worker(redis.url, calls=10, seconds=60) as one, Worker(redis.url, calls=10, seconds=60) as two:
        crawl = [asyncio.create_task(one.call(Lane.ANALYTICS)) for _ in range(50)]
        ends = await asyncio.gather(*crawl, return_exceptions=True)
        assert len(one.script.calls) == 5
        assert {type(end).__mro__[1] for end in ends if end} == {SourceThrottled}
        for _ in range(5):
            await two.call(Lane.APP, 0.2)


async def test_a_killed_redis_is_survived(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Killed in the middle, calls go on by the process's own count; when it is back the quota is shared again."""
    caplog.set_level(logging.INFO, "crossdock.quota")
    async with Worker(redis.url, calls=8, seconds=60) as one, Worker(redis.url, calls=8, seconds=60) as two:
        await asyncio.gather(*[one.call() for _ in range(3)])
        await redis.kill()
        began = time.monotonic()
        await asyncio.gather(*[one.call() for _ in range(5)])
        assert time.monotonic() - began < 0.5
        # What it took from the shared quota counts as its own.
        assert isinstance(await outcome(one.guard, one.script, soon(0.5)), SourceThrottled)
        await two.call()
        await redis.start()
        await asyncio.sleep(PROBE)
        # It is back empty, but what this worker took meanwhile still counts.
        for _ in range(7):
            await two.call()
        assert isinstance(await outcome(two.guard, two.script, soon(0.5)), SourceThrottled)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3, lines
    assert lines[0] == (
        "the shared rate of SAP is out of reach (ConnectionError): this process keeps to it by itself"
    )
    assert lines[2].startswith("the rate of SAP is shared again after ")


async def test_a_silent_redis_costs_no_call() -> None:
    """A Redis that takes connections and says nothing is waited for once a second at most."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with Worker(f"redis://127.0.0.1:{port}", calls=100, seconds=1) as worker:
        began = time.monotonic()
        for _ in range(20):
            await worker.call()
        assert time.monotonic() - began < 1.2
    silent.close()
    await silent.wait_closed()


async def test_a_quota_expires_and_survives_a_clock_set_back(redis: RedisServer) -> None:
    """The key lives as long as turns are out; an instant far ahead means a wait of one turn."""
    bucket = Bucket.of(Rate(calls=10, seconds=20), (1.0, 1.0, 0.5, 0.25))
    async with Redis.from_url(redis.url) as client:
        quota = RedisQuota(client, "SAP", bucket, Clock())
        assert await quota.take(Lane.APP) == 0.0
        assert 1900 < await client.pttl(quota.key) <= 2001
        await client.set(quota.key, time.time() + 1e6)
        assert 1.9 < await quota.take(Lane.APP) <= 2.0


async def test_workers_of_one_configuration_share_the_rate(redis: RedisServer) -> None:
    """With redis_url set, the catalogs of two workers count together: nobody listens, but turns are taken."""
    text = f"""\
redis_url = "{redis.url}"
[systems.ERP]
adapter = "tryton"
kind = "ERP"
base_url = "http://127.0.0.1:1"
auth = {{ type = "bearer", token = {{ value = "x" }} }}
retries = 0
rate = {{ calls = 1 }}
"""
    settings = load_settings(parse_toml(text, "gateway.toml"), {})
    errors = []
    for _ in range(2):
        quotas = Quotas(settings.redis_url)
        async with quotas.opening():
            catalog = make_catalog(settings, quota=quotas)
            await catalog.open()
            system = catalog.systems["ERP"]
            read = system.source.reads()[0]
            batch = Batch(("1",), frozenset({read.parts[0].type}), time.monotonic() + 2)
            with pytest.raises(SourceError) as caught:
                await system.guard.read(read, batch)
            errors.append(caught.value.outcome.value)
            await catalog.close()
    assert errors == ["UNAVAILABLE", "RATE_LIMITED"]


def test_without_a_url_or_a_rate_nothing_is_shared() -> None:
    """Each process keeps to the rate by itself, and a system without one is not limited."""
    assert Quotas(None)(config(rate={"calls": 1})) is None
    assert Quotas("redis://127.0.0.1:1")(config()) is None
