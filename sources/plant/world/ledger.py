"""Stock tables and the movements that change them: the books, the bins and the lines, never in step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from sources.plant.world.material import LotKey, Movement, Place

ZERO = Decimal(0)


class StockTable:
    """Quantity by place, found by item or by lot without a scan; a place that reaches zero is gone."""

    def __init__(self) -> None:
        self.rows: dict[Place, Decimal] = {}
        self._by_item: dict[str, dict[Place, None]] = defaultdict(dict)

    def add(self, place: Place, quantity: Decimal) -> None:
        """Put (or with a negative quantity take) stock."""
        left = self.rows.get(place, ZERO) + quantity
        if left:
            self.rows[place] = left
            self._by_item[place.item][place] = None
        elif place in self.rows:
            del self.rows[place]
            del self._by_item[place.item][place]

    def of_item(self, item: str) -> list[tuple[Place, Decimal]]:
        """All rows of an item."""
        return [(place, self.rows[place]) for place in self._by_item.get(item, ())]

    def of_lot(self, key: LotKey) -> list[tuple[Place, Decimal]]:
        """All rows of a lot."""
        return [(place, quantity) for place, quantity in self.of_item(key.item) if place.lot == key.lot]

    def everything(self) -> list[tuple[Place, Decimal]]:
        """All rows, in the order they first appeared."""
        return list(self.rows.items())

    def total(self, item: str, plant: str) -> Decimal:
        """Stock of an item in a plant."""
        return sum((quantity for place, quantity in self.of_item(item) if place.plant == plant), ZERO)


class Ledger:
    """Three views of stock and the movements behind them.

    `physical` are the bins (WMS), `wip` the lines (MES), `book` the storage locations (ERP). What happened
    and is not booked yet, or is booked and never happened, is the difference; `shrink` is what nobody knows.
    """

    def __init__(self) -> None:
        self.book = StockTable()
        self.physical = StockTable()
        self.wip = StockTable()
        self.movements: dict[str, Movement] = {}
        self.by_item: dict[str, list[Movement]] = defaultdict(list)
        self.by_order: dict[str, list[Movement]] = defaultdict(list)
        self.by_document: dict[str, Movement] = {}
        self.shrink: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self._numbers = 0
        self._documents = 0

    def next_number(self) -> str:
        """The next movement number."""
        self._numbers += 1
        return f"MV{self._numbers:07d}"

    def record(self, movement: Movement) -> Movement:
        """Note something that happened (stock tables are the caller's)."""
        self.movements[movement.number] = movement
        self.by_item[movement.item].append(movement)
        if movement.order:
            self.by_order[movement.order].append(movement)
        return movement

    def post(self, movement: Movement, place: Place, at: datetime) -> None:
        """The ERP books the movement: it gets a document and changes the book stock at `place`."""
        self._documents += 1
        movement.document = f"49{self._documents:08d}"
        movement.posted_at = at
        movement.version += 1
        self.by_document[movement.document] = movement
        if movement.signed:
            self.book.add(place, movement.quantity * movement.signed)

    def in_flight(self, item: str, plant: str) -> Decimal:
        """Signed sum of what happened and is not booked, minus what is booked and never happened."""
        total = ZERO
        for movement in self.by_item.get(item, ()):
            if movement.plant != plant or not movement.signed:
                continue
            if movement.physical and movement.posted_at is None:
                total += movement.signed * movement.quantity
            elif not movement.physical and movement.posted_at is not None:
                total -= movement.signed * movement.quantity
        return total

    def unexplained(self, item: str, plant: str, within: Iterable[StockTable] = ()) -> Decimal:
        """Physical + wip − book − in flight: what no movement explains."""
        tables = tuple(within) or (self.physical, self.wip)
        real = sum((table.total(item, plant) for table in tables), ZERO)
        return real - self.book.total(item, plant) - self.in_flight(item, plant)
