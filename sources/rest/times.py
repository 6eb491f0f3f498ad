"""Times, days and durations as systems write them, and their way back into a query."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from schema.base import plain

_ODATA = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")
_CLOCK = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_DURATION = re.compile(r"P(?=.)(\d+(\.\d+)?[YMWD])*(T(?=.)(\d+(\.\d+)?[HMS])+)?")
NAMED = ("iso", "epoch_s", "epoch_ms", "odata")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_format(name: str) -> str:
    """A known format or a strptime pattern; raises ValueError otherwise."""
    if name not in NAMED and "%" not in name:
        raise ValueError(f"format {name!r} is none of {', '.join(NAMED)} and no strptime pattern")
    return name


@cache
def instant_reader(formats: tuple[str, ...], zone: ZoneInfo | None) -> Callable[[Any], datetime]:
    """A function from a raw time to an aware one in UTC; naive times are in ``zone``."""
    tries = [_reader(check_format(name)) for name in formats or ("iso",)]

    first = tries[0] if len(tries) == 1 else partial(_first, tries)

    def read(value: Any) -> datetime:
        found = first(value)
        if found.tzinfo is None:
            if zone is None:
                raise ValueError(
                    f"time {value!r} has no zone: set time_zone of the system or zone of the field"
                )
            found = found.replace(tzinfo=zone)
        return found.astimezone(UTC)

    return read


@cache
def day_reader(formats: tuple[str, ...], zone: ZoneInfo | None) -> Callable[[Any], date]:
    """A function from a raw day to a date: as written, or the day an instant falls on in ``zone``."""
    tries = [_reader(check_format(name)) for name in formats or ("iso",)]
    epochal = any(name.startswith("epoch") for name in formats)

    def read(value: Any) -> date:
        found = _first(tries, value)
        return found.astimezone(zone).date() if epochal and zone is not None else found.date()

    return read


def _first(tries: Sequence[Callable[[Any], datetime]], value: Any) -> datetime:
    for attempt in tries[:-1]:
        try:
            return attempt(value)
        except (ValueError, TypeError):
            continue
    return tries[-1](value)


def _reader(name: str) -> Callable[[Any], datetime]:
    if name == "iso":
        return _iso
    if name == "epoch_s":
        return lambda value: _EPOCH + timedelta(seconds=float(value))
    if name == "epoch_ms":
        return lambda value: _EPOCH + timedelta(milliseconds=float(value))
    if name == "odata":
        return _odata
    return lambda value: datetime.strptime(str(value), name)


def _iso(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"time {value!r} is not ISO 8601 text: name its format")
    return datetime.fromisoformat(value)


def _odata(value: Any) -> datetime:
    text = str(value)
    digits = text[6:-2]
    if digits.isascii() and digits.isdecimal() and text[:6] == "/Date(" and text[-2:] == ")/":
        return _EPOCH + timedelta(milliseconds=int(digits))
    match = _ODATA.fullmatch(text)
    if match is None:
        raise ValueError(f"time {value!r} is not /Date(…)/")
    return _EPOCH + timedelta(milliseconds=int(match[1]))


def clock(value: Any) -> time:
    """A time of day: ``PT06H30M00S``, ``06:30``, ``06:30:00`` or ``063000``."""
    text = str(value)
    match = _CLOCK.fullmatch(text)
    if match is not None:
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return time(hours, minutes, seconds)
    return time.fromisoformat(text)


def day_and_clock(formats: tuple[str, ...], zone: ZoneInfo | None) -> Callable[[Any, Any], datetime]:
    """A function from a raw day and a raw time of day to an instant in UTC; both are told in ``zone``."""
    day = day_reader(formats, None)

    def read(value: Any, at: Any) -> datetime:
        if zone is None:
            raise ValueError(
                "a day with a time needs a zone: set time_zone of the system or zone of the field"
            )
        moment = time() if at is None else clock(at)
        return datetime.combine(day(value), moment, tzinfo=zone).astimezone(UTC)

    return read


@cache
def duration_reader(unit: str) -> Callable[[Any], str]:
    """A function from a raw duration to ISO 8601."""
    seconds = {"seconds": 1, "minutes": 60, "hours": 3600}.get(unit)

    def number(value: Any) -> str:
        text = str(value)
        if text.isascii() and text.isdecimal() and len(text) < 12:
            # Whole numbers need no decimals; they come out the same.
            return _whole(int(text) * (seconds or 1))
        return duration(Decimal(text) * (seconds or 1))

    return _checked if seconds is None else number


def _checked(value: Any) -> str:
    text = str(value)
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"duration {text!r} is not ISO 8601: say what it is written in (duration)")
    return text


def _whole(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}{f'{rest}S' if rest else ''}"
    return f"PT{text or '0S'}"


def duration(seconds: Decimal) -> str:
    """A number of seconds as an ISO 8601 duration in hours, minutes and seconds."""
    if not seconds.is_finite():
        raise ValueError(f"duration {seconds} is not a number")
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = "".join(
        f"{plain(part)}{letter}" for part, letter in ((hours, "H"), (minutes, "M"), (rest, "S")) if part
    )
    return f"{sign}PT{text or '0S'}"


def instant_writer(name: str, zone: ZoneInfo | None) -> Callable[[datetime], str]:
    """A function from an aware time to the system's spelling of it in a query."""
    check_format(name)

    def write(at: datetime) -> str:
        if name == "epoch_s":
            return str(int(at.timestamp()))
        if name in ("epoch_ms", "odata"):
            text = str(int(at.timestamp() * 1000))
            return f"/Date({text})/" if name == "odata" else text
        local = at.astimezone(zone or UTC)
        return local.isoformat().replace("+00:00", "Z") if name == "iso" else local.strftime(name)

    return write
