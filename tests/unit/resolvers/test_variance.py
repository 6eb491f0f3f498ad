"""Variance between what was booked and what was used."""

from datetime import timedelta
from typing import Any

from resolvers.variance import consumption_variance
from schema.base import Provenance
from schema.integration import Discrepancy, ExceptionCategory
from schema.production import MaterialConsumption, MaterialRequirement
from tests.unit.resolvers.making import HERE, NOTHING, NOW, SILENT, amount, item, known

THERE = Provenance("MES", NOW - timedelta(minutes=5))


def variance(booked: Any, used: Any, factors: Any = NOTHING) -> Discrepancy | None:
    """The variance of two quantities."""
    need = MaterialRequirement("P", "1", "C", amount("100"), booked, provenance=HERE)
    row = MaterialConsumption("P", "1", "C", used, THERE)
    return consumption_variance(need, factors, known(row), NOW)


def test_where_they_agree_there_is_none() -> None:
    """Equal amounts, also in different units, are no variance."""
    assert variance(amount("20"), amount("20")) is None
    assert variance(amount("20"), amount("2", "XBX"), known(item(("XBX", "10", "1")))) is None


def test_a_difference_is_booked_minus_used() -> None:
    """The delta is the first claim minus the second, in the base unit, with its age."""
    found = variance(amount("30"), amount("2", "XBX"), known(item(("XBX", "10", "1"))))
    assert found is not None
    assert found.delta is not None
    assert found.kind is ExceptionCategory.QUANTITY_VARIANCE
    assert found.delta.value == 10
    assert found.delta.unit == "H87"
    assert [(c.value, c.provenance.system) for c in found.claims] == [("30", "ERP"), ("2", "MES")]
    assert (found.age_minutes, found.detected_at) == (5, THERE.fetched_at)


def test_units_nobody_can_convert_are_a_mismatch_without_delta() -> None:
    """Never one to one: the variance is of units, and has no number."""
    found = variance(amount("20"), amount("20", "XBX"))
    assert found is not None
    assert (found.kind, found.delta) == (ExceptionCategory.UNIT_MISMATCH, None)


def test_what_is_not_known_is_not_compared() -> None:
    """Without one of the two there is no variance."""
    assert variance(None, amount("20")) is None
    need = MaterialRequirement("P", "1", "C", amount("100"), amount("20"), provenance=HERE)
    assert consumption_variance(need, NOTHING, NOTHING, NOW) is None
    assert consumption_variance(need, NOTHING, SILENT, NOW) is None
