"""A read behind the tiers to be tested: a world of items that counts what it is asked, and a clock moved by hand."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.cache.layer import Caching
from gateway.cache.lull import Lull
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.cache.store import Store
from schema.base import Provenance, SystemKind
from schema.errors import SourceError
from schema.material import Item
from sources.base import EVERYTHING, WHATEVER, Batch, Bundle, Cell, Lane, Need, Part, Read, Scope, Tally
from sources.keeping import CacheRule
from sources.settings import SystemConfig

PART = Part(Item)
RULE = CacheRule(max_age=10, stale_while_revalidate=20, stale_if_error=100, negative_max_age=2)
START = 1_800_000_000.0


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.time += seconds


@dataclass
class World:
    """The system: items by number. ``fault`` fails every call; ``gate`` holds answers back until it is set, ``short``
    answers have a cell too few.
    """

    clock: Clock
    items: dict[str, str] = field(default_factory=lambda: {"A": "one", "B": "one", "C": "one"})
    version: str | None = None
    fault: SourceError | None = None
    key_faults: dict[str, SourceError] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    short: bool = False
    asked: list[Batch] = field(default_factory=list)
    cancelled: int = 0

    async def fetch(self, batch: Batch) -> Bundle:
        """Answer a batch, as an adapter does."""
        batch.tally.calls += 1
        self.asked.append(batch)
        answer = [self._cell(key) for key in batch.keys]
        try:
            await asyncio.sleep(0) if self.gate is None else await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fault is not None:
            raise self.fault
        return {Item: answer[1:] if self.short else answer}

    def _cell(self, key: str) -> Cell:
        if key in self.key_faults:
            return self.key_faults[key]
        if key not in self.items:
            return None
        where = Provenance("ERP", datetime.fromtimestamp(self.clock.time, UTC), version=self.version)
        return Item(key, self.items[key], provenance=where)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """The keys of every call so far."""
        return [batch.keys for batch in self.asked]


class Bench:
    """A cached read over a world."""

    def __init__(
        self, *, rule: CacheRule = RULE, store: Store | None = None, lull: Lull | None = None, **settings: Any
    ) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        self.memory = Memory(clock=self.clock)
        self.caching = Caching(Tiers(self.memory, store, self.clock, lull=lull or Lull(longest=0.0)))
        config = SystemConfig(
            code="ERP", adapter="rest", kind=SystemKind.ERP, cache={"Item": rule}, **settings
        )
        self.call, peek = self.caching.read(
            config, Read("items", (PART,), self.world.fetch), self.world.fetch
        )
        assert peek is not None
        self.peek = peek
        self.tally = Tally()

    async def cells(
        self,
        *keys: str,
        need: Need = WHATEVER,
        scope: Scope = EVERYTHING,
        lane: Lane = Lane.APP,
        seconds: float = 5.0,
    ) -> list[Cell]:
        """The cells of some keys, as a request with this need gets them."""
        self.tally = Tally()
        batch = Batch(keys, frozenset({Item}), time.monotonic() + seconds, scope, lane, need, self.tally)
        return (await self.call(batch))[Item]

    async def words(self, *keys: str, **how: Any) -> list[str | None]:
        """The same, as the descriptions of the items."""
        return [None if cell is None else cell.description for cell in await self.cells(*keys, **how)]

    def within(self, seconds: float, **more: Any) -> Need:
        """The need of a request that arrives now and accepts values of that age."""
        return Need(seconds, self.clock.time, **more)


async def settle() -> None:
    """Let everything that was started in the background come to its end."""
    for _ in range(20):
        await asyncio.sleep(0)
