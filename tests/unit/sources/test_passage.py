"""Calls that cost an adapter several requests: each takes a turn, counts, and waits for its connection in its lane."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from schema.base import CircuitState
from schema.errors import SourceThrottled, SourceTimeout
from sources.base import Batch, Bundle, Lane
from sources.guard import Guard
from sources.http import Http, HttpConfig
from sources.lanes import Gate
from tests.transport import mocked
from tests.unit.sources.guarding import a_read, outcome, rows, soon


class System:
    """A system over HTTP whose read costs so many requests at once."""

    def __init__(self, requests: int, **settings: Any) -> None:
        table = {"code": "SAP", "adapter": "rest", "kind": "ERP", "base_url": "http://127.0.0.1:1"}
        self.config = HttpConfig.model_validate(table | settings)
        self.http = Http(self.config, mocked(self._answer))
        self.requests = requests
        self.served = self.running = self.most = 0

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.served += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.005)
        self.running -= 1
        return httpx2.Response(200, json={})

    async def fetch(self, batch: Batch) -> Bundle:
        """A read of several requests."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.requests):
                group.create_task(self.http.send("GET", "/things", deadline=batch.deadline))
        return rows(batch)

    async def once(self, batch: Batch) -> Bundle:
        """A read of one request."""
        await self.http.send("GET", "/things", deadline=batch.deadline)
        return rows(batch)


async def test_every_request_takes_a_turn() -> None:
    """A read of four requests uses up a rate of four; the next read is refused."""
    system = System(4, rate={"calls": 4})
    await system.http.open()
    guard = Guard(system.config)
    await guard.read(a_read(system.fetch), soon())
    assert isinstance(await outcome(guard, system.fetch, soon(0.2)), SourceThrottled)
    assert system.served == 4
    await system.http.close()


async def test_a_rate_that_ends_within_a_call_is_no_trouble_of_the_system() -> None:
    """What was refused by ourselves neither opens the circuit nor silences it; after a rest calls go on."""
    system = System(4, rate={"calls": 2, "seconds": 0.3}, breaker_failures=1)
    await system.http.open()
    guard = Guard(system.config)
    assert isinstance(await outcome(guard, system.fetch, soon(0.2)), SourceThrottled)
    assert guard.health().since is None
    await asyncio.sleep(0.3)
    system.requests = 2
    await guard.read(a_read(system.fetch), soon())
    await system.http.close()


async def test_every_request_counts_towards_a_budget() -> None:
    """A budget that ends within a call ends the call, without a try more, and leaves the shop floor alone."""
    budget = {"name": "all day", "time_zone": "UTC", "calls": 5}
    system = System(4, budgets=[budget])
    await system.http.open()
    guard = Guard(system.config)
    await guard.read(a_read(system.fetch), soon())
    error = await outcome(guard, system.fetch, soon())
    assert isinstance(error, SourceThrottled)
    assert "takes no more than 5 requests" in str(error)
    assert guard.health().healthy
    await guard.read(a_read(system.fetch), replace(soon(), lane=Lane.SHOP_FLOOR))
    assert system.served <= 5 + 4
    await system.http.close()


async def test_connections_are_given_by_lanes_too() -> None:
    """However many requests an analytics call makes at once, an app call finds a connection."""
    system = System(20, max_connections=4)
    await system.http.open()
    guard = Guard(system.config)
    crawl = [
        asyncio.create_task(guard.read(a_read(system.fetch), replace(soon(), lane=Lane.ANALYTICS)))
        for _ in range(4)
    ]
    await asyncio.sleep(0.02)
    assert system.most == 2
    began, done = time.monotonic(), system.served
    await guard.read(a_read(system.once), soon())
    assert time.monotonic() - began < 0.05
    assert system.served - done < 20
    await asyncio.gather(*crawl)
    await system.http.close()


async def test_who_asks_for_too_much_at_once_does_not_cut_off_the_system() -> None:
    """A call that runs out of time while each request is answered quickly is our trouble, not the system's."""
    system = System(200, max_connections=2, timeout_ms=200, breaker_failures=1, retries=0)
    await system.http.open()
    guard = Guard(system.config)
    assert isinstance(await outcome(guard, system.fetch, soon()), SourceTimeout)
    assert guard.health().circuit is CircuitState.CLOSED
    await guard.read(a_read(system.once), soon())
    await system.http.close()


@pytest.mark.parametrize("lane", Lane)
async def test_who_has_a_slot_gets_its_next_turn_first(lane: Lane) -> None:
    """A call that is under way goes before those of its lane that have not begun, and needs no second slot."""
    gate, order = Gate(1, quota=Slow()), list[str]()
    await gate.enter(lane)

    async def begin() -> None:
        await gate.enter(lane)
        order.append("begun")

    async def go_on() -> None:
        await gate.turn(lane)
        order.append("went on")
        gate.leave(lane)

    waiting = asyncio.create_task(begin())
    await asyncio.sleep(0)
    await asyncio.gather(go_on(), waiting)
    assert order == ["went on", "begun"]


class Slow:
    """A quota that always has a turn, after a moment."""

    async def take(self, lane: Lane) -> float:
        await asyncio.sleep(0.001)
        return 0.0
