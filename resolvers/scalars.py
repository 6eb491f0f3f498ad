"""The scalars of the graph and how they are read and written. Rows may hold them as the source's text."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from schema.base import plain


class UnitCodeScalar:
    """Stands for the UnitCode scalar in annotations."""


class DurationScalar:
    """Stands for the Duration scalar in annotations."""


def write_decimal(value: Any) -> str:
    """A decimal as text, without exponent and trailing zeros."""
    return plain(value if isinstance(value, Decimal) else Decimal(value))


def read_decimal(value: Any) -> Decimal:
    """A decimal from text or a number of JSON; no NaN, no infinity, at most 40 digits."""
    text = str(value)
    try:
        number = Decimal(text) if len(text) <= 41 and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > 40:
        raise GraphQLError(f'Decimal cannot be {text[:40]!r}: write a number such as "12.5".')
    return number


def write_datetime(value: Any) -> str:
    """An instant in ISO 8601, in UTC with Z."""
    moment: datetime = value
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_datetime(value: Any) -> datetime:
    """An instant from ISO 8601 with its offset."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise GraphQLError(
            f"DateTime cannot be {str(value)[:40]!r}: write ISO 8601 with an offset, e.g. 2026-11-23T06:00:00Z."
        )
    return moment


def read_date(value: Any) -> date:
    """A calendar day from ISO 8601."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise GraphQLError(f"Date cannot be {str(value)[:40]!r}: write YYYY-MM-DD.") from None


_UNIT = re.compile(r"[0-9A-Z]{2,3}\Z")


def read_unit(value: Any) -> str:
    """A UN/ECE Rec 20 or Rec 21 code."""
    if not isinstance(value, str) or not _UNIT.match(value):
        raise GraphQLError(f"UnitCode cannot be {str(value)[:40]!r}: write a UN/ECE code such as H87 or KGM.")
    return value


def read_duration(value: Any) -> str:
    """An ISO 8601 duration."""
    if not isinstance(value, str) or not re.match(r"P[0-9DTHMS.WY]+\Z", value):
        raise GraphQLError(f"Duration cannot be {str(value)[:40]!r}: write ISO 8601, e.g. PT1H30M.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in ISO 8601, written in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=write_datetime,
        parse_value=read_datetime,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day in ISO 8601, local to its plant.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=lambda value: value.isoformat(),
        parse_value=read_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, written as text.",
        specified_by_url="https://www.w3.org/TR/xmlschema-2/#decimal",
        serialize=write_decimal,
        parse_value=read_decimal,
    ),
    UnitCodeScalar: strawberry.scalar(
        name="UnitCode",
        description="A unit of measure: UN/ECE Recommendation 20, or Recommendation 21 packages with a leading X.",
        specified_by_url="https://unece.org/trade/uncefact/cl-recommendations",
        parse_value=read_unit,
    ),
    DurationScalar: strawberry.scalar(
        name="Duration",
        description="A duration in ISO 8601.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#appendix-A",
        parse_value=read_duration,
    ),
}
BY_NAME: dict[str, Any] = {"Decimal": Decimal, "UnitCode": UnitCodeScalar, "Duration": DurationScalar}
