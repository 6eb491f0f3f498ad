"""The link to Redis: how long one waits, and what is believed of another machine's clock."""

import asyncio
import logging
import time

import pytest

from gateway.cache.link import CALM, Link, Offset, Unreachable, patience


async def test_patience_ends() -> None:
    """What takes too long is given up when the time is over, not much later."""
    began = time.perf_counter()
    with pytest.raises(TimeoutError):
        async with patience(0.05):
            await asyncio.sleep(10)
    assert 0.04 < time.perf_counter() - began < 1


async def test_an_answer_that_was_there_in_time_is_not_lost_to_a_busy_process() -> None:
    """Where the process itself was busy beyond the deadline, the answer may still be picked up."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    async with patience(0.05):
        loop.call_soon(time.sleep, 0.1)
        loop.call_later(0.12, answer.set_result, "here")
        assert await answer == "here"


async def test_patience_leaves_other_cancellations_alone() -> None:
    """Who gives up himself is not told that it took too long."""

    async def waiting() -> None:
        async with patience(5):
            await asyncio.sleep(10)

    task = asyncio.ensure_future(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_more_exact_look_at_a_clock_is_believed() -> None:
    """A slow look says less than a fast one; an old one less with every second; a clock that was set is noticed."""
    exact = Offset(600.0, 0.001, at=0.0)
    assert exact.better(slow := Offset(600.004, 0.005, at=1.0)) is exact
    assert exact.better(faster := Offset(600.0, 0.0005, at=1.0)) is faster
    assert exact.better(later := Offset(600.004, 0.005, at=60.0)) is later
    assert exact.better(moved := Offset(660.0, 0.005, at=1.0)) is moved
    assert slow is not moved


def link(pause: float = 0.01) -> Link:
    """A link to a place where nobody is."""
    return Link("redis://127.0.0.1:1/0", timeout=0.2, connections=2, pause=pause, clock=lambda: 1000.0)


async def test_instants_are_rounded_to_the_safe_side() -> None:
    """A reading is never said to be later than it was, an invalidation never earlier; unknown is unknown."""
    made = link()
    with pytest.raises(Unreachable):
        made.at_earliest(1000.0)
    made.measured(1_600_000_000, before=1000.0, took=0.2)
    assert made.offset.seconds == pytest.approx(599.9)
    assert made.at_earliest(1000.0) <= 1_599_800_000
    assert made.at_latest(1000.0) > 1_599_999_999
    await made.close()


async def test_a_link_that_fails_again_soon_is_left_alone_for_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Redis that comes and goes does not fill the log: each outage soon after the last one doubles the pause."""
    made = link()
    pauses = []
    for _ in range(4):
        made.failed(OSError("refused"))
        made.failed(OSError("once more"))
        made.back()
        assert not made.up
        pauses.append(made.pause)
        await asyncio.sleep(made.pause + 0.01)
        made.back()
        assert made.up
    assert pauses == [0.01, 0.02, 0.04, 0.08]
    assert CALM > 1
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 8
    assert lines[0] == "Redis at 127.0.0.1:1/0 is down: refused"
    assert lines[1].startswith("Redis at 127.0.0.1:1/0 is up again after 0.0")
    await made.close()
