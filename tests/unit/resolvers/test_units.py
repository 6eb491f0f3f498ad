"""Units: converted by a known factor, or not at all."""

from decimal import Decimal
from fractions import Fraction

import pytest

from resolvers.units import convert, factor, total
from schema.base import ConversionRule, Quantity
from tests.unit.resolvers.making import amount, item

BOXES = item(("XBX", "12", "1"), ("KGM", "1", "4"))
"""A box has twelve pieces; a piece weighs four kilograms."""


@pytest.mark.parametrize(
    ("given", "unit", "wanted"),
    [
        ("2 KGM", "GRM", "2000"),
        ("500 GRM", "KGM", "0.5"),
        ("1.5 TNE", "KGM", "1500"),
        ("7 H87", "C62", "7"),
        ("7 EA", "PCE", "7"),
        ("3 MTR", "MMT", "3000"),
        ("250 MLT", "LTR", "0.25"),
        ("2 XBX", "H87", "24"),
        ("24 H87", "XBX", "2"),
        ("1 XBX", "KGM", "48"),
        ("48000 GRM", "H87", "12"),
        ("-5 XBX", "EA", "-60"),
    ],
)
def test_a_known_factor_converts(given: str, unit: str, wanted: str) -> None:
    """Standard ratios and the item's own factors give the exact amount in the other unit."""
    value, source = given.split()
    converted = convert(amount(value, source), unit, BOXES)
    assert converted is not None
    assert (abs(converted.value - Decimal(wanted)) < Decimal("1e-20"), converted.unit) == (True, unit)


@pytest.mark.parametrize(
    ("source", "target"), [("XPX", "H87"), ("H87", "XPX"), ("LTR", "KGM"), ("LTR", "H87"), ("MTR", "KGM")]
)
def test_without_a_factor_there_is_no_amount(source: str, target: str) -> None:
    """No factor means None, never one to one."""
    assert convert(amount("1", source), target, BOXES) is None


def test_without_an_item_only_standard_units_convert() -> None:
    """A box of an unknown item is just a box."""
    assert convert(amount("1", "XBX"), "H87", None) is None
    assert convert(amount("1", "XBX"), "H87", item(("XBX", "12", "1"), base=None)) is None
    assert convert(amount("1", "XBX"), "XBX", None) == amount("1", "XBX")


def test_a_contradicted_or_zero_factor_is_not_used() -> None:
    """A ratio on which two systems do not agree, or with a zero in it, is no ratio."""
    assert convert(amount("1", "XBX"), "H87", item(("XBX", "12", "1"), conflict=True)) is None
    assert convert(amount("1", "XBX"), "H87", item(("XBX", "12", "0"))) is None
    assert convert(amount("1", "H87"), "XBX", item(("XBX", "0", "1"))) is None


def test_the_source_is_kept() -> None:
    """A converted quantity still says what the source wrote, the factor and the rule."""
    converted = convert(Quantity("2", "BX", "XBX"), "H87", BOXES)
    assert converted is not None
    assert (converted.source_value, converted.source_unit, converted.factor) == ("2", "BX", "12")
    assert converted.rule is ConversionRule.ITEM_SPECIFIC
    assert converted.exact


def test_a_second_conversion_builds_on_the_first() -> None:
    """Converting twice is converting once, and the rounding of the first step is not forgotten."""
    once = convert(amount("2", "XBX"), "H87", BOXES)
    assert once is not None
    assert convert(once, "H87", BOXES) == once
    twice = convert(once, "KGM", BOXES)
    assert twice is not None
    assert twice.value == 96
    third = convert(amount("1"), "XBX", BOXES)
    assert third is not None
    assert not third.exact
    back = convert(third, "H87", BOXES)
    assert back is not None
    assert not back.exact


def test_pieces_are_one_and_the_same() -> None:
    """The four codes for a piece have a standard ratio of one, no item needed."""
    assert factor("PCE", "C62", None) == (Fraction(1), ConversionRule.STANDARD)


def test_a_sum_is_in_one_unit_or_none() -> None:
    """A sum of mixed units is in the base unit; one that cannot be converted leaves no sum."""
    summed = total([amount("2", "XBX"), amount("1")], "H87", BOXES)
    assert summed is not None
    assert summed.value == 25
    assert total([amount("2", "XPX"), amount("1")], "H87", BOXES) is None
    empty = total([], "H87", None)
    assert empty is not None
    assert empty.value == 0
