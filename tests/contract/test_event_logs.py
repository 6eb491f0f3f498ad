"""Every event log keeps the same promises: in memory, in a file, and in a real Redis that several logs share."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.events.log import EventLog, EventLogDown, Logged, Parked, Position, ResyncRequired, Retention
from schema.errors import RequestError
from tests.contract.event_logs import (
    NOW,
    Making,
    event,
    file_logs,
    ids,
    memory_logs,
    redis_logs,
)
from tests.redis_server import RedisServer

KINDS = ("memory", "file", "redis")
SHARED = ("file", "redis")
FEW = Retention(max_age=timedelta(hours=1), max_events=5, max_parked=3)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis for all tests; each has a namespace of its own in it."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


def made(kind: str, folder: Path, server: RedisServer) -> Making:
    """The makers of one kind of log."""
    if kind == "redis":
        return redis_logs(server.url)
    return file_logs(folder / "events.db") if kind == "file" else memory_logs()


@pytest.fixture(params=KINDS)
def making(request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer) -> Making:
    """Each kind of log in turn."""
    return made(request.param, tmp_path, server)


@pytest.fixture(params=SHARED)
def sharing(request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer) -> Making:
    """Those kinds that share with other processes."""
    return made(request.param, tmp_path, server)


@pytest.fixture
async def log(making: Making) -> AsyncIterator[EventLog]:
    """One open log that keeps everything these tests append."""
    async with making() as log:
        yield log


async def everything(log: EventLog, limit: int = 500) -> list[Logged]:
    """All that is kept, read batch by batch from the beginning."""
    found: list[Logged] = []
    after = Position((await log.head()).epoch, 0)
    while batch := await log.read(after, limit):
        found += batch
        after = batch[-1].position
    return found


async def test_what_was_appended_is_read_as_it_was(log: EventLog) -> None:
    """Events come back equal, in order, each at the place that was said."""
    put = [
        event(1),
        event(2, cause="abc", version="7", late=True, synthesized=True, data={"a": [1, None, {"b": "ü"}]}),
        event(3, minutes=-0.000001, touches=()),
    ]
    beginning = await log.head()
    told = await log.append(put)
    found = await log.read(beginning)
    assert [each.event for each in found] == put
    assert [each.position for each in found] == [each.position for each in told]
    assert [each.position.sequence for each in found] == [1, 2, 3]
    assert await log.head() == told[-1].position
    assert await log.read(told[-1].position) == []


async def test_nothing_to_append_is_nothing(log: EventLog) -> None:
    """An empty batch changes nothing."""
    before = await log.head()
    assert await log.append([]) == []
    assert await log.head() == before
    assert await log.find([]) == []


async def test_batches_of_a_reader_are_as_long_as_it_wants(log: EventLog) -> None:
    """However long the batches, the same events come in the same order."""
    await log.append([event(number) for number in range(1203)])
    wanted = [str(number) for number in range(1203)]
    assert ids(await everything(log)) == wanted
    assert ids(await everything(log, 7)) == wanted
    assert len(await log.read(Position((await log.head()).epoch, 0), 7)) == 7


async def test_a_message_sent_twice_is_one_event(log: EventLog) -> None:
    """The same id of the same source again, in the same batch or later: the first stays, the second is recorded."""
    first, second = await log.append([event(1), event(1)])
    (third,) = await log.append([event(1, minutes=5, fact="another")])
    number = event(1).number
    assert first.duplicate_of is None
    assert (second.duplicate_of, third.duplicate_of) == (number, number)
    assert second.position == third.position == first.position
    assert len(await everything(log)) == 1
    (recorded,) = await log.duplicates(number)
    assert (recorded.number, recorded.source, recorded.id) == (number, "SAP_PRD", "1")
    assert (recorded.count, recorded.received_at) == (2, NOW + timedelta(minutes=5))


async def test_a_fact_told_under_another_id_is_one_event(log: EventLog) -> None:
    """A manual resend has a new id and the same natural key: one event, and the second can be seen."""
    (first,) = await log.append([event("a", fact="material document 49")])
    again, other = await log.append([event("b", fact="material document 49", minutes=1), event("c")])
    assert (again.duplicate_of, again.position) == (event("a").number, first.position)
    assert other.duplicate_of is None
    assert other.position.sequence == first.position.sequence + 1
    assert ids(await everything(log)) == ["a", "c"]
    assert [(each.id, each.count) for each in await log.duplicates(event("a").number)] == [("b", 1)]
    assert await log.duplicates(event("c").number) == []
    assert await log.find([event("b").number]) == [None]


async def test_the_same_id_of_another_system_is_another_event(log: EventLog) -> None:
    """Ids are each system's own; no fact at all equals no other."""
    told = await log.append([event(1, fact=""), event(1, source="MES", fact=""), event(2, fact="")])
    assert [each.duplicate_of for each in told] == [None] * 3


