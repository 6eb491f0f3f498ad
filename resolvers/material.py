"""Items, recipes, lots, stock and movements: edges and computed facts."""

from datetime import date
from typing import Annotated, Any

import strawberry
from strawberry.types import Info

from resolvers.common import SYSTEM, keys_of
from resolvers.edges import Edge, Fact, Function, expose
from resolvers.freshness import at
from resolvers.ids import decode_as
from resolvers.loaders import Answer
from resolvers.positions import positions_of
from resolvers.sourcing import sources
from resolvers.statuses import lot_status
from schema.base import ExternalKey, Plant, SystemKind, join_key
from schema.equipment import WorkCenter
from schema.logistics import HandlingUnit, Shipment
from schema.material import (
    BillOfMaterials,
    BomLine,
    InventoryBalance,
    InventoryMovement,
    InventoryPosition,
    Item,
    ItemUnit,
    Location,
    Lot,
    LotMaster,
    LotQuality,
    Routing,
    RoutingStep,
    SerialNumber,
)
from schema.production import ProductionOrder
from schema.quality import QualityHold, QualityInspection

PlantId = Annotated[strawberry.ID | None, strawberry.argument(description="Id of the plant; any where null.")]
OnDay = Annotated[date | None, strawberry.argument(description="Valid on this day.")]


async def bom(row: Item, info: Info, plant: PlantId = None, on: OnDay = None) -> BillOfMaterials | None:
    """The bill of materials at a plant, valid on a day."""
    found = await at(info).many(BillOfMaterials, join_key(row.number), "item")
    fitting = [
        b for b in _at(found.value, plant, info) if on is None or b.valid_from is None or b.valid_from <= on
    ]
    return max(fitting, key=lambda b: b.valid_from or date.min, default=None)


async def routing(row: Item, info: Info, plant: PlantId = None, on: OnDay = None) -> Routing | None:
    """The routing at a plant."""
    found = await at(info).many(Routing, join_key(row.number), "item")
    return next(iter(_at(found.value, plant, info)), None)


def _at(rows: list[Any] | None, plant: str | None, info: Info) -> list[Any]:
    if plant is None:
        return list(rows or ())
    code = decode_as(plant, Plant, "plant", info.context.aliases)
    return [row for row in rows or () if row.plant == code]


async def positions(
    row: Item, info: Info, plants: list[strawberry.ID] | None = None
) -> list[InventoryPosition]:
    """The stock of the item by plant and lot: book, physical and work in progress side by side."""
    codes = None if plants is None else {decode_as(p, Plant, "plants", info.context.aliases) for p in plants}
    found, _ = await positions_of(at(info), [row.number])
    return [position for position in found if codes is None or position.plant in codes]


def item_keys(item: Item) -> list[ExternalKey]:
    """The item's number in the system that owns it."""
    return keys_of("Item", item.number, [item])


def lot_keys(
    lot: Lot, master: Answer[LotMaster], quality: Answer[LotQuality], balances: Answer[list[InventoryBalance]]
) -> list[ExternalKey]:
    """The lot's number in each system that knows it; a number that was cut short is not confirmed."""
    return keys_of("Lot", lot.number, [lot, master.value, quality.value, *(balances.value or ())])


async def handling_unit(row: InventoryBalance, info: Info) -> HandlingUnit | None:
    """The handling unit of a shipment that the stock stands on; null where it belongs to none."""
    if row.handling_unit is None:
        return None
    loaders = at(info)
    shipments = await loaders.many(Shipment, join_key(row.handling_unit), "sscc")
    for shipment in shipments.value or ():
        units = await loaders.many(HandlingUnit, join_key(shipment.number), "shipment")
        for unit in units.value or ():
            if row.handling_unit in (unit.code, unit.sscc):
                return unit
    return None


def install() -> None:
    """Put the material classes into the graph."""
    _items()
    _lots()
    _stock()


