"""A system that tells nothing is asked what changed: once for all, as often as it deserves, and nothing is missed."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from gateway.events.polling import ChangeLook
from schema.errors import ConfigError
from schema.logistics import Shipment
from schema.production import ProductionOrder
from tests.unit.gateway.events.house import START, Erp, House, house

CHANGED, RELEASED = "mfg.production-order.changed.v1", "mfg.production-order.released.v1"
OLD = 400 * 86_400
"""Seconds that reach back to the start of the tests' world from any day they run on."""


def table(**more: Any) -> dict[str, Any]:
    """How the list is looked at; the first look reaches back to everything."""
    return {"search": "orders", "min_seconds": 1, "max_seconds": 64, "lookback_seconds": OLD * 10, **more}


def the_look(at: House) -> ChangeLook:
    """The one look there is."""
    [look] = at.polling.looks
    return look


async def told(at: House) -> list[tuple[str, str, str | None]]:
    """What the log tells, in short."""
    return [(event.type, event.subject, event.data.get("status")) for event in await at.told()]


async def test_a_change_becomes_an_event_and_is_told_once() -> None:
    """The first look takes the state as it is; what is another afterwards is told, however often it is seen."""
    erp = Erp()
    erp.put("1", "CREATED", 1)
    erp.put("2", "IN_PROGRESS", 1)
    async with house(erp=erp, orders=table()) as at:
        look = the_look(at)
        assert await look.look() == 0
        erp.put("1", "RELEASED", 2, START + timedelta(minutes=2))
        assert await look.look() == 2
        assert await look.look() == 0
        assert await told(at) == [(RELEASED, "po:P1/1", None), (CHANGED, "po:P1/1", "RELEASED")]
        assert all(event.synthesized for event in await at.told())


async def test_changes_at_one_instant_and_behind_it_are_not_missed() -> None:
    """The next look reaches back behind the latest change it saw."""
    erp = Erp()
    erp.put("1", "CREATED", 10)
    async with house(erp=erp, orders=table(overlap_seconds=120)) as at:
        look = the_look(at)
        await look.look()
        erp.put("2", "RELEASED", 10, START)
        assert await look.look() == 2
        erp.put("3", "CREATED", 9)
        assert await look.look() == 1
        assert [subject for type, subject, _ in await told(at) if type == CHANGED] == ["po:P2/2", "po:P1/3"]


async def test_after_a_restart_it_tells_what_changed_meanwhile() -> None:
    """Of what the log knows already; the rest was never told, and is taken as it is."""
    erp = Erp()
    erp.put("1", "CREATED", 1)
    async with house(erp=erp, orders=table()) as at:
        await the_look(at).look()
        erp.put("1", "CREATED", 2)
        await the_look(at).look()
        erp.put("1", "RELEASED", 3, START + timedelta(minutes=3))
        erp.put("9", "CREATED", 3)
        # Another process, with the same log and nothing else.
        system = at.catalog.systems["ERP"]
        again = ChangeLook(
            at.catalog,
            system,
            "orders",
            system.source.config.changes["orders"],
            at.events,
            at.intake.publisher,
            at.interests,
            lambda: START + timedelta(days=1),
        )
        assert await again.look() == 2
        assert (CHANGED, "po:P1/9", "CREATED") not in await told(at)


async def test_it_looks_only_while_somebody_waits() -> None:
    """Nobody waits: nothing is asked. Somebody does: at once. A thousand do: still one look for all."""
    erp = Erp()
    async with house(erp=erp, orders=table(min_seconds=0.05, max_seconds=0.2)) as at, at.polling.running():
        at.interests.watch(kinds=[Shipment])
        await asyncio.sleep(0.3)
        assert erp.asked == []
        watches = [at.interests.watch(ids=["po:P1/1"]) for _ in range(1000)]
        began = time.monotonic()
        while not erp.asked:
            assert time.monotonic() < began + 5
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert 2 <= len(erp.asked) <= 1 + (time.monotonic() - began) / 0.05
        for watch in watches:
            watch.close()
        await asyncio.sleep(0.3)
        count = len(erp.asked)
        await asyncio.sleep(0.3)
        assert len(erp.asked) == count


async def test_always_means_without_anybody() -> None:
    """For timelines that nobody subscribes to."""
    erp = Erp()
    async with (
        house(erp=erp, orders=table(min_seconds=0.05, max_seconds=0.1, always=True)) as at,
        at.polling.running(),
    ):
        began = time.monotonic()
        while len(erp.asked) < 2:
            assert time.monotonic() < began + 5
            await asyncio.sleep(0.01)


async def test_it_looks_oftener_where_much_happens_or_many_wait() -> None:
    """Between the bounds: faster with changes, slower without, never slower than many deserve."""
    async with house(orders=table()) as at:
        look = the_look(at)
        idle = [look.next_pause(0) for _ in range(20)]
        assert idle == sorted(idle)
        assert idle[-1] == 64
        busy = [look.next_pause(5) for _ in range(20)]
        assert busy == sorted(busy, reverse=True)
        assert busy[-1] == 1
        for _ in range(15):
            at.interests.watch(kinds=[ProductionOrder])
        assert [look.next_pause(0) for _ in range(20)][-1] == 16


async def test_a_system_that_is_down_is_asked_again_and_nothing_is_missed() -> None:
    """The place of the last look stays where it was."""
    erp = Erp()
    async with house(erp=erp, orders=table(min_seconds=0.05, max_seconds=0.1, always=True)) as at:
        await the_look(at).look()
        erp.down = True
        erp.put("1", "CREATED", 5)
        async with at.polling.running():
            await asyncio.sleep(0.3)
            assert await at.told() == []
            erp.down = False
            began = time.monotonic()
            while not await at.told():
                assert time.monotonic() < began + 5
                await asyncio.sleep(0.02)
        assert await told(at) == [(CHANGED, "po:P1/1", "CREATED")]


@pytest.mark.parametrize(
    ("change", "said"), [({"search": "ordres"}, "has no list"), ({"min_seconds": 70}, "less than")]
)
async def test_a_list_that_cannot_be_asked_so_is_refused_at_the_start(
    change: dict[str, Any], said: str
) -> None:
    """With what there is."""
    with pytest.raises((ConfigError, ValueError), match=said):
        async with house(orders=table(**change)):
            pass
