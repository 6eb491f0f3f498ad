"""What subscribers are told: a change of an object, with the event behind it and the place to go on from."""

from dataclasses import dataclass
from enum import StrEnum

from schema.integration import BusinessEvent
from schema.logistics import Shipment, ShipmentStatus
from schema.material import InventoryPosition
from schema.production import ProductionOrder
from schema.quality import QualityHold


class ChangeKind(StrEnum):
    """Why a subscriber is told.

    SNAPSHOT: an object as it was when the subscription began. REPLAY: an event that was missed after the cursor. READY:
    everything of the past was told, no object; its cursor is where to go on. LIVE: something has happened now.
    """

    SNAPSHOT = "SNAPSHOT"
    REPLAY = "REPLAY"
    READY = "READY"
    LIVE = "LIVE"


@dataclass(slots=True)
class ProductionOrderChange:
    """A production order as it is now, and what happened to it."""

    kind: ChangeKind
    replay: bool
    cursor: str | None = None
    object_id: str | None = None
    event: BusinessEvent | None = None
    order: ProductionOrder | None = None
    changed: tuple[str, ...] = ()


@dataclass(slots=True)
class ShipmentChange:
    """A shipment as it is now, and what happened to it."""

    kind: ChangeKind
    replay: bool
    cursor: str | None = None
    object_id: str | None = None
    event: BusinessEvent | None = None
    shipment: Shipment | None = None
    changed: tuple[str, ...] = ()
    previous_status: ShipmentStatus | None = None


@dataclass(slots=True)
class InventoryChange:
    """A stock position as it is now, and what happened to it."""

    kind: ChangeKind
    replay: bool
    cursor: str | None = None
    object_id: str | None = None
    event: BusinessEvent | None = None
    position: InventoryPosition | None = None


@dataclass(slots=True)
class HoldChange:
    """A quality hold as it is now, and what happened to it."""

    kind: ChangeKind
    replay: bool
    cursor: str | None = None
    object_id: str | None = None
    event: BusinessEvent | None = None
    hold: QualityHold | None = None
