"""A real Tryton server through the adapter: what it holds comes out as canonical entities."""

import time
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

import pytest

from schema.base import key_of
from schema.commerce import (
    CommercialStatus,
    Party,
    PurchaseOrder,
    PurchaseOrderLine,
    SalesOrder,
    SalesOrderLine,
)
from schema.equipment import WorkCenter
from schema.errors import SourceError, SourceForbidden, SourceRefused, SourceThrottled
from schema.logistics import (
    Direction,
    HandlingUnit,
    Shipment,
    ShipmentLine,
    ShipmentPosting,
    ShipmentStatus,
    ShipmentWarehouse,
)
from schema.material import (
    BillOfMaterials,
    InventoryBalance,
    InventoryMovement,
    Item,
    Location,
    Lot,
    LotMaster,
    MovementKind,
    Routing,
    TrackingMode,
)
from schema.production import (
    MaterialRequirement,
    Operation,
    OperationActual,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    OrderStatus,
    ProductionOrder,
)
from schema.quality import InspectionStatus, QualityInspection
from sources.base import Batch, Bundle, Filter, Page, Query, Scope
from sources.tryton.demo import TrytonServer
from sources.tryton.domains import wire
from sources.tryton.source import Tryton
from tests.e2e.tryton.conftest import made

pytestmark = pytest.mark.timeout(600)
"""The first of them may have to install and seed the server."""
T = TypeVar("T")
PATIENCE = 20.0
BAD_LOG_IN: dict[str, Any] = {"type": "basic", "username": "nobody", "password": {"value": "not it"}}
EVERYTHING = Scope()


async def read(source: Tryton, name: str, *keys: str, scope: Scope = EVERYTHING) -> Bundle:
    """All that a read delivers for keys."""
    found = next(one for one in source.reads() if one.name == name)
    wants = frozenset(part.type for part in found.parts)
    bundle = await found.fetch(Batch(keys, wants, time.monotonic() + PATIENCE, scope))
    troubles = [cell for cells in bundle.values() for cell in cells if isinstance(cell, SourceError)]
    assert not troubles, troubles
    return bundle


async def listed(
    source: Tryton,
    name: str,
    filters: Mapping[str, Filter] | None = None,
    *,
    first: int = 50,
    scope: Scope = EVERYTHING,
) -> list[Page]:
    """Every page of a list."""
    found = next(one for one in source.searches() if one.name == name)
    wants, cursor, pages = frozenset(part.type for part in found.parts), None, list[Page]()
    while not pages or cursor is not None:
        query = Query(filters or {}, first, cursor, wants, time.monotonic() + PATIENCE, scope)
        pages.append(await found.fetch(query))
        cursor = pages[-1].cursor
    return pages


def rows(pages: list[Page], cls: type[T]) -> list[T]:
    """The rows of a class on all pages."""
    return [cast("T", row) for page in pages for row in page.bundle[cls]]


async def test_ping(source: Tryton) -> None:
    """The server answers either interface."""
    await source.ping()


async def test_orders_in_every_state(source: Tryton) -> None:
    """Every state of a production has its canonical word; drafts without a number are not shown."""
    plans = rows(await listed(source, "find_orders"), OrderPlanning)
    assert {plan.status_codes[0]: plan.status for plan in plans} == {
        "done": OrderStatus.COMPLETED,
        "running": OrderStatus.IN_PROGRESS,
        "assigned": OrderStatus.RELEASED,
        "waiting": OrderStatus.RELEASED,
        "cancelled": OrderStatus.CANCELLED,
    } | {p.status_codes[0]: p.status for p in plans if p.status in (OrderStatus.CREATED, OrderStatus.PLANNED)}
    assert all(plan.planned_end and plan.planned_end.utcoffset() is not None for plan in plans)


