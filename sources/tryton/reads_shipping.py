"""Reads of shipments: to customers and from suppliers, which Tryton keeps in two models."""

import asyncio
from collections.abc import Iterable, Sequence

from schema.base import join_key, split_key
from schema.logistics import HandlingUnit, Shipment, ShipmentLine, ShipmentPosting, ShipmentWarehouse
from sources.base import Batch, Bundle, Page, Part, Query, batch, search
from sources.tryton import domains, fields
from sources.tryton.bundles import cells, paged, parts_of
from sources.tryton.mapping import Row, Rules, dig
from sources.tryton.reading import Reading
from sources.tryton.shipping import SHIPMENT_PARTS as MAPPINGS
from sources.tryton.shipping import shipment_in, shipment_out

OUT, IN = "stock.shipment.out", "stock.shipment.in"
SHIPMENT_PARTS = (
    Part(Shipment),
    Part(ShipmentWarehouse, by="shipment"),
    Part(ShipmentPosting, by="shipment"),
    Part(ShipmentLine, by="shipment", many=True),
    Part(HandlingUnit, by="shipment", many=True),
)


def head(row: Row, rules: Rules) -> Shipment | None:
    """A shipment of either kind; only supplier shipments have incoming moves."""
    return shipment_in(row, rules) if "incoming_moves" in row else shipment_out(row, rules)


class ShippingReads(Reading):
    """Shipments to customers and from suppliers."""

    @batch(*SHIPMENT_PARTS)
    async def shipments(self, asked: Batch) -> Bundle:
        """Shipments with lines, packages and states; a call for each of the two kinds asked for."""
        numbers: dict[str, list[str]] = {OUT: [], IN: []}
        for key in asked.keys:
            number = "".join(split_key(key))
            for model, prefix in ((OUT, self._prefixes.outbound), (IN, self._prefixes.inbound)):
                if number.startswith(prefix):
                    numbers[model].append(number.removeprefix(prefix))
        found = await asyncio.gather(
            self._of(OUT, domains.among("number", numbers[OUT]), asked),
            self._of(IN, domains.among("number", numbers[IN]), asked),
        )
        rules = self._rules()
        rows = [row for part in found for row in part]
        return parts_of(asked, SHIPMENT_PARTS, rows, lambda row: head(row, rules), MAPPINGS, rules)

    async def _of(self, model: str, domain: domains.Domain, asked: Batch) -> Sequence[Row]:
        party = "customer.code" if model == OUT else "supplier.code"
        scope = domains.within(asked.scope, self._codes, "warehouse.code", party)
        return await self._find(model, [*domain, *scope], _names(model, asked.wants), asked)

    @batch(Part(Shipment, by="order", many=True))
    async def shipments_of_orders(self, asked: Batch) -> Bundle:
        """Customer shipments that carry lots which productions made: two calls."""
        domain = domains.pairs("warehouse.code", "number", map(self._place, asked.keys))
        names = ["number", "warehouse.code", "outputs.lot.number"]
        made = await self._find("production", domain, names, asked)
        rules = self._rules()
        orders: dict[int, str] = {}
        for order in made:
            plant = rules.plant(order["warehouse"])
            for out in order["outputs"]:
                if out["lot"] and plant is not None:
                    orders[out["lot"]["id"]] = join_key(plant, order["number"])
        rows = await self._of(OUT, domains.among("moves.lot", orders), asked)
        found = []
        for row in rows:
            shipment = shipment_out(row, rules)
            if shipment is not None:
                lots = [dig(move, "lot", "id") for move in row["outgoing_moves"]]
                shipment.orders = tuple(dict.fromkeys(orders[lot] for lot in lots if lot in orders))
                found.append(shipment)
        return cells(asked, Shipment, found, by="order", many=True)

    @batch(Part(Shipment, by="sales_line", many=True))
    async def shipments_of_sales_lines(self, asked: Batch) -> Bundle:
        """Customer shipments that fulfil lines of sales."""
        origins = [f"sale.line,{domains.pair(key)[1]}" for key in asked.keys]
        rows = await self._of(OUT, domains.among("moves.origin", origins), asked)
        rules = self._rules()
        return cells(asked, Shipment, [shipment_out(row, rules) for row in rows], by="sales_line", many=True)

    @search(*SHIPMENT_PARTS, filters=("plants", "customers", "numbers", "changed_since"), read="shipments")
    async def find_shipments(self, query: Query) -> Page:
        """Customer shipments, then supplier shipments, oldest first of each."""
        kind, _, place = (query.cursor or "out:").partition(":")
        model, party = (OUT, "customer.code") if kind == "out" else (IN, "supplier.code")
        domain = [["number", "!=", None], *domains.within(query.scope, self._codes, "warehouse.code", party)]
        domain += [*domains.plants(query.filters, self._codes), *domains.changed_since(query.filters)]
        if model == IN and "customers" in query.filters:
            domain += domains.NOTHING
        domain += domains.chosen(query.filters, "customers", "customer.code")
        domain += self._numbered(query, self._prefixes.outbound if model == OUT else self._prefixes.inbound)
        rows, more = await self._page(model, domain, _names(model, query.wants), query, place or "0")
        rules = self._rules()
        cursor = f"{kind}:{more}" if more else "in:0" if model == OUT else None
        return paged(query, SHIPMENT_PARTS, rows, lambda row: head(row, rules), MAPPINGS, rules, cursor)

    def _numbered(self, query: Query, prefix: str) -> domains.Domain:
        named = query.filters.get("numbers")
        if named is None:
            return []
        values = named if isinstance(named, tuple) else (str(named),)
        return domains.among("number", [n.removeprefix(prefix) for n in values if n.startswith(prefix)])


def _names(model: str, wants: Iterable[type]) -> list[str]:
    if model == IN:
        return fields.SHIPMENT_IN
    return fields.wanted(fields.SHIPMENT_OUT, fields.SHIPMENT_OUT_PARTS, wants)
