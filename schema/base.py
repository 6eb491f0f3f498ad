"""The ground of the canonical model: keys, quantities, provenance and the state of the systems.

Everything in this package is a plain dataclass of the standard library. A class holds what one payload of one
system says; relations are attached from outside (``resolvers``), so that adapters, cache and graph share the classes.

Keys. A relation is held as the natural key of its target, in an attribute marked hidden (``Ref``), never as an object.
``keyed`` says how a class is found: ``@keyed("po", id=("plant", "number"))`` means that its gateway id is
``po:<plant>/<number>`` and that the rows of a read "by id" are told apart by these two attributes. A key that starts
with a plant (see ``SCOPED``) routes itself to the systems of that plant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Any, TypeVar

T = TypeVar("T")


class Hidden:
    """Marks an attribute that is not a field of the graph."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """Names the GraphQL scalar of an attribute that is held as text."""

    name: str


HIDDEN = Hidden()
Ref = Annotated[str, HIDDEN]
"""The natural key of a related object, or a part of it."""
OptionalRef = Annotated[str | None, HIDDEN]
Refs = Annotated[tuple[str, ...], HIDDEN]
DecimalText = Annotated[str, Scalar("Decimal")]
"""A decimal number as the source wrote it."""
UnitCode = Annotated[str, Scalar("UnitCode")]
"""UN/ECE Recommendation 20 code (H87 piece, KGM kilogram); Recommendation 21 packages with a leading X (XBX box)."""
DurationText = Annotated[str, Scalar("Duration")]
"""ISO 8601 duration, e.g. PT1H30M."""

KEYS: dict[type, dict[str, tuple[str, ...]]] = {}
"""Class → how its rows are found: name of the key → the attributes that make it."""
NODES: dict[str, type] = {}
"""Prefix of a gateway id → class."""
PREFIXES: dict[type, str] = {}
SCOPED = frozenset({"plant", "orders"})
"""First attribute of a key whose first part is the plant, so that the key routes itself."""


def keyed(prefix: str | None = None, **keys: tuple[str, ...]) -> Callable[[type[T]], type[T]]:
    """Register how rows of a class are found; with a prefix it is a node of the graph."""

    def register(cls: type[T]) -> type[T]:
        KEYS[cls] = keys
        if prefix is not None:
            NODES[prefix] = cls
            PREFIXES[cls] = prefix
        return cls

    return register


def join_key(*parts: str) -> str:
    """One canonical key from its parts; a slash inside a part is escaped."""
    return "/".join([p.replace("%", "%25").replace("/", "%2F") if "/" in p or "%" in p else p for p in parts])


def split_key(key: str) -> tuple[str, ...]:
    """The parts of a canonical key."""
    parts = key.split("/")
    return tuple([p.replace("%2F", "/").replace("%25", "%") if "%" in p else p for p in parts])


def key_reader(attributes: tuple[str, ...]) -> Callable[[Any], str | None]:
    """A function that reads the canonical key off a row; None where a part is missing."""
    if len(attributes) == 1:
        one = attrgetter(attributes[0])

        def read_one(row: Any) -> str | None:
            part = one(row)
            return None if part is None else join_key(part)

        return read_one
    many = attrgetter(*attributes)
    slashes = len(attributes) - 1

    def read_many(row: Any) -> str | None:
        parts = many(row)
        if None in parts:
            return None
        key = "/".join(parts)
        # Nothing to escape is the rule: then this is the key.
        return key if "%" not in key and key.count("/") == slashes else join_key(*parts)

    return read_many


def key_of(row: Any, by: str = "id") -> str | None:
    """The canonical key of a row under one of the names its class registered."""
    return key_reader(KEYS[type(row)][by])(row)


def is_scoped(cls: type, by: str) -> bool:
    """Whether keys of this kind start with the plant (and not only carry it by accident)."""
    return KEYS[cls][by][0] in SCOPED


def keys_of(row: Any, by: str) -> tuple[str, ...]:
    """Every canonical key of a row under a name: several where the attribute is a tuple of keys."""
    attributes = KEYS[type(row)][by]
    if len(attributes) == 1 and isinstance(value := getattr(row, attributes[0]), tuple):
        return value
    key = key_reader(attributes)(row)
    return () if key is None else (key,)


class SystemKind(StrEnum):
    """What a system is for; it decides what the system owns."""

    ERP = "ERP"
    MES = "MES"
    WMS = "WMS"
    QMS = "QMS"
    TMS = "TMS"
    CMMS = "CMMS"
    SUPPLIER = "SUPPLIER"
    GATEWAY = "GATEWAY"


class ReadMode(StrEnum):
    """How a value was obtained for this answer."""

    LIVE = "LIVE"
    CACHE = "CACHE"
    EVENT_STORE = "EVENT_STORE"


class CircuitState(StrEnum):
    """State of a system's circuit breaker."""

    CLOSED = "CLOSED"
    HALF_OPEN = "HALF_OPEN"
    OPEN = "OPEN"