async def test_a_finished_order_is_whole(source: Tryton) -> None:
    """One payload gives a done order with plan, posting, operations, components and output lot."""
    key = (await finished(source))[0]
    bundle = await read(source, "orders", key, "KAS/no such order")
    assert all(cells[1] in (None, []) for cells in bundle.values())
    head: ProductionOrder = bundle[ProductionOrder][0]
    plan: OrderPlanning = bundle[OrderPlanning][0]
    books: OrderPosting = bundle[OrderPosting][0]
    assert (head.item, head.plant) == ("SA-ROT-20", "KAS")
    assert head.provenance is not None
    assert str(head.provenance.source_key).startswith("production,")
    assert plan.quantity.unit == "H87"
    assert books.fully_posted
    assert books.received is not None
    assert books.received.value == plan.quantity.value
    operations: list[Operation] = bundle[Operation][0]
    assert [(o.number, o.description, o.planned_status) for o in operations] == [
        ("10", "Turn shaft", OperationStatus.CLOSED),
        ("20", "Balance rotor", OperationStatus.CLOSED),
    ]
    done: OrderExecution = bundle[OrderExecution][0]
    assert (done.good, done.status) == (books.received, OrderStatus.COMPLETED)
    assert done.actual_end is not None
    assert {one.status for one in bundle[OperationActual][0]} == {OperationStatus.CLOSED}
    needs: dict[str, MaterialRequirement] = {m.component: m for m in bundle[MaterialRequirement][0]}
    assert set(needs) == {"RM-SHAFT-20", "RM-IMP-BR", "RM-GREASE"}
    assert needs["RM-GREASE"].required.unit == "KGM"
    assert all(m.issued_erp == m.required for m in needs.values())
    (lot,) = bundle[Lot][0]
    assert (lot.item, lot.order) == ("SA-ROT-20", head.number)


async def finished(source: Tryton) -> list[str]:
    """Keys of done orders."""
    pages = await listed(source, "find_orders", {"statuses": ("COMPLETED",)})
    return [key for page in pages for key in page.keys]


async def test_filters_are_the_servers(source: Tryton) -> None:
    """Item, status and text are evaluated by Tryton; an unknown plant finds nothing."""
    pages = await listed(source, "find_orders", {"items": ("FG-HP-80-11",), "plants": ("KAS",)})
    assert {row.item for row in rows(pages, ProductionOrder)} == {"FG-HP-80-11"}
    assert rows(await listed(source, "find_orders", {"plants": ("NOWHERE",)}), ProductionOrder) == []
    assert rows(await listed(source, "find_orders", scope=Scope(plants=frozenset())), ProductionOrder) == []


async def test_items_with_recipe(source: Tryton) -> None:
    """A product comes with unit, tracking, bill and routing."""
    bundle = await read(source, "items", "SA-ROT-20", "nothing", "PC-GASK")
    made_item, none, gasket = bundle[Item]
    assert none is None
    assert (made_item.base_unit, made_item.tracking) == ("H87", TrackingMode.LOT)
    assert (gasket.base_unit, gasket.tracking) == ("MTR", TrackingMode.NONE)
    bom: BillOfMaterials = bundle[BillOfMaterials][0][0]
    assert {line.component: str(line.quantity.value) for line in bom.lines} == {
        "RM-SHAFT-20": "1",
        "RM-IMP-BR": "1",
        "RM-GREASE": "0.02",
    }
    routing: Routing = bundle[Routing][0][0]
    assert [step.description for step in routing.steps] == ["Turn shaft", "Balance rotor"]


async def test_stock_agrees_with_tryton(source: Tryton, tryton: TrytonServer) -> None:
    """The sum over places and lots is what Tryton itself says the product's stock is."""
    bundle = await read(source, "stock_of_items", "RM-SHAFT-20", "PC-BOLT-M8", "no such item")
    assert bundle[InventoryBalance][2] == []
    for code, balances in zip(("RM-SHAFT-20", "PC-BOLT-M8"), bundle[InventoryBalance], strict=False):
        ours = sum((row.on_hand.value for row in balances), Decimal())
        assert ours == Decimal(str(await own_stock(source, code))), code
        assert all(row.plant == "KAS" and row.location for row in balances)


async def own_stock(source: Tryton, code: str) -> float:
    """The stock of a product as Tryton computes it for its whole warehouse."""
    (row,) = await source.client.page(
        "product.product",
        [["code", "=", code]],
        ["quantity"],
        time.monotonic() + PATIENCE,
        first=1,
        context={"locations": [5], "with_childs": True},
    )
    return float(row["quantity"])


async def test_stock_after_a_closed_period(tryton: TrytonServer) -> None:
    """Once a period is closed, its cache and the moves since make the same stock."""
    source = made(tryton, "rpc")
    await source.open()
    try:
        names = ("RM-SHAFT-20", "PC-BOLT-M8", "PC-GASK")
        before = (await read(source, "stock_of_items", *names))[InventoryBalance]
        day, deadline = wire(date.today() - timedelta(days=20)), time.monotonic() + PATIENCE
        (period,) = await source.client.call(
            "model.stock.period.create", [[{"date": day, "company": 1}], {"company": 1}], deadline
        )
        await source.client.call("model.stock.period.close", [[period], {"company": 1}], deadline)
        after = (await read(source, "stock_of_items", *names))[InventoryBalance]
        assert [places(cell) for cell in after] == [places(cell) for cell in before]
        assert all(before)
    finally:
        await source.close()


