"""What the gateway itself knows: discrepancies between systems, genealogy, refusals of writes."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from schema.base import HIDDEN, OptionalRef, Provenance, Quantity, Ref, SystemKind, keyed
from schema.logistics import Shipment
from schema.material import InventoryBalance, Lot


class ExceptionCategory(StrEnum):
    """What kind of trouble an exception is."""

    DELAYED_SYNC = "DELAYED_SYNC"
    REPEATED_RETRY = "REPEATED_RETRY"
    SCHEMA_MISMATCH = "SCHEMA_MISMATCH"
    MASTER_DATA_CONFLICT = "MASTER_DATA_CONFLICT"
    UNIT_MISMATCH = "UNIT_MISMATCH"
    LOT_MISMATCH = "LOT_MISMATCH"
    QUANTITY_VARIANCE = "QUANTITY_VARIANCE"
    DUPLICATE = "DUPLICATE"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    POSTING_REJECTED = "POSTING_REJECTED"
    CLOSED_PERIOD = "CLOSED_PERIOD"
    HOLD_VIOLATION = "HOLD_VIOLATION"
    SYSTEM_UNAVAILABLE = "SYSTEM_UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    AUTHORISATION = "AUTHORISATION"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


class Severity(StrEnum):
    """How bad it is."""

    INFO = "INFO"
    WARNING = "WARNING"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


class TransactionState(StrEnum):
    """Life of a write on its way to its owner."""

    RECEIVED = "RECEIVED"
    VALIDATED = "VALIDATED"
    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    APPLIED = "APPLIED"
    RECONCILED = "RECONCILED"
    RETRYING = "RETRYING"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    FAILED = "FAILED"
    DEAD_LETTERED = "DEAD_LETTERED"
    COMPENSATING = "COMPENSATING"
    COMPENSATED = "COMPENSATED"


class WriteOutcome(StrEnum):
    """What became of a write."""

    APPLIED = "APPLIED"
    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"
    PARTIALLY_APPLIED = "PARTIALLY_APPLIED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    COMPENSATED = "COMPENSATED"
    DRY_RUN_OK = "DRY_RUN_OK"


class UserErrorCode(StrEnum):
    """Why a write was refused."""

    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    NOT_MAPPED = "NOT_MAPPED"
    INVALID_STATE = "INVALID_STATE"
    CONFLICT = "CONFLICT"
    HOLD_ACTIVE = "HOLD_ACTIVE"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    UNIT_NOT_CONVERTIBLE = "UNIT_NOT_CONVERTIBLE"
    CLOSED_PERIOD = "CLOSED_PERIOD"
    FORBIDDEN = "FORBIDDEN"
    SOURCE_REJECTED = "SOURCE_REJECTED"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


class BusinessEventType(StrEnum):
    """What happened."""

    PRODUCTION_ORDER_RELEASED = "PRODUCTION_ORDER_RELEASED"
    MATERIAL_ISSUED = "MATERIAL_ISSUED"
    OPERATION_COMPLETED = "OPERATION_COMPLETED"
    INVENTORY_ADJUSTED = "INVENTORY_ADJUSTED"
    QUALITY_HOLD_CHANGED = "QUALITY_HOLD_CHANGED"
    SHIPMENT_CONFIRMED = "SHIPMENT_CONFIRMED"
    STATUS_CHANGED = "STATUS_CHANGED"
    MASTER_DATA_CHANGED = "MASTER_DATA_CHANGED"


class ExceptionState(StrEnum):
    """Life of an exception."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    IN_PROGRESS = "IN_PROGRESS"
    RESOLVED = "RESOLVED"
    IGNORED = "IGNORED"


class TraceDirection(StrEnum):
    """Which way a genealogy is walked."""

    FORWARD = "FORWARD"
    BACKWARD = "BACKWARD"
    BOTH = "BOTH"


class Confidence(StrEnum):
    """How sure a promise is."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


@dataclass(slots=True)
class Claim:
    """What one system says about a disputed fact."""

    value: str
    provenance: Provenance
    quantity: Quantity | None = None


@dataclass(slots=True)
class Discrepancy:
    """Two systems that own parts of one fact do not agree. ``delta`` is null where units cannot be compared."""

    kind: ExceptionCategory
    field: str
    claims: tuple[Claim, ...]
    detected_at: datetime
    age_minutes: int
    delta: Quantity | None = None


@dataclass(slots=True)
class TraceEdge:
    """Material went from one lot into another."""

    from_id: Annotated[str, HIDDEN]
    to_id: Annotated[str, HIDDEN]
    provenance: Provenance
    quantity: Quantity | None = None
    at: datetime | None = None


@dataclass(slots=True)
class TraceNode:
    """A lot found by a trace, and how far from its root."""

    id: str
    depth: int
    node: Lot


@dataclass(slots=True)
class TraceGap:
    """Where a trace could not go on, and why."""

    after: str
    reason: str
    system: Ref | None = None


@dataclass(slots=True)
class TraceResult:
    """Where the material of a lot came from or went to. ``complete`` only without gaps."""

    root: Lot
    nodes: tuple[TraceNode, ...]
    edges: tuple[TraceEdge, ...]
    affected_lots: tuple[Lot, ...]
    affected_shipments: tuple[Shipment, ...]
    on_hand: tuple[InventoryBalance, ...]
    complete: bool
    truncated: bool
    gaps: tuple[TraceGap, ...]


@dataclass(slots=True)
class UserError:
    """Why a write was refused, in words for the user."""

    code: UserErrorCode
    message: str
    retryable: bool
    path: tuple[str, ...] | None = None
    system: SystemKind | None = None
    source_code: str | None = None


@dataclass(slots=True)
class TransactionStep:
    """One step of a write in one system."""

    system: Ref
    action: str
    state: TransactionState
    attempt: int
    at: datetime
    source_document: str | None = None
    error: UserError | None = None
    compensates: str | None = None


@keyed("tx", id=("number",))
@dataclass(slots=True)
class IntegrationTransaction:
    """A write on its way to its owner: accepted is not applied, and applied is not reconciled."""

    number: Ref
    correlation_id: str
    kind: str
    state: TransactionState
    attempts: int
    started_at: datetime
    breached: bool = False
    sla_due_at: datetime | None = None
    steps: tuple[TransactionStep, ...] = ()
    write_token: str | None = None


@keyed("exc", id=("number",))
@dataclass(slots=True)
class IntegrationException:
    """Trouble between systems that needs somebody's attention."""

    number: Ref
    category: ExceptionCategory
    severity: Severity
    state: ExceptionState
    message: str
    first_seen_at: datetime
    last_seen_at: datetime
    occurrences: int
    retryable: bool
    assignee: str | None = None
    suggested_action: str | None = None


@keyed("evt", id=("number",))
@dataclass(slots=True)
class BusinessEvent:
    """Something that happened, in the words of the model (CloudEvents)."""

    number: Ref
    type: BusinessEventType
    cloud_event_type: str
    occurred_at: datetime
    recorded_at: datetime
    received_at: datetime
    late: bool
    synthesized: bool
    correlation_id: str
    provenance: Provenance
    cause: OptionalRef = None
    transaction_number: OptionalRef = None
    subject_id: OptionalRef = None


@dataclass(slots=True)
class AvailabilityPromise:
    """When how much of an item can be promised."""

    promised: Quantity
    confidence: Confidence
    promise_date: date | None = None
