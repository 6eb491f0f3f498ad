"""How SAP writes things down: padded numbers, dates, flags; and what an entity set is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Generic, TypeVar

from sources.plant.asgi import Row
from sources.plant.dialects.common import moment, text
from sources.plant.world.material import Item

WIDTHS = {
    "ManufacturingOrder": 12,
    "Material": 18,
    "SalesOrder": 10,
    "DeliveryDocument": 10,
    "PurchaseOrder": 10,
}
Test = Callable[[Row], bool]
T = TypeVar("T")


@dataclass(slots=True)
class EntitySet(Generic[T]):
    """One set: where it is, what is in it, how a thing is shown, and what it can be asked by.

    `indexes` find things by a property without a scan; `params` are plain query parameters for a property;
    `tests` are plain parameters that need more than equality.
    """

    path: str
    key: str
    everything: Callable[[], Iterable[T]]
    row: Callable[[T], Row]
    indexes: dict[str, Callable[[str], Iterable[T]]]
    params: dict[str, str] = field(default_factory=dict)
    tests: dict[str, Callable[[str], Test]] = field(default_factory=dict)
    nested: tuple[str, ...] = ()

    def padded(self, prop: str, value: str) -> str:
        """A value as this ERP stores it."""
        return pad(value, WIDTHS[prop]) if prop in WIDTHS else value


def pad(value: str, width: int) -> str:
    """A number with its leading zeros; anything else as it is."""
    return value.zfill(width) if value.isdigit() else value


def order_no(value: str) -> str:
    """12 digits."""
    return pad(value, 12) if value else ""


def material(value: str) -> str:
    """18 characters when numeric."""
    return pad(value, 18)


def document(value: str) -> str:
    """10 digits: sales orders, deliveries, purchase orders."""
    return pad(value, 10) if value else ""


def line_no(value: str) -> str:
    """6 digits: items of documents."""
    return pad(value, 6) if value else ""


def when(value: datetime | date | None) -> str | None:
    """`/Date(ms)/`; a day is its midnight UTC."""
    if value is None:
        return None
    at = value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
    return f"/Date({int(at.timestamp() * 1000)})/"


def stamp(value: datetime) -> str:
    """`YYYYMMDDHHMMSS`, UTC."""
    return f"{value.astimezone(UTC):%Y%m%d%H%M%S}"


def flag(value: bool) -> str:
    """X or nothing."""
    return "X" if value else ""


def amount(value: Decimal | None) -> str:
    """A quantity as text."""
    return text(value) if value is not None else "0"


def unit(item: Item) -> str:
    """The ERP's own word for the base unit: PC or KG."""
    return item.base_unit


def changed_since(prop: str) -> Callable[[str], Test]:
    """Rows whose stamp is not older than an ISO time."""

    def since(value: str) -> Test:
        oldest = stamp(moment(value))
        return lambda row: str(row[prop]) >= oldest

    return since


def dated(prop: str, *, latest: bool) -> Callable[[str], Test]:
    """Rows whose `/Date(ms)/` is at or before (`latest`), else at or after, an ISO time."""

    def bound(value: str) -> Test:
        limit = int(moment(value).timestamp() * 1000)

        def test(row: Row) -> bool:
            raw = row[prop]
            if raw is None:
                return False
            ms = int(raw[6:-2])
            return ms <= limit if latest else ms >= limit

        return test

    return bound


def contains(*props: str) -> Callable[[str], Test]:
    """Rows with the text in one of the properties, whatever the case."""

    def search(value: str) -> Test:
        low = value.lower()
        return lambda row: any(low in str(row[prop]).lower() for prop in props)

    return search
