"""What the guard makes of a system in trouble: tries, throttle, circuit, and what the log says."""

import asyncio
import logging

import pytest

from schema.base import CircuitState
from schema.errors import (
    MappingError,
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceUnavailable,
)
from sources.base import Batch, Bundle
from sources.guard import Guard
from tests.unit.sources.guarding import (
    Clock,
    Script,
    a_batch,
    a_read,
    config,
    guarded,
    hang,
    outcome,
    real,
    rows,
    soon,
)


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


async def test_a_client_in_a_hurry_does_not_open_the_circuit() -> None:
    """Timeouts count only where the system had a fair share of its own time."""
    guard = real(timeout_ms=1000, breaker_failures=1)
    await outcome(guard, hang, soon(0.02))
    assert guard.health().healthy
    guard = real(timeout_ms=20, breaker_failures=1)
    await outcome(guard, hang, soon(5))
    assert guard.health().circuit is CircuitState.OPEN


async def test_a_raw_connection_error_counts_as_an_outage() -> None:
    """An OSError that an adapter lets through is what it is: no connection."""
    guard = guarded(Clock(), breaker_failures=2, retries=1)
    error = await outcome(guard, Script(ConnectionRefusedError(111, "refused")), a_batch())
    assert str(error) == "SAP could not be reached for plants (ConnectionRefusedError)"
    assert guard.health().circuit is CircuitState.OPEN


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


async def test_how_far_behind_we_are() -> None:
    """Unknown before the first good answer, nothing while it answers, and growing while it does not."""
    clock = Clock()
    script = Script(SourceUnavailable("away"), "ok", SourceUnavailable("away"), "ok")
    guard = guarded(clock, retries=0)
    lags = [guard.health().lag_seconds]
    for pause in (7, 7, 90, 0):
        try:
            await guard.read(a_read(script), a_batch(2000.0))
        except SourceUnavailable:
            clock.time += pause
        lags.append(guard.health().lag_seconds)
    assert lags == [None, None, 0, 90, 0]


async def test_the_clock_of_the_system_is_the_adapters_to_tell() -> None:
    """The guard passes on what the source knows; one that knows nothing says so."""
    assert Guard(config(), skew=lambda: -1500).health().clock_skew_ms == -1500
    assert Guard(config()).health().clock_skew_ms is None
