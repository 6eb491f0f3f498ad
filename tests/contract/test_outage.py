"""A system is stopped under load and started again, for every adapter: what its guard makes of it."""

import asyncio
import logging
import time
from collections import Counter

import pytest

from schema.base import CircuitState
from schema.errors import SourceError
from sources import ADAPTERS
from sources.base import Batch
from sources.guard import Guard
from tests.contract.case import Case
from tests.contract.conftest import CASES, Rig, made
from tests.proxy import Mode

DEADLINE = 0.5
PROBE = 0.3
"""Seconds until an open circuit lets a probe through."""


@pytest.fixture(scope="module", params=list(ADAPTERS))
def case(request: pytest.FixtureRequest) -> Case:
    """One case of each adapter: outages take their time."""
    return CASES[request.param]


class Load:
    """Readers that ask on and on, each call with a deadline; counts how the calls end."""

    def __init__(self, rig: Rig, readers: int = 6) -> None:
        self._rig = rig
        self._readers = readers
        self._tasks: list[asyncio.Task[None]] = []
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self._ended = asyncio.Event()

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._read()) for _ in range(self._readers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends

    async def until(self, outcome: str, seconds: float) -> None:
        """Wait until a call ends like this; fails when none does in time."""
        self.outcomes.clear()
        async with asyncio.timeout(seconds):
            while not self.outcomes[outcome]:
                self._ended.clear()
                await self._ended.wait()

    async def _read(self) -> None:
        rig, wants = self._rig, frozenset(part.type for part in self._rig.read.parts)
        while True:
            began = time.monotonic()
            try:
                await rig.guard.read(rig.read, Batch(rig.case.keys, wants, began + DEADLINE))
            except SourceError as error:
                self.outcomes[error.outcome.value] += 1
            else:
                self.outcomes["OK"] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            self._ended.set()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["stopped", "silent", "resetting"])
async def test_an_outage_under_load(rig: Rig, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Calls fail fast while it lasts, come back within a second after, and the log has two lines in all."""
    caplog.set_level(logging.INFO, "crossdock.sources")
    source = made(
        rig.case,
        rig.proxy.url,
        rig.case.secret,
        retries=1,
        timeout_ms=500,
        breaker_seconds=PROBE,
        concurrency=4,
    )
    await source.open()
    rig = Rig(rig.case, source, Guard(source.config), rig.faults, rig.proxy)
    try:
        async with Load(rig) as load:
            await load.until("OK", 3)
            if how == "stopped":
                rig.proxy.down()
            rig.proxy.mode = {"silent": Mode.SILENT, "resetting": Mode.RESET}.get(how, Mode.PASS)
            await load.until("UNAVAILABLE", 4)
            await asyncio.sleep(3 * PROBE)
            assert rig.guard.health().circuit is not CircuitState.CLOSED
            load.outcomes.clear()
            await asyncio.sleep(PROBE)
            assert load.outcomes["OK"] == 0
            rig.proxy.mode = Mode.PASS
            rig.proxy.up()
            # A probe that is away in silence, the wait after it, and a little.
            await load.until("OK", DEADLINE + PROBE + 0.7)
            await asyncio.sleep(0.2)
            assert load.slowest < DEADLINE + 0.3
            assert rig.guard.health().healthy
    finally:
        await source.close()
    lines = [record.getMessage() for record in caplog.records if record.name == "crossdock.sources"]
    assert [line.split(" ")[1:3] for line in lines] == [["is", "down:"], ["is", "up"]], lines


async def test_an_outage_spares_the_system(rig: Rig) -> None:
    """A system in trouble gets a probe now and then, not the whole load."""
    source = made(rig.case, rig.proxy.url, rig.case.secret, breaker_seconds=PROBE, breaker_failures=3)
    await source.open()
    rig = Rig(rig.case, source, Guard(source.config), rig.faults, rig.proxy)
    try:
        async with Load(rig) as load:
            await load.until("OK", 3)
            rig.proxy.mode = Mode.RESET
            await load.until("UNAVAILABLE", 3)
            await asyncio.sleep(0.1)
            before = rig.faults.requests
            await asyncio.sleep(4 * PROBE)
            assert sum(load.outcomes.values()) > 100
            assert rig.faults.requests - before <= 2 * 5
    finally:
        await source.close()
