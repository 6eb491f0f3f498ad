"""Production orders, split by owner: planning and posting (ERP), execution (MES)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from schema.base import (
    HIDDEN,
    DecimalText,
    DurationText,
    OptionalRef,
    Provenance,
    Quantity,
    Ref,
    Refs,
    SystemKind,
    keyed,
)


class OrderStatus(StrEnum):
    """Life of a production order."""

    PLANNED = "PLANNED"
    CREATED = "CREATED"
    RELEASED = "RELEASED"
    IN_PROGRESS = "IN_PROGRESS"
    ON_HOLD = "ON_HOLD"
    COMPLETED = "COMPLETED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class OperationStatus(StrEnum):
    """Life of an operation."""

    PENDING = "PENDING"
    READY = "READY"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class CheckpointKind(StrEnum):
    """A milestone on the way of an order or shipment."""

    ORDER_RELEASED = "ORDER_RELEASED"
    MATERIAL_STAGED = "MATERIAL_STAGED"
    EXECUTION_STARTED = "EXECUTION_STARTED"
    CONSUMPTION_POSTED = "CONSUMPTION_POSTED"
    OPERATION_COMPLETED = "OPERATION_COMPLETED"
    QUALITY_CLEARED = "QUALITY_CLEARED"
    RECEIPT_POSTED = "RECEIPT_POSTED"
    SHIPPED = "SHIPPED"
    ERP_RECONCILED = "ERP_RECONCILED"


class CheckpointState(StrEnum):
    """How a milestone stands."""

    NOT_DUE = "NOT_DUE"
    PENDING = "PENDING"
    DONE = "DONE"
    LATE = "LATE"
    BLOCKED = "BLOCKED"
    MISMATCH = "MISMATCH"
    UNKNOWN = "UNKNOWN"


StatusCodes = Annotated[tuple[str, ...], HIDDEN]
"""A source's own status words, flags or numbers, as they came."""


@keyed("po", id=("plant", "number"), sales_line=("sales_order", "sales_line"))
@dataclass(slots=True)
class ProductionOrder:
    """An order to make something (ISA-95 operations request): its identity. The facts are in the owner groups."""

    plant: Ref
    number: str
    item: Ref
    sales_order: OptionalRef = None
    sales_line: OptionalRef = None
    provenance: Provenance | None = None


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class OrderPlanning:
    """What the ERP planned and released."""

    plant: Ref
    order: Ref
    quantity: Quantity
    provenance: Provenance
    planned_start: datetime | None = None
    planned_end: datetime | None = None
    due_date: date | None = None
    released_at: datetime | None = None
    priority: int | None = None
    status: Annotated[OrderStatus, HIDDEN] = OrderStatus.UNKNOWN
    status_codes: StatusCodes = ()


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class OrderExecution:
    """What the MES reports from the shop floor (ISA-95 operations response)."""

    plant: Ref
    order: Ref
    provenance: Provenance
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    good: Quantity | None = None
    scrap: Quantity | None = None
    rework: Quantity | None = None
    percent_complete: DecimalText | None = None
    current_operation: OptionalRef = None
    status: Annotated[OrderStatus, HIDDEN] = OrderStatus.UNKNOWN
    status_codes: StatusCodes = ()


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class OrderPosting:
    """What the ERP has booked for the order."""

    plant: Ref
    order: Ref
    provenance: Provenance
    confirmed_yield: Quantity | None = None
    received: Quantity | None = None
    last_posting_date: date | None = None
    fully_posted: bool = False


@dataclass(slots=True)
class OperationPlan:
    """The operation as the ERP planned it."""

    provenance: Provenance
    quantity: Quantity | None = None
    planned_start: datetime | None = None
    planned_end: datetime | None = None
    setup: DurationText | None = None
    run: DurationText | None = None


@keyed("op", id=("plant", "order", "number"), order=("plant", "order"))
@dataclass(slots=True)
class Operation:
    """A step of a production order (ISA-95 job order): identity and plan."""

    plant: Ref
    order: Ref
    number: str
    description: str | None = None
    work_center: OptionalRef = None
    plan: OperationPlan | None = None
    planned_status: Annotated[OperationStatus, HIDDEN] = OperationStatus.UNKNOWN
    provenance: Provenance | None = None


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class OperationActual:
    """The operation as the MES executed it."""

    plant: Ref
    order: Ref
    number: Ref
    provenance: Provenance
    good: Quantity | None = None
    scrap: Quantity | None = None
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    machine: OptionalRef = None
    status: Annotated[OperationStatus, HIDDEN] = OperationStatus.UNKNOWN


@keyed("rep", id=("plant", "order", "number"), order=("plant", "order"))
@dataclass(slots=True)
class OperationReport:
    """One report of work done (confirmation) on an operation."""

    plant: Ref
    order: Ref
    operation: Ref
    number: Ref
    at: datetime
    recorded_at: datetime
    good: Quantity
    provenance: Provenance
    scrap: Quantity | None = None
    rework: Quantity | None = None
    final: bool = False
    reversed: bool = False
    reason_code: str | None = None
    erp_document: str | None = None


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class MaterialRequirement:
    """A component an order needs, as the ERP plans and books it."""

    plant: Ref
    order: Ref
    component: Ref
    required: Quantity
    issued_erp: Quantity | None = None
    backflush: bool = False
    provenance: Provenance | None = None


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class MaterialStaging:
    """What the warehouse has staged of a component for an order."""

    plant: Ref
    order: Ref
    component: Ref
    staged: Quantity
    provenance: Provenance


@keyed(order=("plant", "order"))
@dataclass(slots=True)
class MaterialConsumption:
    """What the shop floor consumed of a component, and from which lots."""

    plant: Ref
    order: Ref
    component: Ref
    consumed: Quantity
    provenance: Provenance
    lots: Refs = ()
    """Lot numbers of the component."""


@dataclass(slots=True)
class RawStatus:
    """A source's own status and what it was mapped to."""

    system: Ref
    codes: tuple[str, ...]
    mapped: OrderStatus
    at: datetime | None = None


@dataclass(slots=True)
class StatusBasis:
    """What an order's status was computed from."""

    decided_by: SystemKind
    raw: tuple[RawStatus, ...]
    conflict: bool = False


@dataclass(slots=True)
class Checkpoint:
    """A milestone and how it stands."""

    kind: CheckpointKind
    state: CheckpointState
    system: SystemKind
    at: datetime | None = None
