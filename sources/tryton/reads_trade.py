"""Reads of parties, sales and purchases."""

from schema.commerce import Party, PurchaseOrder, PurchaseOrderLine, SalesOrder, SalesOrderLine
from sources.base import Batch, Bundle, Page, Part, Query, batch, search
from sources.tryton import domains, fields, trade
from sources.tryton.bundles import cells, paged, parts_of
from sources.tryton.mapping import Part as PartMapping
from sources.tryton.mapping import Row, Rules
from sources.tryton.reading import Reading

PURCHASE_PARTS = (Part(PurchaseOrder), Part(PurchaseOrderLine, by="order", many=True))
SALE_PARTS = (Part(SalesOrder), Part(SalesOrderLine, by="order", many=True))
SALE_FIELDS: dict[type, list[str]] = {SalesOrderLine: fields.under("lines", *fields.SALE_LINE)}
PURCHASE_FIELDS: dict[type, list[str]] = {PurchaseOrderLine: fields.under("lines", *fields.PURCHASE_LINE)}


def _sale_lines(row: Row, head: SalesOrder, rules: Rules) -> list[SalesOrderLine]:
    return [line for one in row["lines"] if (line := trade.sale_line(one, row, rules)) is not None]


def _purchase_lines(row: Row, head: PurchaseOrder, rules: Rules) -> list[PurchaseOrderLine]:
    return trade.purchase_lines(row, rules)


SALE_MAPPINGS: dict[type, PartMapping] = {SalesOrderLine: _sale_lines}
PURCHASE_MAPPINGS: dict[type, PartMapping] = {PurchaseOrderLine: _purchase_lines}


class TradeReads(Reading):
    """Parties, sales and purchases."""

    @batch(Part(Party))
    async def parties(self, asked: Batch) -> Bundle:
        """Parties by code."""
        domain = [*domains.among("code", asked.keys), *domains.within(asked.scope, {}, party="code")]
        rows = await self._find("party.party", domain, fields.PARTY, asked)
        rules = self._rules()
        return cells(asked, Party, [trade.party(row, rules) for row in rows])

    @batch(*SALE_PARTS)
    async def sales(self, asked: Batch) -> Bundle:
        """Sales with their lines."""
        names = fields.wanted(fields.TRADE, SALE_FIELDS, asked.wants)
        domain = [*domains.among("number", asked.keys), *self._mine(asked)]
        rows = await self._find("sale.sale", domain, names, asked)
        rules = self._rules()
        return parts_of(asked, SALE_PARTS, rows, lambda row: trade.sale(row, rules), SALE_MAPPINGS, rules)

    @batch(Part(SalesOrderLine))
    async def sale_lines(self, asked: Batch) -> Bundle:
        """Lines of sales by sale and record id."""
        ids = [int(number) for key in asked.keys if (number := domains.pair(key)[1]).isdecimal()]
        scope = domains.within(asked.scope, self._codes, "sale.warehouse.code", "sale.party.code")
        rows = await self._find(
            "sale.line", [*domains.among("id", ids), *scope], fields.SALE_LINE_ALONE, asked
        )
        rules = self._rules()
        return cells(asked, SalesOrderLine, [trade.sale_line(row, row["sale"], rules) for row in rows])

    @batch(*PURCHASE_PARTS)
    async def purchases(self, asked: Batch) -> Bundle:
        """Purchases with their lines."""
        names = fields.wanted(fields.TRADE, PURCHASE_FIELDS, asked.wants)
        domain = [*domains.among("number", asked.keys), *self._mine(asked)]
        rows = await self._find("purchase.purchase", domain, names, asked)
        rules = self._rules()
        return parts_of(
            asked, PURCHASE_PARTS, rows, lambda row: trade.purchase(row, rules), PURCHASE_MAPPINGS, rules
        )

    @search(*PURCHASE_PARTS, filters=("suppliers", "changed_since"), read="purchases")
    async def find_purchases(self, query: Query) -> Page:
        """Purchases that have a number, oldest first."""
        domain = [["number", "!=", None], ["party.code", "!=", None]]
        domain += domains.chosen(query.filters, "suppliers", "party.code")
        domain += [*domains.changed_since(query.filters), *self._mine(query)]
        names = fields.wanted(fields.TRADE, PURCHASE_FIELDS, query.wants)
        rows, cursor = await self._page("purchase.purchase", domain, names, query)
        rules = self._rules()
        return paged(
            query,
            PURCHASE_PARTS,
            rows,
            lambda row: trade.purchase(row, rules),
            PURCHASE_MAPPINGS,
            rules,
            cursor,
        )

    def _mine(self, asked: Batch | Query) -> domains.Domain:
        return domains.within(asked.scope, self._codes, "warehouse.code", "party.code")
