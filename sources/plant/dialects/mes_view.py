"""What a plant's MES knows, before either MES puts it in its own words: pieces, not base units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sources.plant.dialects.common import found
from sources.plant.world.material import Lot, LotKey, Movement, Place
from sources.plant.world.production import Order
from sources.plant.world.world import World


@dataclass(slots=True)
class Question:
    """Keys and filters of a request, in canonical words; empty asks nothing."""

    orders: list[str]
    materials: list[str]
    centers: list[str]
    statuses: list[str]
    since: datetime | None = None


class MesView:
    """One plant's share of the world: released orders, what they used and made, stock at the lines."""

    def __init__(self, world: World, plant: str) -> None:
        self.world = world
        self.plant = plant

    def order(self, number: str) -> list[Order]:
        """The order, if this MES has ever been told of it."""
        order = self.world.orders.get(number)
        return [order] if order is not None and self.knows(order) else []

    def knows(self, order: Order) -> bool:
        """An MES learns of an order at its release."""
        return order.plant == self.plant and order.released_at is not None

    def orders(self, asked: Question) -> list[Order]:
        """Orders by key, else all, in number order, that pass the filters."""
        if asked.orders:
            rows: Iterable[Order] = found(asked.orders, self.order)
        elif asked.centers:
            rows = found(asked.centers, lambda key: self.world.orders_by["work_center"].get(key, []))
        else:
            rows = self.world.orders_by["plant"][self.plant]
        centers = set(asked.centers)
        return [
            row
            for row in rows
            if self.knows(row)
            and (not asked.statuses or row.state in asked.statuses)
            and (not asked.materials or row.item in asked.materials)
            and (not centers or any(step.work_center in centers for step in row.operations))
            and (asked.since is None or row.seen_at >= asked.since)
        ]

    def pieces(self, item: str, quantity: Decimal) -> Decimal:
        """A base quantity in the MES's only unit."""
        return self.world.items[item].pieces(quantity)

    def movements(self, orders: list[str], materials: list[str], lots: list[LotKey]) -> list[Movement]:
        """Consumption seen at the lines: by order, by material, by lot, or all."""
        ledger = self.world.ledger
        if orders:
            rows = [row for key in orders for row in ledger.by_order.get(key, [])]
        elif lots:
            rows = [row for key in lots for row in ledger.by_item.get(key.item, []) if row.lot == key.lot]
        elif materials:
            rows = [row for key in materials for row in ledger.by_item.get(key, [])]
        else:
            rows = list(ledger.movements.values())
        return [row for row in rows if row.plant == self.plant and row.origin == "MES"]

    def wip(self, materials: list[str], lots: list[LotKey]) -> list[tuple[Place, Decimal]]:
        """Stock at the lines."""
        table = self.world.ledger.wip
        if lots:
            rows = [row for key in lots for row in table.of_lot(key)]
        elif materials:
            rows = [row for key in materials for row in table.of_item(key)]
        else:
            rows = table.everything()
        return [row for row in rows if row[0].plant == self.plant]

    def lots(self, asked: LotQuestion) -> list[Lot]:
        """Lots made here: by order, by key, by material, or by a lot they consumed."""
        lots: list[Lot] = []
        for number in asked.orders:
            lots += [self.world.lots[row.lot_key] for row in self.order(number) if row.lot_key]
        for key in asked.lots:
            lots += [self.world.lots[key]] if key in self.world.lots else []
        for material in asked.materials:
            lots += self.world.lots_of_item.get(material, [])
        for key in asked.consumed:
            parent = self.world.lots.get(key)
            lots += [self.world.lots[child] for child, _ in parent.children] if parent else []
        if not (asked.orders or asked.lots or asked.materials or asked.consumed):
            lots = list(self.world.lots.values())
        unique = {lot.key: lot for lot in lots if lot.plant == self.plant and self._visible(lot)}
        return list(unique.values())

    def _visible(self, lot: Lot) -> bool:
        return bool(lot.order) or not lot.supplier

    def made(self, lot: Lot) -> Decimal:
        """Good pieces that went into the lot."""
        order = self.world.orders.get(lot.order)
        return order.good if order is not None else Decimal(0)


@dataclass(slots=True)
class LotQuestion:
    """How lots are asked for."""

    orders: list[str]
    lots: list[LotKey]
    materials: list[str]
    consumed: list[LotKey]
