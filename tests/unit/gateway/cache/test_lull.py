"""A lull: at once for who is alone, when all that can be done is done for who is one of many, and never very late."""

import asyncio
import time

from gateway.cache.lull import Lull
from schema.material import Item
from sources.base import Batch, Lane
from tests.unit.gateway.cache.shelf import Bench

STEP = 0.0005
"""Seconds of work in one turn of the loop: far more than nothing."""


def work(seconds: float) -> None:
    """Keep the loop busy."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def busy(turns: int) -> None:
    """Another request, which takes so many turns of the loop."""
    for _ in range(turns):
        work(STEP)
        await asyncio.sleep(0)


async def test_alone_it_comes_within_a_few_turns() -> None:
    """Nothing else to do: no timer is waited for."""
    lull, came = Lull(longest=60.0), asyncio.Event()
    lull.wait(came.set)
    assert not came.is_set()
    async with asyncio.timeout(5):
        await came.wait()


async def test_while_others_are_worked_for_it_does_not_come() -> None:
    """It comes once they are done."""
    lull, came = Lull(longest=60.0), asyncio.Event()
    other = asyncio.create_task(busy(20))
    await asyncio.sleep(0)
    lull.wait(lambda: came.set() if other.done() else None)
    await other
    async with asyncio.timeout(5):
        await came.wait()


async def test_it_is_not_waited_for_very_long() -> None:
    """In a process that is never idle the wait is bounded."""
    lull, came = Lull(longest=0.005), asyncio.Event()
    other = asyncio.create_task(busy(1000))
    await asyncio.sleep(0)
    lull.wait(came.set)
    async with asyncio.timeout(0.4):
        await came.wait()
    assert not other.done()
    other.cancel()


async def test_it_serves_one_loop_after_the_other() -> None:
    """What waited in a loop that ended early does not keep the next one waiting."""
    lull = Lull(longest=60.0)

    async def gone() -> None:
        lull.wait(lambda: None)

    await asyncio.to_thread(asyncio.run, gone())
    came = asyncio.Event()
    lull.wait(came.set)
    async with asyncio.timeout(5):
        await came.wait()


async def asked(bench: Bench, lane: Lane) -> list[tuple[str, ...]]:
    """The calls for three keys that are asked one turn after the other while the process is busy."""

    async def one(key: str) -> None:
        batch = Batch((key,), frozenset({Item}), time.monotonic() + 5, lane=lane)
        await bench.call(batch)

    other = asyncio.create_task(busy(20))
    waiting = []
    for key in "ABC":
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(one(key)))
    await asyncio.gather(other, *waiting)
    return bench.world.keys


async def test_keys_asked_while_the_process_is_busy_leave_together() -> None:
    """Whatever turn of the loop they came in; but for the shop floor, which waits for nobody."""
    assert await asked(Bench(lull=Lull(longest=60.0)), Lane.APP) == [("A", "B", "C")]
    shop_floor = await asked(Bench(lull=Lull(longest=60.0)), Lane.SHOP_FLOOR)
    assert shop_floor[0] == ("A",)
