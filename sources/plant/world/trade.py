"""Partners, sales, purchases, shipments and maintenance, as they truly are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Party:
    """A firm: customer, supplier, carrier, third-party logistics provider or contract manufacturer."""

    code: str
    name: str
    roles: tuple[str, ...]
    gln: str
    country: str
    city: str
    scac: str = ""
    version: int = 0


@dataclass(slots=True)
class SalesLine:
    """A line of a sales order."""

    number: str
    item: str
    ordered: Decimal
    promised: date


@dataclass(slots=True)
class SalesOrder:
    """A customer's order; their own purchase order number need not be unique."""

    number: str
    customer: str
    customer_po: str
    status: str
    created_at: datetime
    changed_at: datetime
    lines: list[SalesLine] = field(default_factory=list)
    version: int = 0


@dataclass(slots=True)
class PurchaseLine:
    """A line of a purchase order with what the supplier promises for it."""

    number: str
    item: str
    ordered: Decimal
    received: Decimal
    due: date
    subcontract: bool
    commit_quantity: Decimal | None = None
    commit_date: date | None = None
    asn: str = ""


@dataclass(slots=True)
class PurchaseOrder:
    """An order to a supplier."""

    number: str
    supplier: str
    plant: str
    status: str
    created_at: datetime
    changed_at: datetime
    lines: list[PurchaseLine] = field(default_factory=list)
    version: int = 0


@dataclass(slots=True)
class Maintenance:
    """A maintenance order on a work center's equipment."""

    number: str
    plant: str
    work_center: str
    equipment: str
    status: str
    blocks: bool
    planned_start: datetime
    planned_end: datetime
    description: str
    changed_at: datetime
    version: int = 0


@dataclass(slots=True)
class ShipmentLine:
    """A line of a shipment: base quantities, the lots picked for it, where it comes from."""

    number: str
    item: str
    ordered: Decimal
    picked: Decimal
    shipped: Decimal
    lot: str
    order: str
    sales_order: str
    sales_line: str


@dataclass(slots=True)
class HandlingUnit:
    """A pallet or a carton on it: what share of which line it holds (line, base quantity)."""

    sscc: str
    kind: str
    parent: str
    gross_kg: Decimal
    contents: list[tuple[str, Decimal]] = field(default_factory=list)


@dataclass(slots=True)
class TrackEvent:
    """One claim of the carrier."""

    id: str
    status: str
    code: str
    message: str
    at: datetime
    recorded_at: datetime
    city: str
    country: str
    retracted: bool = False


@dataclass(slots=True)
class Tracker:
    """The carrier's side of a shipment."""

    number: str
    pro: str
    status: str
    eta: datetime | None
    delivered_at: datetime | None = None
    signed_by: str = ""
    events: list[TrackEvent] = field(default_factory=list)


@dataclass(slots=True)
class Shipment:
    """A shipment: the warehouse's work, the books' goods issue, the carrier's tracker."""

    number: str
    plant: str
    direction: str
    carrier: str
    partner: str
    status: str
    planned_ship: datetime
    changed_at: datetime
    purchase_order: str = ""
    picked_percent: Decimal = ZERO
    staged_at: datetime | None = None
    loaded_at: datetime | None = None
    confirmed_at: datetime | None = None
    issue_document: str = ""
    issued_at: datetime | None = None
    lines: list[ShipmentLine] = field(default_factory=list)
    units: list[HandlingUnit] = field(default_factory=list)
    tracker: Tracker | None = None
    version: int = 0
