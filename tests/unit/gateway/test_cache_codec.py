"""Entries as bytes: every canonical class comes back as it was, and nothing else is mistaken for it."""

import copy
import datetime as dt
import subprocess
import sys
from dataclasses import dataclass, fields, is_dataclass, make_dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schema.commerce
import schema.equipment
import schema.integration
import schema.logistics
import schema.material
import schema.production
import schema.quality
from gateway.cache.codec import codec, fingerprint
from gateway.cache.store import Entry
from resolvers.graph import graphql_schema
from schema.base import KEYS, ConversionRule, Provenance, Quantity
from schema.material import BalanceView, InventoryBalance, StockStatus
from schema.production import OrderPlanning, OrderStatus

NOW = dt.datetime(2025, 5, 6, 12, 13, 14, 123456, tzinfo=dt.UTC)
READ = 1_700_000_000_123_456
TEXT = st.text(max_size=8)
INSTANTS = st.datetimes(
    dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1), timezones=st.sampled_from([dt.UTC, dt.timezone.max])
)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    dt.datetime: INSTANTS,
    dt.date: st.dates(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the model states it."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values(args[0])
    if kind is NoneType:
        return st.none()
    if origin in (Union, UnionType):
        return st.one_of(*map(values, args))
    if origin is tuple:
        return st.lists(values(args[0]), max_size=2).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(kind)})
    return LEAVES[kind]


def back(kind: Any, entry: Entry, shift: float = 0.0) -> Entry | None:
    """The entry after its way into bytes and out again."""
    return codec(kind).entries([codec(kind).data(entry, READ)], shift)[0]


EVERY = sorted(KEYS, key=lambda cls: cls.__name__)
"""Every class whose rows are found by a key."""


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_class_comes_back_as_it_was(cls: type, data: st.DataObject) -> None:
    """A row, a list of rows and the knowledge that there is none are the same after the way through bytes."""
    row = data.draw(values(cls))
    rows: Any = list.__class_getitem__(cls)
    one, many = back(cls | None, Entry(row, 0.0, ("a", "b"))), back(rows | None, Entry([row, row], 0.0))
    assert one is not None
    assert (one.cell, one.tags) == (row, ("a", "b"))
    assert type(one.cell) is cls
    assert many is not None
    assert many.cell == [row, row]
    assert (nothing := back(cls | None, Entry(None, 0.0))) is not None
    assert nothing.cell is None


def test_all_modules_of_the_model_are_covered() -> None:
    """The classes with keys are those of all domains, so that the test above means something."""
    domains = [schema.commerce, schema.equipment, schema.integration, schema.logistics, schema.material]
    domains += [schema.production, schema.quality]
    assert {cls.__module__ for cls in KEYS} >= {domain.__name__ for domain in domains}
    assert len(KEYS) > 30


def planning() -> OrderPlanning:
    """A typical row of the planning."""
    found = Provenance("SAP_DE", NOW, "1710/1000040", NOW, 'W/"20250506"')
    quantity = Quantity("120", "ST", "H87")
    status = OrderStatus.RELEASED
    return OrderPlanning(
        "1710", "1000040", quantity, found, NOW, NOW, NOW.date(), NOW, 3, status, ("REL", "PCNF")
    )


def balance() -> InventoryBalance:
    """A typical row of stock."""
    found = Provenance("WMS", NOW, "0001/A-01-02", NOW)
    amounts = [Quantity(value, "BOX", "H87", "12", ConversionRule.ITEM_SPECIFIC) for value in ("9", "1", "8")]
    place = ("1710", "FG-1050", "0001/A-01-02", BalanceView.PHYSICAL)
    return InventoryBalance(
        *place, amounts[0], found, "L-24", None, StockStatus.BLOCKED, amounts[1], amounts[2]
    )


@pytest.mark.parametrize("row", [planning(), balance()], ids=lambda row: type(row).__name__)
def test_a_row_takes_half_the_bytes_it_would_with_the_names_of_its_fields(row: Any) -> None:
    """Rows travel without the names of their fields, so that a thousand of them are little on the wire."""
    kind: Any = type(row)
    kept = codec(kind | None).data(Entry(row, 0.0), READ)
    assert len(kept) < len(msgspec.msgpack.encode(row)) / 2


