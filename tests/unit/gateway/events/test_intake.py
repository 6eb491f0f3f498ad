"""From a message to the log: once, in its place in time, with the caches let go first, and nothing lost on the way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.events.intake import Backlog, Intake
from gateway.events.log import Appended, EventLogDown, Parked
from gateway.events.sorting import WAITING, packed
from gateway.events.sqlite import SqliteLog
from schema.base import Plant
from schema.errors import ConfigError
from schema.events import Event
from schema.production import OrderPlanning
from sources.base import Batch, Need
from sources.catalog import Catalog
from sources.events import Message
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.transport import mocked
from tests.unit.gateway.events.house import ERP, START, Erp, House, Opened, SameKeys, house, state

CHANGED, RELEASED = "mfg.production-order.changed.v1", "mfg.production-order.released.v1"


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, "it did not come to it"
        await asyncio.sleep(0.01)


async def completed(at: House) -> None:
    """Wait until nothing waits any more."""

    async def nothing_waits() -> bool:
        return len(at.intake.inbox) == 0

    await until(nothing_waits)


def changed(order: str, id: str | None = None) -> Message:
    """The ERP says that an order changed, and nothing more."""
    return Message({"what": "changed", "order": order}, id)


async def test_a_message_becomes_an_event_with_what_its_ids_say() -> None:
    """Touched objects, correlation and the parts of the keys are filled in."""
    async with house() as at:
        body = {"what": "done", "order": "1", "op": "0010", "at": START.isoformat(), "good": 4, "unit": "PC"}
        [became] = await at.intake.take("MES", [Message(body, "m1")])
        [event] = await at.told()
    assert became.state == "ACCEPTED"
    assert became.events == (event.number,)
    assert (event.source, event.id, event.subject) == ("MES", "m1", "op:P1/1/0010")
    assert event.touches == ("op:P1/1/0010", "po:P1/1")
    assert event.correlation_id == "po:P1/1"
    assert event.data == {"plant": "P1", "order": "1", "operation": "0010", "good": "4", "unit": "H87"}


async def test_the_same_message_and_the_same_fact_are_told_once() -> None:
    """A retry of the sender has the same id; a resend by hand a new one: both are recorded, neither is told."""
    async with house() as at:
        [first] = await at.intake.take("MES", [state("1", "RELEASED", 1, "m1")])
        again, resent = await at.intake.take(
            "MES", [state("1", "RELEASED", 1, "m1"), state("1", "RELEASED", 1, "m2")]
        )
        assert len(await at.told()) == 1
        assert [again.state, resent.state] == ["DUPLICATE", "DUPLICATE"]
        assert again.duplicates == resent.duplicates == first.events
        assert [one.id for one in await at.events.duplicates(first.events[0])] != []


async def test_what_comes_late_is_told_as_late() -> None:
    """By the owner's version; and within one batch too."""
    async with house() as at:
        await at.intake.take("MES", [state("1", "IN_PROGRESS", 3), state("1", "RELEASED", 2)])
        await at.intake.take("MES", [state("1", "CREATED", 1), state("1", "COMPLETED", 10)])
        assert [(event.version, event.late) for event in await at.told()] == [
            ("3", False),
            ("2", True),
            ("1", True),
            ("10", False),
        ]


async def test_versions_win_over_clocks() -> None:
    """An owner that set its clock back is still believed to know what came first."""
    async with house() as at:
        newer, older = state("1", "COMPLETED", 9), state("1", "RELEASED", 8)
        older.body["at"], newer.body["at"] = newer.body["at"], older.body["at"]
        await at.intake.take("MES", [older, newer])
        assert [event.late for event in await at.told()] == [False, False]


async def test_a_clock_that_is_ahead_makes_nobody_else_late() -> None:
    """The MES is nine minutes ahead and known to be: what the ERP says five minutes later by its clock is later."""
    minutes = 9 * 60_000
    for skew, late in ((minutes, False), (None, True)):
        erp = Erp()
        async with house(erp=erp, skew=skew) as at:
            await at.intake.take("MES", [state("1", "IN_PROGRESS", 9)])
            erp.put("1", "IN_PROGRESS", 5)
            await at.intake.take("ERP", [changed("1")])
            await completed(at)
            told = await at.told()
            assert [(event.source, event.late) for event in told] == [("MES", False), ("ERP", late)]
            # What it claims stays what it claims.
            assert told[0].occurred_at == START + timedelta(minutes=9)


