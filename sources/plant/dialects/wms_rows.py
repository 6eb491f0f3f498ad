"""WMS_CEN rows of places, stock, movements and staging."""

from __future__ import annotations

from decimal import Decimal

from sources.plant.asgi import Row
from sources.plant.dialects.wms_words import local, measured, noisy_lot
from sources.plant.world.material import Location, Movement, Place
from sources.plant.world.production import Component, Order
from sources.plant.world.world import World

TYPES = {
    "PRODUCTION_RECEIPT": "PUTAWAY_PROD",
    "TRANSFER": "STAGE",
    "SHIP": "LOAD_OUT",
    "PURCHASE_RECEIPT": "PUTAWAY_PO",
    "ADJUSTMENT": "COUNT",
}


class WmsRows:
    """Shows things of the world as the warehouse sees them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def bin(self, row: Location) -> Row:
        """A place in the warehouse."""
        return {"bin": row.code, "site": row.plant, "type": row.kind, "erp_location": row.parent}

    def stock(self, row: tuple[Place, Decimal]) -> Row:
        """Stock of a lot in a bin, right now."""
        place, quantity = row
        count, uom = measured(self.world.items[place.item], quantity)
        held = place.status == "BLOCKED"
        staged = place.location.endswith("STAGE")
        return {
            "item": place.item,
            "lot": noisy_lot(place.lot),
            "item_lot": f"{place.item}|{noisy_lot(place.lot)}",
            "site": place.plant,
            "bin": place.location,
            "erp_location": self.world.locations[place.location].parent,
            "status": place.status,
            "qty": count,
            "reserved": count if staged else "0",
            "available": "0" if staged or held else count,
            "uom": uom,
            "counted_at": local(self.world.now()),
        }

    def movement(self, row: Movement) -> Row:
        """One task done."""
        count, uom = measured(self.world.items[row.item], row.quantity)
        return {
            "movement": row.number,
            "type": TYPES[row.kind],
            "item": row.item,
            "lot": noisy_lot(row.lot),
            "item_lot": f"{row.item}|{noisy_lot(row.lot)}",
            "site": row.plant,
            "from_bin": row.source or None,
            "to_bin": row.target or None,
            "qty": count,
            "uom": uom,
            "order": row.order or None,
            "shipment": row.shipment or None,
            "moved_at": local(row.occurred_at),
            "recorded_at": local(row.recorded_at),
            "posted": bool(row.document),
            "erp_document": row.document or None,
        }

    def staging(self, row: tuple[Order, Component]) -> Row:
        """What was staged for a component."""
        order, component = row
        item = self.world.items[component.item]
        needed, uom = measured(item, component.required)
        return {
            "order": order.number,
            "position": component.position,
            "item": component.item,
            "lot": noisy_lot(component.lot),
            "required_qty": needed,
            "staged_qty": measured(item, component.staged)[0],
            "uom": uom,
            "staged_at": local(component.staged_at),
        }
