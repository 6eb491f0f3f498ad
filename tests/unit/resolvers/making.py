"""Rows and answers for the tests of pure facts."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from resolvers.loaders import Answer
from schema.base import Provenance, Quantity
from schema.errors import SourceUnavailable
from schema.material import Item, ItemUnit
from schema.production import OrderExecution, OrderPlanning, OrderStatus

T = TypeVar("T")
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
HERE = Provenance("ERP", NOW)
SILENT: Answer[Any] = Answer(None, ("X",), (("X", SourceUnavailable("down")),))
"""What is left when a system could not be asked."""
NOTHING: Answer[Any] = Answer(None, ("X",))
"""What is left when a system does not know the key."""


def known(value: T) -> Answer[T]:
    """A good answer."""
    return Answer(value, ("X",))


def amount(text: str, unit: str = "H87") -> Quantity:
    """A quantity as a system sends it."""
    return Quantity(text, unit, unit)


def item(*units: tuple[str, str, str], base: str | None = "H87", conflict: bool = False) -> Item:
    """An item with further units: (unit, numerator, denominator)."""
    return Item(
        "I",
        base_unit=base,
        units=tuple(ItemUnit(u, n, d, "ERP", u, conflict) for u, n, d in units),
        provenance=HERE,
    )


def plan(status: OrderStatus = OrderStatus.RELEASED, **more: Any) -> Answer[OrderPlanning]:
    """What the ERP planned."""
    return known(OrderPlanning("P", "1", amount("100"), HERE, status=status, **more))


def run(status: OrderStatus = OrderStatus.IN_PROGRESS, **more: Any) -> Answer[OrderExecution]:
    """What the shop floor reports."""
    return known(OrderExecution("P", "1", HERE, status=status, **more))