async def test_what_cannot_be_written_is_refused_alone(log: EventLog) -> None:
    """An event that is no data at all costs nobody else theirs."""
    bad = [event(1, data={"x": object()}), event(2, occurred_at=NOW.replace(tzinfo=None))]
    results = await asyncio.gather(
        log.append([bad[0]]), log.append([event(3)]), log.append([event(4), bad[1]]), return_exceptions=True
    )
    assert [isinstance(each, RequestError) for each in results] == [True, False, True]
    assert ids(await everything(log)) == ["3"]


async def test_many_who_append_at_once(log: EventLog) -> None:
    """Batches stay whole, everybody learns their own places, and the order of one caller is kept."""

    async def caller(name: int) -> None:
        for batch in range(5):
            told = await log.append([event(f"{name}/{batch}/{part}") for part in range(3)])
            places = [each.position.sequence for each in told]
            assert places == list(range(places[0], places[0] + 3))

    await asyncio.gather(*[caller(name) for name in range(20)])
    found = await everything(log)
    assert [each.position.sequence for each in found] == list(range(1, 301))
    for name in range(20):
        own = [each for each in ids(found) if each.startswith(f"{name}/")]
        assert own == [f"{name}/{batch}/{part}" for batch in range(5) for part in range(3)]


async def test_who_no_longer_waits_loses_nothing(log: EventLog) -> None:
    """A caller that is cancelled may have had its events kept: others are not touched, and sending again is safe."""
    cancelled = asyncio.ensure_future(log.append([event(1)]))
    await asyncio.sleep(0)
    cancelled.cancel()
    await log.append([event(2)])
    await log.append([event(1)])
    assert sorted(ids(await everything(log))) == ["1", "2"]


async def follow(log: EventLog, after: Position, count: int) -> list[Logged]:
    """What a tail gives until so many have come."""
    found: list[Logged] = []
    async with asyncio.timeout(20):
        async for batch in log.tail(after):
            assert batch, "a tail gives no empty batches"
            found += batch
            if len(found) >= count:
                break
    return found


async def test_tails_see_everything_once_in_order(log: EventLog) -> None:
    """Those who follow from the beginning, from the middle and from now on, while others append."""
    await log.append([event(number) for number in range(10)])
    middle = (await log.append([event(10)]))[0].position
    beginning = Position(middle.epoch, 0)
    tails = [
        asyncio.ensure_future(follow(log, after, count))
        for after, count in ((beginning, 211), (middle, 200), (middle, 200))
    ]
    await asyncio.gather(*[log.append([event(number)]) for number in range(11, 211)])
    from_beginning, *from_middle = await asyncio.gather(*tails)
    wanted = [each.event for each in await everything(log)]
    assert [each.event for each in from_beginning] == wanted
    for found in from_middle:
        assert [each.event for each in found] == wanted[11:]


async def test_a_tail_wakes_at_once(log: EventLog) -> None:
    """What this process appends is told within a few milliseconds: nobody polls for it."""
    delays = []
    after = await log.head()
    for number in range(20):
        waiting = asyncio.ensure_future(follow(log, after, 1))
        await asyncio.sleep(0.02)
        (told,) = await log.append([event(number)])
        began = time.perf_counter()
        (found,) = await waiting
        delays.append(time.perf_counter() - began)
        after = told.position
        assert found.position == after
    # The median: what a busy machine adds to a few is not ours.
    assert sorted(delays)[10] < 0.03


async def test_a_tail_that_is_slow_misses_nothing(log: EventLog) -> None:
    """Whoever reads more slowly than events come reads on in the log, however much has come."""
    after = await log.head()
    slow = log.tail(after)
    await log.append([event(0)])
    found = list(await anext(slow))
    quick = asyncio.ensure_future(follow(log, after, 9001))
    for begin in range(1, 9001, 500):
        await log.append([event(number) for number in range(begin, begin + 500)])
    await quick
    async with asyncio.timeout(20):
        while len(found) < 9001:
            found += await anext(slow)
    assert ids(found) == [str(number) for number in range(9001)]
    await slow.aclose()  # type: ignore[attr-defined]


