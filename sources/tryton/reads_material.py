"""Reads of items, lots, stock, movements, places and work centres."""

import asyncio

from schema.base import split_key
from schema.equipment import WorkCenter
from schema.material import (
    BillOfMaterials,
    InventoryBalance,
    InventoryMovement,
    Item,
    Location,
    Lot,
    LotMaster,
    Routing,
)
from sources.base import Batch, Bundle, Page, Part, Query, batch, search
from sources.tryton import domains, fields, material
from sources.tryton.bundles import cells, paged
from sources.tryton.mapping import Row
from sources.tryton.reading import Reading


class MaterialReads(Reading):
    """Items, lots, stock, movements, places and work centres."""

    @batch(Part(Item), Part(BillOfMaterials, by="item", many=True), Part(Routing, by="item", many=True))
    async def items(self, asked: Batch) -> Bundle:
        """Products with bills and routings."""
        rules, plants = self._rules(), self.config.plants
        names = fields.wanted(fields.ITEM, fields.ITEM_PARTS, asked.wants)
        rows = await self._find("product.product", domains.among("code", asked.keys), names, asked)
        bundle: Bundle = {}
        if Item in asked.wants:
            bundle |= cells(asked, Item, [material.item(row, rules) for row in rows])
        if BillOfMaterials in asked.wants:
            found = [bom for row in rows for bom in material.boms(row, plants, rules)]
            bundle |= cells(asked, BillOfMaterials, found, by="item", many=True)
        if Routing in asked.wants:
            routings = [routing for row in rows for routing in material.routings(row, plants, rules)]
            bundle |= cells(asked, Routing, routings, by="item", many=True)
        return bundle

    @batch(Part(Lot), Part(LotMaster, by="lot"))
    async def lots(self, asked: Batch) -> Bundle:
        """Lots by product and number."""
        rules = self._rules()
        domain = domains.pairs("product.code", "number", map(domains.pair, asked.keys))
        rows = await self._find("stock.lot", domain, fields.LOT, asked)
        bundle: Bundle = {}
        if Lot in asked.wants:
            bundle |= cells(asked, Lot, [material.lot(row, rules) for row in rows])
        if LotMaster in asked.wants:
            bundle |= cells(asked, LotMaster, [material.lot_master(row, rules) for row in rows], by="lot")
        return bundle

    @batch(Part(Lot, by="item", many=True))
    async def lots_of_items(self, asked: Batch) -> Bundle:
        """Every lot of products."""
        rows = await self._find("stock.lot", domains.among("product.code", asked.keys), fields.LOT, asked)
        rules = self._rules()
        return cells(asked, Lot, [material.lot(row, rules) for row in rows], by="item", many=True)

    @search(Part(Lot), filters=("items", "search", "changed_since"), read="lots")
    async def find_lots(self, query: Query) -> Page:
        """Lots, oldest first."""
        rules = self._rules()
        rows, cursor = await self._page("stock.lot", domains.lots(query.filters), fields.LOT, query)
        return paged(query, (Part(Lot),), rows, lambda row: material.lot(row, rules), {}, rules, cursor)

    @batch(Part(InventoryBalance, by="item", many=True), max_keys=50)
    async def stock_of_items(self, asked: Batch) -> Bundle:
        """Book stock of products by location and lot."""
        return await self._stock(asked, domains.among("product.code", asked.keys), "item")

    @batch(Part(InventoryBalance, by="lot", many=True), max_keys=50)
    async def stock_of_lots(self, asked: Batch) -> Bundle:
        """Book stock of lots by location."""
        domain = domains.pairs("product.code", "lot.number", map(domains.pair, asked.keys))
        return await self._stock(asked, domain, "lot")

    async def _stock(self, asked: Batch, domain: domains.Domain, by: str) -> Bundle:
        """What Tryton computes itself: the last closed period, and the moves since."""
        ledger = material.Ledger(self._rules())
        since: domains.Domain = []
        periods = await self.client.page(
            "stock.period",
            [["state", "=", "closed"]],
            ["date"],
            asked.deadline,
            first=1,
            order=[("date", "DESC")],
        )
        moves = [["state", "in", ["done", "assigned"]], *domain]
        if periods:
            since = [
                ["OR", ["effective_date", ">", domains.wire(periods[0]["date"])], ["state", "=", "assigned"]]
            ]
            cached = [["period", "=", periods[0]["id"]], *domain]
            before, rows = await asyncio.gather(
                self._find("stock.period.cache.lot", cached, fields.STOCK_PERIOD, asked),
                self._find("stock.move", [*moves, *since], fields.STOCK_MOVE, asked),
            )
            ledger.period(before)
        else:
            rows = await self._find("stock.move", moves, fields.STOCK_MOVE, asked)
        ledger.moves(rows)
        seen = asked.scope.plants
        found = [row for row in ledger.balances() if seen is None or row.plant in seen]
        return cells(asked, InventoryBalance, found, by=by, many=True)

    @batch(Part(InventoryMovement, by="item", many=True), max_keys=50)
    async def movements_of_items(self, asked: Batch) -> Bundle:
        """Done moves of products."""
        return await self._movements(asked, domains.among("product.code", asked.keys), "item")

    @batch(Part(InventoryMovement, by="lot", many=True), max_keys=50)
    async def movements_of_lots(self, asked: Batch) -> Bundle:
        """Done moves of lots."""
        domain = domains.pairs("product.code", "lot.number", map(domains.pair, asked.keys))
        return await self._movements(asked, domain, "lot")

    @batch(Part(InventoryMovement, by="order", many=True), max_keys=50)
    async def movements_of_orders(self, asked: Batch) -> Bundle:
        """Done moves into and out of productions."""
        numbers = sorted({self._place(key)[1] for key in asked.keys})
        sides = [domains.among(f"production_{side}.number", numbers)[0] for side in ("input", "output")]
        return await self._movements(asked, [["OR", *sides]], "order")

    @batch(Part(InventoryMovement))
    async def movements(self, asked: Batch) -> Bundle:
        """Done moves by record id."""
        ids = [int(number) for key in asked.keys if (number := domains.pair(key)[1]).isdecimal()]
        return await self._movements(asked, domains.among("id", ids), "id")

    @search(Part(InventoryMovement), filters=("items", "window_from", "window_to"), read="movements")
    async def find_movements(self, query: Query) -> Page:
        """Done moves, oldest first. Tryton cannot tell moves by warehouse: the plants seen are chosen here."""
        rules, seen = self._rules(), query.scope.plants
        domain = domains.movements(query.filters, self._zone)
        rows, cursor = await self._page("stock.move", domain, fields.MOVEMENT, query)

        def visible(row: Row) -> InventoryMovement | None:
            move = material.movement(row, rules)
            return move if move and (seen is None or move.plant in seen) else None

        return paged(query, (Part(InventoryMovement),), rows, visible, {}, rules, cursor)

    async def _movements(self, asked: Batch, domain: domains.Domain, by: str) -> Bundle:
        rules, seen = self._rules(), asked.scope.plants
        rows = await self._find("stock.move", [["state", "=", "done"], *domain], fields.MOVEMENT, asked)
        found = [material.movement(row, rules) for row in rows]
        visible = [move for move in found if move and (seen is None or move.plant in seen)]
        return cells(asked, InventoryMovement, visible, by=by, many=by != "id")

    @batch(Part(Location))
    async def locations(self, asked: Batch) -> Bundle:
        """Locations by warehouse and code."""
        codes = [split_key(key)[-1] for key in asked.keys]
        domain = [["OR", ["code", "in", codes], ["name", "in", codes]]] if codes else [["id", "=", -1]]
        rows = await self._find("stock.location", domain, fields.LOCATION, asked)
        rules = self._rules()
        return cells(asked, Location, [material.location(row, rules) for row in rows])

    @batch(Part(WorkCenter))
    async def work_centers(self, asked: Batch) -> Bundle:
        """Work centres by warehouse and name."""
        domain = domains.pairs("warehouse.code", "name", map(self._place, asked.keys))
        rows = await self._find("production.work.center", domain, fields.WORK_CENTER, asked)
        rules = self._rules()
        return cells(asked, WorkCenter, [material.work_center(row, rules) for row in rows])
