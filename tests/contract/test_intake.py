"""The intake over every kind of log: told once, late or not, waiting while a system is down, parked, replayed."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.events.log import EventLog
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog
from sources.events import Message
from tests.redis_server import RedisServer
from tests.unit.gateway.events.house import Erp, House, house, state


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis for these tests."""
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["memory", "file", "redis"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> EventLog:
    """Each kind of log, empty and not open."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        return RedisLog(server.url, namespace=uuid4().hex, timeout=10.0)
    return SqliteLog(None if request.param == "memory" else tmp_path / "events.db")


async def nothing_waits(at: House) -> None:
    """Wait until everything is completed."""
    end = time.monotonic() + 20
    while len(at.intake.inbox):
        assert time.monotonic() < end, "something still waits"
        await asyncio.sleep(0.01)


async def test_messages_are_told_once_and_what_is_late_is_marked(log: EventLog) -> None:
    """By number, by fact, in one batch and in several at once."""
    async with house(log) as at:
        batch = [
            state("1", "COMPLETED", 3, "c"),
            state("1", "RELEASED", 1, "a"),
            state("1", "RELEASED", 1, "x"),
        ]
        first = await at.intake.take("MES", batch)
        assert [one.state for one in first] == ["ACCEPTED", "ACCEPTED", "DUPLICATE"]
        again = [
            at.intake.take("MES", [state("1", "COMPLETED", 3, "c"), state("1", "IN_PROGRESS", 2, str(n))])
            for n in range(5)
        ]
        await asyncio.gather(*again)
        told = [(event.version, event.late) for event in await at.told()]
    assert told == [("3", False), ("1", True), ("2", True)]


async def test_what_waits_and_what_is_not_understood_are_told_apart(log: EventLog) -> None:
    """The one goes on by itself when its system answers; the other stays until somebody looks."""
    erp = Erp(down=True)
    async with house(log, erp) as at:
        hint = Message({"what": "changed", "order": "1"}, "h")
        waiting, dead = await at.intake.take("ERP", [hint, Message({"what": "?"}, "d")])
        assert [waiting.state, dead.state] == ["WAITING", "PARKED"]
        assert {one.number for one in await log.parked("ERP")} == {waiting.number, dead.number}
        erp.put("1", "CREATED", 1)
        erp.down = False
        await nothing_waits(at)
        assert [event.subject for event in await at.told()] == ["po:P1/1"]
        assert [one.number for one in await log.parked()] == [dead.number]
        [replayed] = await at.intake.replay(await log.parked())
        assert (replayed.state, (await log.parked())[0].attempts) == ("PARKED", 2)
