"""Items, lots, places and movements as they truly are; quantities are Decimals in the item's base unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

PC = "PC"
KG = "KG"


@dataclass(slots=True)
class BomLine:
    """A component and how much of it 100 base units of the parent take."""

    position: str
    component: str
    per_hundred: Decimal
    operation: str
    scrap_percent: Decimal = Decimal(0)
    phantom: bool = False
    backflush: bool = False


@dataclass(slots=True)
class Step:
    """One routing step: minutes of set-up, seconds per base unit."""

    number: str
    description: str
    work_center: str
    setup_minutes: int
    seconds_per_unit: Decimal


@dataclass(slots=True)
class Item:
    """A material. `kg_per_piece` is set for items kept in kg, `pieces_per_box` for items packed in boxes;
    `box_known` false means the ERP was never told the box factor.
    """

    number: str
    description: str
    kind: str
    base_unit: str
    gtin: str
    tracking: str
    revision: str
    plants: tuple[str, ...]
    kg_per_piece: Decimal | None = None
    pieces_per_box: Decimal | None = None
    box_known: bool = True
    gross_kg: Decimal = Decimal("0.4")
    bom: list[BomLine] = field(default_factory=list)
    routing: dict[str, list[Step]] = field(default_factory=dict)
    version: int = 0

    def pieces(self, quantity: Decimal) -> Decimal:
        """A base quantity as pieces."""
        return quantity / self.kg_per_piece if self.kg_per_piece else quantity

    def boxes(self, quantity: Decimal) -> Decimal:
        """A base quantity as boxes; only for items that have boxes."""
        return self.pieces(quantity) / (self.pieces_per_box or Decimal(1))


class LotKey(NamedTuple):
    """A lot is only unique within its item."""

    item: str
    lot: str


@dataclass(slots=True)
class Lot:
    """A lot with its parents and children (lot, quantity of the parent used) and its status on either side."""

    item: str
    number: str
    plant: str
    manufactured: date
    expires: date | None
    country: str
    changed_at: datetime
    order: str = ""
    supplier: str = ""
    supplier_lot: str = ""
    quality: str = "RELEASED"
    home_bin: str = ""
    book_status: str = "01"
    bin_status: str = "AVAILABLE"
    parents: list[tuple[LotKey, Decimal]] = field(default_factory=list)
    children: list[tuple[LotKey, Decimal]] = field(default_factory=list)
    serials: list[str] = field(default_factory=list)
    version: int = 0

    @property
    def key(self) -> LotKey:
        """Item and number."""
        return LotKey(self.item, self.number)


class Place(NamedTuple):
    """Where stock of a lot lies, and in which status; the location is a storage location, bin or line."""

    item: str
    lot: str
    plant: str
    location: str
    status: str


@dataclass(slots=True)
class Movement:
    """Something that moved: when it happened, who saw it, and when (if yet) the ERP booked it.

    `signed` is what it does to the stock of the plant: + receipt, − issue, 0 transfer. `physical` is false
    for what only the books know (a backflush of something already issued).
    """

    number: str
    kind: str
    item: str
    lot: str
    plant: str
    quantity: Decimal
    signed: int
    occurred_at: datetime
    recorded_at: datetime
    origin: str
    source: str = ""
    target: str = ""
    order: str = ""
    shipment: str = ""
    document: str = ""
    posted_at: datetime | None = None
    reversal_of: str = ""
    physical: bool = True
    version: int = 0


@dataclass(slots=True)
class Location:
    """A storage location, bin, dock, staging area or line-side place."""

    code: str
    plant: str
    kind: str
    parent: str = ""
