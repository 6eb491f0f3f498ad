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
    lull, came = await known(Lull(longest=60.0)), asyncio.Event()
    other = asyncio.create_task(busy(20))
    await asyncio.sleep(0)
    lull.wait(lambda: came.set() if other.done() else None)
    await other
    async with asyncio.timeout(5):
        await came.wait()


async def test_it_is_not_waited_for_very_long() -> None:
    """In a process that is never idle the wait is bounded."""
    lull, came = await known(Lull(longest=0.005)), asyncio.Event()
    other = asyncio.create_task(busy(1000))
    await asyncio.sleep(0)
    lull.wait(came.set)
    async with asyncio.timeout(0.4):
        await came.wait()
    assert not other.done()
    other.cancel()


async def test_a_slow_machine_has_lulls_too() -> None:
    """There even an idle turn takes long: what is long is learned from the quickest one."""
    ticks = (number * 0.001 for number in range(10_000))
    lull, came = Lull(longest=60.0, clock=lambda: next(ticks)), asyncio.Event()
    lull.wait(came.set)
    async with asyncio.timeout(5):
        await came.wait()


async def test_whoever_comes_in_the_same_turn_is_not_left_behind() -> None:
    """Two tasks of one turn, with a lull in between them: both keys are one call."""
    bench = Bench(lull=Lull(longest=0.0))
    first = asyncio.create_task(bench.cells("A"))
    await asyncio.sleep(0)
    await asyncio.gather(first, bench.cells("B"), bench.cells("C"))
    assert bench.world.keys[-1][-2:] == ("B", "C")


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


async def known(lull: Lull) -> Lull:
    """One that has seen what an idle turn takes here."""
    for _ in range(3):
        came = asyncio.Event()
        lull.wait(came.set)
        await came.wait()
    return lull


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
    assert await asked(Bench(lull=await known(Lull(longest=60.0))), Lane.APP) == [("A", "B", "C")]
    shop_floor = await asked(Bench(lull=await known(Lull(longest=60.0))), Lane.SHOP_FLOOR)
    assert shop_floor[0] == ("A",)