class MatchRule(StrEnum):
    """How an external key was matched to a node."""

    GLOBAL_ID = "GLOBAL_ID"
    XREF_TABLE = "XREF_TABLE"
    NORMALISED_KEY = "NORMALISED_KEY"
    MANUAL = "MANUAL"
    HEURISTIC = "HEURISTIC"


class ConversionRule(StrEnum):
    """By which rule a quantity was converted."""

    IDENTITY = "IDENTITY"
    STANDARD = "STANDARD"
    ITEM_SPECIFIC = "ITEM_SPECIFIC"
    CATCH_WEIGHT = "CATCH_WEIGHT"


class SourceOutcome(StrEnum):
    """How a system answered for one group of fields."""

    OK = "OK"
    STALE = "STALE"
    PARTIAL = "PARTIAL"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    RATE_LIMITED = "RATE_LIMITED"
    NOT_AUTHORIZED = "NOT_AUTHORIZED"
    NOT_FOUND = "NOT_FOUND"
    NOT_MAPPED = "NOT_MAPPED"
    MAPPING_ERROR = "MAPPING_ERROR"


def plain(number: Decimal) -> str:
    """A decimal without exponent and without trailing zeros: the one spelling used on the wire."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(slots=True)
class Quantity:
    """An amount with its unit. The source's own value and unit are kept; the value is computed when asked."""

    source_value: DecimalText
    source_unit: str
    unit: UnitCode
    factor: DecimalText = "1"
    rule: ConversionRule = ConversionRule.IDENTITY
    exact: bool = True

    @property
    def value(self) -> Decimal:
        """The amount in ``unit``: source value times factor."""
        value = Decimal(self.source_value)
        return value if self.factor == "1" else value * Decimal(self.factor)


@dataclass(frozen=True, slots=True)
class KeyMatch:
    """How a system's key became ours, where that is not plain. ``kind`` is the class it is a key of, ``key`` the whole
    of ours, ``raw`` its last part as the system has it.
    """

    system: str
    kind: str
    key: str
    raw: str
    matched_by: MatchRule
    confirmed: bool


@dataclass(slots=True)
class Provenance:
    """Where the values beside it come from, how they were read, and how old they are."""

    system: Ref
    fetched_at: datetime
    source_key: str | None = None
    source_updated_at: datetime | None = None
    version: str | None = None
    stale_reason: SourceOutcome | None = None
    matches: Annotated[tuple[KeyMatch, ...], HIDDEN] = ()


@dataclass(slots=True)
class SourceStatus:
    """How one system answered for one group of fields."""

    system: Ref
    group: str
    outcome: SourceOutcome
    message: str | None = None
    retry_after_seconds: int | None = None
    affected_fields: tuple[str, ...] = ()
    last_good_at: datetime | None = None


@dataclass(slots=True)
class ExternalKey:
    """The key under which one system knows a node, as it spells it and as it was matched."""

    system: Ref
    kind: str
    key: str
    raw: str
    matched_by: MatchRule
    confirmed: bool


@keyed("sys", id=("code",))
@dataclass(slots=True)
class SourceSystem:
    """A connected system and its health as the gateway sees it."""

    code: str
    kind: SystemKind
    vendor: str
    healthy: bool
    circuit: CircuitState
    lag_seconds: int | None = None
    clock_skew_ms: int | None = None
    last_contact_at: datetime | None = None


@keyed("plant", id=("code",))
@dataclass(slots=True)
class Plant:
    """A manufacturing site. Its time zone decides the calendar day of every posting."""

    code: str
    name: str
    time_zone: str
    gln: str | None = None
