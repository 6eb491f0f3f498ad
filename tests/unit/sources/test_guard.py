"""What the guard makes of everything an adapter may do."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schema.base import CircuitState, Plant, SystemKind
from schema.errors import (
    MappingError,
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import Batch, Bundle, Page, Part, Query, Read, Search, SystemConfig
from sources.guard import Guard

PART = Part(Plant)
WANTS = frozenset({Plant})


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 6, tzinfo=UTC) + timedelta(seconds=self.time - 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Script:
    """An adapter's method that plays one step a call: an error to raise, or "ok"; the last step stays."""

    def __init__(self, *steps: BaseException | str) -> None:
        self.steps = list(steps)
        self.calls: list[Batch] = []

    async def __call__(self, batch: Batch) -> Bundle:
        self.calls.append(batch)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return rows(batch)


def rows(batch: Batch) -> Bundle:
    """What a good adapter answers."""
    return {Plant: [Plant(key, key, "Europe/Berlin") for key in batch.keys]}


def a_batch(deadline: float = 1010.0, keys: tuple[str, ...] = ("1710",)) -> Batch:
    """A batch of one key."""
    return Batch(keys, WANTS, deadline)


def a_read(fetch: Callable[[Batch], Awaitable[Any]]) -> Read:
    """A read with this method."""
    return Read("plants", (PART,), fetch)


def config(**settings: Any) -> SystemConfig:
    """Settings of a system."""
    return SystemConfig(code="SAP", adapter="rest", kind=SystemKind.ERP, **settings)


def guarded(clock: Clock, **settings: Any) -> Guard:
    """A guard whose time only moves by sleeping."""
    return Guard(config(**settings), clock=clock, sleep=clock.sleep, rng=lambda: 1.0, now=clock.now)


def real(**settings: Any) -> Guard:
    """A guard on the real clock."""
    return Guard(config(**settings))


def soon(seconds: float = 5.0) -> Batch:
    """A batch with a deadline in real time."""
    return a_batch(time.monotonic() + seconds)


async def outcome(guard: Guard, fetch: Callable[[Batch], Awaitable[Any]], batch: Batch) -> SourceError:
    """The error of a call that must fail."""
    with pytest.raises(SourceError) as caught:
        await guard.read(a_read(fetch), batch)
    return caught.value


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


async def test_a_momentary_failure_is_tried_again() -> None:
    """Retryable errors are tried again after a growing random wait."""
    clock, script = Clock(), Script(SourceUnavailable("one"), SourceUnavailable("two"), "ok")
    await guarded(clock).read(a_read(script), a_batch())
    assert clock.slept == [0.05, 0.1]


async def test_tries_end() -> None:
    """After the last try the error comes out."""
    script = Script(SourceUnavailable("away"))
    error = await outcome(guarded(Clock(), retries=1), script, a_batch())
    assert str(error) == "away"
    assert len(script.calls) == 2


@pytest.mark.parametrize("error", [SourceForbidden("no"), SourceRefused("no"), MappingError("no")])
async def test_refusals_are_not_tried_again(error: SourceError) -> None:
    """What would be refused again is asked once, and never opens the circuit."""
    script, guard = Script(error), guarded(Clock(), breaker_failures=1)
    assert await outcome(guard, script, a_batch()) is error
    assert len(script.calls) == 1
    assert guard.health().circuit is CircuitState.CLOSED


async def test_retry_after_is_honoured_when_it_fits() -> None:
    """The wait that the system asks for comes before the jitter."""
    clock, script = Clock(), Script(SourceThrottled("slow down", retry_after=1.0), "ok")
    await guarded(clock).read(a_read(script), a_batch())
    assert clock.slept == [1.05]


async def test_retry_after_that_does_not_fit_fails_at_once() -> None:
    """Nobody waits for an answer that would come too late."""
    clock, script = Clock(), Script(SourceThrottled("slow down", retry_after=30.0))
    error = await outcome(guarded(clock), script, a_batch())
    assert isinstance(error, SourceThrottled)
    assert clock.slept == []


async def test_a_throttling_system_is_left_alone() -> None:
    """Within the time it asked for nothing is sent, and the error says how much of it is left."""
    clock, script = Clock(), Script(SourceThrottled("slow down", retry_after=30.0), "ok")
    guard = guarded(clock)
    await outcome(guard, script, a_batch())
    clock.time += 10
    error = await outcome(guard, script, a_batch(2000.0))
    assert isinstance(error, SourceThrottled)
    assert error.retry_after == 20.0
    assert len(script.calls) == 1
    clock.time += 20
    await guard.read(a_read(script), a_batch(2000.0))
    assert guard.health().circuit is CircuitState.CLOSED


async def test_no_system_is_left_alone_for_a_year() -> None:
    """A senseless Retry-After is honoured for five minutes."""
    clock, script = Clock(), Script(SourceThrottled("slow down", retry_after=3e7), "ok")
    guard = guarded(clock)
    await outcome(guard, script, a_batch())
    clock.time += 300
    await guard.read(a_read(script), a_batch(2000.0))


