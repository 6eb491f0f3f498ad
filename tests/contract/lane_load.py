"""What the app lane notices of analytics at full load: one slow system over sockets, one guard, two kinds of callers.

    python -m tests.contract.lane_load

Four app callers with pauses, measured alone and beside 32 analytics callers that never pause, in short phases that take
turns: whatever else the machine does falls on both. Then the same with lanes that have an order but no shares, and with
the analytics calls in the app's own lane.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from schema.base import Plant, SystemKind
from sources.base import Batch, Bundle, Lane, Part, Read
from sources.guard import Guard
from sources.http import Http, HttpConfig
from sources.policy import LaneShares

SYSTEM = Path(__file__).with_name("slow_system.py")
AT_ONCE = 8
APP_CALLERS, ANALYTICS_CALLERS = 4, 32
PHASE, ROUNDS = 0.7, 5
LANES = LaneShares()


@dataclass(slots=True)
class Times:
    """Seconds that app calls took, phase by phase, alone and beside analytics; and what analytics got done."""

    alone: list[list[float]] = field(default_factory=list)
    beside: list[list[float]] = field(default_factory=list)
    analytics: int = 0

    @property
    def moved(self) -> float:
        """By how much the p99 of the app lane moved, as a share."""
        return _p99(self.beside) / _p99(self.alone) - 1

    def __str__(self) -> str:
        alone, beside = (
            f"{sum(map(len, phases))} calls, p50 {_ms(statistics.median(chain(*phases)))}, p99 {_ms(_p99(phases))}"
            for phases in (self.alone, self.beside)
        )
        return f"app alone: {alone}; beside {self.analytics} analytics calls: {beside}; p99 moved by {self.moved:+.1%}"


def _p99(phases: list[list[float]]) -> float:
    """The p99 of a typical phase, so that one stall of the machine is not the whole measurement."""
    return statistics.median(statistics.quantiles(times, n=100, method="inclusive")[98] for times in phases)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


class Load:
    """Callers of one guard."""

    def __init__(self, guard: Guard, http: Http) -> None:
        self.guard = guard
        self.http = http
        self.read = Read("things", (Part(Plant),), self._fetch)

    async def _fetch(self, batch: Batch) -> Bundle:
        await self.http.send("GET", "/things", deadline=batch.deadline)
        return {Plant: [None for _ in batch.keys]}

    async def call(self, lane: Lane) -> float:
        """One call, and how long it took."""
        began = time.monotonic()
        await self.guard.read(self.read, Batch(("1",), frozenset({Plant}), began + 30, lane=lane))
        return time.monotonic() - began

    async def app(self, until: float) -> list[float]:
        """App callers with pauses: the time of every call."""
        times: list[float] = []

        async def caller() -> None:
            while time.monotonic() < until:
                times.append(await self.call(Lane.APP))
                await asyncio.sleep(random.uniform(0, 0.02))

        await asyncio.gather(*[caller() for _ in range(APP_CALLERS)])
        return times

    async def crowd(self, lane: Lane, until: float) -> int:
        """Analytics callers without a pause, in a lane: how many calls were answered."""
        done = 0

        async def caller() -> None:
            nonlocal done
            while time.monotonic() < until:
                await self.call(lane)
                done += 1

        await asyncio.gather(*[caller() for _ in range(ANALYTICS_CALLERS)])
        return done

    async def measure(self, lane: Lane, rounds: int = ROUNDS) -> Times:
        """Phases alone and beside analytics calls of a lane, in turn."""
        times = Times()
        for _ in range(rounds):
            times.alone.append(await self.app(time.monotonic() + PHASE))
            crowd = asyncio.create_task(self.crowd(lane, time.monotonic() + PHASE + 0.2))
            await asyncio.sleep(0.1)
            times.beside.append(await self.app(time.monotonic() + PHASE))
            times.analytics += await crowd
        return times


@asynccontextmanager
async def loaded(lanes: LaneShares = LANES) -> AsyncIterator[Load]:
    """The system in its process, its client, its guard with these shares; a few calls were made already."""
    system = await asyncio.create_subprocess_exec(
        sys.executable, str(SYSTEM), str(AT_ONCE), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert system.stdout is not None
        port = int(await system.stdout.readline())
        config = HttpConfig(
            code="SLOW",
            adapter="rest",
            kind=SystemKind.ERP,
            base_url=f"http://127.0.0.1:{port}",
            concurrency=AT_ONCE,
            lanes=lanes,
            timeout_ms=30_000,
        )
        http = Http(config)
        await http.open()
        load = Load(Guard(config), http)
        await load.app(time.monotonic() + 0.2)
        yield load
        await http.close()
    finally:
        system.kill()
        await system.wait()


async def main() -> None:
    """Print all three measurements."""
    async with loaded() as load:
        print("lanes with shares:", await load.measure(Lane.ANALYTICS))
    async with loaded(LaneShares(app=1, analytics=1, background=1)) as load:
        print("lanes, no shares: ", await load.measure(Lane.ANALYTICS))
        print("all in one lane:  ", await load.measure(Lane.APP, 3))


if __name__ == "__main__":
    asyncio.run(main())
