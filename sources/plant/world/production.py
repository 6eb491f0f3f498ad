"""Production orders through their life, as they truly are; quantities in the item's base unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from sources.plant.world.material import LotKey

CREATED = "CREATED"
RELEASED = "RELEASED"
IN_PROGRESS = "IN_PROGRESS"
ON_HOLD = "ON_HOLD"
COMPLETED = "COMPLETED"
CLOSED = "CLOSED"
CANCELLED = "CANCELLED"
STARTED = frozenset({IN_PROGRESS, ON_HOLD, COMPLETED, CLOSED})

ZERO = Decimal(0)


@dataclass(slots=True)
class Report:
    """One confirmation of an operation at a terminal; the ERP document appears when it is booked."""

    id: str
    at: datetime
    good: Decimal
    scrap: Decimal
    final: bool
    reason: str = ""
    reversed: bool = False
    erp_document: str = ""


@dataclass(slots=True)
class Operation:
    """One step of an order."""

    number: str
    description: str
    work_center: str
    planned_start: datetime
    planned_end: datetime
    setup_minutes: int
    run_minutes: int
    quantity: Decimal
    status: str = "PENDING"
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    reports: list[Report] = field(default_factory=list)


@dataclass(slots=True)
class Component:
    """What an order needs of one item, and how far WMS, MES and ERP have got with it."""

    position: str
    item: str
    operation: str
    required: Decimal
    backflush: bool
    lot: str = ""
    staged: Decimal = ZERO
    consumed: Decimal = ZERO
    issued: Decimal = ZERO
    staged_at: datetime | None = None


@dataclass(slots=True)
class Order:
    """A production order: what is planned, what has truly happened, and what the books say so far."""

    number: str
    plant: str
    item: str
    quantity: Decimal
    state: str
    priority: int
    created_at: datetime
    planned_start: datetime
    planned_end: datetime
    due: date
    changed_at: datetime
    seen_at: datetime
    released_at: datetime | None = None
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    good: Decimal = ZERO
    scrap: Decimal = ZERO
    rework: Decimal = ZERO
    confirmed: Decimal = ZERO
    received: Decimal = ZERO
    last_posting: date | None = None
    erp_locked: bool = False
    sales_order: str = ""
    sales_line: str = ""
    lot: str = ""
    operations: list[Operation] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    version: int = 0

    @property
    def lot_key(self) -> LotKey | None:
        """The output lot, once one is assigned (at release)."""
        return LotKey(self.item, self.lot) if self.lot else None

    @property
    def progress(self) -> Decimal:
        """Finished share of the order, 0 to 1, over all operations."""
        total = sum((operation.quantity for operation in self.operations), ZERO)
        done = sum((operation.good + operation.scrap for operation in self.operations), ZERO)
        return min(done / total, Decimal(1)) if total else ZERO
