"""WMS_CEN shipments: header, lines with lots, handling units; asked by whatever a caller has at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sources.plant.asgi import Refusal, Request, Response, Route, Row
from sources.plant.dialects.common import Rows, found, limited, one, text
from sources.plant.dialects.wms_words import clean_lot, local, local_moment, measured, noisy_lot
from sources.plant.world.trade import HandlingUnit, Shipment, ShipmentLine
from sources.plant.world.world import World

MOST_KEYS, MOST_ROWS = 100, 500
STATUS = {
    "PLANNED": "10-NEW",
    "ALLOCATED": "20-ALLOC",
    "PICKING": "30-PICKING",
    "PICKED": "35-PICKED",
    "PACKED": "40-PACKED",
    "STAGED": "50-STAGED",
    "LOADED": "60-LOADED",
    "CANCELLED": "99-VOID",
}
SHIPPED = "70-SHIPPED"


def status_of(row: Shipment) -> str:
    """The warehouse's last word is that the truck left."""
    return STATUS.get(row.status, SHIPPED)


class Shipments:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.row = Rows[Shipment](lambda row: row.number, self._shipment)
        by = world.shipments_by
        self._by: dict[str, Callable[[str], list[Shipment]]] = {
            "number": one(world.shipments),
            "order": lambda key: by["order"].get(key, []),
            "sales_order": lambda key: by["sales_order"].get(key, []),
            "sales_line": lambda key: by["sales_line"].get(key, []),
            "purchase_order": lambda key: by["purchase_order"].get(key, []),
            "sscc": lambda key: by["sscc"].get(key.removeprefix("(00)"), []),
            "item_lot": lambda key: by["lot"].get(
                "|".join((key.split("|")[0], clean_lot(key.split("|")[-1]))), []
            ),
            "carrier": lambda key: by["carrier"].get(key, []),
            "customer": lambda key: by["partner"].get(key, []),
            "site": lambda key: by["plant"].get(key, []),
        }

    def routes(self) -> list[Route]:
        """The list with its many keys, and one by number."""
        return [
            Route("GET", "/api/shipments", self.many),
            Route("GET", "/api/shipments/{number}", self.single),
        ]

    def single(self, request: Request) -> Response:
        """One shipment by number."""
        row = self.world.shipments.get(request.parts["number"])
        if row is None:
            raise Refusal(404, f"shipment {request.parts['number']} not found")
        return Response(200, self.row(row))

    def many(self, request: Request) -> Response:
        """By number, order, sales_order, sales_line (ORDER/LINE), purchase_order, sscc, item_lot; filtered by site, carrier, customer,
        status, direction, changed_since, ship_from and ship_to (times).
        """
        asked = {name: limited(request.commas(name), MOST_KEYS, name) for name in self._by}
        used = [name for name, values in asked.items() if values]
        rows = found(asked[used[0]], self._by[used[0]]) if used else list(self.world.shipments.values())
        for name in used[1:]:
            also = {row.number for row in found(asked[name], self._by[name])}
            rows = [row for row in rows if row.number in also]
        rows = self._filtered(request, rows)
        offset, limit = request.integer("offset", 0, 10**9), request.integer("limit", 100, MOST_ROWS)
        page = [self.row(row) for row in rows[offset : offset + limit]]
        return Response(200, {"count": len(rows), "results": page})

    def _filtered(self, request: Request, rows: list[Shipment]) -> list[Shipment]:
        states, ways = request.commas("status"), request.commas("direction")
        since = local_moment(request.one("changed_since"))
        start, end = local_moment(request.one("ship_from")), local_moment(request.one("ship_to"))
        return [
            row
            for row in rows
            if (not states or status_of(row) in states)
            and (not ways or row.direction in ways)
            and (since is None or row.changed_at >= since)
            and (start is None or row.planned_ship >= start)
            and (end is None or row.planned_ship <= end)
        ]

    def _shipment(self, row: Shipment) -> Row:
        return {
            "number": row.number,
            "site": row.plant,
            "direction": row.direction,
            "status": status_of(row),
            "carrier": row.carrier,
            "customer": row.partner if row.direction == "OUTBOUND" else None,
            "supplier": row.partner if row.direction == "INBOUND" else None,
            "purchase_order": row.purchase_order or None,
            "orders": list(dict.fromkeys(line.order for line in row.lines if line.order)),
            "sales_orders": list(dict.fromkeys(line.sales_order for line in row.lines if line.sales_order)),
            "sales_lines": list(
                dict.fromkeys(
                    f"{line.sales_order}/{line.sales_line}" for line in row.lines if line.sales_order
                )
            ),
            "ssccs": [unit.sscc for unit in row.units],
            "picked_percent": text(row.picked_percent),
            "planned_ship_at": local(row.planned_ship),
            "staged_at": local(row.staged_at),
            "loaded_at": local(row.loaded_at),
            "confirmed_at": local(row.confirmed_at),
            "changed_at": local(row.changed_at),
            "lines": [self._line(line) for line in row.lines],
            "handling_units": [self._unit(row, unit) for unit in row.units],
        }

    def _line(self, line: ShipmentLine) -> Row:
        item = self.world.items[line.item]
        ordered, uom = measured(item, line.ordered)
        return {
            "line": line.number,
            "item": line.item,
            "ordered_qty": ordered,
            "picked_qty": measured(item, line.picked)[0],
            "shipped_qty": measured(item, line.shipped)[0],
            "uom": uom,
            "lots": [self._lot(line)] if line.lot else [],
            "order": line.order or None,
            "sales_order": line.sales_order or None,
            "sales_line": line.sales_line or None,
        }

    def _lot(self, line: ShipmentLine) -> Row:
        count, uom = measured(self.world.items[line.item], line.picked)
        return {"item": line.item, "lot": noisy_lot(line.lot), "qty": count, "uom": uom}

    def _unit(self, row: Shipment, unit: HandlingUnit) -> dict[str, Any]:
        lines = {line.number: line for line in row.lines}
        contents = []
        for number, quantity in unit.contents:
            item = self.world.items[lines[number].item]
            count, uom = measured(item, quantity)
            lot = noisy_lot(lines[number].lot)
            contents.append({"line": number, "item": item.number, "qty": count, "uom": uom, "lot": lot})
        return {
            "sscc": unit.sscc,
            "type": unit.kind,
            "parent_sscc": unit.parent or None,
            "gross_weight": text(unit.gross_kg),
            "weight_uom": "KG",
            "contents": contents,
        }
