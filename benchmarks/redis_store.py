"""CPU of our process a key, for L2: a batch of 500 out of Redis and into it, with bare redis-py beside it.

    python -m benchmarks.redis_store [keys]

The difference between the first two lines is what is ours: keys, decoding, marks, entries. Best of many runs; Redis'
own CPU is not counted. Compare rows of one run.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from gateway.cache.redis import RedisStore
from gateway.cache.store import Entry, Invalidation, Shelf
from schema.base import ConversionRule, Provenance, Quantity
from schema.material import BalanceView, InventoryBalance, StockStatus
from schema.production import OrderPlanning, OrderStatus
from tests.redis_server import RedisServer

NOW = datetime(2025, 5, 6, 12, 13, 14, 123456, tzinfo=UTC)
RUNS = 60


def planning(number: str) -> OrderPlanning:
    """A typical row of an ERP."""
    found = Provenance("SAP_DE", NOW, f"1710/{number}", NOW, 'W/"20250506"')
    status = OrderStatus.RELEASED
    quantity = Quantity("120", "ST", "H87")
    return OrderPlanning(
        "1710", number, quantity, found, NOW, NOW, NOW.date(), NOW, 3, status, ("REL", "PCNF")
    )


def balance(number: str) -> InventoryBalance:
    """A typical row of a warehouse."""
    found = Provenance("WMS", NOW, f"1710/{number}", NOW)
    amounts = [Quantity(value, "BOX", "H87", "12", ConversionRule.ITEM_SPECIFIC) for value in ("9", "1", "8")]
    place = ("1710", "FG-1050", f"0001/{number}", BalanceView.PHYSICAL)
    return InventoryBalance(
        *place, amounts[0], found, "L-24", None, StockStatus.BLOCKED, amounts[1], amounts[2]
    )


async def cost(call: Callable[[], Awaitable[Any]], keys: int) -> float:
    """CPU microseconds of this process a key, at best."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.process_time()
        await call()
        best = min(best, time.process_time() - began)
    return best / keys * 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What a key of one class costs: its bytes, and microseconds of CPU to read and to write it."""

    name: str
    size: float
    hit: float
    alone: float
    put: float

    @property
    def ours(self) -> float:
        """What a hit costs beyond redis-py."""
        return self.hit - self.alone

    def __str__(self) -> str:
        return (
            f"{self.name:10} {self.size:4.0f} bytes a key  L2 hit {self.hit:5.2f} us  "
            f"redis-py's MGETs {self.alone:5.2f}  ours {self.ours:5.2f}  L2 put {self.put:5.2f}"
        )


async def measure(store: RedisStore, client: Any, make: Callable[[str], Any], keys: int) -> Cost:
    """What a key of one class of rows costs."""
    numbers = [str(1_000_000 + number) for number in range(keys)]
    shelf = Shelf(f"SAP_DE/orders/{make.__name__}/all", type(make("1")) | None)
    places = [(shelf, f"1710/{number}") for number in numbers]
    rows = [(f"po:1710/{number}", make(number)) for number in numbers]
    entries = [
        (place, Entry(row, time.time(), (tag, "item:FG-1050")), 600.0)
        for place, (tag, row) in zip(places, rows, strict=True)
    ]
    await store.put(entries)
    assert None not in await store.get(places)
    stored = [
        key async for key in client.scan_iter("cd:bench:e:*", count=1000) if make.__name__.encode() in key
    ]
    size = sum(len(value) for value in await client.mget(stored)) / keys
    marks = [f"cd:bench:i:{tag}" for tag, _ in rows] + ["cd:bench:i:item:FG-1050"]

    async def bare() -> None:
        await client.execute_command("MGET", *stored)
        await client.execute_command("MGET", *marks)

    total, alone = await cost(lambda: store.get(places), keys), await cost(bare, keys)
    put = await cost(lambda: store.put(entries), keys)
    return Cost(make.__name__, size, total, alone, put)


async def costs(keys: int = 500) -> list[Cost]:
    """Both rows, and the first once more with a mark to look at, over one real Redis."""
    with RedisServer() as server:
        store = RedisStore(server.url, namespace="bench", timeout=5.0)
        await store.open()
        async with Redis.from_url(server.url, protocol=3, legacy_responses=False) as client:
            found = [await measure(store, client, make, keys) for make in (planning, balance)]
            # One mark among the tags: entries are then looked at one by one.
            await store.invalidate(Invalidation(("po:1710/1000000",), time.time() - 3600))
            found.append(await measure(store, client, planning, keys))
        await store.close()
    return found


if __name__ == "__main__":
    for one in asyncio.run(costs(int(sys.argv[1]) if len(sys.argv) > 1 else 500)):
        print(one)
