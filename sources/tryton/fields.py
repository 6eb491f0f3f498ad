"""Which fields of Tryton's models each read asks for, dotted as Tryton follows them."""

from collections.abc import Iterable

from schema.logistics import HandlingUnit, ShipmentLine, ShipmentWarehouse
from schema.material import BillOfMaterials, Lot, Routing
from schema.production import (
    MaterialRequirement,
    Operation,
    OperationActual,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
)
from sources.tryton.material import location_fields


def under(prefix: str, *names: str) -> list[str]:
    """Fields of a related record."""
    return [f"{prefix}.{name}" for name in names]


STAMPS = ["create_date", "write_date"]
MOVE = ["state", "quantity", "unit.symbol", "product.code", "effective_date", "lot.number", "origin"]

ORDER = ["number", "state", "warehouse.code", "product.code", "quantity", "unit.symbol", *STAMPS]
WORK = under("works", "state", "sequence", "operation.name", "work_center.name", *STAMPS)
ORDER_PARTS: dict[type, list[str]] = {
    OrderPlanning: ["planned_start_date", "planned_date"],
    OrderPosting: [*under("outputs", *MOVE), *under("inputs", *MOVE)],
    MaterialRequirement: under("inputs", *MOVE),
    OrderExecution: ["effective_start_date", "effective_date", *under("outputs", *MOVE), *WORK],
    Operation: WORK,
    OperationActual: WORK,
    Lot: [*under("outputs", *MOVE), *under("outputs.lot", *STAMPS)],
}

ITEM = ["code", "name", "default_uom.symbol", "lot_required", *STAMPS, *under("identifiers", "type", "code")]
LINE = ["quantity", "unit.symbol", "product.code"]
ITEM_PARTS: dict[type, list[str]] = {
    BillOfMaterials: [
        *under("boms.bom", *STAMPS),
        *under("boms.bom.inputs", *LINE),
        *under("boms.bom.outputs", *LINE),
    ],
    Routing: [
        *under("boms.bom", "name"),
        *under("boms.routing", "name", *STAMPS),
        *under("boms.routing.steps", "operation.name"),
    ],
}

LOT = ["number", "product.code", *STAMPS]
LOCATION = [*location_fields(), *STAMPS]
WORK_CENTER = ["name", "warehouse.code", "category.name", "parent.name", *STAMPS]
PARTY = ["code", "name", *STAMPS]
INSPECTION = ["number", "state", "origin", "processed_at", *STAMPS]
INSPECTED = [*ORDER, "outputs.lot.number"]

STOCK = [
    "internal_quantity",
    "product.code",
    "product.default_uom.symbol",
    "lot.number",
    *STAMPS,
]
STOCK_MOVE = [*STOCK, "state", *location_fields("from_location."), *location_fields("to_location.")]
STOCK_PERIOD = [*STOCK, *location_fields("location.")]
MOVEMENT = [
    *MOVE,
    *STAMPS,
    "production_input.number",
    "production_output.number",
    *location_fields("from_location."),
    *location_fields("to_location."),
]

SHIPMENT_OUT = [
    "number",
    "state",
    "warehouse.code",
    "customer.code",
    "carrier.party.code",
    "effective_date",
    *STAMPS,
    *under("outgoing_moves", *MOVE, "sale.number", *STAMPS),
]
SHIPMENT_OUT_PARTS: dict[type, list[str]] = {
    ShipmentWarehouse: under("inventory_moves", *MOVE),
    ShipmentLine: under("inventory_moves", *MOVE),
    HandlingUnit: under("packages", "number", "type.name", "parent.number", *STAMPS),
}
SHIPMENT_IN = [
    "number",
    "state",
    "warehouse.code",
    "supplier.code",
    "effective_date",
    *STAMPS,
    *under("incoming_moves", *MOVE, "purchase.number", *STAMPS),
]

TRADE = ["number", "state", "shipment_state", "party.code", "warehouse.code", "reference", *STAMPS]
SALE_LINE = [*LINE, "shipping_date", *STAMPS]
SALE_LINE_ALONE = [*SALE_LINE, *under("sale", "number", "warehouse.code")]
PURCHASE_LINE = [*LINE, "delivery_date", *STAMPS, *under("moves", *MOVE)]


def wanted(base: Iterable[str], parts: dict[type, list[str]], wants: Iterable[type]) -> list[str]:
    """The base fields and those of the parts wanted, each once."""
    return list(dict.fromkeys([*base, *[name for want in wants for name in parts.get(want, ())]]))
