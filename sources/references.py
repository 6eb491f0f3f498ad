"""Which attributes of a row are the key of what: worked out from the names under which classes are found.

``InventoryBalance`` is found by item, lot and location: so it refers to an ``Item``, a ``Lot`` and a ``Location``. A key
may have another inside (a lot's begins with its item's): a reference to the larger comes first, then to those inside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from schema import integration
from schema.base import KEYS, PREFIXES, Plant, SourceSystem
from schema.commerce import (
    Party,
    PurchaseOrder,
    PurchaseOrderLine,
    SalesOrder,
    SalesOrderLine,
    SupplierCommit,
)
from schema.equipment import MaintenanceOrder, WorkCenter
from schema.logistics import Shipment, ShipmentLine
from schema.material import InventoryMovement, Item, Location, Lot
from schema.production import MaterialConsumption, MaterialRequirement, MaterialStaging, ProductionOrder
from schema.quality import QualityHold

_OURS = {Plant, SourceSystem, *(cls for cls in PREFIXES if cls.__module__ == integration.__name__)}
KINDS: dict[str, type] = {cls.__name__: cls for cls in PREFIXES if cls not in _OURS}
"""Name → class of what systems have keys of; plants, systems and the gateway's own records are named by us."""

_NAMES: dict[tuple[str, ...], type] = {
    ("item",): Item,
    ("component",): Item,
    ("item", "lot"): Lot,
    ("plant", "order"): ProductionOrder,
    ("orders",): ProductionOrder,
    ("plant", "location"): Location,
    ("plant", "work_center"): WorkCenter,
    ("shipment",): Shipment,
    ("sales_order", "sales_line"): SalesOrderLine,
    ("sales_lines",): SalesOrderLine,
    ("sales_line",): SalesOrderLine,
    ("purchase_order",): PurchaseOrder,
    ("sales_order",): SalesOrder,
}
"""The attributes of a key, without the words for its direction → what it is the key of."""
_ORDER: dict[type, type] = {
    SalesOrderLine: SalesOrder,
    PurchaseOrderLine: PurchaseOrder,
    SupplierCommit: PurchaseOrder,
}
"""Where an order alone is no production order."""
_DIRECTIONS = ("input_", "output_", "from_", "to_")

_FURTHER: dict[type, tuple[tuple[type, tuple[str, ...]], ...]] = {
    ProductionOrder: ((Item, ("item",)), (SalesOrder, ("sales_order",))),
    MaterialRequirement: ((Item, ("component",)),),
    MaterialStaging: ((Item, ("component",)),),
    MaterialConsumption: ((Lot, ("component", "lots")), (Item, ("component",))),
    InventoryMovement: ((Location, ("plant", "from_location")), (Location, ("plant", "to_location"))),
    ShipmentLine: ((Lot, ("item", "lots")), (Item, ("item",)), (SalesOrderLine, ("sales_line",))),
    Shipment: (
        (Party, ("ship_from",)),
        (Party, ("ship_to",)),
        (Party, ("carrier",)),
        (PurchaseOrder, ("purchase_order",)),
    ),
    SalesOrder: ((Party, ("customer",)),),
    SalesOrderLine: ((Item, ("item",)),),
    PurchaseOrder: ((Party, ("supplier",)),),
    PurchaseOrderLine: ((Item, ("item",)),),
    QualityHold: ((Location, ("plant", "location")),),
    MaintenanceOrder: ((WorkCenter, ("plant", "work_center")),),
}
"""References under which rows are not found: they are in no key, and still name something."""
_WHOLE_KEYS = frozenset({"orders", "sales_lines", "sales_line"})
"""Attributes that hold whole keys (order/line), alone or many."""
_LAST_PARTS = frozenset({"lots"})
"""Attributes that hold the last parts of many keys, which share the parts before."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The attributes of a class that are together the key of a ``kind``.

    With ``whole`` they hold it, or several, ready joined; with ``many`` the last one holds many last parts.
    """

    kind: type
    attributes: tuple[str, ...]
    whole: bool = False
    many: bool = False


def referred(cls: type, by: str) -> type | None:
    """What the key of a read "by" some name is the key of; None for a name that is no key (an SSCC, a tracking number)."""
    return cls if by == "id" else _named(cls, KEYS[cls][by])


@cache
def references(cls: type) -> tuple[Reference, ...]:
    """Every key that a row of this class holds, its own and others', the largest first."""
    found: dict[tuple[str, ...], Reference] = {}
    for by, attributes in KEYS.get(cls, {}).items():
        kind = referred(cls, by)
        if kind is not None:
            found[attributes] = _reference(cls, kind, attributes)
        for inner, positions in _inside(cls, attributes):
            some = tuple(attributes[i] for i in positions)
            found.setdefault(some, _reference(cls, inner, some))
    for kind, attributes in _FURTHER.get(cls, ()):
        found.setdefault(attributes, _reference(cls, kind, attributes))
    return tuple(sorted(found.values(), key=lambda one: -len(one.attributes)))


def _reference(cls: type, kind: type, attributes: tuple[str, ...]) -> Reference:
    # Of a production order, sales_line is a line's number; elsewhere it is the line's whole key.
    whole = len(attributes) == 1 and attributes[0] in _WHOLE_KEYS
    return Reference(kind, attributes, whole, attributes[-1] in _LAST_PARTS)


@cache
def within(kind: type) -> tuple[tuple[type, tuple[int, ...]], ...]:
    """The keys inside the key of a kind, and at which of its parts: a lot's first part is its item's number."""
    return tuple(_inside(kind, KEYS[kind]["id"]))


def _inside(cls: type, attributes: tuple[str, ...]) -> Iterator[tuple[type, tuple[int, ...]]]:
    size = len(attributes)
    for length in range(size - 1, 0, -1):
        for start in range(size - length + 1):
            kind = _named(cls, attributes[start : start + length])
            if kind is not None and kind is not cls and attributes[start] not in _WHOLE_KEYS:
                yield kind, tuple(range(start, start + length))


def _named(cls: type, attributes: tuple[str, ...]) -> type | None:
    if attributes == ("order",):
        return _ORDER.get(cls)
    return _NAMES.get(tuple(_bare(name) for name in attributes))


def _bare(name: str) -> str:
    direction = next((word for word in _DIRECTIONS if name.startswith(word)), "")
    return name[len(direction) :]
