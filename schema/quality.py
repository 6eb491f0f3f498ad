"""Quality: inspections and holds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schema.base import OptionalRef, Provenance, Quantity, Ref, keyed


class InspectionStatus(StrEnum):
    """Life of an inspection."""

    CREATED = "CREATED"
    RELEASED = "RELEASED"
    RESULTS_RECORDED = "RESULTS_RECORDED"
    COMPLETED = "COMPLETED"
    DECIDED = "DECIDED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class Disposition(StrEnum):
    """What is done with inspected material (X12 element 887)."""

    USE_AS_IS = "USE_AS_IS"
    CONDITIONAL_USE = "CONDITIONAL_USE"
    REWORK = "REWORK"
    REPAIR = "REPAIR"
    SCRAP = "SCRAP"
    RETURN_TO_SUPPLIER = "RETURN_TO_SUPPLIER"
    REGRADE = "REGRADE"
    SAMPLE = "SAMPLE"
    REEVALUATE = "REEVALUATE"


class HoldScope(StrEnum):
    """What a hold applies to."""

    LOT = "LOT"
    SERIAL = "SERIAL"
    HANDLING_UNIT = "HANDLING_UNIT"
    ITEM = "ITEM"
    LOCATION = "LOCATION"
    ORDER = "ORDER"
    SHIPMENT = "SHIPMENT"


class HoldRestriction(StrEnum):
    """What a hold forbids."""

    MOVE = "MOVE"
    PICK = "PICK"
    CONSUME = "CONSUME"
    PRODUCE = "PRODUCE"
    SHIP = "SHIP"


class HoldState(StrEnum):
    """Life of a quality hold."""

    REQUESTED = "REQUESTED"
    PLACED = "PLACED"
    PARTIALLY_ENFORCED = "PARTIALLY_ENFORCED"
    ENFORCED = "ENFORCED"
    RELEASE_PENDING = "RELEASE_PENDING"
    RELEASED = "RELEASED"


@dataclass(slots=True)
class DispositionSplit:
    """A part of the inspected quantity and what is done with it."""

    disposition: Disposition
    quantity: Quantity


@keyed("insp", id=("number",), lot=("item", "lot"), order=("plant", "order"))
@dataclass(slots=True)
class QualityInspection:
    """An inspection of a quantity of material (ISA-95 operations test)."""

    number: str
    quantity: Quantity
    provenance: Provenance
    status: InspectionStatus = InspectionStatus.UNKNOWN
    item: OptionalRef = None
    lot: OptionalRef = None
    plant: OptionalRef = None
    order: OptionalRef = None
    decision_code: str | None = None
    decided_at: datetime | None = None
    splits: tuple[DispositionSplit, ...] = ()


@dataclass(slots=True)
class HoldEnforcement:
    """Whether one system has put the hold into force."""

    system: Ref
    enforced: bool
    source_state: str | None = None
    confirmed_at: datetime | None = None
    lag_seconds: int | None = None


@keyed("hold", id=("number",), lot=("item", "lot"), order=("plant", "order"), shipment=("shipment",))
@dataclass(slots=True)
class QualityHold:
    """A decision of quality management that something must not be used (EPCIS bizStep holding)."""

    number: str
    reason: str
    scope: HoldScope
    state: HoldState
    placed_at: datetime
    provenance: Provenance
    restricts: tuple[HoldRestriction, ...] = ()
    released_at: datetime | None = None
    enforcement: tuple[HoldEnforcement, ...] = ()
    plant: OptionalRef = None
    item: OptionalRef = None
    lot: OptionalRef = None
    order: OptionalRef = None
    shipment: OptionalRef = None
    location: OptionalRef = None
    handling_unit: OptionalRef = None
    serial: OptionalRef = None