def places(balances: list[InventoryBalance]) -> list[tuple[Any, ...]]:
    """What lies where."""
    return [(row.location, row.lot, row.on_hand, row.reserved, row.available) for row in balances]


async def test_lots_and_their_stock(source: Tryton) -> None:
    """Lots are found by product and number, and listed; their balances lie in bins."""
    page = (await listed(source, "find_lots", {"items": ("RM-SHAFT-20",)}))[0]
    bundle = await read(source, "lots", *page.keys, "RM-SHAFT-20/none")
    assert [key_of(lot) for lot in bundle[Lot][:-1]] == page.keys
    assert bundle[Lot][-1] is None
    assert all(isinstance(master, LotMaster) for master in bundle[LotMaster][:-1])
    stock = (await read(source, "stock_of_lots", page.keys[0]))[InventoryBalance][0]
    assert stock
    assert {row.lot for row in stock} == {page.keys[0].split("/")[1]}


async def test_movements_of_an_order(source: Tryton) -> None:
    """A done order has issued its components and received its product."""
    key = (await finished(source))[0]
    moves: list[InventoryMovement] = (await read(source, "movements_of_orders", key))[InventoryMovement][0]
    assert {move.kind for move in moves} == {
        MovementKind.ISSUE_TO_PRODUCTION,
        MovementKind.PRODUCTION_RECEIPT,
    }
    assert all(move.occurred_at.utcoffset() is not None for move in moves)


async def test_movements_are_listed_and_found_again(source: Tryton) -> None:
    """The list of movements and the read by id give the same rows."""
    page = (await listed(source, "find_movements", {"items": ("SA-ROT-20",)}, first=5))[0]
    found = (await read(source, "movements", *page.keys))[InventoryMovement]
    assert [key_of(move) for move in found] == page.keys


async def test_windows_are_days_of_the_plant(source: Tryton) -> None:
    """A window takes the days that begin in it: from its start, before its end."""
    plans = rows(await listed(source, "find_orders"), OrderPlanning)
    moment = min(plan.planned_end for plan in plans if plan.planned_end)
    window = {"due_from": moment, "due_to": moment + timedelta(hours=1)}
    found = rows(await listed(source, "find_orders", window), OrderPlanning)
    assert found
    assert {plan.planned_end for plan in found} == {moment}
    later = {"due_from": moment + timedelta(seconds=1), "due_to": moment + timedelta(hours=1)}
    assert rows(await listed(source, "find_orders", later), OrderPlanning) == []


async def test_shipments_in_every_state(source: Tryton) -> None:
    """Customer and supplier shipments are told apart, and every state has its canonical word."""
    pages = await listed(source, "find_shipments", first=3)
    heads = rows(pages, Shipment)
    states = {h.number: w.status for h, w in zip(heads, rows(pages, ShipmentWarehouse), strict=True)}
    assert [states[f"OUT-{n}"] for n in range(1, 9)] == [
        ShipmentStatus.SHIPPED,
        ShipmentStatus.SHIPPED,
        ShipmentStatus.PACKED,
        ShipmentStatus.PICKED,
        ShipmentStatus.ALLOCATED,
        ShipmentStatus.PLANNED,
        ShipmentStatus.PLANNED,
        ShipmentStatus.CANCELLED,
    ]
    inbound = [h for h in heads if h.direction is Direction.INBOUND]
    assert {h.number for h in inbound} == {"IN-1", "IN-2", "IN-3"}
    assert all(h.ship_from and h.purchase_order for h in inbound)


async def test_a_shipped_shipment_is_whole(source: Tryton) -> None:
    """Lines, lots, package and posting of a done shipment, and the way back from its sales line."""
    bundle = await read(source, "shipments", "OUT-1", "OUT-999", "1")
    assert bundle[Shipment][1:] == [None, None]
    lines: list[ShipmentLine] = bundle[ShipmentLine][0]
    assert {line.item for line in lines} == {"FG-HP-80-11", "FG-KIT-SEAL"}
    assert all(line.lots and line.shipped == line.ordered for line in lines)
    assert bundle[ShipmentPosting][0].goods_issue_posted
    assert [unit.kind for unit in cast("list[HandlingUnit]", bundle[HandlingUnit][0])] == ["Euro pallet"]
    key = str(lines[0].sales_line)
    (shipments,) = (await read(source, "shipments_of_sales_lines", key))[Shipment]
    assert [one.number for one in shipments] == ["OUT-1"]
    (line,) = (await read(source, "sale_lines", key))[SalesOrderLine]
    assert line.item == lines[0].item


