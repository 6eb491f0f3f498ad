"""What rows speak of, and what a change of one thing touches."""

import pytest

from gateway.cache.tags import kind_of, list_tags, tags_of, touched
from schema.base import KEYS, PREFIXES
from schema.commerce import PurchaseOrder, PurchaseOrderLine, SalesOrder, SalesOrderLine
from schema.errors import RequestError
from schema.logistics import Shipment
from schema.material import Lot
from schema.production import OrderPlanning, ProductionOrder

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


def test_nothing_found_speaks_of_what_was_asked_for() -> None:
    """That a lot has no holds is a fact about the lot."""
    assert tags_of("ERP", Lot, "id", "A/1", []) == ("sys:ERP", "lot:A/1", "lot:*")


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
