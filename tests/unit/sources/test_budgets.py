"""Call budgets: counted in their window, refused with the time until its end, said once."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from schema.base import Plant
from schema.errors import SourceThrottled, SourceUnavailable
from sources.base import Batch, Lane
from sources.guard import Guard
from tests.unit.sources.guarding import Clock, Script, a_batch, a_read, guarded, outcome

HOUR = 3600.0
MORNING = {"name": "morning", "time_zone": "UTC", "start": "05:00", "end": "07:00", "calls": 2}
"""The clock of these tests begins at 06:00 UTC."""


def a_guard(clock: Clock, *budgets: dict[str, Any], **settings: Any) -> Guard:
    """A guard with these budgets."""
    return guarded(clock, budgets=budgets, **settings)


def call(lane: Lane) -> Batch:
    """A call of a lane that nobody gives up."""
    return Batch(("1710",), frozenset({Plant}), 1e9, lane=lane)


async def test_a_budget_is_used_up_and_comes_back() -> None:
    """Calls beyond it are not sent and fail with the time until the window closes; after it they go again."""
    clock, script = Clock(), Script("ok")
    guard = a_guard(clock, MORNING)
    for _ in range(2):
        await guard.read(a_read(script), a_batch())
    error = await outcome(guard, script, a_batch())
    assert isinstance(error, SourceThrottled)
    assert error.retry_after == HOUR
    assert str(error) == (
        "SAP takes no more than 2 requests in the window 'morning'; nothing is sent until 2026-11-23 07:00 UTC"
    )
    assert len(script.calls) == 2
    assert (clock.slept, guard.health().healthy) == ([], True)
    clock.time += HOUR
    for _ in range(3):
        await guard.read(a_read(script), a_batch(1e9))
    clock.time += 22 * HOUR
    for _ in range(2):
        await guard.read(a_read(script), a_batch(1e9))
    assert isinstance(await outcome(guard, script, a_batch(1e9)), SourceThrottled)


async def test_every_try_is_a_call() -> None:
    """What failed for a moment and was tried again counts twice, and a budget ends the tries."""
    clock, script = Clock(), Script(SourceUnavailable("away"))
    error = await outcome(a_guard(clock, MORNING, retries=5), script, a_batch())
    assert isinstance(error, SourceThrottled)
    assert len(script.calls) == 2


async def test_the_shop_floor_is_not_bound() -> None:
    """Urgent calls are neither refused nor counted, unless the budget names their lane."""
    script = Script("ok")
    guard = a_guard(Clock(), MORNING)
    for _ in range(5):
        await guard.read(a_read(script), call(Lane.SHOP_FLOOR))
    await guard.read(a_read(script), call(Lane.BACKGROUND))
    everyone = a_guard(Clock(), MORNING | {"calls": 0, "lanes": ["shop_floor", "analytics"]})
    for lane in (Lane.SHOP_FLOOR, Lane.ANALYTICS):
        assert "SAP takes no requests in the window" in str(await outcome(everyone, script, call(lane)))
    await everyone.read(a_read(script), call(Lane.APP))


async def test_the_narrowest_of_several_windows_counts() -> None:
    """Each open window is counted by itself; one that is closed says nothing."""
    script = Script("ok")
    night = MORNING | {"name": "night", "start": "22:00", "end": "05:00", "calls": 0}
    crawl = MORNING | {"name": "crawl", "calls": 1, "lanes": ["analytics"]}
    guard = a_guard(Clock(), night, crawl, MORNING)
    await guard.read(a_read(script), call(Lane.ANALYTICS))
    assert "'crawl'" in str(await outcome(guard, script, call(Lane.ANALYTICS)))
    await guard.read(a_read(script), call(Lane.APP))
    assert "'morning'" in str(await outcome(guard, script, call(Lane.APP)))


async def test_a_used_up_budget_is_one_line_a_window(caplog: pytest.LogCaptureFixture) -> None:
    """However many calls are refused, the log has one line each time the window is open."""
    caplog.set_level(logging.DEBUG, "crossdock.sources")
    clock = Clock()
    guard = a_guard(clock, MORNING | {"calls": 0})
    for _ in range(2):
        for _ in range(3):
            await outcome(guard, Script("ok"), a_batch(1e9))
        clock.time += timedelta(days=1).total_seconds()
    assert [record.getMessage() for record in caplog.records] == [
        f"SAP takes no requests in the window 'morning'; nothing is sent until 2026-11-{day} 07:00 UTC"
        for day in (23, 24)
    ]
