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
