"""Subscriptions through the whole engine: the present state, then what happens, each by the plan and as the reference says."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from graphql import parse

from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.operations import Operations
from gateway.request import GraphQLRequest
from gateway.subscribing import SubscriptionEnded, SubscriptionRefused
from gateway.subscriptions.settings import SubscriptionSettings
from resolvers.context import Context
from resolvers.execution.operation import PlanExecution, ReferenceExecution
from resolvers.graph import graphql_schema
from resolvers.subscriptions import Told, hold_change, inventory_change, order_change, shipment_change
from schema.changes import ChangeKind
from schema.errors import SourceUnavailable
from schema.events import Event
from schema.logistics import Shipment
from schema.material import BalanceView, InventoryBalance, Item
from schema.production import OrderPlanning, OrderStatus, ProductionOrder
from schema.quality import QualityHold
from tests.graph.fakes import NOW, context, pieces, said
from tests.graph.plant import PLANT, number, systems
from tests.subscribing import happened, quiet, raw, running, take, until_ready

ORDERS = """subscription($f: ProductionOrderFilter, $after: String, $s: Boolean! = true) {
  productionOrderChanged(filter: $f, after: $after, snapshot: $s) {
    kind cursor replay objectId changed event { type late subject { id } }
    order { id number status item { number } planning { quantity { value } } } } }"""
ROOT = "productionOrderChanged"
FIRST = f"po:{PLANT}/{number(0)}"


async def test_the_present_state_comes_first_then_what_happens() -> None:
    """Every object that matches, without a cursor; READY with one; then only what matches after the change."""
    async with running() as setup:
        stream = setup.stream(ORDERS, f={"items": ["item:FG-0"], "statuses": ["IN_PROGRESS"]})
        begun = await until_ready(stream, ROOT)
        assert [change["kind"] for change in begun] == ["SNAPSHOT"] * (len(begun) - 1) + ["READY"]
        assert {change["order"]["status"] for change in begun[:-1]} == {"IN_PROGRESS"}
        assert [change["cursor"] for change in begun[:-1]] == [None] * (len(begun) - 1)
        assert (begun[-1]["order"], begun[-1]["objectId"]) == (None, None)
        await setup.happen(f"po:{PLANT}/{number(1)}")  # another item
        await setup.happen(f"po:{PLANT}/{number(3)}")  # another status
        cursor = await setup.happen(FIRST, "mfg.production-order.released.v1")
        change = (await take(stream))["data"][ROOT]
        assert change == {
            "kind": "LIVE",
            "cursor": cursor,
            "replay": False,
            "objectId": FIRST,
            "changed": ["status", "planning", "checkpoints"],
            "event": {"type": "PRODUCTION_ORDER_RELEASED", "late": False, "subject": {"id": FIRST}},
            "order": {
                "id": FIRST,
                "number": number(0),
                "status": "IN_PROGRESS",
                "item": {"number": "FG-0"},
                "planning": {"quantity": {"value": "100"}},
            },
        }
        assert [ctx.unplanned for ctx in setup.contexts if ctx.unplanned] == []
        await stream.aclose()
        assert (len(setup.engine), setup.interest.strength([ProductionOrder])) == (0, 0)


async def test_what_happens_while_the_state_is_told_is_not_lost() -> None:
    """The end of the log is looked at before the state is read: what comes after it is told after READY."""
    async with running() as setup:
        stream = setup.stream(ORDERS, f={"items": ["item:FG-0"]})
        await raw(stream)
        cursor = await setup.happen(FIRST)
        begun = await until_ready(stream, ROOT)
        assert begun[-1]["cursor"] < cursor
        change = (await take(stream))["data"][ROOT]
        assert (change["kind"], change["cursor"]) == ("LIVE", cursor)


async def test_a_cursor_goes_on_exactly_where_it_was() -> None:
    """What was missed is told as REPLAY, in the order of the log, then READY, then what happens."""
    async with running() as setup:
        cursors = [await setup.happen(f"po:{PLANT}/{number(n)}") for n in range(5)]
        stream = setup.stream(ORDERS, after=cursors[1])
        missed = await until_ready(stream, ROOT)
        assert [(c["kind"], c["replay"], c["cursor"]) for c in missed] == [
            *[("REPLAY", True, cursor) for cursor in cursors[2:]],
            ("READY", False, cursors[-1]),
        ]
        live = await setup.happen(FIRST)
        assert (await take(stream))["data"][ROOT]["cursor"] == live


async def test_without_a_snapshot_there_is_a_cursor_at_once() -> None:
    """READY is the first message, and no system was asked anything."""
    async with running() as setup:
        stream = setup.stream(ORDERS, s=False)
        [ready] = await until_ready(stream, ROOT)
        assert ready["cursor"]
        assert not any(system.asked or system.paged for system in setup.plant.all)


async def test_an_event_of_several_objects_is_told_of_each() -> None:
    """Only the last message of an event carries its cursor; the others go on before it, so that none is lost between."""
    async with running() as setup:
        stream = setup.stream(ORDERS, s=False)
        [ready] = await until_ready(stream, ROOT)
        both = [f"po:{PLANT}/{number(n)}" for n in (0, 1)]
        cursor = await setup.happen(both[0], touches=both)
        changes = [(await take(stream))["data"][ROOT] for _ in both]
        assert [change["objectId"] for change in changes] == both
        assert [change["cursor"] for change in changes] == [ready["cursor"], cursor]
        again = setup.stream(ORDERS, after=changes[0]["cursor"])
        assert [c["objectId"] for c in await until_ready(again, ROOT)] == [*both, None]


async def test_those_who_ask_the_same_get_the_same_bytes() -> None:
    """One execution an event, whatever the number of subscribers, and the object is read once for different documents."""
    async with running() as setup:
        alike = [setup.stream(ORDERS, f={"items": ["item:FG-0"]}, s=False) for _ in range(5)]
        other = setup.stream(ORDERS, f={"items": ["item:FG-1"]}, s=False)
        for stream in [*alike, other]:
            await until_ready(stream, ROOT)
        waiting = [asyncio.ensure_future(raw(stream)) for stream in alike]
        await asyncio.sleep(0.01)
        before = len(setup.contexts)
        await setup.happen(FIRST)
        payloads = [await one for one in waiting]
        assert len({id(payload.body) for payload in payloads}) == 1
        # One context to read the order, one to answer the document; the other document met no object of its own.
        assert len(setup.contexts) - before == 2


async def test_a_message_is_never_older_than_its_event() -> None:
    """What the cache has from before the event is read anew, though nobody invalidated it."""
    caching = Caching(Tiers(Memory(1000, 10_000_000)))
    async with running(layers=[caching]) as setup:
        stream = setup.stream(ORDERS, f={"items": ["item:FG-0"]})
        begun = await until_ready(stream, ROOT)
        assert begun[0]["order"]["planning"]["quantity"]["value"] == "100"
        rows = setup.plant.erp.rows
        place = next(n for n, row in enumerate(rows) if isinstance(row, OrderPlanning))
        rows[place] = replace(rows[place], quantity=pieces("70", "PCE"), status=OrderStatus.CLOSED)
        await setup.happen(FIRST, at=datetime.now(UTC))
        change = (await take(stream))["data"][ROOT]
        assert (change["order"]["planning"]["quantity"]["value"], change["order"]["status"]) == (
            "70",
            "CLOSED",
        )


async def test_an_owner_that_is_down_costs_its_part_and_no_message() -> None:
    """Without the MES the rest is told; without the ERP nothing is known of the order but its id, and why."""
    document = ORDERS.replace("status item", "status sources { system { code } outcome } item")
    async with running() as setup:
        stream = setup.stream(document, s=False)
        await until_ready(stream, ROOT)
        setup.plant.mes.fault = SourceUnavailable("down")
        await setup.happen(FIRST)
        order = (await take(stream))["data"][ROOT]["order"]
        assert {"system": {"code": "MES"}, "outcome": "UNAVAILABLE"} in order["sources"]
        setup.plant.erp.fault = SourceUnavailable("down")
        await setup.happen(FIRST)
        message = await take(stream)
        change = message["data"][ROOT]
        assert (change["objectId"], change["order"]) == (FIRST, None)
        assert {"ERP", "MES"} == {one["system"] for one in message["extensions"]["sources"]}


async def test_what_cannot_be_decided_is_told() -> None:
    """A filter by status is open while the owners are down; one by plant is decided by the key."""
    async with running() as setup:
        here = setup.stream(ORDERS, f={"statuses": ["CLOSED"], "items": ["item:FG-0"]}, s=False)
        elsewhere = setup.stream(ORDERS, f={"plants": ["plant:1720"]}, s=False)
        for stream in (here, elsewhere):
            await until_ready(stream, ROOT)
        for system in setup.plant.all:
            system.fault = SourceUnavailable("down")
        await setup.happen(FIRST)
        assert (await take(here))["data"][ROOT]["objectId"] == FIRST
        assert await quiet(elsewhere)


async def test_an_object_that_is_gone_is_not_told() -> None:
    """Its owner answers and does not know it: it matches nothing."""
    async with running() as setup:
        stream = setup.stream(ORDERS, s=False)
        await until_ready(stream, ROOT)
        await setup.happen(f"po:{PLANT}/9999999")
        cursor = await setup.happen(FIRST)
        assert (await take(stream))["data"][ROOT]["cursor"] == cursor


async def test_a_system_that_cannot_list_is_named_when_the_state_is_told() -> None:
    """The snapshot is as whole as it can be; READY says who is missing."""
    async with running() as setup:
        setup.plant.erp.fault = SourceUnavailable("down")
        stream = setup.stream(ORDERS)
        while True:
            message = await take(stream)
            if message["data"][ROOT]["kind"] == "READY":
                break
        assert "ERP" in {one["system"] for one in message["extensions"]["sources"]}


async def test_too_much_to_begin_with_is_refused() -> None:
    """More objects than a snapshot may have: the hint says what to do, and nothing was sent."""
    async with running(SubscriptionSettings(max_snapshot=10)) as setup:
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(ORDERS))
        [entry] = refused.value.errors
        assert entry["extensions"]["code"] == "SNAPSHOT_TOO_LARGE"
        assert "snapshot: false" in entry["extensions"]["hint"]
        assert len(setup.engine) == 0


@pytest.mark.parametrize(
    ("document", "variables", "code"),
    [
        ("subscription {", {}, "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { sourceHealthChanged { code } productionOrderChanged { kind } }",
            {},
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription { sourceHealthChanged @skip(if: true) { code } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{ sourceSystems { code } }", {}, "SUBSCRIPTION_EXPECTED"),
        (ORDERS, {"f": {"plants": [{"a": 1}]}}, "BAD_USER_INPUT"),
        (ORDERS, {"f": {"plants": ["nonsense"]}}, "BAD_ID"),
        (ORDERS, {"f": {"hasOpenException": True}}, "BAD_USER_INPUT"),
        (ORDERS, {"after": "nonsense"}, "RESYNC_REQUIRED"),
        (ORDERS, {"after": "other.5"}, "RESYNC_REQUIRED"),
        ("subscription { inventoryChanged(filter: {}) { kind } }", {}, "BAD_USER_INPUT"),
    ],
)
async def test_what_begins_nothing_is_refused(document: str, variables: dict[str, Any], code: str) -> None:
    """Before the first message, with the code that a query would get, and nothing is held."""
    async with running() as setup:
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(document, **variables))
        assert refused.value.errors[0]["extensions"]["code"] == code, refused.value.errors
        assert len(setup.engine) == 0
        assert setup.interest.strength([ProductionOrder]) == 0


async def test_shipments_tell_the_status_before() -> None:
    """The filter by number decides without a read; the status before comes from the event."""
    document = """subscription { shipmentChanged(filter: {numbers: ["S100"]}, snapshot: false) {
      kind objectId previousStatus changed trackingEvent { sourceCode } shipment { number status } } }"""
    async with running() as setup:
        stream = setup.stream(document)
        await until_ready(stream, "shipmentChanged")
        assert setup.interest.strength([Shipment]) == 1
        await setup.happen("ship:S999", "mfg.shipment.changed.v1")
        await setup.happen("ship:S100", "mfg.shipment.confirmed.v1", data={"previousStatus": "PACKED"})
        change = (await take(stream))["data"]["shipmentChanged"]
        assert (change["objectId"], change["previousStatus"]) == ("ship:S100", "PACKED")
        assert change["shipment"]["number"] == "S100"
        assert "warehouse" in change["changed"]


async def test_stock_is_told_of_the_lot_that_moved() -> None:
    """An event of a lot concerns its positions; one that moves no stock concerns none."""
    document = """subscription { inventoryChanged(filter: {items: ["item:RM-1"]}, snapshot: false) {
      kind objectId event { cloudEventType } position { verdict lot { number } book { value } } } }"""
    async with running() as setup:
        rows = setup.plant.erp.rows
        rows.append(InventoryBalance(PLANT, "RM-1", "S1", BalanceView.BOOK, pieces("5"), said("ERP"), "L2"))
        stream = setup.stream(document)
        await until_ready(stream, "inventoryChanged")
        await setup.happen(FIRST, touches=[FIRST, "item:RM-1"])
        await setup.happen("lot:RM-1/L1", "mfg.inventory.adjusted.v1", touches=["lot:RM-1/L1", "item:RM-1"])
        change = (await take(stream))["data"]["inventoryChanged"]
        assert change["event"]["cloudEventType"] == "mfg.inventory.adjusted.v1"
        assert (change["objectId"], change["position"]["lot"]["number"]) == ("lot:RM-1/L1", "L1")
        await setup.happen("item:RM-1", "mfg.inventory.moved.v1")
        found = [(await take(stream))["data"]["inventoryChanged"]["objectId"] for _ in range(2)]
        assert found == ["lot:RM-1/L1", "lot:RM-1/L2"]
        for system in setup.plant.all:
            system.fault = SourceUnavailable("down")
        await setup.happen("item:RM-1", "mfg.inventory.moved.v1")
        change = (await take(stream))["data"]["inventoryChanged"]
        assert (change["objectId"], change["position"]) == ("item:RM-1", None)


async def test_holds_are_told() -> None:
    """A hold that changed is told to those who watch its plant."""
    document = """subscription { holdChanged(filter: {plants: ["plant:1710"]}) {
      kind objectId hold { number state } } }"""
    async with running() as setup:
        stream = setup.stream(document)
        begun = await until_ready(stream, "holdChanged")
        assert [change["objectId"] for change in begun] == ["hold:H1", None]
        await setup.happen("hold:H1", "mfg.quality-hold.changed.v1", touches=["hold:H1", FIRST])
        change = (await take(stream))["data"]["holdChanged"]
        assert (change["kind"], change["hold"]["state"]) == ("LIVE", "ENFORCED")


async def test_the_health_of_the_systems_is_told() -> None:
    """Every system as it is, then the one whose calls fail, then that it is well again."""
    async with running() as setup:
        stream = setup.stream("subscription { sourceHealthChanged { code healthy } }")
        begun = [(await take(stream))["data"]["sourceHealthChanged"] for _ in range(5)]
        assert {one["code"] for one in begun} == {"ERP", "MES", "WMS", "QMS", "TMS"}
        assert all(one["healthy"] for one in begun)
        waiting = asyncio.ensure_future(take(stream))
        setup.plant.erp.fault = SourceUnavailable("down")
        context_ = Context(setup.catalog)
        await context_.loaders.one(ProductionOrder, f"{PLANT}/{number(0)}")
        told = (await waiting)["data"]["sourceHealthChanged"]
        assert told == {"code": "ERP", "healthy": False}
        await stream.aclose()


CHANGES: list[tuple[str, Any]] = [
    (
        "subscription { productionOrderChanged { kind cursor replay objectId changed event { id type subject { id } "
        "causedBy { id } provenance { system { code } } } order { number status checkpoints { kind state } "
        "sources { outcome } planning { quantity { value unit } } operations { number } } } }",
        (order_change, FIRST, ProductionOrder(PLANT, number(0), "FG-0")),
    ),
    (
        "subscription { x: productionOrderChanged { ...on ProductionOrderChange { order { execution @fresh(within: "
        '"1s") { good { value } } } } } }',
        (order_change, FIRST, ProductionOrder(PLANT, number(0), "FG-0")),
    ),
    ("subscription { productionOrderChanged { kind order { number } } }", (order_change, None, None)),
    (
        "subscription { shipmentChanged { previousStatus trackingEvent { status } shipment { number status } } }",
        (shipment_change, "ship:S100", Shipment("S100")),
    ),
    (
        'subscription { inventoryChanged(filter: {items: ["item:RM-1"]}) { objectId position { verdict } } }',
        (inventory_change, "item:RM-1", None),
    ),
    ("subscription { holdChanged { hold { number } event { late } } }", (hold_change, "hold:H1", None)),
]


@pytest.mark.parametrize(("document", "told"), CHANGES)
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
async def test_a_message_is_planned_and_as_the_reference_says(document: str, told: Any, down: bool) -> None:
    """The same bytes' worth of data from both executors, with all systems there and with all of them down."""
    schema, parsed = graphql_schema(), parse(document)
    make, id, row = told
    event: Event = happened(1, FIRST, "mfg.shipment.tracked.v1")
    change = make(Told(ChangeKind.REPLAY, "e.1", event if id else None), id, row)
    answers = []
    for execution in (PlanExecution(schema), ReferenceExecution(schema)):
        plant = systems()
        for system in plant.all if down else ():
            system.fault = SourceUnavailable("down")
        ctx = context(*plant.all, started=NOW)
        hooks = Operations(schema)
        hooks.begin(ctx, hooks.describe(parsed), GraphQLRequest(document))
        executed = await execution.execute(parsed, ctx, {}, root=change)
        data = orjson.loads(executed.data) if isinstance(executed.data, bytes) else executed.data
        errors = [(error.message, error.path) for error in executed.errors]
        answers.append((orjson.dumps(data), errors, ctx.flawed))
        if isinstance(execution, PlanExecution):
            assert executed.reason is None
    assert answers[0] == answers[1]