async def test_what_followed_the_release_of_its_order_says_so() -> None:
    """The cause of a completed operation is the event by which its order was released."""
    erp = Erp()
    async with house(erp=erp) as at:
        erp.put("1", "CREATED", 1)
        await at.intake.take("ERP", [changed("1")])
        await completed(at)
        erp.put("1", "RELEASED", 2, START + timedelta(minutes=2))
        await at.intake.take("ERP", [changed("1")])
        await completed(at)
        done = {"what": "done", "order": "1", "op": "0010", "at": (START + timedelta(hours=1)).isoformat()}
        await at.intake.take("MES", [Message(done)])
        told = await at.told()
    released = next(event for event in told if event.type == RELEASED)
    assert told[-1].cause == released.number
    assert told[0].cause is None


async def test_released_is_concluded_where_nobody_says_it() -> None:
    """The ERP only says that an order changed; created before and released now is a release, once."""
    erp = Erp()
    async with house(erp=erp) as at:
        steps = [("CREATED", None), ("RELEASED", START), ("IN_PROGRESS", START), ("IN_PROGRESS", START)]
        for version, (status, released) in enumerate(steps, 1):
            erp.put("1", status, version, released)
            [became] = await at.intake.take("ERP", [changed("1", f"m{version}")])
            assert became.state == "WAITING"
            await completed(at)
        told = await at.told()
    said = [
        (event.type, event.data.get("status"), event.data.get("previousStatus"), event.synthesized)
        for event in told
    ]
    assert said == [
        (CHANGED, "CREATED", None, False),
        (RELEASED, None, None, True),
        (CHANGED, "RELEASED", "CREATED", False),
        (CHANGED, "IN_PROGRESS", "RELEASED", False),
        (CHANGED, "IN_PROGRESS", None, False),
    ]
    assert told[1].occurred_at == START


async def test_a_release_that_bears_the_mere_day_is_not_late() -> None:
    """The ERP gives midnight as its time, before the last change that was told; it is news all the same."""
    erp = Erp()
    async with house(erp=erp) as at:
        for version, (status, released) in enumerate(
            (("CREATED", None), ("RELEASED", START.replace(hour=0))), 1
        ):
            erp.put("1", status, version, released)
            await at.intake.take("ERP", [changed("1", f"m{version}")])
            await completed(at)
        assert [(event.type, event.late) for event in await at.told()] == [
            (CHANGED, False),
            (RELEASED, False),
            (CHANGED, False),
        ]


async def test_a_release_of_long_ago_is_no_news() -> None:
    """Where nothing was known of an order, only a release of the last day is told."""
    erp = Erp()
    async with house(erp=erp) as at:
        erp.put("1", "RELEASED", 1, START - timedelta(days=30))
        erp.put("2", "RELEASED", 1, START - timedelta(hours=3))
        await at.intake.take("ERP", [changed("1"), changed("2")])
        await completed(at)
        told = [(event.type, event.subject) for event in await at.told()]
    assert told == [(CHANGED, "po:P1/1"), (RELEASED, "po:P2/2"), (CHANGED, "po:P2/2")]


async def test_many_hints_cost_one_call() -> None:
    """What waits together is read together, whichever plant it is of."""
    erp = Erp()
    async with house(erp=erp) as at:
        for number in range(10, 30):
            erp.put(str(number), "CREATED", 1)
        await at.intake.take("ERP", [changed(str(number)) for number in range(10, 30)])
        await completed(at)
        assert len(await at.told()) == 20
        assert len(erp.asked) == 1


async def test_what_was_read_for_an_event_is_there_for_those_who_are_told() -> None:
    """The caches let go of it before it is read for the event, and not once more."""
    erp = Erp()
    erp.put("1", "CREATED", 1)
    async with house(erp=erp) as at:
        assert await _status(at) == "CREATED"
        erp.put("1", "RELEASED", 2)
        await at.intake.take("ERP", [changed("1")])
        await completed(at)
        calls = len(erp.asked)
        assert await _status(at) == "RELEASED"
        assert len(erp.asked) == calls == 2


