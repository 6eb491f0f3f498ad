"""The MES of Zwolle tells nothing: what happens there is seen by looking, and told all the same."""

from datetime import UTC, datetime, timedelta

from gateway.app import make_catalog
from gateway.events.interest import Interests
from gateway.events.log import Position
from gateway.events.polling import Polling
from gateway.events.publishing import Publisher
from gateway.events.sqlite import SqliteLog
from schema.events import Event
from tests.e2e.demo.conftest import settings_over
from tests.e2e.demo.plant import running_plant


async def test_what_happens_in_zwolle_is_told_though_it_tells_nothing() -> None:
    """Half a day goes by: orders change, operations are completed; each is told once, looked at as often as you like."""
    with running_plant() as plant:
        catalog, log = make_catalog(settings_over(plant)), SqliteLog()
        let_go: list[str] = []

        async def invalidate(ids: object) -> None:
            assert isinstance(ids, dict)
            let_go.extend(ids)

        publisher = Publisher(log, invalidate, lambda system: None)
        polling = Polling(catalog, log, publisher, Interests(), lambda: datetime.now(UTC))
        [look] = polling.looks
        await log.open()
        await catalog.open()
        try:
            assert await look.look() == 0
            plant.world.clock.advance(timedelta(hours=12))
            first = await look.look()
            assert first > 20
            assert await look.look() == 0
            head = await log.head()
            told: list[Event] = [one.event for one in await log.read(Position(head.epoch, 0), 5000)]
        finally:
            await catalog.close()
            await log.close()
    assert len(told) == first
    assert {event.type for event in told} == {"mfg.operation.completed.v1", "mfg.production-order.changed.v1"}
    assert all(event.source == "MES_ZWO" and event.synthesized for event in told)
    assert all(event.occurred_at >= plant.world.clock.start - timedelta(days=1) for event in told)
    ended = next(event for event in told if event.type == "mfg.operation.completed.v1")
    plant_code, order, operation = (ended.data[name] for name in ("plant", "order", "operation"))
    assert ended.subject == f"op:{plant_code}/{order}/{operation}"
    assert {ended.subject, f"po:{plant_code}/{order}"} <= set(let_go)