async def test_a_slow_subscriber_is_told_that_it_was_too_slow() -> None:
    """It ends with EVENTS_GAP and the cursor of what it took last; another that keeps up gets everything."""
    async with running(SubscriptionSettings(queue_messages=3)) as setup:
        slow, quick = (setup.stream(ORDERS, s=False) for _ in range(2))
        for stream in (slow, quick):
            await until_ready(stream, ROOT)
        first = asyncio.ensure_future(raw(slow))
        cursors, seen = [], []
        for n in range(6):
            waiting = asyncio.ensure_future(raw(quick))
            cursors.append(await setup.happen(f"po:{PLANT}/{number(n)}"))
            seen.append((await waiting).cursor)
        assert seen == cursors
        assert (await first).cursor == cursors[0]
        with pytest.raises(SubscriptionEnded) as ended:
            await raw(slow)
        assert (ended.value.code, ended.value.cursor) == ("EVENTS_GAP", cursors[0])
        again = setup.stream(ORDERS, after=ended.value.cursor)
        assert [c["cursor"] for c in await until_ready(again, ROOT)] == [*cursors[1:], cursors[-1]]


async def test_the_item_of_a_position_needs_no_read() -> None:
    """An item that the ERP does not know has stock all the same."""
    document = (
        'subscription { inventoryChanged(filter: {items: ["item:X"]}, snapshot: false) { kind objectId } }'
    )
    async with running() as setup:
        setup.plant.wms.rows.append(
            InventoryBalance(PLANT, "X", "B", BalanceView.PHYSICAL, pieces("1"), said("WMS"))
        )
        stream = setup.stream(document)
        await until_ready(stream, "inventoryChanged")
        await setup.happen("item:X", "mfg.inventory.moved.v1")
        assert (await take(stream))["data"]["inventoryChanged"]["objectId"] == "item:X"
        assert all(not isinstance(row, Item | QualityHold) for row in setup.plant.wms.rows)
