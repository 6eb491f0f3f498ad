"""What each canonical event says beside its envelope: one class for each type, in the names of the JSON (camelCase).

Quantities are decimal text with a unit of UN/ECE Recommendation 20, instants are UTC, keys are those of the model. What
is not required is there where the owner tells it. These classes are the contract: events are checked with them, and the
published schemas are made from them (``contracts``, ``asyncapi``).
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from schema.logistics import ShipmentStatus
from schema.material import LotStatus, MovementKind, StockStatus
from schema.production import OperationStatus, OrderStatus
from schema.quality import HoldRestriction, HoldScope, HoldState


def _text(description: str, example: str, pattern: str | None = None, **more: Any) -> Meta:
    return Meta(
        min_length=1,
        max_length=200,
        pattern=pattern,
        description=description,
        examples=[example],
        extra_json_schema=more or None,
    )


_TIME = r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{1,6})?Z$"
PlantCode = Annotated[str, _text("Code of the plant.", "1710")]
OrderNumber = Annotated[str, _text("Number of the production order within its plant.", "1000040")]
OperationNumber = Annotated[str, _text("Number of the operation within its order.", "0020")]
ItemNumber = Annotated[str, _text("Number of the item.", "FG-1050")]
LotNumber = Annotated[str, _text("Number of the lot of the item.", "L2409-07")]
LocationCode = Annotated[str, _text("Code of the location within the plant.", "STG-01")]
ShipmentNumber = Annotated[str, _text("Number of the shipment.", "80000123")]
Document = Annotated[str, _text("Number of the owner's document that says so.", "4900000123/2025")]
DecimalText = Annotated[
    str, _text("A decimal number as text, with a point.", "12.5", r"^-?[0-9]+(\.[0-9]+)?$", format="decimal")
]
UnitCode = Annotated[
    str,
    _text("Code of UN/ECE Recommendation 20, or X and one of 21 for packages.", "H87", "^[A-Z0-9]{2,3}$"),
]
Instant = Annotated[
    str, _text("An instant, RFC 3339 in UTC.", "2025-05-06T12:00:00Z", _TIME, format="date-time")
]
Day = Annotated[
    str,
    _text("A calendar day at the plant.", "2025-05-06", "^[0-9]{4}-[01][0-9]-[0-3][0-9]$", format="date"),
]
GatewayId = Annotated[
    str, _text("Id of an object in the gateway.", "lot:FG-1050/L2409-07", "^[a-z]+:[^\\s].*$")
]
CarrierCode = Annotated[str, _text("The carrier: SCAC, or the code the gateway knows it by.", "DHLC")]
Changed = Annotated[
    tuple[str, ...],
    Meta(description="What changed, in the names of the graph's fields; empty where it is not known."),
]
Words = Annotated[str, Meta(max_length=2000, description="For people, as the owner wrote it.")]


class Data(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """What an event says beside its envelope."""


class ProductionOrderReleased(Data):
    """The order may be worked on from now on."""

    plant: PlantCode
    order: OrderNumber
    item: ItemNumber | None = None
    quantity: DecimalText | None = None
    unit: UnitCode | None = None
    due_at: Instant | None = None


class ProductionOrderChanged(Data):
    """Something about the order is another than before: dates, quantities, state."""

    plant: PlantCode
    order: OrderNumber
    status: OrderStatus | None = None
    previous_status: OrderStatus | None = None
    changed: Changed = ()


class MaterialIssued(Data):
    """Material went from stock into an order. A reversal has a negative quantity and names what it takes back."""

    document: Document
    plant: PlantCode
    order: OrderNumber
    item: ItemNumber
    quantity: DecimalText
    unit: UnitCode
    lot: LotNumber | None = None
    location: LocationCode | None = None
    operation: OperationNumber | None = None
    posting_date: Day | None = None
    reversal_of: Document | None = None


class OperationCompleted(Data):
    """The last report on an operation was made; the quantities are those of the operation."""

    plant: PlantCode
    order: OrderNumber
    operation: OperationNumber
    status: OperationStatus = OperationStatus.COMPLETED
    good: DecimalText | None = None
    scrap: DecimalText | None = None
    unit: UnitCode | None = None
    work_center: Annotated[str, _text("Code of the work center.", "PACK-2")] | None = None
    reversal_of: Document | None = None


class InventoryAdjusted(Data):
    """Stock was set to what was counted, or written off. The quantity is the difference, with its sign."""

    document: Document
    plant: PlantCode
    item: ItemNumber
    quantity: DecimalText
    unit: UnitCode
    lot: LotNumber | None = None
    location: LocationCode | None = None
    status: StockStatus | None = None
    reason: Words | None = None
    posting_date: Day | None = None
    reversal_of: Document | None = None


class InventoryMoved(Data):
    """Stock is at another place, or is stock of another status; how much there is in all did not change by it."""

    document: Document
    plant: PlantCode
    item: ItemNumber
    kind: MovementKind
    quantity: DecimalText
    unit: UnitCode
    lot: LotNumber | None = None
    from_location: LocationCode | None = None
    to_location: LocationCode | None = None
    order: OrderNumber | None = None
    status: StockStatus | None = None
    posting_date: Day | None = None
    reversal_of: Document | None = None


class LotChanged(Data):
    """A lot is another than before: its status, dates or attributes."""

    item: ItemNumber
    lot: LotNumber
    status: LotStatus | None = None
    previous_status: LotStatus | None = None
    changed: Changed = ()


class QualityHoldChanged(Data):
    """Something must not be used, or may be used again. ``target`` is what the hold is on."""

    hold: Annotated[str, _text("Number of the hold.", "QH-77")]
    state: HoldState
    scope: HoldScope
    target: GatewayId
    previous_state: HoldState | None = None
    restricts: tuple[HoldRestriction, ...] = ()
    reason: Words | None = None


class ShipmentConfirmed(Data):
    """The warehouse gave the goods away: from here on the carrier has them."""

    shipment: ShipmentNumber
    status: ShipmentStatus = ShipmentStatus.SHIPPED
    plant: PlantCode | None = None
    carrier: CarrierCode | None = None
    tracking_number: Annotated[str, _text("The carrier's number.", "00340434161094042557")] | None = None
    document: Document | None = None


class ShipmentChanged(Data):
    """A shipment is another than before: planned, picked, packed, booked."""

    shipment: ShipmentNumber
    status: ShipmentStatus | None = None
    previous_status: ShipmentStatus | None = None
    carrier: CarrierCode | None = None
    changed: Changed = ()


class ShipmentTracked(Data):
    """The carrier saw the goods. ``code`` is its own word for the status."""

    shipment: ShipmentNumber
    status: ShipmentStatus
    code: Annotated[str, _text("The carrier's own code of the status.", "X6")] | None = None
    carrier: CarrierCode | None = None
    tracking_number: Annotated[str, _text("The carrier's number.", "00340434161094042557")] | None = None
    place: Annotated[str, _text("Where, as the carrier writes it.", "Leipzig, DE")] | None = None
    eta: Instant | None = None


class MasterDataChanged(Data):
    """An item, a bill of materials, a routing, a party or another thing that others refer to is another than before."""

    object: GatewayId
    changed: Changed = ()
    deleted: bool = False
