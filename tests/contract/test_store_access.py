"""How a Redis is reached: passwords and TLS by its URL, and nothing secret in any log."""

import time
from pathlib import Path

import pytest

from gateway.cache.redis import RedisStore
from gateway.cache.store import Entry, Shelf
from tests.redis_server import HOST, RedisServer
from tests.tls import terminating

NUMBERS = Shelf("numbers", int | None)


async def works(url: str) -> bool:
    """Whether a store over this URL gives back what it was given."""
    store = RedisStore(url, timeout=5.0)
    await store.open()
    try:
        await store.put([((NUMBERS, "a"), Entry(1, time.time()), 60)])
        return [each is not None and each.cell for each in await store.get([(NUMBERS, "a")])] == [1]
    finally:
        await store.close()


async def test_passwords_by_url(caplog: pytest.LogCaptureFixture) -> None:
    """The right password opens; a wrong or a missing one is an outage, and no log shows any of them."""
    with RedisServer("--requirepass", "se/cret@1") as server:
        place = f"{HOST}:{server.port}/0"
        assert await works(f"redis://:se%2Fcret%401@{place}")
        assert await works(f"redis://default:se%2Fcret%401@{place}")
        assert caplog.records == []
        assert not await works(f"redis://:wr0ng@{place}")
        assert not await works(f"redis://{place}")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" is down: ")[0] for line in lines] == [f"Redis at {place}"] * 2
    assert not any(secret in caplog.text for secret in ("se/cret", "se%2Fcret", "wr0ng"))


async def test_databases_are_apart() -> None:
    """The number at the end of the URL chooses the database."""
    with RedisServer() as server:
        first, second = (RedisStore(f"redis://{HOST}:{server.port}/{number}") for number in (0, 1))
        for store in (first, second):
            await store.open()
        await first.put([((NUMBERS, "a"), Entry(1, time.time()), 60)])
        assert [await store.get([(NUMBERS, "a")]) != [None] for store in (first, second)] == [True, False]
        for store in (first, second):
            await store.close()


async def test_tls_by_url(tmp_path: Path) -> None:
    """rediss:// speaks TLS and trusts whom the URL says; without that it trusts nobody who signs for himself."""
    with RedisServer() as server:
        async with terminating(server.port, tmp_path) as (port, certificate):
            assert await works(f"rediss://{HOST}:{port}/0?ssl_ca_certs={certificate}")
            assert not await works(f"rediss://{HOST}:{port}/0")
