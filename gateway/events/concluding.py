"""What happened, concluded from rows: what is now, against what the log was told last. Pure.

A row that a message pointed at, or that a look at changes brought, becomes the events it bears witness of. Each has a
natural key of its own, so whoever sees the same row again concludes the same facts, and they fall out as duplicates.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

from gateway.cache.tags import tags_of
from gateway.events.naming import course_of, filled, id_of, with_inner
from schema.base import KEYS, NODES, PREFIXES, Quantity, join_key, key_of, plain
from schema.events import Event, fact_of
from schema.logistics import Shipment, ShipmentStatus, ShipmentTransport, ShipmentWarehouse
from schema.material import InventoryMovement, Item, Lot, LotQuality, MovementKind
from schema.production import (
    Operation,
    OperationActual,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderStatus,
    ProductionOrder,
)
from schema.quality import HoldScope, QualityHold
from sources.references import referred

RELEASED, CHANGED = "mfg.production-order.released.v1", "mfg.production-order.changed.v1"
ISSUED, ADJUSTED, MOVED = "mfg.material.issued.v1", "mfg.inventory.adjusted.v1", "mfg.inventory.moved.v1"
COMPLETED, LOT, HOLD = "mfg.operation.completed.v1", "mfg.lot.changed.v1", "mfg.quality-hold.changed.v1"
CONFIRMED, SHIPMENT = "mfg.shipment.confirmed.v1", "mfg.shipment.changed.v1"
TRACKED, MASTER = "mfg.shipment.tracked.v1", "mfg.master-data.changed.v1"
RECENT = timedelta(days=1)
"""How long before a look something may have happened to be news, where nothing was known of the object before."""
_GONE = frozenset(
    {
        ShipmentStatus.SHIPPED,
        ShipmentStatus.IN_TRANSIT,
        ShipmentStatus.OUT_FOR_DELIVERY,
        ShipmentStatus.DELIVERED,
    }
)


@dataclass(frozen=True, slots=True)
class Look:
    """Of which system, when the word of it came, and whether no message said so (``synthesized``)."""

    source: str
    received_at: datetime
    synthesized: bool = False


Before: TypeAlias = Mapping[tuple[str, str], Event | None]
"""(subject, type) → the event of it that the log has as the last."""


@dataclass(frozen=True, slots=True)
class Witness:
    """An event that a row bears witness of. ``marked``: the row has a version or a time of its last change."""

    event: Event
    marked: bool

    def asks(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """What must be known of before: (subject, type), of the same type and of that which tells of its state."""
        subject, type = self.event.subject, self.event.type
        return (subject, type), (subject, _STATE.get(type, type))


Conclude: TypeAlias = Callable[[Any, Look], list[Witness]]


def subject_of(cls: type) -> tuple[type, str]:
    """What rows of a class are about: the class with ids, and the name of the key they are read by."""
    for by in KEYS[cls]:
        kind = referred(cls, by)
        if kind is not None and kind in PREFIXES:
            return kind, by
    raise LookupError(cls.__name__)


def concluded(row: Any, look: Look) -> list[Witness]:
    """The events that a row bears witness of, before they are compared with what is known."""
    conclude = CONCLUDE.get(type(row))
    return [] if conclude is None else conclude(row, look)


def compared(found: Iterable[Witness], before: Before) -> list[Event]:
    """The events that are news, with what was before.

    What happens once in the life of an object is news where its system said before that it had not; where it said
    nothing before, only if it happened lately.
    """
    news = []
    for witness in found:
        event = witness.event
        own, stated = [_of(event.source, before.get(asked)) for asked in witness.asks()]
        if event.type in _ONCE and not _is_news(event, own, stated):
            continue
        if own is not None and not witness.marked and event.type in _STATED and _same_state(own, event):
            continue
        news.append(_with_previous(event, own))
    return news


_STATE = {RELEASED: CHANGED, CONFIRMED: SHIPMENT}
"""What happens once in the life of an object, and the type that tells of its state."""
_ONCE = frozenset({RELEASED, CONFIRMED, COMPLETED})
_STATED = frozenset({CHANGED, SHIPMENT, LOT, HOLD, TRACKED, MASTER})


def _of(source: str, event: Event | None) -> Event | None:
    return event if event is not None and event.source == source else None


def _is_news(event: Event, own: Event | None, stated: Event | None) -> bool:
    """Whether what happens once has just happened."""
    if own is not None and own.fact == event.fact:
        return False
    status = None if stated is None or event.type == COMPLETED else stated.data.get("status")
    if status is not None:
        return status in _NOT_YET[event.type]
    return event.occurred_at >= event.recorded_at - RECENT


_NOT_YET: Mapping[str, frozenset[str]] = {
    RELEASED: frozenset({OrderStatus.PLANNED.value, OrderStatus.CREATED.value}),
    CONFIRMED: frozenset(one.value for one in ShipmentStatus if one not in _GONE),
}
"""The states in which what happens once has not happened yet."""


def _same_state(one: Event, other: Event) -> bool:
    return all(one.data.get(name) == other.data.get(name) for name in ("status", "state"))


def _with_previous(event: Event, known: Event | None) -> Event:
    for name, previous in (("status", "previousStatus"), ("state", "previousState")):
        was = None if known is None else known.data.get(name)
        now = event.data.get(name)
        if (
            event.type in (CHANGED, SHIPMENT, LOT, HOLD)
            and was is not None
            and now is not None
            and was != now
        ):
            more = {previous: was} | ({"changed": ["status"]} if name == "status" else {})
            return replace(event, data={**event.data, **more})
    return event


@dataclass(slots=True)
class _Telling:
    """What the events of one row share."""

    row: Any
    look: Look
    subject: str
    at: datetime
    version: str | None
    touches: tuple[str, ...]

    @classmethod
    def of(cls, row: Any, look: Look, subject: str) -> "_Telling":
        known = row.provenance
        at = (known.source_updated_at or known.fetched_at).astimezone(UTC)
        version = known.version or (known.source_updated_at.isoformat() if known.source_updated_at else None)
        by = next(iter(KEYS[type(row)]))
        said = [
            tag for tag in tags_of(look.source, type(row), by, key_of(row, by) or "", [row]) if _plain(tag)
        ]
        return cls(row, look, subject, at, version, with_inner([subject, *said]))

    def event(
        self,
        type: str,
        parts: tuple[str, ...],
        data: Mapping[str, Any],
        occurred_at: datetime | None = None,
        synthesized: bool = False,
    ) -> Witness:
        fact = fact_of(self.look.source, type, (self.subject, *parts))
        there = {name: value for name, value in data.items() if value is not None}
        event = Event(
            type=type,
            source=self.look.source,
            id=fact,
            subject=self.subject,
            fact=fact,
            occurred_at=(occurred_at or self.at).astimezone(UTC),
            recorded_at=self.at,
            received_at=self.look.received_at,
            touches=self.touches,
            correlation_id=course_of(self.touches),
            data=filled(type, there, self.touches),
            version=self.row.provenance.version,
            synthesized=synthesized or self.look.synthesized,
        )
        return Witness(event, self.version is not None)


def _plain(tag: str) -> bool:
    prefix, _, key = tag.partition(":")
    return prefix in NODES and prefix not in ("sys", "plant") and key not in ("*", "#")


def _state(of: "_Telling") -> tuple[str, ...]:
    """What tells one state from the next: the version, else when it was seen."""
    return (of.version or of.at.isoformat(),)


def _status(value: OrderStatus | ShipmentStatus) -> str | None:
    return None if value.value == "UNKNOWN" else value.value


def _planning(row: OrderPlanning, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(ProductionOrder, join_key(row.plant, row.order)))
    status = _status(row.status)
    changed = telling.event(CHANGED, _state(telling), {"status": status})
    if row.released_at is None or row.status in (OrderStatus.PLANNED, OrderStatus.CREATED):
        return [changed]
    at = row.released_at.astimezone(UTC)
    said = {"quantity": plain(row.quantity.value), "unit": row.quantity.unit}
    released = telling.event(RELEASED, (at.isoformat(),), said, at, synthesized=True)
    return [released, changed]


def _execution(row: OrderExecution, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(ProductionOrder, join_key(row.plant, row.order)))
    status = _status(row.status)
    return [telling.event(CHANGED, _state(telling), {"status": status})]


def _operation(row: OperationActual, look: Look) -> list[Witness]:
    if row.status is not OperationStatus.COMPLETED:
        return []
    telling = _Telling.of(row, look, id_of(Operation, join_key(row.plant, row.order, row.number)))
    amount = row.good or row.scrap
    said = {
        "good": _value(row.good),
        "scrap": _value(row.scrap),
        "unit": None if amount is None else amount.unit,
        "workCenter": row.machine,
    }
    ended = row.actual_end
    parts = (ended.astimezone(UTC).isoformat(),) if ended is not None else ("",)
    return [telling.event(COMPLETED, parts, said, ended)]


def _value(amount: Quantity | None) -> str | None:
    return None if amount is None else plain(amount.value)


_ISSUES = frozenset({MovementKind.ISSUE_TO_PRODUCTION, MovementKind.RETURN_FROM_PRODUCTION})
_ADJUSTMENTS = frozenset({MovementKind.ADJUSTMENT, MovementKind.SCRAP})


def _movement(row: InventoryMovement, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(InventoryMovement, join_key(row.system, row.document)))
    issue = row.kind in _ISSUES and row.order is not None
    type = ISSUED if issue else ADJUSTED if row.kind in _ADJUSTMENTS else MOVED
    less = row.from_location is not None and row.to_location is None
    back = row.kind is MovementKind.RETURN_FROM_PRODUCTION if issue else type is ADJUSTED and less
    amount = plain(-row.quantity.value if back else row.quantity.value)
    said: dict[str, Any] = {
        "plant": row.plant,
        "quantity": amount,
        "unit": row.quantity.unit,
        "postingDate": _day(row.posting_date),
        "reversalOf": row.reversal_of,
    }
    if type is MOVED:
        places = {"fromLocation": row.from_location, "toLocation": row.to_location}
        said |= {"kind": row.kind.value, **places}
    else:
        said["location"] = row.from_location or row.to_location
    return [telling.event(type, (), said, row.occurred_at)]


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _hold(row: QualityHold, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(QualityHold, row.number))
    said = {
        "state": row.state.value,
        "scope": row.scope.value,
        "target": _target(row),
        "restricts": [one.value for one in row.restricts],
        "reason": row.reason,
    }
    return [telling.event(HOLD, _state(telling), said)]


def _target(row: QualityHold) -> str | None:
    named: dict[HoldScope, tuple[type, tuple[str | None, ...]]] = {
        HoldScope.LOT: (Lot, (row.item, row.lot)),
        HoldScope.ITEM: (Item, (row.item,)),
        HoldScope.ORDER: (ProductionOrder, (row.plant, row.order)),
        HoldScope.SHIPMENT: (Shipment, (row.shipment,)),
    }
    cls, parts = named.get(row.scope, (QualityHold, (None,)))
    known = [part for part in parts if part is not None]
    return id_of(cls, join_key(*known)) if len(known) == len(parts) else None


def _warehouse(row: ShipmentWarehouse, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(Shipment, row.shipment))
    status = _status(row.status)
    changed = telling.event(SHIPMENT, _state(telling), {"status": status})
    if row.confirmed_at is None or row.status not in _GONE:
        return [changed]
    at = row.confirmed_at.astimezone(UTC)
    return [telling.event(CONFIRMED, (at.isoformat(),), {}, at, synthesized=True), changed]


def _transport(row: ShipmentTransport, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(Shipment, row.shipment))
    eta = None if row.eta is None else row.eta.astimezone(UTC).isoformat().replace("+00:00", "Z")
    said = {"status": row.status.value, "trackingNumber": row.tracking_number, "eta": eta}
    return [telling.event(TRACKED, _state(telling), said)]


def _lot(row: LotQuality, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(Lot, join_key(row.item, row.lot)))
    status = row.status.value
    return [telling.event(LOT, _state(telling), {"status": status})]


def _item(row: Item, look: Look) -> list[Witness]:
    telling = _Telling.of(row, look, id_of(Item, row.number))
    return [telling.event(MASTER, _state(telling), {})]


CONCLUDE: Mapping[type, Conclude] = {
    OrderPlanning: _planning,
    OrderExecution: _execution,
    OperationActual: _operation,
    InventoryMovement: _movement,
    QualityHold: _hold,
    ShipmentWarehouse: _warehouse,
    ShipmentTransport: _transport,
    LotQuality: _lot,
    Item: _item,
}
"""Class of a row → what it bears witness of. Rows of other classes tell nothing."""
