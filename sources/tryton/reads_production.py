"""Reads of production orders and their inspections."""

from collections.abc import Iterable

from schema.material import Lot
from schema.production import (
    MaterialRequirement,
    Operation,
    OperationActual,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    ProductionOrder,
)
from schema.quality import QualityInspection
from sources.base import Batch, Bundle, Page, Part, Query, batch, search
from sources.tryton import domains, fields, mapping, material
from sources.tryton.bundles import cells, paged, parts_of
from sources.tryton.client import Row
from sources.tryton.reading import Reading

ORDER_PARTS = (
    Part(ProductionOrder),
    Part(OrderPlanning, by="order"),
    Part(OrderPosting, by="order"),
    Part(OrderExecution, by="order"),
    Part(OperationActual, by="order", many=True),
    Part(Operation, by="order", many=True),
    Part(MaterialRequirement, by="order", many=True),
    Part(Lot, by="order", many=True),
)
ORDER_MAPPINGS = {**mapping.ORDER_PARTS, Lot: material.output_lots}


class ProductionReads(Reading):
    """Production orders and their inspections."""

    @batch(*ORDER_PARTS)
    async def orders(self, asked: Batch) -> Bundle:
        """Productions with planning, posting, components, works and output lots: one payload."""
        domain = domains.pairs("warehouse.code", "number", map(self._place, asked.keys))
        return await self._orders(asked, domain)

    async def _orders(self, asked: Batch, domain: domains.Domain) -> Bundle:
        rules = self._rules()
        names = fields.wanted(fields.ORDER, fields.ORDER_PARTS, asked.wants)
        scope = domains.within(asked.scope, self._codes, "warehouse.code")
        rows = await self._find("production", [*domain, *scope], names, asked)
        return parts_of(
            asked, ORDER_PARTS, rows, lambda row: mapping.order(row, rules), ORDER_MAPPINGS, rules
        )

    @search(
        *ORDER_PARTS,
        filters=("plants", "items", "statuses", "search", "changed_since", "due_from", "due_to"),
        read="orders",
    )
    async def find_orders(self, query: Query) -> Page:
        """Productions that have a number, oldest first."""
        rules = self._rules()
        domain = [
            *domains.orders(query.filters, self._codes, self._zone),
            *domains.within(query.scope, self._codes, "warehouse.code"),
        ]
        names = fields.wanted(fields.ORDER, fields.ORDER_PARTS, query.wants)
        rows, cursor = await self._page("production", domain, names, query)
        return paged(
            query, ORDER_PARTS, rows, lambda r: mapping.order(r, rules), ORDER_MAPPINGS, rules, cursor
        )

    @batch(Part(QualityInspection, by="order", many=True))
    async def inspections_of_orders(self, asked: Batch) -> Bundle:
        """Inspections of productions: two calls, Tryton keeps the origin as a record id."""
        domain = domains.pairs("warehouse.code", "number", map(self._place, asked.keys))
        scope = domains.within(asked.scope, self._codes, "warehouse.code")
        made = await self._find("production", [*domain, *scope], fields.INSPECTED, asked)
        origins = [f"production,{row['id']}" for row in made]
        rows = await self._find(
            "quality.inspection", domains.among("origin", origins), fields.INSPECTION, asked
        )
        return cells(asked, QualityInspection, self._inspected(rows, made), by="order", many=True)

    @batch(Part(QualityInspection))
    async def inspections(self, asked: Batch) -> Bundle:
        """Inspections by number, and the productions they are of."""
        rows = await self._find(
            "quality.inspection", domains.among("number", asked.keys), fields.INSPECTION, asked
        )
        ids = [
            int(row["origin"].partition(",")[2])
            for row in rows
            if str(row["origin"]).startswith("production,")
        ]
        scope = domains.within(asked.scope, self._codes, "warehouse.code")
        made = await self._find("production", [*domains.among("id", ids), *scope], fields.INSPECTED, asked)
        return cells(asked, QualityInspection, self._inspected(rows, made))

    def _inspected(self, rows: Iterable[Row], made: Iterable[Row]) -> list[QualityInspection | None]:
        rules, origins = self._rules(), {f"production,{row['id']}": row for row in made}
        return [material.inspection(row, origins.get(row["origin"]), rules) for row in rows]
