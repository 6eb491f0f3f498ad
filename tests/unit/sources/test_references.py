"""References: for every name under which a class is found, of what it is the key."""

import pytest

from schema.base import KEYS
from schema.commerce import (
    Party,
    PurchaseOrder,
    PurchaseOrderLine,
    SalesOrder,
    SalesOrderLine,
    SupplierCommit,
)
from schema.equipment import WorkCenter
from schema.logistics import Shipment, ShipmentLine
from schema.material import InventoryBalance, Item, Location, Lot, LotTransformation, SerialNumber
from schema.production import MaterialConsumption, Operation, OrderExecution, ProductionOrder
from schema.quality import QualityHold
from sources.references import KINDS, references, referred, within

NO_KEYS = {(Shipment, "sscc"), (Shipment, "tracking"), (SalesOrder, "customer_reference")}
"""Names under which something is found without being the key of anything."""


NAMED = [(cls, by) for cls, names in KEYS.items() for by in names]


@pytest.mark.parametrize(("cls", "by"), NAMED, ids=lambda value: getattr(value, "__name__", value))
def test_every_name_is_the_key_of_something(cls: type, by: str) -> None:
    """A new class or name must be placed: its key has as many parts as the key of what it refers to."""
    kind = referred(cls, by)
    assert (kind is None) == ((cls, by) in NO_KEYS)
    if kind is not None:
        reference = next(one for one in references(cls) if one.attributes == KEYS[cls][by])
        assert reference.kind is kind
        assert reference.whole or len(reference.attributes) == len(KEYS[kind]["id"])


WHAT: list[tuple[type, str, type]] = [
    (Lot, "id", Lot),
    (Lot, "order", ProductionOrder),
    (LotTransformation, "input", Lot),
    (InventoryBalance, "location", Location),
    (OrderExecution, "order", ProductionOrder),
    (PurchaseOrderLine, "order", PurchaseOrder),
    (SupplierCommit, "order", PurchaseOrder),
    (SalesOrderLine, "order", SalesOrder),
    (ProductionOrder, "sales_line", SalesOrderLine),
    (Shipment, "order", ProductionOrder),
    (QualityHold, "shipment", Shipment),
]


@pytest.mark.parametrize(("cls", "by", "kind"), WHAT)
def test_what_a_name_refers_to(cls: type, by: str, kind: type) -> None:
    """The same word is another thing in another class."""
    assert referred(cls, by) is kind


def test_a_row_refers_to_more_than_it_is_found_by() -> None:
    """The largest key comes first, then those inside and beside it."""
    assert [(one.kind, one.attributes) for one in references(InventoryBalance)] == [
        (Lot, ("item", "lot")),
        (Location, ("plant", "location")),
        (Item, ("item",)),
    ]
    assert (Item, ("component",)) in [(one.kind, one.attributes) for one in references(MaterialConsumption)]
    assert {one.kind for one in references(Shipment)} >= {Party, ProductionOrder, SalesOrderLine}
    assert [one.whole for one in references(ShipmentLine) if one.kind is SalesOrderLine] == [True]
    assert [one.many for one in references(ShipmentLine) if one.kind is Lot] == [True]


def test_keys_inside_keys() -> None:
    """A lot's key begins with its item's, an operation's with its order's; a work center's has none."""
    assert within(Lot) == ((Item, (0,)),)
    assert within(SerialNumber) == ((Item, (0,)),)
    assert within(Operation) == ((ProductionOrder, (0, 1)),)
    assert within(WorkCenter) == ()


def test_kinds_are_what_systems_name() -> None:
    """Plants, systems and the gateway's own records are named by us."""
    assert {"Lot", "Item", "ProductionOrder", "Shipment", "Party"} <= set(KINDS)
    assert not {"Plant", "SourceSystem", "BusinessEvent", "IntegrationTransaction"} & set(KINDS)
