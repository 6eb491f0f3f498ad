"""Units: bringing quantities of different systems to one unit, or saying that it cannot be done."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from schema.base import ConversionRule, Quantity, plain
from schema.material import Item

STANDARD: dict[str, tuple[str, Fraction]] = {
    "KGM": ("KGM", Fraction(1)),
    "GRM": ("KGM", Fraction(1, 1000)),
    "TNE": ("KGM", Fraction(1000)),
    "MTR": ("MTR", Fraction(1)),
    "MMT": ("MTR", Fraction(1, 1000)),
    "CMT": ("MTR", Fraction(1, 100)),
    "LTR": ("LTR", Fraction(1)),
    "MLT": ("LTR", Fraction(1, 1000)),
    "H87": ("H87", Fraction(1)),
    "C62": ("H87", Fraction(1)),
    "EA": ("H87", Fraction(1)),
    "PCE": ("H87", Fraction(1)),
}
"""UN/ECE units with a fixed ratio to the reference unit of their dimension; the pieces are one and the same."""


def factor(source: str, target: str, item: Item | None) -> tuple[Fraction, ConversionRule] | None:
    """What to multiply an amount in ``source`` with to have it in ``target``; None where nobody knows."""
    ratio = _ratio(source, target)
    if ratio is not None:
        return ratio, ConversionRule.IDENTITY if source == target else ConversionRule.STANDARD
    if item is None or item.base_unit is None:
        return None
    to_base, from_base = _to_base(source, item), _to_base(target, item)
    if to_base is None or not from_base:
        return None
    return to_base / from_base, ConversionRule.ITEM_SPECIFIC


def _to_base(unit: str, item: Item) -> Fraction | None:
    direct = _ratio(unit, item.base_unit or "")
    if direct is not None:
        return direct
    for known in item.units:
        ratio = _ratio(unit, known.unit)
        if ratio is not None and not known.conflict and Decimal(known.denominator) != 0:
            return ratio * Fraction(Decimal(known.numerator)) / Fraction(Decimal(known.denominator))
    return None


def _ratio(source: str, target: str) -> Fraction | None:
    """The ratio of two units that needs no item; None where there is none."""
    if source == target:
        return Fraction(1)
    one, other = STANDARD.get(source), STANDARD.get(target)
    return one[1] / other[1] if one and other and one[0] == other[0] else None


def convert(quantity: Quantity, unit: str, item: Item | None) -> Quantity | None:
    """The quantity in another unit, with its source kept; None where there is no factor for this item."""
    found = factor(quantity.unit, unit, item)
    if found is None:
        return None
    ratio, rule = found
    if rule is ConversionRule.IDENTITY:
        return quantity
    if ratio == 1:
        return Quantity(
            quantity.source_value, quantity.source_unit, unit, quantity.factor, rule, quantity.exact
        )
    combined = Fraction(Decimal(quantity.factor)) * ratio
    decimal, exact = _decimal(combined)
    return Quantity(
        quantity.source_value, quantity.source_unit, unit, plain(decimal), rule, exact and quantity.exact
    )


def _decimal(ratio: Fraction) -> tuple[Decimal, bool]:
    value = Decimal(ratio.numerator) / Decimal(ratio.denominator)
    return value, Fraction(value) == ratio


def total(quantities: Iterable[Quantity], unit: str, item: Item | None) -> Quantity | None:
    """The sum in one unit, or None where one of them cannot be converted. Of nothing: zero."""
    amount = Decimal(0)
    exact = True
    for quantity in quantities:
        converted = convert(quantity, unit, item)
        if converted is None:
            return None
        amount += converted.value
        exact = exact and converted.exact
    return of(amount, unit, exact)


def of(amount: Decimal, unit: str, exact: bool = True) -> Quantity:
    """A computed quantity."""
    return Quantity(plain(amount), unit, unit, "1", ConversionRule.IDENTITY, exact)
