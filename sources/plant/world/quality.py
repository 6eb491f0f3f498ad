"""Inspections and holds, as they truly are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(slots=True)
class Inspection:
    """A test of a lot; a decision splits the quantity by disposition."""

    number: str
    plant: str
    item: str
    lot: str
    order: str
    quantity: Decimal
    status: str
    created_at: datetime
    changed_at: datetime
    decision: str = ""
    decided_at: datetime | None = None
    splits: list[tuple[str, Decimal]] = field(default_factory=list)
    version: int = 0


@dataclass(slots=True)
class Enforcement:
    """Whether one system really blocks what a hold restricts, and since when."""

    system: str
    enforced: bool
    state: str
    confirmed_at: datetime | None
    lag_seconds: int | None


@dataclass(slots=True)
class Hold:
    """A decision that something must not move, be picked, consumed, produced or shipped."""

    number: str
    plant: str
    reason: str
    scope: str
    item: str
    lot: str
    order: str
    shipment: str
    restricts: tuple[str, ...]
    state: str
    placed_at: datetime
    changed_at: datetime
    released_at: datetime | None = None
    enforcement: list[Enforcement] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    version: int = 0
