"""Redis dies, hangs, is emptied or comes back while it is in use: nobody gets an error, nobody waits long."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.cache.redis import RedisStore
from gateway.cache.store import Entry, Invalidation, Shelf
from schema.base import Provenance, Quantity
from schema.production import OrderPlanning
from tests.proxy import Mode, Proxy
from tests.redis_server import RedisServer

SHELF = Shelf("SAP_DE/orders/OrderPlanning/all", OrderPlanning | None)
PLACES = [(SHELF, str(number)) for number in range(20)]
FOUND = Provenance("SAP_DE", datetime(2025, 5, 6, 12, tzinfo=UTC), "1")
ROW = OrderPlanning("1710", "1", Quantity("12.5", "ST", "H87"), FOUND)
TIMEOUT, PAUSE = 0.25, 0.3
BUSY = 0.5
"""What a machine that is busy with other tests may add to a wait."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that may die."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    """The way to it, which may be cut."""
    with Proxy(server.port) as proxy:
        yield proxy


@asynccontextmanager
async def opened(
    port: int, heard: list[Invalidation] | None = None, **settings: Any
) -> AsyncIterator[RedisStore]:
    """A store over the Redis at a port; what it hears is noted."""
    settings = {"timeout": TIMEOUT, "pause": PAUSE} | settings
    listen = [] if heard is None else heard
    store = RedisStore(f"redis://127.0.0.1:{port}/0", heard=listen.append, **settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.005)


class Load:
    """Requests without end, from several tasks; remembers the longest wait of each kind and all that came back."""

    def __init__(self, store: RedisStore, tasks: int = 4) -> None:
        self.store = store
        self.hits = self.rounds = 0
        self.longest = 0.0
        self._tasks = [asyncio.ensure_future(self._ask()) for _ in range(tasks)]

    async def _timed(self, call: Awaitable[Any]) -> Any:
        began = time.perf_counter()
        answer = await call
        self.longest = max(self.longest, time.perf_counter() - began)
        return answer

    async def _ask(self) -> None:
        store = self.store
        while True:
            entries = [(place, Entry(ROW, time.time(), ("item:A",)), 60.0) for place in PLACES]
            await self._timed(store.put(entries))
            given = await self._timed(store.get(PLACES))
            assert all(each is None or each.cell == ROW for each in given)
            assert len(await self._timed(store.claim(PLACES, 1))) == len(PLACES)
            await self._timed(store.release(PLACES))
            await self._timed(store.invalidate(Invalidation(("item:B",), time.time())))
            self.hits += sum(each is not None for each in given)
            self.rounds += 1
            await asyncio.sleep(0.001)

    async def hit(self) -> None:
        """Wait until entries come out of Redis again."""
        before = self.hits
        await until(lambda: self.hits > before)

    async def end(self) -> None:
        """Stop, and raise what any of the requests raised."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                raise AssertionError("a request ended") from ended


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings of the cache so far."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_redis_that_dies_under_load_costs_no_error_and_no_wait(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed with -9 and started again at its port: no request fails or waits, it is used again; two lines say so."""
    async with opened(server.port) as store:
        load = Load(store)
        await load.hit()
        server.kill()
        await until(lambda: not store.up)
        load.longest, rounds = 0.0, load.rounds
        await asyncio.sleep(1.0)
        assert load.rounds > rounds + 100
        assert load.longest < BUSY
        await asyncio.to_thread(server.start)
        await load.hit()
        await load.end()
    down, up = said(caplog)
    assert f"Redis at 127.0.0.1:{server.port}/0 is down: " in down
    assert "is up again after" in up