def test_instants_age_and_tags() -> None:
    """The instant of reading comes back shifted into our time; instants in a row mean the same moment in UTC."""
    row = planning()
    row.planned_start = dt.datetime(2025, 5, 6, 14, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    found = back(OrderPlanning | None, Entry(row, 0.0, ("po:1710/1000040",)), shift=600.0)
    assert found is not None
    assert found.read_at == pytest.approx(READ / 1e6 - 600, abs=1e-6)
    assert found.cell.planned_start == row.planned_start
    assert found.cell.planned_start.utcoffset() == dt.timedelta(0)


def test_what_comes_back_is_ones_own() -> None:
    """Changing what was read changes neither what was kept nor what is read next."""
    row = planning()
    kept = codec(OrderPlanning | None).data(Entry(row, 0.0), READ)
    before = copy.deepcopy(row)
    first, second = codec(OrderPlanning | None).entries([kept, kept], 0.0)
    assert first is not None
    assert second is not None
    first.cell.quantity.source_value = "1"
    assert row == before == second.cell


@dataclass(slots=True)
class Listed:
    """A page, as a list might be kept."""

    rows: list[OrderPlanning]
    by: dict[str, OrderPlanning]
    cursor: str | None = None


def test_pages_maps_and_plain_values_come_back() -> None:
    """A shelf may hold any type that MessagePack can state: pages of rows, maps, numbers."""
    page = Listed([planning()], {"a": planning()}, "next")
    cases: list[tuple[Any, Any]] = [(Listed, page), (dict[str, int], {"a": 1}), (Any, [1, None]), (int, 5)]
    cases += [(Decimal, Decimal("1.50")), (tuple[Quantity, ...], (Quantity("1", "ST", "H87"),))]
    for kind, value in cases:
        found = back(kind, Entry(value, 0.0))
        assert found is not None
        assert found.cell == value


def test_what_cannot_be_read_is_not_there() -> None:
    """Bytes that are cut, of another format, of another class or none at all: a miss each, and the rest is given."""
    kept = codec(OrderPlanning | None)
    good = kept.data(Entry(planning(), 0.0), READ)
    other = codec(InventoryBalance | None).data(Entry(balance(), 0.0), READ)
    assert good[1] == 1
    found = kept.entries([good[:-1], good[:1] + b"\x02" + good[2:], other, b"", b"\xff", None, good], 0.0)
    assert [entry is not None for entry in found] == [False] * 6 + [True]


class Small(StrEnum):
    """An enum before a member was added to it."""

    A = "A"


def test_other_classes_have_another_fingerprint() -> None:
    """A field more, renamed, moved or of another type, anywhere below, and the bytes are not read as the class."""
    shapes: list[list[tuple[str, Any]]] = [
        [("a", int), ("b", str)],
        [("a", int), ("c", str)],
        [("b", str), ("a", int)],
        [("a", int), ("b", str | None)],
        [("a", int), ("b", str), ("c", str)],
        [("a", int), ("b", Small)],
        [("a", int), ("b", StrEnum("Small", ["A", "B"]))],
        [("a", int), ("b", Literal["x"])],
    ]
    prints = [fingerprint(list[make_dataclass("Row", shape)] | None) for shape in shapes]  # type: ignore[misc]
    assert len(set(prints)) == len(shapes)
    assert fingerprint(make_dataclass("Row", shapes[0])) == fingerprint(make_dataclass("Row", shapes[0]))


PLAIN = """
import schema.integration, schema.commerce, schema.equipment, schema.production, schema.quality
from gateway.cache.codec import fingerprint
from schema.base import KEYS
print(*sorted(f"{cls.__qualname__}:{fingerprint(cls)}" for cls in KEYS))
"""


def test_the_graph_changes_nothing_about_the_classes() -> None:
    """A process that built the graph over the classes reads what one that did not has written."""
    graphql_schema()
    ran = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == sorted(f"{cls.__qualname__}:{fingerprint(cls)}" for cls in KEYS)
