"""How the plant moves: stock is moved and later booked, orders advance, shipments leave and arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sources.plant.world.material import Lot, LotKey, Movement, Place
from sources.plant.world.places import GOODS, RAW, storage
from sources.plant.world.production import Component, Order
from sources.plant.world.world import World

RECEIPT, ISSUE, TRANSFER, SHIP = "PRODUCTION_RECEIPT", "ISSUE_TO_PRODUCTION", "TRANSFER", "SHIP"
PURCHASE, ADJUST, RETURN = "PURCHASE_RECEIPT", "ADJUSTMENT", "RETURN_FROM_PRODUCTION"
SIGNS = {RECEIPT: 1, ISSUE: -1, TRANSFER: 0, SHIP: -1, PURCHASE: 1, ADJUST: -1, RETURN: 1}


@dataclass(slots=True)
class Draft:
    """A movement about to happen; `lag` is how long the ERP takes to book it."""

    at: datetime
    kind: str
    lot: Lot
    quantity: Decimal
    source: str
    target: str
    origin: str
    lag: timedelta
    order: str = ""
    shipment: str = ""
    physical: bool = True


def home(world: World, lot: Lot) -> Place:
    """Where the ERP keeps the lot."""
    area = GOODS if world.items[lot.item].kind == "FG" else RAW
    return Place(lot.item, lot.number, lot.plant, storage(lot.plant, area), lot.book_status)


def happen(world: World, draft: Draft) -> Movement:
    """The movement takes place: bins and lines change now, the books after the lag (see `settle`)."""
    lot = draft.lot
    movement = Movement(
        number=world.ledger.next_number(),
        kind=draft.kind,
        item=lot.item,
        lot=lot.number,
        plant=lot.plant,
        quantity=draft.quantity,
        signed=SIGNS[draft.kind],
        occurred_at=draft.at,
        recorded_at=draft.at + timedelta(seconds=20),
        origin=draft.origin,
        source=draft.source,
        target=draft.target,
        order=draft.order,
        shipment=draft.shipment,
        physical=draft.physical,
    )
    world.ledger.record(movement)
    if movement.physical:
        put(world, lot, movement.source, -movement.quantity)
        put(world, lot, movement.target, movement.quantity)
        _note(world, movement)
        world.tell("moved", movement, movement.occurred_at)
    return movement


def put(world: World, lot: Lot, place: str, quantity: Decimal) -> None:
    """Add stock of a lot to a bin or a line; no place is outside the plant."""
    if not place:
        return
    if world.locations[place].kind == "WIP":
        world.ledger.wip.add(Place(lot.item, lot.number, lot.plant, place, "WIP"), quantity)
    else:
        world.ledger.physical.add(Place(lot.item, lot.number, lot.plant, place, lot.bin_status), quantity)


def settle(world: World, movement: Movement, at: datetime) -> None:
    """The ERP books a movement, and the order or shipment it belongs to knows."""
    lot = world.lots[LotKey(movement.item, movement.lot)]
    world.ledger.post(movement, home(world, lot), at)
    world.tell("booked", movement, at)
    order = world.orders.get(movement.order)
    if order is not None and movement.signed:
        _settle_order(order, movement, at)
        world.tell("order", order, at)
    shipment = world.shipments.get(movement.shipment)
    if shipment is not None:
        shipment.issue_document, shipment.issued_at = movement.document, at
        shipment.changed_at = max(shipment.changed_at, at)
        shipment.version += 1


def settle_later(world: World, movement: Movement, lag: timedelta) -> None:
    """Book now what is due, plan the rest."""
    due = movement.occurred_at + lag
    if due <= world.now():
        settle(world, movement, due)
    else:
        world.plan(due, lambda at: settle(world, movement, at))


def component_of(order: Order, item: str) -> Component | None:
    """The component of the order for an item."""
    return next((row for row in order.components if row.item == item), None)


def _note(world: World, movement: Movement) -> None:
    """The order sees what was staged or consumed for it."""
    order = world.orders.get(movement.order)
    if order is None:
        return
    component = component_of(order, movement.item)
    if component is not None and movement.kind == TRANSFER:
        component.staged_at = component.staged_at or movement.occurred_at
    if component is not None and movement.kind == ISSUE:
        component.consumed += movement.quantity
    if component is not None and movement.kind == RETURN:
        component.consumed -= movement.quantity
    order.seen_at = max(order.seen_at, movement.occurred_at)
    order.version += 1


def _settle_order(order: Order, movement: Movement, at: datetime) -> None:
    component = component_of(order, movement.item)
    if movement.kind == RECEIPT:
        order.received += movement.quantity
        order.confirmed += movement.quantity
        for report in order.operations[-1].reports:
            if report.at <= movement.occurred_at and not report.erp_document:
                report.erp_document = movement.document
    elif movement.kind == ISSUE and component is not None:
        component.issued += movement.quantity
    elif movement.kind == RETURN and component is not None:
        component.issued -= movement.quantity
    order.last_posting = at.date()
    order.changed_at = max(order.changed_at, at)
    order.version += 1
