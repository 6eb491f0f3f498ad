"""Shipments, split by owner: warehouse (WMS), posting (ERP), transport (TMS); handling units and tracking."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from schema.base import HIDDEN, DecimalText, OptionalRef, Provenance, Quantity, Ref, Refs, keyed


class ShipmentStatus(StrEnum):
    """Life of a shipment."""

    PLANNED = "PLANNED"
    ALLOCATED = "ALLOCATED"
    PICKING = "PICKING"
    PICKED = "PICKED"
    PACKED = "PACKED"
    STAGED = "STAGED"
    LOADED = "LOADED"
    SHIPPED = "SHIPPED"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP"
    DELIVERED = "DELIVERED"
    EXCEPTION = "EXCEPTION"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class Direction(StrEnum):
    """Which way a shipment goes."""

    OUTBOUND = "OUTBOUND"
    INBOUND = "INBOUND"
    TRANSFER = "TRANSFER"
    DROP_SHIP = "DROP_SHIP"


@keyed(
    "ship",
    id=("number",),
    order=("orders",),
    sales_line=("sales_lines",),
    sscc=("ssccs",),
    tracking=("tracking_number",),
)
@dataclass(slots=True)
class Shipment:
    """Goods on their way (DESADV, X12 856): identity and parties. The facts are in the owner groups."""

    number: str
    direction: Direction = Direction.OUTBOUND
    plant: OptionalRef = None
    ship_from: OptionalRef = None
    ship_to: OptionalRef = None
    carrier: OptionalRef = None
    orders: Refs = ()
    """Keys of the production orders whose output it carries (plant/number)."""
    sales_lines: Refs = ()
    """Keys of the sales order lines it fulfils (order/line)."""
    purchase_order: OptionalRef = None
    ssccs: Refs = ()
    tracking_number: OptionalRef = None
    provenance: Provenance | None = None


@keyed(shipment=("shipment",))
@dataclass(slots=True)
class ShipmentWarehouse:
    """The shipment as the warehouse works on it."""

    shipment: Ref
    provenance: Provenance
    status: ShipmentStatus = ShipmentStatus.UNKNOWN
    picked_percent: DecimalText | None = None
    staged_at: datetime | None = None
    loaded_at: datetime | None = None
    confirmed_at: datetime | None = None


@keyed(shipment=("shipment",))
@dataclass(slots=True)
class ShipmentPosting:
    """The shipment as the ERP booked it (goods issue)."""

    shipment: Ref
    provenance: Provenance
    goods_issue_posted: bool = False
    document: str | None = None
    posted_at: datetime | None = None


@keyed(shipment=("shipment",))
@dataclass(slots=True)
class ShipmentTransport:
    """The shipment as the carrier reports it."""

    shipment: Ref
    provenance: Provenance
    status: ShipmentStatus = ShipmentStatus.UNKNOWN
    tracking_number: str | None = None
    pro_number: str | None = None
    eta: datetime | None = None
    delivered_at: datetime | None = None
    signed_by: str | None = None
    public_url: str | None = None


@keyed(shipment=("shipment",))
@dataclass(slots=True)
class ShipmentLine:
    """One line of a shipment."""

    shipment: Ref
    number: str
    item: Ref
    ordered: Quantity
    picked: Quantity | None = None
    shipped: Quantity | None = None
    delivered: Quantity | None = None
    lots: Refs = ()
    """Lot numbers of the item."""
    sales_line: OptionalRef = None
    """Key of the sales order line (order/line)."""
    provenance: Annotated[Provenance | None, HIDDEN] = None


@keyed("hu", id=("shipment", "code"), shipment=("shipment",))
@dataclass(slots=True)
class HandlingUnit:
    """A pallet, box or other logistic unit (SSCC, EPCIS aggregation)."""

    shipment: Ref
    code: Ref
    sscc: str | None = None
    parent: OptionalRef = None
    """Code of the unit it stands on."""
    kind: str | None = None
    line_numbers: Refs = ()
    gross_weight: Quantity | None = None
    provenance: Annotated[Provenance | None, HIDDEN] = None


@keyed("trk", id=("shipment", "number"), shipment=("shipment",))
@dataclass(slots=True)
class TrackingEvent:
    """What a carrier said happened to a shipment (X12 214, EPCIS ObjectEvent)."""

    shipment: Ref
    number: Ref
    occurred_at: datetime
    recorded_at: datetime
    source_code: str
    provenance: Provenance
    status: ShipmentStatus = ShipmentStatus.UNKNOWN
    biz_step: str | None = None
    disposition: str | None = None
    location: str | None = None
    retracted: bool = False
