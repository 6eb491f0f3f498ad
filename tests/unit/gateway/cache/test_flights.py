"""Calls shared by those who wait for the same keys, and nothing else shared between them."""

import asyncio

import pytest

from schema.errors import SourceTimeout, SourceUnavailable
from sources.base import Lane
from sources.keeping import CacheRule
from tests.unit.gateway.cache.shelf import Bench, settle

ALWAYS = CacheRule(max_age=0, stale_while_revalidate=0, stale_if_error=0, negative_max_age=0)


async def test_a_thousand_requests_for_a_cold_key_are_one_call() -> None:
    """Single flight: whoever asks for a key on its way waits for it."""
    bench = Bench()
    answers = await asyncio.gather(*[bench.words("A") for _ in range(1000)])
    assert answers == [["one"]] * 1000
    assert len(bench.world.asked) == 1


async def test_keys_asked_in_the_same_turn_leave_together() -> None:
    """Different keys of different requests are one batch."""
    bench = Bench()
    await asyncio.gather(bench.cells("A"), bench.cells("B"), bench.cells("C", "A"))
    assert bench.world.keys == [("A", "B", "C")]


async def test_while_the_system_is_being_asked_the_next_ones_gather() -> None:
    """With a call under way, newcomers of a millisecond leave together, whatever turn of the loop they came in."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    first = asyncio.create_task(bench.cells("A"))
    await settle()
    second = asyncio.create_task(bench.cells("B"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    third = asyncio.create_task(bench.cells("C"))
    await asyncio.sleep(0.01)
    await settle()
    assert bench.world.keys == [("A",), ("B", "C")]
    bench.world.gate.set()
    await asyncio.gather(first, second, third)


async def test_a_batch_is_no_larger_than_the_system_takes() -> None:
    """Beyond max_keys another call leaves at once."""
    bench = Bench()
    keys = [f"N{number}" for number in range(250)]
    assert await bench.words(*keys) == [None] * 250
    assert sorted(len(found) for found in bench.world.keys) == [50, 100, 100]


async def test_a_cancelled_waiter_takes_nothing_from_the_others() -> None:
    """The flight goes on for those who still wait."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    one, other = asyncio.create_task(bench.words("A")), asyncio.create_task(bench.words("A"))
    await settle()
    one.cancel()
    await settle()
    bench.world.gate.set()
    assert await other == ["one"]
    assert bench.world.cancelled == 0
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_work_ends_when_nobody_waits_for_it() -> None:
    """The last waiter gone, the call is cancelled and no task is left."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    waiters = [asyncio.create_task(bench.words("A")) for _ in range(3)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await settle()
    assert bench.world.cancelled == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}
    bench.world.gate = None
    assert await bench.words("A") == ["one"]


async def test_a_waiter_gone_before_the_call_leaves_sends_nothing() -> None:
    """Cancelled in the turn in which it asked: no call at all."""
    bench = Bench()
    waiter = asyncio.create_task(bench.words("A"))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    await settle()
    assert bench.world.asked == []
    assert await bench.words("A") == ["one"]


async def test_everyone_keeps_their_own_deadline() -> None:
    """Who is in a hurry leaves with a timeout; who is not gets the answer of the same call."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    patient = asyncio.create_task(bench.words("A"))
    await settle()
    [hurried] = await bench.cells("A", seconds=0.02)
    assert isinstance(hurried, SourceTimeout)
    assert str(hurried) == "ERP did not answer within the time of the request"
    bench.world.gate.set()
    assert await patient == ["one"]
    assert len(bench.world.asked) == 1


async def test_a_hurried_flight_is_not_the_last_word_for_a_patient_passenger() -> None:
    """A call that ran out of its first passenger's time is made again for one who has more."""
    bench = Bench()
    bench.world.fault = SourceTimeout("no time")
    bench.world.gate = asyncio.Event()
    hurried = asyncio.create_task(bench.cells("A", seconds=0.5))
    await settle()
    patient = asyncio.create_task(bench.words("A", seconds=5))
    await settle()
    bench.world.gate.set()
    assert isinstance((await hurried)[0], SourceTimeout)
    bench.world.fault = None
    assert await patient == ["one"]


async def test_an_urgent_request_does_not_wait_in_a_slower_lane() -> None:
    """A key on its way for analytics is asked again for the shop floor; the other way round it is shared."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    waiting = [asyncio.create_task(bench.cells("A", lane=Lane.ANALYTICS))]
    await settle()
    waiting.append(asyncio.create_task(bench.cells("A", lane=Lane.SHOP_FLOOR)))
    await asyncio.sleep(0.01)
    await settle()
    waiting.append(asyncio.create_task(bench.cells("A", lane=Lane.BACKGROUND)))
    await asyncio.sleep(0.01)
    await settle()
    assert [batch.lane for batch in bench.world.asked] == [Lane.ANALYTICS, Lane.SHOP_FLOOR]
    bench.world.gate.set()
    await asyncio.gather(*waiting)


async def test_a_call_sent_too_early_is_not_good_enough_for_a_strict_request() -> None:
    """MaxAgeSeconds 0 does not join what left before the request arrived; the default does."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    first = asyncio.create_task(bench.cells("A"))
    await settle()
    bench.clock.pass_(0.5)
    joined = asyncio.create_task(bench.cells("A"))
    strict = asyncio.create_task(bench.cells("A", need=bench.within(0)))
    await asyncio.sleep(0.01)
    await settle()
    assert len(bench.world.asked) == 2
    bench.world.gate.set()
    await asyncio.gather(first, joined, strict)


async def test_what_is_for_one_asker_only_is_never_shared() -> None:
    """shared_calls off: as many calls as requests, each with its own keys."""
    bench = Bench(rule=ALWAYS, shared_calls=False)
    await asyncio.gather(*[bench.cells("A", "B") for _ in range(5)])
    assert bench.world.keys == [("A", "B")] * 5


async def test_a_broken_layer_below_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that should not be costs an answer and a line in the log, not the waiters' patience."""
    bench = Bench()
    bench.world.short = True
    [cell] = await bench.cells("A", seconds=5)
    assert isinstance(cell, SourceUnavailable)
    assert [record.message for record in caplog.records] == ["ERP: a shared call broke"]