async def test_a_position_that_is_no_longer_kept_is_said(making: Making) -> None:
    """Who comes back after events were let go must read anew: by reading as by following; others go on."""
    async with making(FEW) as log:
        told = await log.append([event(number) for number in range(8)])
        assert await log.trim(NOW) == 3
        assert await log.trim(NOW) == 0
        for lost in (Position(told[0].position.epoch, 0), told[0].position, told[1].position):
            with pytest.raises(ResyncRequired, match="no longer kept"):
                await log.read(lost)
            with pytest.raises(ResyncRequired, match="no longer kept"):
                await follow(log, lost, 1)
        assert ids(await log.read(told[2].position)) == ["3", "4", "5", "6", "7"]
        assert ids(await follow(log, told[2].position, 5)) == ["3", "4", "5", "6", "7"]


async def test_positions_of_another_log_are_said(log: EventLog) -> None:
    """Another epoch, or a place that this log has not reached."""
    (told,) = await log.append([event(1)])
    for foreign in (
        Position("another", 0),
        Position("another", 1),
        replace_sequence(told.position, 2),
        replace_sequence(told.position, 10**12),
    ):
        with pytest.raises(ResyncRequired, match="another"):
            await log.read(foreign)
        with pytest.raises(ResyncRequired, match="another"):
            await follow(log, foreign, 1)
        with pytest.raises(ResyncRequired, match="another"):
            await log.about("item:FG-1050", 10, foreign)


def replace_sequence(position: Position, sequence: int) -> Position:
    """Another place of the same log."""
    return position._replace(sequence=sequence)


async def test_age_and_number_bound_what_is_kept(making: Making) -> None:
    """The oldest go first; with them goes everything that points to them, and their messages may come again."""
    async with making(FEW) as log:
        await log.append([event(number, minutes=number, touches=(f"lot:A/{number}",)) for number in range(6)])
        await log.append([event(0)])
        assert await log.trim(NOW) == 1
        assert await log.trim(NOW + timedelta(minutes=62.5)) == 2
        assert ids(await log.about("po:1710/1000040", 10)) == ["3", "4", "5"]
        assert await log.about("lot:A/0", 10) == []
        assert await log.duplicates(event(0).number) == []
        assert await log.find([event(0).number]) == [None]
        assert await log.trim(NOW + timedelta(days=1)) == 3
        assert await log.latest("po:1710/1000040") is None
        head = await log.head()
        assert head.sequence == 6
        assert await log.read(head) == []
        (told,) = await log.append([event(0, minutes=1500)])
        assert (told.position.sequence, told.duplicate_of) == (7, None)
        assert ids(await log.read(head)) == ["0"]


async def test_an_old_event_behind_a_young_one_waits_for_it(making: Making) -> None:
    """Only what is at the beginning goes, so that no reader finds a hole."""
    async with making(FEW) as log:
        await log.append([event(1, minutes=30), event(2, minutes=-90), event(3, minutes=31)])
        assert await log.trim(NOW + timedelta(minutes=10)) == 0
        assert await log.trim(NOW + timedelta(minutes=90.5)) == 2
        assert ids(await log.about("item:FG-1050", 10)) == ["3"]


async def test_much_is_trimmed_while_others_append(making: Making) -> None:
    """A trim of thousands leaves room for appends, and counts all."""
    async with making(FEW) as log:
        await log.append([event(number) for number in range(3000)])
        trimming = asyncio.ensure_future(log.trim(NOW))
        await asyncio.gather(*[log.append([event(f"x{n}")]) for n in range(20)])
        assert await trimming + await log.trim(NOW) == 3015
        assert len(await log.about("item:FG-1050", 100)) == 5


async def test_what_touches_an_object(log: EventLog) -> None:
    """The subject counts as touched; pages follow each other in the order of the log."""
    await log.append([event(n, subject=f"po:1710/{n % 2}", touches=(f"lot:A/{n % 3}",)) for n in range(12)])
    assert ids(await log.about("po:1710/1", 10)) == ["1", "3", "5", "7", "9", "11"]
    page = await log.about("lot:A/2", 2)
    assert ids(page) == ["2", "5"]
    assert ids(await log.about("lot:A/2", 10, page[-1].position)) == ["8", "11"]
    assert await log.about("lot:A/9", 10) == []


