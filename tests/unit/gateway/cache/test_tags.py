"""What rows speak of, and what a change of one thing touches."""

from datetime import UTC, datetime

import pytest

from gateway.cache.tags import kind_of, list_tags, tags_of, touched
from schema.base import KEYS, PREFIXES, Provenance, Quantity
from schema.commerce import PurchaseOrder, PurchaseOrderLine, SalesOrder, SalesOrderLine
from schema.errors import RequestError
from schema.logistics import Shipment
from schema.material import Lot
from schema.production import MaterialConsumption, OrderPlanning, ProductionOrder
from schema.quality import QualityHold

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMELESS = {"customer_reference", "sscc", "tracking"}
"""Keys that are no object's."""


def test_every_key_of_the_model_names_a_kind() -> None:
    """Each registered key but the few that name no object belongs to a class with ids of as many parts."""
    for cls, keys in KEYS.items():
        for by in keys:
            kind = kind_of(cls, by)
            if by in NAMELESS or (by == "id" and cls not in PREFIXES):
                assert kind is None
            else:
                assert kind is not None, f"{cls.__name__} by {by}"


@pytest.mark.parametrize(
    ("cls", "by", "kind"),
    [
        (OrderPlanning, "order", ProductionOrder),
        (SalesOrderLine, "order", SalesOrder),
        (PurchaseOrderLine, "order", PurchaseOrder),
        (Shipment, "order", ProductionOrder),
        (Shipment, "sales_line", SalesOrderLine),
        (Shipment, "id", Shipment),
    ],
)
def test_an_order_is_of_the_kind_its_key_says(cls: type, by: str, kind: type) -> None:
    """The same word means a production, a sales or a purchase order."""
    assert kind_of(cls, by) is kind


def test_a_row_speaks_of_everything_it_is_found_by() -> None:
    """A shipment found by an order: the order asked for, itself, and the other orders in it."""
    row = Shipment("80000036", orders=("1710/1", "1710/2"))
    assert tags_of("WMS", Shipment, "order", "1710/1", [row]) == (
        "sys:WMS",
        "po:1710/1",
        "po:*",
        "ship:80000036",
        "ship:*",
        "po:1710/2",
    )


def test_a_row_speaks_of_what_it_names_besides() -> None:
    """A consumed lot, the item inside its key, the carrier of a shipment: a change of any of them reaches the row."""
    used = MaterialConsumption(
        "1710", "1", "RM-1", Quantity("2", "PC", "H87"), Provenance("MES", NOW), ("L/1", "L2")
    )
    said = tags_of("MES", MaterialConsumption, "order", "1710/1", [used])
    assert {"po:1710/1", "lot:RM-1/L%2F1", "lot:RM-1/L2", "lot:*", "item:RM-1", "item:*"} <= set(said)
    sent = tags_of("TMS", Shipment, "id", "8", [Shipment("8", carrier="c/1", sales_lines=("500/10",))])
    assert {"party:c%2F1", "sol:500/10", "ship:8"} <= set(sent)
    assert not [tag for tag in sent if tag.startswith("pur:")]


def test_a_change_of_an_item_reaches_its_lots() -> None:
    """The item is inside the key of a lot, be there rows or not: its lots are let go with it."""
    assert "item:A" in tags_of("QMS", QualityHold, "lot", "A/1", [])
    lot = Lot("A", "1", "1710", "1")
    assert "item:A" in tags_of("ERP", Lot, "order", "1710/1", [lot])
    assert "item:A" in touched(["item:A"])


def test_nothing_found_speaks_of_what_was_asked_for() -> None:
    """That a lot has no holds is a fact about the lot, and about the item inside its key."""
    assert tags_of("ERP", Lot, "id", "A/1", []) == ("sys:ERP", "lot:A/1", "lot:*", "item:A", "item:*")


def test_a_change_touches_the_lists_of_its_kind() -> None:
    """An id also touches the pages it may be on; a system is itself."""
    assert touched(["po:1710/1", "sys:ERP"]) == ("po:1710/1", "po:#", "sys:ERP")
    assert list_tags([ProductionOrder, OrderPlanning]) == ("po:#",)


@pytest.mark.parametrize("tag", ["", "po", "po:", "po:1710", "nothing:1", "1710/1", "po:#"])
def test_what_is_no_id_is_refused(tag: str) -> None:
    """The message names the value and says what to write."""
    with pytest.raises(RequestError, match="neither an id") as caught:
        touched([tag])
    assert "po:1710/1000040" in (caught.value.hint or "")
