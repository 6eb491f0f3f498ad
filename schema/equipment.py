"""Equipment and its maintenance (ISA-95 equipment model)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schema.base import OptionalRef, Provenance, Ref, keyed


class EquipmentLevel(StrEnum):
    """Level in the ISA-95 equipment hierarchy."""

    SITE = "SITE"
    AREA = "AREA"
    PRODUCTION_LINE = "PRODUCTION_LINE"
    PROCESS_CELL = "PROCESS_CELL"
    PRODUCTION_UNIT = "PRODUCTION_UNIT"
    WORK_CELL = "WORK_CELL"
    UNIT = "UNIT"
    STORAGE_ZONE = "STORAGE_ZONE"
    STORAGE_UNIT = "STORAGE_UNIT"
    OTHER = "OTHER"


class MaintenanceStatus(StrEnum):
    """Life of a maintenance order."""

    REQUESTED = "REQUESTED"
    PLANNED = "PLANNED"
    RELEASED = "RELEASED"
    IN_PROGRESS = "IN_PROGRESS"
    ON_HOLD = "ON_HOLD"
    COMPLETED = "COMPLETED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


@keyed("wc", id=("plant", "code"))
@dataclass(slots=True)
class WorkCenter:
    """A place where work is done: line, cell or machine."""

    plant: Ref
    code: str
    description: str | None = None
    level: EquipmentLevel = EquipmentLevel.OTHER
    provenance: Provenance | None = None


@keyed("mo", id=("number",), work_center=("plant", "work_center"))
@dataclass(slots=True)
class MaintenanceOrder:
    """Maintenance work on equipment."""

    number: str
    plant: Ref
    provenance: Provenance
    status: MaintenanceStatus = MaintenanceStatus.UNKNOWN
    work_center: OptionalRef = None
    blocks_production: bool = False
    planned_start: datetime | None = None
    planned_end: datetime | None = None