async def test_one_that_cannot_be_completed_keeps_no_other() -> None:
    """It is parked for people; what waited with it is told."""
    erp = Erp()
    erp.put("1", "CREATED", 1)
    erp.put("2", "CREATED", 1)
    erp.orders["1"]["no"] = "1"
    erp.orders["1"]["qty"] = "many"
    async with house(erp=erp) as at:
        await at.intake.take("ERP", [changed("1"), changed("2")])
        await completed(at)
        assert [event.subject for event in await at.told()] == ["po:P2/2"]
        assert [one.reason.partition(":")[0] for one in await at.events.parked()] == ["UNREADABLE"]


async def test_one_that_cannot_be_told_at_all_harms_no_other() -> None:
    """What is told at the same time is told, whatever the log refuses."""

    class Choosy(SqliteLog):
        async def append(self, events: Sequence[Event]) -> list[Appended]:
            if any(event.subject == "po:P1/666" for event in events):
                raise ValueError("not this one")
            return await super().append(events)

    async with house(Choosy()) as at:
        taken = [at.intake.take("MES", [state(number, "RELEASED", 1)]) for number in ("1", "666", "2")]
        first, second, third = await asyncio.gather(*taken, return_exceptions=True)
        assert isinstance(second, ValueError)
        assert not isinstance(first, BaseException)
        assert not isinstance(third, BaseException)
        assert [event.subject for event in await at.told()] == ["po:P1/1", "po:P1/2"]


async def test_nothing_is_lost_while_a_system_is_down() -> None:
    """What was accepted waits, in the log, until the system answers again; the next process takes it over."""
    erp, log = Erp(down=True), SqliteLog()
    async with house(log, erp) as at:
        [became] = await at.intake.take("ERP", [changed("1", "m1")])
        assert became.state == "WAITING"
        assert [(one.number, one.reason) for one in await log.parked()] == [(became.number, "WAITING")]
        await until(lambda: _asked(erp, 1))
        assert await at.told() == []
        erp.put("1", "CREATED", 1)
        erp.down = False
        await completed(at)
        assert len(await at.told()) == 1
        assert await log.parked() == []


async def _asked(erp: Erp, times: int) -> bool:
    return len(erp.asked) >= times


async def test_what_a_dead_process_left_is_taken_over() -> None:
    """Parked as waiting, with nobody at work on it: the next start goes on with it."""
    erp, log = Erp(), SqliteLog()
    erp.put("1", "CREATED", 1)
    # As a process leaves it that was killed right after it had parked the message.
    await log.open()
    await log.park([Parked("n1", "ERP", START, WAITING, packed(changed("1", "m1")))])
    async with house(Opened(log), erp) as at:
        await until(lambda: _told(at, 1))
        await completed(at)
        assert await log.parked() == []
    await log.close()


async def _told(at: House, count: int) -> bool:
    return len(await at.told()) >= count


async def test_what_is_not_understood_is_parked_with_the_reason() -> None:
    """A kind nobody mapped, a value that cannot be, a key that is nobody's, a broken contract: accepted, not told."""
    async with house() as at:
        messages = [
            Message({"what": "news"}, "a"),
            Message({"what": "done", "order": "1", "op": "1", "at": "soon"}, "b"),
            state("?", "RELEASED", 1, "c"),
            state("1", "Rleased", 1, "d"),
            state("1", "RELEASED", 1, "e"),
        ]
        became = await at.intake.take("MES", messages)
        assert [one.state for one in became] == ["PARKED"] * 4 + ["ACCEPTED"]
        reasons = {one.number: one.reason for one in await at.events.parked()}
        codes = [reasons[one.number].partition(":")[0] for one in became[:4]]
        assert codes == ["UNKNOWN_KIND", "UNREADABLE", "NOT_MAPPED", "CONTRACT"]
        assert len(await at.told()) == 1


