"""Scalars: exact on the way out, strict on the way in."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from resolvers.scalars import (
    read_date,
    read_datetime,
    read_decimal,
    read_duration,
    read_unit,
    write_datetime,
    write_decimal,
)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_a_decimal_goes_there_and_back(number: Decimal) -> None:
    """What is written is read as the same number, without exponent."""
    text = write_decimal(number)
    assert read_decimal(text) == number
    assert "E" not in text.upper()


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.500", "1.5"), ("500", "500"), (Decimal("1E+3"), "1000"), ("0.00", "0"), ("-0.10", "-0.1")],
)
def test_decimals_have_one_spelling(value: Any, text: str) -> None:
    """No exponent, no trailing zeros, whatever the source wrote."""
    assert write_decimal(value) == text


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-inf", "", "1,5", "9" * 42, "1e99", True, None, [], {}]
)
def test_what_is_no_decimal_is_refused(value: Any) -> None:
    """Not a number, too long or too large."""
    with pytest.raises(GraphQLError, match="Decimal cannot be"):
        read_decimal(value)


def test_instants_are_written_in_utc() -> None:
    """An instant of any zone is written with Z."""
    kassel = timezone(timedelta(hours=1))
    assert write_datetime(datetime(2026, 11, 23, 7, tzinfo=kassel)) == "2026-11-23T06:00:00Z"
    assert read_datetime("2026-11-23T07:00:00+01:00") == datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2026-11-23T06:00:00", "2026-11-23", "yesterday", 5, None, ""])
def test_an_instant_needs_its_offset(value: Any) -> None:
    """A time without an offset is no instant."""
    with pytest.raises(GraphQLError, match="DateTime cannot be"):
        read_datetime(value)


def test_days() -> None:
    """A day is YYYY-MM-DD and nothing else."""
    assert read_date("2026-11-23") == date(2026, 11, 23)
    for bad in ("2026-13-01", "23.11.2026", 20261123, None):
        with pytest.raises(GraphQLError, match="Date cannot be"):
            read_date(bad)


@pytest.mark.parametrize("value", ["h87", "K", "KGMM", "KG ", "H87\n", 87, None])
def test_units_are_codes(value: Any) -> None:
    """A unit is a code of two or three capitals and digits."""
    assert read_unit("XBX") == "XBX"
    with pytest.raises(GraphQLError, match="UnitCode cannot be"):
        read_unit(value)


@pytest.mark.parametrize("value", ["1h", "P", "PT1H30M\n", 90, None])
def test_durations_are_iso(value: Any) -> None:
    """A duration is ISO 8601."""
    assert read_duration("PT1H30M") == "PT1H30M"
    with pytest.raises(GraphQLError, match="Duration cannot be"):
        read_duration(value)
