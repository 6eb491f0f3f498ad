"""CPU of our process a key, through the loaders and the tiers: found in L1, found in L2, and missed.

    python -m benchmarks.loaders [keys]

One batch of 500 keys is loaded as an operation loads it. Of the time for L2 the last column is what is ours: two bare
MGETs of redis-py over the same bytes are taken off. A miss is a system that answers at once, so all of it is ours: the
flight, the tags, the entry. Best of many runs; Redis' own CPU is not counted. Compare rows of one run.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis

from benchmarks.redis_store import balance, planning
from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.cache.redis import RedisStore
from gateway.cache.store import Shelf, Store
from gateway.cache.tags import tags_of
from resolvers.loaders import Bounds, Loaders
from schema.base import SystemKind, split_key
from schema.material import InventoryBalance
from schema.production import OrderPlanning
from sources.base import EVERYTHING, Batch, Bundle, Cell, Part, Provider, Read
from sources.keeping import CacheRule
from sources.settings import SystemConfig
from tests.redis_server import RedisServer

RUNS = 40
RULE = CacheRule(max_age=3600, stale_while_revalidate=0, stale_if_error=0)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is read: a class by a name of its key, and how a row is made of a key."""

    part: Part
    make: Callable[[str], Any]

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.part.type.__name__} by {self.part.by}"

    @property
    def space(self) -> str:
        """Its namespace in Redis."""
        return self.part.type.__name__


KINDS = [
    Kind(Part(OrderPlanning, "order"), planning),
    Kind(Part(InventoryBalance, "item", many=True), lambda number: [replace(balance(number), item=number)]),
]
"""A row that speaks of one thing, and a list of one row that speaks of four."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds a key: from L1; from L2, what of that is ours, and what the batch in L2 alone costs of our code
    on top of redis-py; and for a key that the system is asked for.
    """

    kind: str
    l1: float
    l2: float
    ours: float
    batch: float
    miss: float


class Subject:
    """One read of one system that answers at once."""

    def __init__(self, kind: Kind, keys: int) -> None:
        numbers = [str(1_000_000 + number) for number in range(keys)]
        self.kind = kind
        self.keys = [f"1710/{number}" if kind.part.by == "order" else number for number in numbers]
        self.rows: dict[str, Cell] = {key: kind.make(split_key(key)[-1]) for key in self.keys}
        self.asked = 0
        self._config = SystemConfig(code="SAP_DE", adapter="rest", kind=SystemKind.ERP, cache={"*": RULE})
        self._read = Read("orders", (kind.part,), self._fetch, max_keys=keys)

    async def _fetch(self, batch: Batch) -> Bundle:
        batch.tally.calls += 1
        self.asked += 1
        return {self.kind.part.type: [self.rows[key] for key in batch.keys]}

    def tags(self) -> set[str]:
        """All that the rows speak of."""
        part = self.kind.part
        return {
            tag
            for key, cell in self.rows.items()
            for tag in tags_of("SAP_DE", part.type, part.by, key, cell if part.many else [cell])
        }

    def provider(self, store: Store | None = None) -> Provider:
        """The read behind empty tiers of its own."""
        caching = Caching(Tiers(Memory(), store))
        call, peek = caching.read(self._config, self._read, self._fetch)
        return Provider("SAP_DE", self._read, self.kind.part, call, peek)

    async def load(self, provider: Provider) -> None:
        """All keys, as one operation loads them."""
        part = self.kind.part
        tiers = ((provider,),)
        bounds = Bounds(time.monotonic() + 60.0, EVERYTHING, frozenset({part.type}))
        loaders = Loaders(lambda *_: tiers, {}, bounds)
        answers = await loaders.load_set(part.type, part.by, self.keys, part.many)
        assert answers[-1].value == self.rows[self.keys[-1]]


async def cost(prepare: Callable[[], Any], work: Callable[[Any], Awaitable[None]], keys: int) -> float:
    """CPU microseconds of this process a key, at best; preparing does not count."""
    best = float("inf")
    for _ in range(RUNS):
        prepared = prepare()
        began = time.process_time()
        await work(prepared)
        best = min(best, time.process_time() - began)
    return best / keys * 1e6


async def bare(client: Any, subject: Subject) -> float:
    """What redis-py alone needs for the same bytes and marks."""
    stored = [key async for key in client.scan_iter(f"cd:{subject.kind.space}:e:*", count=10_000)]
    marks = [f"cd:{subject.kind.space}:i:{tag}" for tag in subject.tags()]
    assert len(stored) == len(subject.keys)

    async def ask(_: None) -> None:
        await client.execute_command("MGET", *stored)
        await client.execute_command("MGET", *marks)

    return await cost(lambda: None, ask, len(subject.keys))


async def measured(kind: Kind, server: RedisServer, keys: int) -> Cost:
    """What a key of a kind costs."""
    subject, store = Subject(kind, keys), RedisStore(server.url, namespace=kind.space, timeout=5.0)
    await store.open()
    warm = subject.provider(store)
    await subject.load(warm)
    asked = subject.asked
    l1 = await cost(lambda: warm, subject.load, keys)
    l2 = await cost(lambda: subject.provider(store), subject.load, keys)
    assert subject.asked == asked, "what was to be found was asked for"
    miss = await cost(subject.provider, subject.load, keys)
    assert subject.asked == asked + RUNS
    async with Redis.from_url(server.url, protocol=3, legacy_responses=False) as client:
        alone = await bare(client, subject)
    cls: Any = kind.part.type
    shelf = Shelf(f"SAP_DE/orders/*;*/{cls.__name__}", (list[cls] if kind.part.many else cls) | None)
    places = [(shelf, key) for key in subject.keys]
    assert None not in await store.get(places)
    batch = await cost(lambda: places, store.get, keys)
    await store.close()
    return Cost(kind.name, l1, l2, l2 - alone, batch - alone, miss)


async def costs(keys: int = 500) -> list[Cost]:
    """What a key of every kind costs."""
    with RedisServer() as server:
        return [await measured(kind, server, keys) for kind in KINDS]


def main(keys: int) -> None:
    """Print the table."""
    heads = ("L1 hit", "L2 hit", "of it ours", "of that the batch", "miss")
    print(f"{'us of CPU a key':<26} " + " ".join([f"{head:>{max(8, len(head))}}" for head in heads]))
    for one in asyncio.run(costs(keys)):
        values = zip(heads, (one.l1, one.l2, one.ours, one.batch, one.miss), strict=True)
        print(f"{one.kind:<26} " + " ".join([f"{value:>{max(8, len(head))}.2f}" for head, value in values]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