def _items() -> None:
    expose(
        Item,
        Function("bom", bom, (), ((BillOfMaterials, "item"),)),
        Function("routing", routing, (), ((Routing, "item"),)),
        Function(
            "positions",
            positions,
            (),
            ((InventoryBalance, "item"), (InventoryMovement, "item"), (Item, "id")),
        ),
        Fact("keys", item_keys),
        Edge("record", Item, ("number",), hidden=True),
        Function("sources", sources),
        owners=("record",),
        absent={"conflicts": "This gateway does not compare master data yet."},
    )
    expose(ItemUnit, SYSTEM)
    expose(BillOfMaterials, Edge("item", Item, ("item",), stub=True, required=True), PLANT)
    expose(BomLine, Edge("component", Item, ("component",), stub=True, required=True))
    expose(Routing, Edge("item", Item, ("item",), stub=True, required=True), PLANT)
    expose(RoutingStep, Edge("work_center", WorkCenter, ("plant", "work_center"), stub=True))
    expose(
        Location, PLANT, Edge("parent", Location, ("plant", "parent"), stub=True), Fact("keys", location_keys)
    )


def location_keys(location: Location) -> list[ExternalKey]:
    """The location's code in the system that owns it."""
    return keys_of("Location", location.code, [location])


def serial_keys(serial: SerialNumber) -> list[ExternalKey]:
    """The serial number in the system that owns it."""
    return keys_of("SerialNumber", serial.number, [serial])


LOT = ("item", "number")
PLANT = Edge("plant", Plant, ("plant",), required=True)


def _lots() -> None:
    expose(
        Lot,
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("master", LotMaster, LOT, "lot"),
        Edge("quality", LotQuality, LOT, "lot"),
        Edge("balances", InventoryBalance, LOT, "lot", many=True),
        Edge("inspections", QualityInspection, LOT, "lot", many=True),
        Edge("holds", QualityHold, LOT, "lot", many=True),
        Fact("status", lot_status, ("master", "quality", "holds")),
        Fact("keys", lot_keys, ("master", "quality", "balances")),
        Function("sources", sources),
        owners=("master", "quality", "holds"),
    )
    expose(LotMaster)
    expose(LotQuality)
    expose(
        SerialNumber,
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("lot", Lot, ("item", "lot"), stub=True),
        Edge("location", Location, ("plant", "location"), stub=True),
        Edge("parent", SerialNumber, ("item", "parent")),
        Fact("keys", serial_keys),
    )


def _stock() -> None:
    expose(
        InventoryBalance,
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("location", Location, ("plant", "location"), stub=True, required=True),
        Edge("lot", Lot, ("item", "lot"), stub=True),
        Function("handling_unit", handling_unit, (), ((Shipment, "sscc"), (HandlingUnit, "shipment"))),
    )
    expose(
        InventoryPosition,
        Edge("item", Item, ("item",), stub=True, required=True),
        PLANT,
        Edge("lot", Lot, ("item", "lot"), stub=True),
    )
    expose(
        InventoryMovement,
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("lot", Lot, ("item", "lot"), stub=True),
        Edge("from", Location, ("plant", "from_location"), stub=True),
        Edge("to", Location, ("plant", "to_location"), stub=True),
        Edge("production_order", ProductionOrder, ("plant", "order")),
        Edge("reversal_of", InventoryMovement, ("system", "reversal_of")),
        Function("posted_in", movement_posted_in, (), ((InventoryMovement, "item"),)),
    )


async def movement_posted_in(row: InventoryMovement, info: Info) -> list[SystemKind]:
    """The kinds of systems that have recorded this movement: its own, and those with the same reference."""
    systems = {row.system}
    if row.reference is not None:
        twins = await at(info).many(InventoryMovement, join_key(row.item), "item")
        systems.update(twin.system for twin in twins.value or () if twin.reference == row.reference)
    found = [info.context.systems.system(code) for code in sorted(systems)]
    return sorted({system.kind for system in found if system is not None})
