"""What the guard makes of everything an adapter may do: shapes, mistakes, deadlines, slots."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from schema.base import CircuitState, Plant
from schema.errors import (
    MappingError,
    SourceForbidden,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import Batch, Bundle, Lane, Page, Query, Search
from tests.unit.sources.guarding import (
    PART,
    WANTS,
    Clock,
    Script,
    a_batch,
    a_read,
    guarded,
    hang,
    outcome,
    real,
    rows,
    soon,
)


async def test_an_answer_is_passed_on() -> None:
    """A good bundle comes back as the adapter gave it, and the call knows its deadline."""
    clock, script = Clock(), Script("ok")
    guard = guarded(clock, timeout_ms=500)
    assert await guard.read(a_read(script), a_batch()) == rows(a_batch())
    assert script.calls[0].deadline == 1000.5
    assert guard.health().healthy
    assert guard.health().last_good_at is not None


async def test_no_keys_no_call() -> None:
    """An empty batch is answered without asking anyone."""
    script = Script(SourceUnavailable("down"))
    assert await guarded(Clock()).read(a_read(script), a_batch(keys=())) == {Plant: []}
    assert script.calls == []


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(100, 5.0), (2000, 0.1)])
async def test_the_deadline_is_kept(timeout_ms: int, seconds: float) -> None:
    """The nearer of the system's timeout and the caller's deadline ends the wait."""
    began = time.monotonic()
    error = await outcome(real(timeout_ms=timeout_ms), hang, soon(seconds))
    assert isinstance(error, SourceTimeout)
    assert 0.09 < time.monotonic() - began < 0.5
    assert "SAP did not answer plants within" in str(error)


async def test_a_passed_deadline_sends_nothing() -> None:
    """What nobody waits for any more is not asked, and says nothing about the system."""
    script, guard = Script("ok"), guarded(Clock(), breaker_failures=1)
    assert isinstance(await outcome(guard, script, a_batch(999.0)), SourceTimeout)
    assert script.calls == []
    assert guard.health().healthy


async def test_no_more_at_once_than_configured() -> None:
    """Calls beyond the limit wait for a slot."""
    running = most = 0

    async def busy(batch: Batch) -> Bundle:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return rows(batch)

    guard = real(concurrency=3)
    await asyncio.gather(*[guard.read(a_read(busy), soon()) for _ in range(12)])
    assert most == 3


async def test_waiting_for_a_slot_ends_with_the_deadline() -> None:
    """Time in the queue is part of the deadline, and the slot comes back after a timeout."""
    guard = real(concurrency=1, timeout_ms=1000)
    first = asyncio.create_task(guard.read(a_read(hang), soon(0.2)))
    await asyncio.sleep(0.01)
    error = await outcome(guard, Script("ok"), soon(0.05))
    assert isinstance(error, SourceTimeout)
    assert "1 requests were running" in str(error)
    with pytest.raises(SourceTimeout):
        await first
    await guard.read(a_read(Script("ok")), soon())


async def test_a_lane_without_room_is_told_its_share() -> None:
    """Analytics that holds all it may waits while slots are free, and the error names the setting; the app goes."""
    guard = real(concurrency=2)
    first = asyncio.create_task(guard.read(a_read(hang), replace(soon(0.2), lane=Lane.ANALYTICS)))
    await asyncio.sleep(0.01)
    error = await outcome(guard, Script("ok"), replace(soon(0.05), lane=Lane.ANALYTICS))
    assert isinstance(error, SourceTimeout)
    assert "1 requests were running, and analytics may take 1 of 2 slots" in str(error)
    assert "systems.SAP.lanes.analytics" in str(error.hint)
    await guard.read(a_read(Script("ok")), soon())
    with pytest.raises(SourceTimeout):
        await first


async def test_a_list_waits_in_its_lane_too() -> None:
    """A page of a list is a call like any other: background holds its share of the slots, whatever it asks for."""
    guard, running = real(concurrency=4), 0

    async def fetch(query: Query) -> Page:
        nonlocal running
        running += 1
        await asyncio.sleep(60)
        return Page([], {Plant: []})

    query = Query({}, 10, None, WANTS, time.monotonic() + 0.1, lane=Lane.BACKGROUND)
    pages = [guard.search(Search("plants", (PART,), fetch), query) for _ in range(4)]
    await asyncio.gather(*pages, return_exceptions=True)
    assert running == 1


async def test_a_cancelled_call_gives_its_slot_back() -> None:
    """Cancelling a waiter and a running call leaves the guard as it was."""
    guard = real(concurrency=1)
    running = asyncio.create_task(guard.read(a_read(hang), soon()))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(guard.read(a_read(hang), soon()))
    await asyncio.sleep(0.01)
    for task in (waiting, running):
        task.cancel()
    results = await asyncio.gather(running, waiting, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await guard.read(a_read(Script("ok")), soon())


async def test_an_adapters_mistake_costs_one_call(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is a SourceUnavailable, one traceback in the log, and no outage."""
    guard, script = guarded(Clock(), breaker_failures=1), Script(KeyError("LGORT"))
    for _ in range(3):
        error = await outcome(guard, script, a_batch())
        assert isinstance(error, SourceUnavailable)
        assert str(error) == "SAP: plants failed unexpectedly"
    assert len([r for r in caplog.records if r.exc_info]) == 1
    assert len(script.calls) == 3
    assert guard.health().circuit is CircuitState.CLOSED