async def test_a_redis_that_hangs_costs_one_short_wait(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """No answer ever comes: requests under way wait as long as is allowed, later ones not at all."""
    async with opened(proxy.port) as store:
        load = Load(store)
        await load.hit()
        load.longest, proxy.mode = 0.0, Mode.SILENT
        await until(lambda: not store.up)
        assert load.longest < TIMEOUT + BUSY
        # Requests that were under way end now; those that come later ask nothing.
        await asyncio.sleep(TIMEOUT + BUSY)
        load.longest, rounds = 0.0, load.rounds
        await asyncio.sleep(1.0)
        assert load.rounds > rounds + 100
        assert load.longest < TIMEOUT
        proxy.mode = Mode.PASS
        await load.hit()
        await load.end()
    down, up = said(caplog)
    assert f"no answer in {TIMEOUT} s" in down
    assert "is up again after" in up


async def test_a_redis_that_hangs_is_noticed_without_a_request(proxy: Proxy) -> None:
    """The one who listens finds out by itself, so that often no request has to wait at all."""
    async with opened(proxy.port) as store:
        proxy.mode = Mode.SILENT
        await until(lambda: not store.up, 3.0)


async def test_a_redis_that_is_not_there_yet(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A store opens without its Redis, holds nothing, lets everyone read, and uses it once it is there."""
    server.kill()
    heard: list[Invalidation] = []
    async with opened(server.port, heard) as store:
        await store.put([(PLACES[0], Entry(ROW, time.time()), 60)])
        assert await store.get(PLACES[:2]) == [None, None]
        assert await store.claim(PLACES[:2], 5) == [None, None]
        await store.release(PLACES)
        await asyncio.to_thread(server.start)
        await until(lambda: store.up)
        # Until then others may have invalidated what we read.
        assert [each.tags for each in heard] == [()]
        await store.put([(PLACES[0], Entry(ROW, time.time()), 60)])
        assert [each is not None for each in await store.get(PLACES[:2])] == [True, False]
    assert len(said(caplog)) == 2


async def test_a_link_that_was_cut_brings_what_was_missed(server: RedisServer, proxy: Proxy) -> None:
    """While the way to Redis was cut, others went on: what they said is heard afterwards, and nothing else."""
    heard: list[Invalidation] = []
    async with opened(proxy.port, heard) as away, opened(server.port) as other:
        proxy.down()
        await until(lambda: not away.up)
        for number in range(3):
            await other.invalidate(Invalidation((f"item:{number}",), time.time()))
        proxy.up()
        await until(lambda: len(heard) >= 3)
        await until(lambda: away.up)
        assert [each.tags for each in heard] == [("item:0",), ("item:1",), ("item:2",)]


async def test_what_was_invalidated_during_an_outage_counts_afterwards(
    server: RedisServer, proxy: Proxy
) -> None:
    """An invalidation that could not be sent is heard here at once, and by all others when the way is free again."""
    mine: list[Invalidation] = []
    others: list[Invalidation] = []
    async with opened(proxy.port, mine) as store, opened(server.port, others) as other:
        await other.put([(PLACES[0], Entry(ROW, time.time(), ("item:A",)), 60)])
        proxy.down()
        await until(lambda: not store.up)
        await store.invalidate(Invalidation(("item:A",), time.time() + 0.01))
        assert [each.tags for each in mine] == [("item:A",)]
        assert await other.get(PLACES[:1]) != [None]
        proxy.up()
        await until(lambda: others)
        assert others[0].tags == ("item:A",)
        assert await other.get(PLACES[:1]) == [None]


async def test_many_invalidations_during_an_outage_become_one(server: RedisServer, proxy: Proxy) -> None:
    """What cannot be sent does not pile up without bound: beyond a thousand it becomes one of everything."""
    others: list[Invalidation] = []
    async with opened(proxy.port) as store, opened(server.port, others):
        proxy.down()
        await until(lambda: not store.up)
        for number in range(1500):
            await store.invalidate(Invalidation((f"item:{number}",), time.time()))
        proxy.up()
        await until(lambda: len(others) >= 500)
        assert () in [each.tags for each in others]
        assert len(others) <= 501


async def test_an_emptied_redis_lets_go_of_everything(server: RedisServer) -> None:
    """After FLUSHALL marks are lost: answers that were under way do not count, and everyone is told to let go."""
    heard: list[Invalidation] = []
    async with opened(server.port, heard) as store:
        before = time.time()
        async with Redis.from_url(server.url) as client:
            await client.flushall()
        await store.put([(PLACES[0], Entry(ROW, before), 60)])
        assert await store.get(PLACES[:1]) == [None]
        await until(lambda: heard)
        assert heard[0].tags == ()
        assert heard[0].at > before
        assert await store.get(PLACES[:1]) == [None]
        await store.put([(PLACES[0], Entry(ROW, time.time()), 60)])
        assert await store.get(PLACES[:1]) != [None]


async def test_an_invalidation_into_an_emptied_redis_is_heard(server: RedisServer) -> None:
    """Who invalidates first after FLUSHALL does not speak into the void."""
    heard: list[Invalidation] = []
    async with opened(server.port) as store, opened(server.port, heard):
        async with Redis.from_url(server.url) as client:
            await client.flushall()
        await store.invalidate(Invalidation(("item:A",), time.time()))
        await until(lambda: heard)
        assert () in [each.tags for each in heard]


async def test_a_restarted_redis_lets_go_of_everything(server: RedisServer) -> None:
    """A new life of Redis proves nothing about the one before."""
    heard: list[Invalidation] = []
    async with opened(server.port, heard) as store:
        await asyncio.to_thread(server.restart)
        await until(lambda: heard)
        await until(lambda: store.up)
        assert [each.tags for each in heard] == [()]


async def test_what_a_redis_kept_on_its_disk_does_not_count() -> None:
    """The last marks before a crash may not have reached the disk, so entries that did are not given."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        async with opened(server.port) as store:
            await store.put([(PLACES[0], Entry(ROW, time.time()), 60)])
            assert await store.get(PLACES[:1]) != [None]
            await asyncio.to_thread(server.restart)
            await until(lambda: not store.up)
            await until(lambda: store.up)
            async with Redis.from_url(server.url) as client:
                assert [key async for key in client.scan_iter("cd:crossdock:e:*")]
            assert await store.get(PLACES[:1]) == [None]


async def test_a_stream_that_was_cut_short_lets_go_of_everything(server: RedisServer, proxy: Proxy) -> None:
    """Where messages were dropped before we heard them, everything read so far is let go, once."""
    for cut in (1, 0):
        heard: list[Invalidation] = []
        async with opened(proxy.port, heard) as away, opened(server.port) as other:
            proxy.down()
            await until(lambda store=away: not store.up)  # type: ignore[misc]
            for number in range(3):
                await other.invalidate(Invalidation((f"item:{number}",), time.time()))
            async with Redis.from_url(server.url) as client:
                await client.xtrim("cd:crossdock:stream", maxlen=cut, approximate=False)
            proxy.up()
            await until(lambda ears=heard: ears)  # type: ignore[misc]
            await asyncio.sleep(0.3)
            assert [each.tags for each in heard] == [()]


async def test_messages_of_other_releases_let_go_of_everything(server: RedisServer) -> None:
    """What we do not understand may concern anything."""
    heard: list[Invalidation] = []
    async with opened(server.port, heard), Redis.from_url(server.url) as client:
        epoch, count = await client.get("cd:crossdock:epoch"), await client.incr("cd:crossdock:count")
        fields: dict[Any, Any] = {"n": count, "e": epoch, "m": b"\xff new"}
        await client.xadd("cd:crossdock:stream", fields)
        await until(lambda: heard)
        assert heard[0].tags == ()


async def test_a_full_redis_still_gives(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Redis refuses to keep more: said once, what is there is given, and it is not taken for an outage."""
    async with opened(server.port) as store, Redis.from_url(server.url) as client:
        await store.put([(PLACES[0], Entry(ROW, time.time()), 60)])
        await client.config_set("maxmemory", 1)
        for _ in range(3):
            await store.put([(PLACES[1], Entry(ROW, time.time()), 60)])
            await store.release(PLACES)
        assert [each is not None for each in await store.get(PLACES[:2])] == [True, False]
        await client.config_set("maxmemory", 0)
        await store.put([(PLACES[1], Entry(ROW, time.time()), 60)])
        assert None not in await store.get(PLACES[:2])
    (line,) = said(caplog)
    assert "refuses to put: " in line


async def test_names_that_are_no_text_are_just_not_kept(server: RedisServer) -> None:
    """Half a surrogate pair in a key, a tag or a row: nothing is kept, nothing fails, Redis stays in use."""
    odd = "\ud800"
    async with opened(server.port) as store:
        await store.put([((SHELF, odd), Entry(ROW, time.time()), 60)])
        await store.put([(PLACES[0], Entry(ROW, time.time(), (odd,)), 60)])
        broken = OrderPlanning("1710", odd, ROW.quantity, FOUND)
        await store.put([(PLACES[1], Entry(broken, time.time()), 60)])
        assert await store.get([(SHELF, odd), *PLACES[:2]]) == [None] * 3
        assert await store.get(PLACES[:2]) == [None] * 2
        assert await store.claim([(SHELF, odd)], 1) == [None]
        await store.put([(PLACES[2], Entry(ROW, time.time()), 60)])
        await store.invalidate(Invalidation((odd,), time.time() + 0.01))
        assert await store.get(PLACES[2:3]) == [None]
        assert store.up


async def test_a_listener_that_fails_is_told_everything_anew(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in who listens is logged and does not end the listening; what it may have lost is said again."""
    heard: list[Invalidation] = []

    def listen(invalidation: Invalidation) -> None:
        heard.append(invalidation)
        if len(heard) == 1:
            raise ZeroDivisionError

    store = RedisStore(server.url, heard=listen, pause=PAUSE)
    await store.open()
    async with opened(server.port) as other:
        await other.invalidate(Invalidation(("item:A",), time.time()))
        await until(lambda: len(heard) == 2)
        await other.invalidate(Invalidation(("item:B",), time.time()))
        await until(lambda: len(heard) == 3)
    await store.close()
    assert [each.tags for each in heard] == [("item:A",), (), ("item:B",)]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_cancelled_request_harms_nobody(server: RedisServer) -> None:
    """Requests that are given up in the middle of a call leave a store that works, and is not taken for down."""
    async with opened(server.port) as store:
        await store.put([(place, Entry(ROW, time.time(), ("item:A",)), 60) for place in PLACES])
        for turns in range(40):
            asked = asyncio.ensure_future(store.get(PLACES))
            for _ in range(turns % 8):
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        assert None not in await store.get(PLACES)
        assert store.up
