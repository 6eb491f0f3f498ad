"""What the dialects share: credentials, numbers as text, batch limits, cached rows. No vendor's words here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from sources.plant.asgi import Refusal, Row

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Access:
    """Demo credentials of one system; nothing real is behind them."""

    user: str
    phrase: str


class Versioned(Protocol):
    """Anything whose `version` rises when it changes."""

    version: int


V = TypeVar("V", bound=Versioned)
T = TypeVar("T")


class Rows(Generic[V]):
    """Rows of one kind, built once per version of what they show."""

    def __init__(self, key: Callable[[V], object], build: Callable[[V], Row]) -> None:
        self._key = key
        self._build = build
        self._known: dict[object, tuple[int, Row]] = {}

    def __call__(self, thing: V) -> Row:
        """The row of a thing, shared: never change it."""
        key = self._key(thing)
        known = self._known.get(key)
        if known is not None and known[0] == thing.version:
            return known[1]
        row = self._build(thing)
        self._known[key] = (thing.version, row)
        return row


def text(value: Decimal) -> str:
    """A decimal as plain text without a needless fraction: 500, 12.5."""
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def number(value: Decimal) -> float | int:
    """A decimal as a JSON number, for systems careless enough to send one."""
    return int(value) if value == value.to_integral_value() else float(value)


def limited(keys: list[str], most: int, name: str) -> list[str]:
    """The keys without duplicates; raises Refusal 400 beyond the batch limit."""
    unique = list(dict.fromkeys(keys))
    if len(unique) > most:
        raise Refusal(400, f"{name}: at most {most} keys in one request, not {len(unique)}")
    return unique


def found(keys: Iterable[str], lookup: Callable[[str], Iterable[T]]) -> list[T]:
    """What the keys lead to, in key order, each thing once."""
    seen: dict[int, T] = {}
    for key in keys:
        for thing in lookup(key):
            seen.setdefault(id(thing), thing)
    return list(seen.values())


def one(things: dict[str, T]) -> Callable[[str], list[T]]:
    """A lookup by unique key."""

    def lookup(key: str) -> list[T]:
        thing = things.get(key)
        return [] if thing is None else [thing]

    return lookup


def moment(value: str) -> datetime:
    """A time a caller sent, ISO 8601; without an offset it is UTC. Raises Refusal 400."""
    try:
        at = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
    except ValueError as error:
        raise Refusal(400, f"not a time: {value!r}; use 2026-11-23T06:00:00Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def bare(key: str) -> str:
    """A number without its leading zeros."""
    return key.lstrip("0") if key.isdigit() else key


def pairs(values: list[str], name: str) -> list[tuple[str, str]]:
    """Keys of two parts, `ITEM|LOT`; raises Refusal 400 naming the bad one."""
    split = [value.split("|") for value in values]
    for value, parts in zip(values, split, strict=True):
        if len(parts) != 2:
            raise Refusal(400, f"{name}: {value!r} must be ITEM|LOT")
    return [(parts[0], parts[1]) for parts in split]


def keep(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows whose fields are among the wanted values; an empty list of values asks nothing."""
    tests = [(name, set(values)) for name, values in wanted.items() if values]
    return [row for row in rows if all(row[name] in values for name, values in tests)]