async def test_a_source_error_out_of_a_task_group_keeps_its_class() -> None:
    """A group of exceptions around a source error is the source error."""
    group = ExceptionGroup("unhandled errors", [ExceptionGroup("inner", [SourceForbidden("no right")])])
    assert isinstance(await outcome(guarded(Clock()), Script(group), a_batch()), SourceForbidden)


async def test_a_cancelled_shared_future_does_not_cancel_the_caller() -> None:
    """When something the adapter shares was cancelled, the call fails; the caller's task lives on."""
    error = await outcome(guarded(Clock()), Script(asyncio.CancelledError()), a_batch())
    assert isinstance(error, SourceUnavailable)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "a bundle was expected, not NoneType"),
        ({}, "Plant asked for and missing"),
        ({Plant: []}, "0 cells of Plant for 1 keys"),
        ({Plant: ["1710"]}, "a str in place of Plant"),
        ({Plant: [[Plant("1", "1", "UTC")]]}, "a list in place of Plant"),
    ],
)
async def test_a_wrong_shape_is_a_mapping_error(answer: Any, words: str) -> None:
    """A bundle that is not as promised never reaches the graph."""

    async def fetch(batch: Batch) -> Any:
        return answer

    error = await outcome(guarded(Clock()), fetch, a_batch())
    assert isinstance(error, MappingError)
    assert words in str(error)


async def test_errors_of_single_keys_pass() -> None:
    """None and a SourceError are cells like any other."""

    async def fetch(batch: Batch) -> Bundle:
        return {Plant: [None, SourceRefused("locked")]}

    bundle = await guarded(Clock()).read(a_read(fetch), a_batch(keys=("1", "2")))
    assert isinstance(bundle[Plant][1], SourceRefused)


async def test_pages_are_checked_too() -> None:
    """A page's bundle has one cell a key; what is no page is a mapping error."""
    pages: list[Any] = [Page(["1710"], rows(a_batch())), Page(["1710"], {Plant: []}), None]

    async def fetch(query: Query) -> Any:
        return pages.pop(0)

    guard, search = guarded(Clock()), Search("plants", (PART,), fetch)
    query = Query({}, 10, None, WANTS, 1010.0)
    assert (await guard.search(search, query)).keys == ["1710"]
    for words in ("0 cells", "not NoneType"):
        with pytest.raises(MappingError, match=words):
            await guard.search(search, query)
