"""Positions: book, physical and work in progress, brought to one unit and compared."""

from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from resolvers.positions import _Views, in_flight, position
from schema.material import (
    BalanceView,
    InventoryBalance,
    InventoryMovement,
    Item,
    MovementKind,
    ReconcileVerdict,
)
from tests.unit.resolvers.making import HERE, NOW, amount, item

V: TypeAlias = BalanceView
M: TypeAlias = MovementKind
R: TypeAlias = ReconcileVerdict


def balance(view: V, text: str, unit: str = "H87") -> InventoryBalance:
    """Stock as one system sees it."""
    return InventoryBalance("P", "I", "L", view, amount(text, unit), HERE)


def moved(
    kind: M, text: str, reference: str | None = "T", *, book: bool = False, unit: str = "H87"
) -> InventoryMovement:
    """A movement, in the books or on the floor."""
    day = date(2026, 11, 23) if book else None
    return InventoryMovement(
        "ERP" if book else "WMS",
        "D",
        "P",
        "I",
        kind,
        amount(text, unit),
        NOW,
        "x",
        HERE,
        posting_date=day,
        reference=reference,
    )


def seen(*rows: Any, known: Item | None = None, whole: bool = True) -> Any:
    """The position of some balances and movements."""
    views = _Views(
        [row for row in rows if isinstance(row, InventoryBalance)],
        [row for row in rows if isinstance(row, InventoryMovement)],
    )
    return position("I", "P", None, known or item(("XBX", "10", "1")), views, whole, [])


def test_equal_views_match() -> None:
    """Boxes on the shelf and pieces in the books are the same stock."""
    found = seen(balance(V.BOOK, "30"), balance(V.PHYSICAL, "2", "XBX"), balance(V.WIP, "10"))
    assert (found.verdict, found.unexplained.value, found.physical.value) == (R.MATCH, 0, 20)
    assert found.comparable_at == NOW


@pytest.mark.parametrize(
    ("physical", "movement", "left"),
    [
        ("40", moved(M.PRODUCTION_RECEIPT, "10"), "0"),
        ("20", moved(M.ISSUE_TO_PRODUCTION, "10"), "0"),
        ("20", moved(M.SHIP, "1", unit="XBX"), "0"),
        ("20", moved(M.PURCHASE_RECEIPT, "10", book=True), "0"),
        ("40", moved(M.SHIP, "10", book=True), "0"),
        ("25", moved(M.ISSUE_TO_PRODUCTION, "10"), "5"),
    ],
)
def test_what_is_on_its_way_explains_the_gap(physical: str, movement: Any, left: str) -> None:
    """A movement that only one side has recorded explains a gap of its size."""
    found = seen(balance(V.BOOK, "30"), balance(V.PHYSICAL, physical), movement)
    assert found.unexplained.value == Decimal(left)
    assert found.verdict is (R.EXPLAINED_BY_TIMING if left == "0" else R.VARIANCE)


def test_a_gap_without_a_cause_is_a_variance() -> None:
    """What nothing explains is a variance of that size."""
    found = seen(balance(V.BOOK, "30"), balance(V.PHYSICAL, "28"))
    assert (found.verdict, found.unexplained.value) == (R.VARIANCE, -2)


def test_no_factor_is_not_comparable() -> None:
    """A balance or a movement in a unit nobody can convert leaves nothing to compare."""
    for rows in (
        (balance(V.BOOK, "30"), balance(V.PHYSICAL, "30", "XPX")),
        (balance(V.BOOK, "30"), balance(V.PHYSICAL, "30"), moved(M.SHIP, "1", unit="XPX")),
    ):
        found = seen(*rows)
        assert (found.verdict, found.unexplained) == (R.NOT_COMPARABLE, None)


def test_a_missing_system_is_not_zero() -> None:
    """With a system silent the views it might have are null, not zero, and nothing is compared."""
    found = seen(balance(V.BOOK, "30"), whole=False)
    assert (found.verdict, found.book.value, found.physical, found.wip) == (R.NOT_COMPARABLE, 30, None, None)


def test_twins_are_not_in_flight() -> None:
    """A movement both sides have, one without a reference, and one without a direction are not on their way."""
    both = [moved(M.SHIP, "5"), moved(M.SHIP, "5", book=True)]
    assert in_flight(both) == []
    assert in_flight([moved(M.SHIP, "5", None)]) == []
    assert in_flight([moved(M.TRANSFER, "5")]) == []
    assert [sign for _, sign in in_flight([moved(M.SHIP, "5", "A"), moved(M.SHIP, "5", "B", book=True)])] == [
        -1,
        1,
    ]
