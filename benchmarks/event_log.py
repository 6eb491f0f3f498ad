"""What an event costs in each log: appended, told again, followed by many.

    python -m benchmarks.event_log [events]

Wall times are those of this machine's disk and of a Redis beside it; compare rows of one run. CPU is that of our process
(all its threads), not of Redis. "together" are appends of 64 callers at once, "alone" is one caller waiting for each.
"""

import asyncio
import sys
import tempfile
import time
import timeit
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.events.contracts import flaw
from gateway.events.log import EventLog, Logged, Position
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog
from schema.events import Event, fact_of
from tests.redis_server import RedisServer

CALLERS = 64
ALONE = 500
REPLAY = 1_000
TAILS = 100


def issued(number: int) -> Event:
    """A typical event: material issued to one of many orders."""
    now = datetime.now(UTC)
    order = f"po:1710/{1_000_000 + number % 500}"
    return Event(
        type="mfg.material.issued.v1",
        source="SAP_PRD",
        id=f"5f0c9a4e-{number:08d}",
        subject=order,
        fact=fact_of("SAP_PRD", "mfg.material.issued.v1", [f"{4_900_000_000 + number}", "2025", "1"]),
        occurred_at=now,
        recorded_at=now,
        received_at=now,
        touches=(order, "item:FG-1050", "lot:FG-1050/L2409-07", f"mov:SAP_PRD/{4_900_000_000 + number}"),
        correlation_id=f"c-{number}",
        data={
            "document": f"{4_900_000_000 + number}/2025",
            "plant": "1710",
            "order": f"{1_000_000 + number % 500}",
            "item": "FG-1050",
            "quantity": "12.5",
            "unit": "KGM",
            "lot": "L2409-07",
        },
        version=f"{number}",
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What one log takes: appends a second together and their CPU (us), waits alone (ms), replay (ms, us), fan-out (us)."""

    name: str
    rate: float
    cpu: float
    p50: float
    p99: float
    replay: float
    replay_cpu: float
    fan_out: float

    def __str__(self) -> str:
        return (
            f"{self.name:22} together {self.rate:6.0f}/s at {self.cpu:5.1f} us CPU  alone p50 {self.p50:5.2f} ms"
            f"  p99 {self.p99:5.2f} ms  replay of {REPLAY} {self.replay:5.1f} ms at {self.replay_cpu:4.1f} us"
            f"  to {TAILS} tails {self.fan_out:5.2f} us CPU an event and tail"
        )


async def together(log: EventLog, events: Sequence[Event]) -> tuple[float, float]:
    """Appends a second, and CPU microseconds each, of many callers."""
    waiting = iter(events)

    async def caller() -> None:
        for each in waiting:
            await log.append([each])

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*[caller() for _ in range(CALLERS)])
    return (
        len(events) / (time.perf_counter() - began),
        (time.process_time() - used) / len(events) * 1e6,
    )


async def alone(log: EventLog, events: Sequence[Event]) -> tuple[float, float]:
    """The waits of one caller: median and the 99th of a hundred, in milliseconds."""
    waits = []
    for each in events:
        began = time.perf_counter()
        await log.append([each])
        waits.append(time.perf_counter() - began)
    waits.sort()
    return waits[len(waits) // 2] * 1e3, waits[len(waits) * 99 // 100] * 1e3


async def replay(log: EventLog) -> tuple[float, float]:
    """Milliseconds for a thousand events from a cursor, and CPU microseconds for each; best of several."""
    head = await log.head()
    best = best_cpu = float("inf")
    for _ in range(10):
        after = Position(head.epoch, head.sequence - REPLAY)
        began, used = time.perf_counter(), time.process_time()
        while batch := await log.read(after):
            after = batch[-1].position
        best = min(best, time.perf_counter() - began)
        best_cpu = min(best_cpu, time.process_time() - used)
    return best * 1e3, best_cpu / REPLAY * 1e6


async def fan_out(log: EventLog, events: Sequence[Event], cpu: float) -> float:
    """CPU microseconds for each event and tail, beyond what its append costs."""
    after = await log.head()
    last = after.sequence + len(events)

    async def follow() -> None:
        found: list[Logged] = []
        async for batch in log.tail(after):
            found += batch
            if batch[-1].position.sequence == last:
                return

    tails = [asyncio.ensure_future(follow()) for _ in range(TAILS)]
    await asyncio.sleep(0.1)
    used = time.process_time()
    await together(log, events)
    await asyncio.gather(*tails)
    return ((time.process_time() - used) / len(events) * 1e6 - cpu) / TAILS


async def measure(name: str, log: EventLog, count: int) -> Cost:
    """All of one log."""
    made = [issued(number) for number in range(2 * count + ALONE)]
    await log.open()
    try:
        rate, cpu = await together(log, made[:count])
        p50, p99 = await alone(log, made[count : count + ALONE])
        return Cost(
            name, rate, cpu, p50, p99, *await replay(log), await fan_out(log, made[count + ALONE :], cpu)
        )
    finally:
        await log.close()


@asynccontextmanager
async def logs() -> AsyncIterator[list[tuple[str, EventLog]]]:
    """Every kind, fresh."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".events-") as folder,
        RedisServer("--appendonly", "yes", "--appendfsync", "always") as always,
        RedisServer("--appendonly", "yes", "--appendfsync", "everysec") as second,
        RedisServer() as memory,
    ):
        yield [
            ("SQLite in memory", SqliteLog()),
            ("SQLite in a file", SqliteLog(Path(folder, "events.db"))),
            ("Redis, no disk", RedisLog(memory.url, timeout=10)),
            ("Redis, every second", RedisLog(second.url, timeout=10)),
            ("Redis, always", RedisLog(always.url, timeout=10)),
        ]


async def main(count: int) -> None:
    """Measure and print."""
    event = issued(1)
    assert flaw(event) is None
    checked = timeit.timeit(lambda: flaw(event), number=20_000) / 20_000 * 1e6
    print(f"checking an event against its contract {checked:.1f} us")
    async with logs() as made:
        for name, log in made:
            print(await measure(name, log, count), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000))
