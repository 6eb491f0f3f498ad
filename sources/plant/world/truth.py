"""What is really so, for tests to ask: the answers no single system of the plant can give."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sources.plant.world.material import LotKey
from sources.plant.world.world import World


@dataclass(frozen=True, slots=True)
class Position:
    """Stock of an item in a plant, base unit: three views, what is under way between them, what is not."""

    book: Decimal
    physical: Decimal
    wip: Decimal
    in_flight: Decimal
    unexplained: Decimal


class Truth:
    """Questions about a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def position(self, item: str, plant: str) -> Position:
        """The stock of an item in a plant from all sides."""
        ledger = self._world.ledger
        return Position(
            book=ledger.book.total(item, plant),
            physical=ledger.physical.total(item, plant),
            wip=ledger.wip.total(item, plant),
            in_flight=ledger.in_flight(item, plant),
            unexplained=ledger.unexplained(item, plant),
        )

    def lost(self, item: str, plant: str) -> Decimal:
        """What vanished from the bins without a movement."""
        return self._world.ledger.shrink.get((item, plant), Decimal(0))

    def descendants(self, key: LotKey) -> set[LotKey]:
        """Every lot something of this lot went into, at any depth."""
        found: set[LotKey] = set()
        waiting = [key]
        while waiting:
            for child, used in self._world.lots[waiting.pop()].children:
                if used and child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def shipments_with(self, keys: set[LotKey]) -> set[str]:
        """Numbers of the shipments that carry any of the lots."""
        by_lot = self._world.shipments_by["lot"]
        return {row.number for key in keys for row in by_lot.get(f"{key.item}|{key.lot}", ())}
