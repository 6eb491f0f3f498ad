"""Inspections and holds: edges and computed facts."""

from strawberry.types import Info

from resolvers.common import SYSTEM
from resolvers.edges import AnyNode, Edge, Function, expose
from resolvers.freshness import at
from schema.base import join_key
from schema.logistics import HandlingUnit, Shipment
from schema.material import InventoryMovement, Item, Location, Lot, MovementKind, SerialNumber
from schema.production import ProductionOrder
from schema.quality import (
    DispositionSplit,
    HoldEnforcement,
    HoldScope,
    QualityHold,
    QualityInspection,
)

FORBIDDEN = {MovementKind.ISSUE_TO_PRODUCTION, MovementKind.SHIP, MovementKind.TRANSFER}


TARGETS = (Lot, ProductionOrder, Item, Shipment, Location, SerialNumber, HandlingUnit)
"""What a hold may apply to."""


async def target(row: QualityHold, info: Info) -> AnyNode | None:
    """What the hold applies to."""
    loaders = at(info)
    if row.scope is HoldScope.LOT and row.item and row.lot:
        return (await loaders.one(Lot, join_key(row.item, row.lot))).value or Lot(row.item, row.lot)
    if row.scope is HoldScope.ORDER and row.plant and row.order:
        return (await loaders.one(ProductionOrder, join_key(row.plant, row.order))).value
    if row.scope is HoldScope.ITEM and row.item:
        return (await loaders.one(Item, join_key(row.item))).value or Item(row.item)
    if row.scope is HoldScope.SHIPMENT and row.shipment:
        return (await loaders.one(Shipment, join_key(row.shipment))).value
    if row.scope is HoldScope.LOCATION and row.plant and row.location:
        return (await loaders.one(Location, join_key(row.plant, row.location))).value or Location(
            row.plant, row.location
        )
    if row.scope is HoldScope.SERIAL and row.item and row.serial:
        return (await loaders.one(SerialNumber, join_key(row.item, row.serial))).value
    if row.scope is HoldScope.HANDLING_UNIT and row.shipment and row.handling_unit:
        return (await loaders.one(HandlingUnit, join_key(row.shipment, row.handling_unit))).value
    return None


async def violations(row: QualityHold, info: Info) -> list[InventoryMovement]:
    """Movements of the held lot that happened while the hold stood."""
    if row.item is None or row.lot is None:
        return []
    moved = await at(info).many(InventoryMovement, join_key(row.item, row.lot), "lot")
    return [
        movement
        for movement in moved.value or ()
        if movement.kind in FORBIDDEN
        and movement.occurred_at > row.placed_at
        and (row.released_at is None or movement.occurred_at < row.released_at)
    ]


def install() -> None:
    """Put the quality classes into the graph."""
    expose(QualityInspection, Edge("lot", Lot, ("item", "lot"), stub=True))
    expose(DispositionSplit)
    expose(
        QualityHold,
        Function("target", target, (), tuple([(cls, "id") for cls in TARGETS])),
        Function("violations", violations, (), ((InventoryMovement, "lot"),)),
    )
    expose(HoldEnforcement, SYSTEM)
