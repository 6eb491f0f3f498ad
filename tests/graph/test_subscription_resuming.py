"""How a subscription goes on where its transport says, and what its messages tell whoever keeps them."""

import pytest

from gateway.request import GraphQLRequest
from gateway.subscribing import LAST_EVENT_ID, SubscriptionRefused
from schema.material import BalanceView, InventoryBalance
from tests.graph.fakes import pieces, said
from tests.graph.plant import PLANT, number
from tests.graph.test_subscriptions import ORDERS, ROOT
from tests.subscribing import connection, raw, running, take, until_ready


async def test_the_transports_cursor_wins_over_the_documents() -> None:
    """A client that comes back by itself sends its document as it was at first."""
    async with running() as setup:
        cursors = [await setup.happen(f"po:{PLANT}/{number(n)}") for n in range(4)]
        request = GraphQLRequest(
            ORDERS, variables={"after": cursors[0]}, extensions={LAST_EVENT_ID: cursors[2]}
        )
        stream = setup.engine.subscribe(request, connection())
        missed = [change["cursor"] for change in await until_ready(stream, ROOT)]
        assert missed == [cursors[3], cursors[3]]


@pytest.mark.parametrize(("last", "code"), [(5, "BAD_USER_INPUT"), ("another.1", "RESYNC_REQUIRED")])
async def test_a_cursor_that_cannot_be_used_is_refused_by_its_code(last: object, code: str) -> None:
    """Before the first message, so that nobody takes what follows for the whole."""
    async with running() as setup:
        request = GraphQLRequest(ORDERS, extensions={LAST_EVENT_ID: last})
        with pytest.raises(SubscriptionRefused) as refused:
            await anext(setup.engine.subscribe(request, connection()))
        assert refused.value.errors[0]["extensions"]["code"] == code


async def test_a_message_names_its_event_and_its_part_of_it() -> None:
    """So that whoever keeps messages knows one again; what is told of no event names none."""
    async with running() as setup:
        stream = setup.stream(ORDERS, s=False)
        ready = await raw(stream)
        assert (ready.event, ready.part) == (None, "")
        both = [f"po:{PLANT}/{number(n)}" for n in (0, 1)]
        await setup.happen(both[0], touches=both)
        [logged] = await setup.logged()
        messages = [await raw(stream) for _ in both]
        assert [message.event for message in messages] == [logged.event, logged.event]
        assert [message.part for message in messages] == both
        replayed = setup.stream(ORDERS, after=ready.cursor)
        assert [(await raw(replayed)).part for _ in both] == both


async def test_positions_of_one_item_are_told_apart() -> None:
    """They have one id: the lot's or the item's."""
    document = """subscription { inventoryChanged(filter: {items: ["item:RM-1"]}, snapshot: false) {
      kind objectId position { lot { number } } } }"""
    async with running() as setup:
        rows = setup.plant.erp.rows
        rows.append(InventoryBalance("1720", "RM-1", "S2", BalanceView.BOOK, pieces("5"), said("ERP"), "L1"))
        stream = setup.stream(document)
        await take(stream)
        await setup.happen("lot:RM-1/L1", "mfg.inventory.moved.v1", touches=["lot:RM-1/L1", "item:RM-1"])
        parts = [(await raw(stream)).part for _ in range(2)]
        assert parts == ["lot:RM-1/L1", "lot:RM-1/L1#1"]