async def test_from_an_order_to_its_shipments(source: Tryton) -> None:
    """What an order made is found again in the shipments that carry its lot."""
    pages = await listed(source, "find_orders", {"items": ("FG-HP-80-11",), "statuses": ("COMPLETED",)})
    key = pages[0].keys[0]
    (shipments,) = (await read(source, "shipments_of_orders", key))[Shipment]
    assert {one.number for one in shipments} >= {"OUT-1"}
    assert all(key in one.orders for one in shipments)


async def test_trade_and_places(source: Tryton) -> None:
    """Sales, purchases, parties, locations and work centres are found by their keys."""
    sales = await read(source, "sales", "1", "9")
    assert [one.status for one in sales[SalesOrder]] == [CommercialStatus.FULFILLED, CommercialStatus.OPEN]
    party = (await read(source, "parties", sales[SalesOrder][0].customer))[Party][0]
    assert party.name == "Wasserwerk Fulda"
    purchases = await read(source, "purchases", "3")
    order: PurchaseOrder = purchases[PurchaseOrder][0]
    (line,) = cast("list[PurchaseOrderLine]", purchases[PurchaseOrderLine][0])
    assert (order.plant, line.received) == ("KAS", line.ordered)
    places: list[Location] = (await read(source, "locations", "KAS/KAS-A01", "KAS/KAS-QUAR"))[Location]
    assert [(one.parent, one.kind) for one in places] == [("KAS-A", "BIN"), ("STO", "QUARANTINE")]
    (center,) = cast("list[WorkCenter]", (await read(source, "work_centers", "KAS/CNC-1"))[WorkCenter])
    assert center.description == "Turning"


async def test_inspections(source: Tryton) -> None:
    """Inspections of orders carry decision, quantity and lot."""
    keys = await finished(source)
    found = (await read(source, "inspections_of_orders", *keys))[QualityInspection]
    inspections = [row for cell in found for row in cell]
    assert sorted(str(row.decision_code) for row in inspections) == ["failed", "passed"]
    assert {row.status for row in inspections} == {InspectionStatus.DECIDED}
    (again,) = (await read(source, "inspections", inspections[0].number))[QualityInspection]
    assert (again.order, again.quantity) == (inspections[0].order, inspections[0].quantity)


async def test_pages_are_cut_by_the_server(source: Tryton) -> None:
    """Pages of three walk the whole list once."""
    pages = await listed(source, "find_orders", first=3)
    keys = [key for page in pages for key in page.keys]
    assert len(pages) > 3
    assert len(keys) == len(set(keys))
    assert max(len(page.keys) for page in pages) == 3


async def test_an_unknown_field_is_refused(source: Tryton) -> None:
    """HTTP 500 with a page (REST) and HTTP 200 with an error (RPC) are both a refusal that names the field."""
    for model, field in (("production", "nope"), ("no.model", "id")):
        with pytest.raises(SourceRefused, match=r"nope|no\.model"):
            await source.client.page(model, [], [field], time.monotonic() + PATIENCE, first=1)


async def test_a_session_that_ended_is_renewed(tryton: TrytonServer) -> None:
    """When the server forgets our session, the next call logs in again by itself."""
    source = made(tryton, "rpc")
    await source.open()
    try:
        await source.ping()
        await source.client.logout(time.monotonic() + PATIENCE)
        await source.ping()
    finally:
        await source.close()


async def test_a_wrong_key_is_forbidden(tryton: TrytonServer) -> None:
    """A key that Tryton does not know is refused at once."""
    source = made(tryton, "rest", auth={"type": "bearer", "token": {"value": "0" * 64}})
    await source.open()
    try:
        with pytest.raises(SourceForbidden):
            await source.ping()
    finally:
        await source.close()


async def test_many_bad_log_ins_are_throttled(tryton: TrytonServer) -> None:
    """Tryton answers log-ins after a few bad ones with 429, which is RATE_LIMITED and not a wrong password."""
    seen: list[type] = []
    for _ in range(6):
        source = made(tryton, "rpc", auth=BAD_LOG_IN)
        await source.open()
        try:
            with pytest.raises(SourceError) as caught:
                await source.ping()
        finally:
            await source.close()
        seen.append(caught.type)
        if caught.type is SourceThrottled:
            break
    assert seen[0] is SourceForbidden
    assert seen[-1] is SourceThrottled


async def test_a_bad_log_in_is_not_tried_again_at_once(tryton: TrytonServer) -> None:
    """One source with a wrong password does not lock the account out: it holds off by itself."""
    source = made(tryton, "rpc", auth=BAD_LOG_IN | {"username": "somebody"})
    await source.open()
    try:
        for _ in range(8):
            with pytest.raises(SourceForbidden):
                await source.ping()
    finally:
        await source.close()