async def test_a_parked_message_is_told_once_its_table_is_mended(tmp_path: Path) -> None:
    """It is tried with the tables of today; what is still wrong stays, with today's reason."""
    file = tmp_path / "events.db"
    async with house(SqliteLog(file)) as at:
        await at.intake.take(
            "ERP", [Message({"what": "cancelled", "order": "1"}, "a"), Message({"what": "x"}, "b")]
        )
        assert [one.reason.partition(":")[0] for one in await at.events.parked()] == ["UNKNOWN_KIND"] * 2
    erp = Erp()
    erp.put("1", "CANCELLED", 1)
    mended = {"all": {**ERP["events"]["changed"], "match": {"what": ["changed", "cancelled"]}}}
    async with house(SqliteLog(file), erp, told=mended) as at:
        became = await at.intake.replay(await at.events.parked())
        assert sorted(one.state for one in became) == ["PARKED", "WAITING"]
        await completed(at)
        assert [event.data["status"] for event in await at.told()] == ["CANCELLED"]
        assert [(one.reason.partition(":")[0], one.attempts) for one in await at.events.parked()] == [
            ("UNKNOWN_KIND", 2)
        ]


class _Down(SqliteLog):
    """A log that takes nothing."""

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        raise EventLogDown("no space left")


async def test_nothing_is_accepted_that_the_log_did_not_take() -> None:
    """The sender is told to send it again."""
    async with house(_Down()) as at:
        with pytest.raises(EventLogDown):
            await at.intake.take("MES", [state("1", "RELEASED", 1)])


async def test_more_than_can_wait_is_not_accepted() -> None:
    """Rather it is sent again later than pushed out of the log."""
    erp = Erp(down=True)
    async with house(erp=erp) as at:
        intake = Intake(
            at.catalog, SameKeys(), at.events, at.caching.invalidate, lambda: START, most_waiting=2
        )
        await intake.take("ERP", [changed("1"), changed("2")])
        with pytest.raises(Backlog):
            await intake.take("ERP", [changed("3")])
        await intake.inbox.stop()


async def test_whoever_is_woken_by_an_event_never_reads_the_old_value() -> None:
    """The caches let go of what an event touches before anybody can see it."""
    erp = Erp()
    erp.put("1", "CREATED", 1)
    async with house(erp=erp) as at:
        tail = at.events.tail(await at.events.head())
        for version in range(2, 30):
            assert await _status(at) is not None
            erp.put("1", f"{'RELEASED' if version % 2 else 'CREATED'}", version)
            wanted = erp.orders["1"]["status"]
            await at.intake.take(
                "MES" if version % 3 else "ERP",
                [state("1", wanted, version) if version % 3 else changed("1")],
            )
            await anext(tail)
            assert await _status(at) == wanted


async def _status(at: House) -> str:
    """The status of the order as a reader gets it who takes whatever the cache has."""
    [[provider]] = at.catalog.route(OrderPlanning, "order", "P1/1")
    batch = Batch(("P1/1",), frozenset({OrderPlanning}), time.monotonic() + 5, need=Need(arrived=time.time()))
    [row] = (await provider.call(batch))[OrderPlanning]
    status: str = row.status.value
    return status


async def test_one_batch_is_one_invalidation_and_one_append() -> None:
    """A thousand messages cost the caches and the log no more steps than one."""
    calls: list[int] = []

    async def invalidate(ids: Iterable[str]) -> None:
        calls.append(len(list(ids)))

    class Counting(SqliteLog):
        async def append(self, events: Sequence[Event]) -> list[Appended]:
            calls.append(-len(events))
            return await super().append(events)

    log = Counting()
    async with house(log) as at:
        intake = Intake(at.catalog, SameKeys(), log, invalidate, lambda: START)
        await intake.take("MES", [state(str(number), "RELEASED", 1) for number in range(500)])
        assert calls == [500, -500]


def test_a_table_that_could_never_tell_is_refused_at_the_start() -> None:
    """Data without room in its contract, and rows nothing can be concluded from."""
    for change, said in (
        ({"changed": {**ERP["events"]["changed"], "reads": ["ProductionOrder"]}}, "nothing can be concluded"),
        (
            {
                "x": {
                    "match": {"a": 1},
                    "type": CHANGED,
                    "subject": {"type": "ProductionOrder", "plant": "p", "number": "n"},
                    "data": {"stauts": "s"},
                }
            },
            "'stauts' has no room",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            _assembled(change)


def _assembled(events: Mapping[str, Any]) -> None:
    source = Rest(RestConfig.model_validate({**ERP, "events": events}), mocked(Erp().answer))
    catalog = Catalog([source], [Plant("P1", "", "UTC"), Plant("P2", "", "UTC")])
    Intake(catalog, SameKeys(), SqliteLog(), _nothing, lambda: START)


async def _nothing(ids: Iterable[str]) -> None:
    return None