async def test_events_by_number(log: EventLog) -> None:
    """In the order asked for, None where there is none, asked twice given twice."""
    await log.append([event(1), event(2)])
    one, none, two, again = await log.find([event(n).number for n in (2, 9, 1, 2)])
    assert none is None
    assert one is not None
    assert two is not None
    assert (one.event.id, two.event.id) == ("2", "1")
    assert again == one


async def test_the_latest_of_a_subject(log: EventLog) -> None:
    """The one that occurred last, not that came last; of two at one instant the one that came later; of a type or any."""
    moved = "mfg.inventory.moved.v1"
    await log.append(
        [event(1, minutes=1), event(2, minutes=9), event(3, minutes=9), event(4, minutes=5, type=moved)]
    )
    await log.append([event(5, minutes=60, subject="po:1710/9")])
    await log.append([event(f"old {n}", minutes=-n, subject="po:1710/9", type=moved) for n in range(1, 120)])
    await log.append([event("first", minutes=-999, subject="po:1710/9", type="mfg.lot.changed.v1")])

    async def latest(subject: str, type: str | None = None) -> str | None:
        found = await log.latest(subject, type)
        return None if found is None else found.event.id

    assert await latest("po:1710/1000040") == "3"
    assert await latest("po:1710/1000040", moved) == "4"
    assert await latest("po:1710/9") == "5"
    assert await latest("po:1710/9", moved) == "old 1"
    assert await latest("po:1710/9", "mfg.lot.changed.v1") == "first"
    assert await latest("po:1710/9", "mfg.shipment.changed.v1") is None
    assert await latest("item:FG-1050") is None


def parked(number: str, *, minutes: float = 0, source: str = "MES", reason: str = "no id") -> Parked:
    """A message that could not become an event."""
    return Parked(number, source, NOW + timedelta(minutes=minutes), reason, b'{"raw": "\xff\x00"}')


async def test_what_could_not_become_an_event_is_kept(log: EventLog) -> None:
    """Parked messages come back as they are, oldest first; they are none of the events."""
    put = [parked("b", minutes=2), parked("a", minutes=3, source="WMS"), parked("c", minutes=1)]
    await log.park(put)
    await log.park([])
    assert await log.parked() == [put[2], put[0], put[1]]
    assert await log.parked(first=2) == [put[2], put[0]]
    assert await log.parked("WMS") == [put[1]]
    assert await log.parked("TMS") == []
    assert (await log.head()).sequence == 0
    assert await log.unpark(["a", "none", "c"]) == [put[1], put[2]]
    assert await log.unpark(["a", "c"]) == []
    assert await log.parked() == [put[0]]


async def test_parked_again_counts_on(log: EventLog) -> None:
    """The same message parked again is one, with the latest reason, the first arrival and all attempts."""
    await log.park([parked("a", minutes=1)])
    await log.park([replace(parked("a", minutes=9, reason="still no id"), attempts=2)])
    (found,) = await log.parked()
    assert (found.attempts, found.reason) == (3, "still no id")
    assert found.received_at == NOW + timedelta(minutes=1)


