"""What happens, in the words of the model: the canonical business events, and one event as it is kept and told.

An event carries keys; what is true now is read from the owners. Names and envelope follow CloudEvents 1.0: ``type`` is
``mfg.<thing>.<what happened>.v<version>``, ``source`` the owning system, ``subject`` an id of the gateway, ``id`` the
source's own id or, where it gives none, a hash of the fact's natural key.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schema.integration import BusinessEventType

TYPES: Mapping[str, BusinessEventType] = {
    "mfg.production-order.released.v1": BusinessEventType.PRODUCTION_ORDER_RELEASED,
    "mfg.production-order.changed.v1": BusinessEventType.STATUS_CHANGED,
    "mfg.material.issued.v1": BusinessEventType.MATERIAL_ISSUED,
    "mfg.operation.completed.v1": BusinessEventType.OPERATION_COMPLETED,
    "mfg.inventory.adjusted.v1": BusinessEventType.INVENTORY_ADJUSTED,
    "mfg.inventory.moved.v1": BusinessEventType.STATUS_CHANGED,
    "mfg.lot.changed.v1": BusinessEventType.STATUS_CHANGED,
    "mfg.quality-hold.changed.v1": BusinessEventType.QUALITY_HOLD_CHANGED,
    "mfg.shipment.confirmed.v1": BusinessEventType.SHIPMENT_CONFIRMED,
    "mfg.shipment.changed.v1": BusinessEventType.STATUS_CHANGED,
    "mfg.shipment.tracked.v1": BusinessEventType.STATUS_CHANGED,
    "mfg.master-data.changed.v1": BusinessEventType.MASTER_DATA_CHANGED,
}
"""The canonical events by their CloudEvents type, and what each is in the graph."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a system.

    ``touches`` are the ids of all objects that it concerns, the subject among them: whoever asks about one of these
    finds the event, and what is cached of them is stale. ``fact`` is the natural key of what happened (the same
    material document posted, say), equal for two messages that tell of the same thing under two ids. ``version`` is the
    owner's version of the subject after it, where it tells. ``late``: a later change of the subject was known already
    when it came, so it turns nothing back. ``synthesized``: no message says so, it was concluded from before and after.
    ``data`` is what the contract of the type allows, JSON values only.
    """

    type: str
    source: str
    id: str
    subject: str
    fact: str
    occurred_at: datetime
    recorded_at: datetime
    received_at: datetime
    touches: tuple[str, ...]
    correlation_id: str
    data: Mapping[str, Any] = field(default_factory=dict)
    cause: str | None = None
    """The number of the event that led to it."""
    version: str | None = None
    late: bool = False
    synthesized: bool = False

    @property
    def number(self) -> str:
        """Its number in the gateway: the same wherever and whenever the same message arrives."""
        return number_of(self.source, self.id)

    @property
    def kind(self) -> BusinessEventType:
        """What it is in the graph."""
        return TYPES.get(self.type, BusinessEventType.STATUS_CHANGED)


def number_of(source: str, id: str) -> str:
    """The number of the event that a system names so."""
    return hashlib.sha256(f"{source}\n{id}".encode()).hexdigest()[:24]


def fact_of(source: str, type: str, parts: Sequence[str]) -> str:
    """The natural key of a fact of a system: what makes two messages tell of the same thing."""
    return hashlib.sha256("\n".join((source, type, *parts)).encode()).hexdigest()[:32]
