"""Where a query without a token begins: at the oldest event that is kept."""

from datetime import timedelta

import pytest

from gateway.epcis.service import oldest
from gateway.events.log import Retention
from gateway.events.sqlite import SqliteLog
from tests.unit.gateway.epcis.shipments import AT, happened


@pytest.mark.parametrize(("many", "kept"), [(0, 5), (1, 5), (4, 5), (20, 5), (21, 1)])
async def test_what_was_let_go_of_is_passed(many: int, kept: int) -> None:
    """Every event that is kept is read from there, and nothing is refused."""
    log = SqliteLog(retention=Retention(max_events=kept))
    await log.open()
    events = [happened(str(number), received_at=AT + timedelta(seconds=number)) for number in range(many)]
    for event in events:
        await log.append([event])
    await log.trim(AT)
    found = await log.read(await oldest(log), 100)
    assert [one.event.id for one in found] == [event.id for event in events[-kept:]]
    await log.close()


@pytest.mark.parametrize(("since", "first"), [(-5, 3), (3, 3), (7, 7), (9, 9), (10, None), (99, None)])
async def test_a_query_may_begin_later(since: int, first: int | None) -> None:
    """At the first event that was received at an instant or after it."""
    log = SqliteLog(retention=Retention(max_events=7))
    await log.open()
    for number in range(10):
        await log.append([happened(str(number), received_at=AT + timedelta(seconds=number))])
    await log.trim(AT)
    found = await log.read(await oldest(log, AT + timedelta(seconds=since)), 1)
    assert [one.event.id for one in found] == ([] if first is None else [str(first)])
    await log.close()