async def test_parked_messages_go_by_age_and_number(making: Making, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can fill the disk with what makes no sense; that some went is said."""
    async with making(FEW) as log:
        await log.park([parked(str(number), minutes=number) for number in range(5)])
        assert await log.trim(NOW) == 0
        assert [each.number for each in await log.parked()] == ["2", "3", "4"]
        assert "2 parked messages" in caplog.text
        await log.trim(NOW + timedelta(minutes=63.5))
        assert [each.number for each in await log.parked()] == ["4"]


async def test_a_closed_log_takes_nothing(making: Making) -> None:
    """After the end everybody is told, and nobody waits for ever."""
    async with making() as log:
        await log.append([event(1)])
    with pytest.raises(RequestError):
        await log.append([event(2)])
    with pytest.raises(RequestError):
        await log.head()


async def test_tails_end_with_the_log(making: Making) -> None:
    """Who still waits for news when the log is closed is told, instead of waiting for ever."""
    async with making() as log:
        waiting = asyncio.ensure_future(follow(log, await log.head(), 1))
        await asyncio.sleep(0.05)
    with pytest.raises(EventLogDown):
        async with asyncio.timeout(5):
            await waiting


async def test_what_is_under_way_is_finished_when_the_log_is_closed(sharing: Making) -> None:
    """An append that has begun is kept, and its caller told."""
    async with sharing() as log:
        under_way = [asyncio.ensure_future(log.append([event(number)])) for number in range(50)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*under_way)) == 50
    async with sharing() as log:
        assert len(await everything(log)) == 50


async def test_a_log_that_is_opened_again_is_the_same(sharing: Making) -> None:
    """Events, positions, duplicates and parked messages outlive the process; cursors go on."""
    async with sharing(FEW) as log:
        told = await log.append([event(number) for number in range(7)])
        await log.append([event(6)])
        await log.park([parked("a")])
        await log.trim(NOW)
    async with sharing(FEW) as log:
        assert ids(await log.read(told[3].position)) == ["4", "5", "6"]
        with pytest.raises(ResyncRequired):
            await log.read(told[0].position)
        (next_one,) = await log.append([event(7)])
        assert next_one.position == Position(told[0].position.epoch, 8)
        assert len(await log.duplicates(event(6).number)) == 1
        assert await log.parked() == [parked("a")]


async def test_logs_that_share_are_one(sharing: Making) -> None:
    """What one appends the other knows: as duplicate, by reading, and by following within 100 ms."""
    async with sharing() as here, sharing() as there:
        after = await there.head()
        delays = []
        for number in range(15):
            waiting = asyncio.ensure_future(follow(there, after, 1))
            await asyncio.sleep(0.03)
            (told,) = await here.append([event(number)])
            began = time.perf_counter()
            (found,) = await waiting
            delays.append(time.perf_counter() - began)
            assert found.position == told.position
            after = told.position
        assert sorted(delays)[7] < 0.1
        (again,) = await there.append([event(3)])
        assert again.duplicate_of == event(3).number
        await asyncio.gather(*[log.append([event(n)]) for n in range(15, 115) for log in (here, there)])
        assert await everything(here) == await everything(there)
        assert len(await everything(here)) == 115


async def test_tails_that_end_leave_nothing_behind(log: EventLog) -> None:
    """The task that follows the log for all tails ends with the last of them, and a new tail begins it anew."""

    def names() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks()]

    for number in range(3):
        after = await log.head()
        waiting = asyncio.ensure_future(follow(log, after, 1))
        await asyncio.sleep(0.01)
        assert "event log tail" in names()
        await log.append([event(number)])
        await waiting
        for _ in range(100):
            if "event log tail" not in names():
                break
            await asyncio.sleep(0.01)
        assert "event log tail" not in names()


async def fill_and_empty(making: Making) -> None:
    """Events, duplicates by number and by fact, and parked messages; then all of it is too old."""
    async with making(FEW) as log:
        await log.append([event(n, subject=f"po:1710/{n % 3}", touches=(f"lot:A/{n}",)) for n in range(20)])
        await log.append([event(1), event("again", fact=event(2).fact), event("no fact", fact="")])
        await log.park([parked("a"), parked("b")])
        await log.trim(NOW + timedelta(days=1))
        assert await everything_after_trim(log) == []
        assert await log.parked() == []


async def everything_after_trim(log: EventLog) -> list[Logged]:
    """What is still told."""
    return await log.read(await log.head())


async def test_a_file_from_which_all_has_gone_is_empty(tmp_path: Path) -> None:
    """Nothing that pointed to an event outlives it: else the file would grow for ever."""
    await fill_and_empty(file_logs(tmp_path / "events.db"))
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        assert set(tables) == {"log", "events", "touches", "duplicates", "parked"}
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    assert counts == {"log": 1, "events": 0, "touches": 0, "duplicates": 0, "parked": 0}


async def test_a_redis_from_which_all_has_gone_is_empty() -> None:
    """Nor is a key left there, but for where the log stands."""
    with RedisServer() as server:
        await fill_and_empty(redis_logs(server.url))
        async with Redis.from_url(server.url, decode_responses=True) as client:
            left = {str(key).rpartition(":")[2]: str(key) for key in await client.keys("*")}
            assert await client.xlen(left["stream"]) == 0
    assert sorted(left) == ["state", "stream"]