async def test_the_circuit_opens_and_closes() -> None:
    """After failures in a row nothing is sent; then one probe finds the system back."""
    clock, script = Clock(), Script(*[SourceUnavailable("away")] * 3, "ok")
    guard = guarded(clock, retries=0, breaker_failures=3, breaker_seconds=5.0)
    for _ in range(3):
        await outcome(guard, script, a_batch())
    error = await outcome(guard, script, a_batch())
    assert isinstance(error, SourceUnavailable)
    assert str(error) == "SAP is down since 06:00:00 UTC; it is asked again in 5.0 s"
    assert error.retry_after == 5.0
    assert len(script.calls) == 3
    assert guard.health().circuit is CircuitState.OPEN
    assert guard.health().since is not None
    clock.time += 5
    await guard.read(a_read(script), a_batch(2000.0))
    health = guard.health()
    assert (health.healthy, health.circuit, health.since) == (True, CircuitState.CLOSED, None)


async def test_no_more_tries_once_the_circuit_is_open() -> None:
    """The call that opens the circuit does not go on hammering."""
    script = Script(SourceUnavailable("away"))
    await outcome(guarded(Clock(), retries=10, breaker_failures=2), script, a_batch())
    assert len(script.calls) == 2


async def test_one_probe_at_a_time() -> None:
    """While the probe is away the others fail fast."""
    clock, gate = Clock(), asyncio.Event()
    guard = guarded(clock, retries=0, breaker_failures=1)
    await outcome(guard, Script(SourceUnavailable("away")), a_batch())
    clock.time += 5

    async def slow(batch: Batch) -> Bundle:
        await gate.wait()
        return rows(batch)

    probe = asyncio.create_task(guard.read(a_read(slow), a_batch()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert guard.health().circuit is CircuitState.HALF_OPEN
    assert "finding out" in str(await outcome(guard, Script("ok"), a_batch()))
    gate.set()
    await probe
    assert guard.health().healthy


async def test_a_cancelled_probe_does_not_block_the_way_back() -> None:
    """When the probe's caller goes away the next call is the probe."""
    clock = Clock()
    guard = guarded(clock, retries=0, breaker_failures=1)
    await outcome(guard, Script(SourceUnavailable("away")), a_batch())
    clock.time += 5

    async def hang(batch: Batch) -> Bundle:
        await asyncio.Event().wait()
        return rows(batch)

    probe = asyncio.create_task(guard.read(a_read(hang), a_batch()))
    await asyncio.sleep(0.01)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    await guard.read(a_read(Script("ok")), a_batch())
    assert guard.health().healthy


async def hang(batch: Batch) -> Bundle:
    """Answer far too late."""
    await asyncio.sleep(60)
    return rows(batch)


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(100, 5.0), (2000, 0.1)])
async def test_the_deadline_is_kept(timeout_ms: int, seconds: float) -> None:
    """The nearer of the system's timeout and the caller's deadline ends the wait."""
    began = time.monotonic()
    error = await outcome(real(timeout_ms=timeout_ms), hang, soon(seconds))
    assert isinstance(error, SourceTimeout)
    assert 0.09 < time.monotonic() - began < 0.5
    assert "SAP did not answer plants within" in str(error)


async def test_a_client_in_a_hurry_does_not_open_the_circuit() -> None:
    """Timeouts count only where the system had a fair share of its own time."""
    guard = real(timeout_ms=1000, breaker_failures=1)
    await outcome(guard, hang, soon(0.02))
    assert guard.health().healthy
    guard = real(timeout_ms=20, breaker_failures=1)
    await outcome(guard, hang, soon(5))
    assert guard.health().circuit is CircuitState.OPEN


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


async def test_a_raw_connection_error_counts_as_an_outage() -> None:
    """An OSError that an adapter lets through is what it is: no connection."""
    guard = guarded(Clock(), breaker_failures=2, retries=1)
    error = await outcome(guard, Script(ConnectionRefusedError(111, "refused")), a_batch())
    assert str(error) == "SAP could not be reached for plants (ConnectionRefusedError)"
    assert guard.health().circuit is CircuitState.OPEN


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


async def test_an_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    """However many calls fail, one line says down and one says up."""
    caplog.set_level(logging.DEBUG, "crossdock.sources")
    clock, script = Clock(), Script(*[SourceUnavailable("connection refused")] * 6, "ok")
    guard = guarded(clock, breaker_failures=3, breaker_seconds=1.0)
    for _ in range(40):
        try:
            await guard.read(a_read(script), a_batch(2000.0))
        except SourceUnavailable:
            clock.time += 0.2
    assert [r.getMessage() for r in caplog.records] == [
        "SAP is down: connection refused",
        "SAP is up again after 4.0 s",
    ]


async def test_refused_credentials_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is told once a read, and once more when it is over."""
    caplog.set_level(logging.DEBUG, "crossdock.sources")
    guard, script = guarded(Clock()), Script(*[SourceForbidden("401")] * 3, "ok")
    for _ in range(3):
        await outcome(guard, script, a_batch())
    assert not guard.health().healthy
    await guard.read(a_read(script), a_batch())
    assert [r.getMessage() for r in caplog.records] == [
        "SAP does not give plants: 401",
        "SAP grants plants again",
    ]
    assert guard.health().healthy
