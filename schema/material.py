"""Materials: items, their recipes, lots, serial numbers and stock (ISA-95 material model, GS1 identifiers)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from schema.base import (
    DecimalText,
    DurationText,
    OptionalRef,
    Provenance,
    Quantity,
    Ref,
    SourceStatus,
    UnitCode,
    keyed,
)


class TrackingMode(StrEnum):
    """How an item is tracked."""

    NONE = "NONE"
    LOT = "LOT"
    SERIAL = "SERIAL"
    LOT_AND_SERIAL = "LOT_AND_SERIAL"
    UNKNOWN = "UNKNOWN"


class LocationKind(StrEnum):
    """What a location is used for."""

    STORAGE_LOCATION = "STORAGE_LOCATION"
    BIN = "BIN"
    STAGING = "STAGING"
    DOCK = "DOCK"
    WIP = "WIP"
    QUARANTINE = "QUARANTINE"
    IN_TRANSIT = "IN_TRANSIT"
    SUPPLIER = "SUPPLIER"
    CUSTOMER = "CUSTOMER"
    UNKNOWN = "UNKNOWN"


class LotStatus(StrEnum):
    """Usability of a lot, after all systems were heard."""

    RELEASED = "RELEASED"
    UNDER_INSPECTION = "UNDER_INSPECTION"
    ON_HOLD = "ON_HOLD"
    RESTRICTED = "RESTRICTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    RECALLED = "RECALLED"
    CONSUMED = "CONSUMED"
    UNKNOWN = "UNKNOWN"


class StockStatus(StrEnum):
    """Usability class of stock at a location."""

    UNRESTRICTED = "UNRESTRICTED"
    QUALITY_INSPECTION = "QUALITY_INSPECTION"
    BLOCKED = "BLOCKED"
    RESTRICTED = "RESTRICTED"
    RETURNS = "RETURNS"
    IN_TRANSFER = "IN_TRANSFER"
    DAMAGED = "DAMAGED"
    UNKNOWN = "UNKNOWN"


class BalanceView(StrEnum):
    """Whose view of the stock a balance is."""

    BOOK = "BOOK"
    PHYSICAL = "PHYSICAL"
    WIP = "WIP"


class ReconcileVerdict(StrEnum):
    """Result of comparing book, physical and work-in-progress stock."""

    MATCH = "MATCH"
    IN_TOLERANCE = "IN_TOLERANCE"
    EXPLAINED_BY_TIMING = "EXPLAINED_BY_TIMING"
    VARIANCE = "VARIANCE"
    NOT_COMPARABLE = "NOT_COMPARABLE"


class MovementKind(StrEnum):
    """What a stock movement did."""

    PURCHASE_RECEIPT = "PURCHASE_RECEIPT"
    PRODUCTION_RECEIPT = "PRODUCTION_RECEIPT"
    ISSUE_TO_PRODUCTION = "ISSUE_TO_PRODUCTION"
    RETURN_FROM_PRODUCTION = "RETURN_FROM_PRODUCTION"
    TRANSFER = "TRANSFER"
    STATUS_CHANGE = "STATUS_CHANGE"
    SCRAP = "SCRAP"
    ADJUSTMENT = "ADJUSTMENT"
    SHIP = "SHIP"
    CUSTOMER_RETURN = "CUSTOMER_RETURN"
    SUBCONTRACT_SUPPLY = "SUBCONTRACT_SUPPLY"
    UNKNOWN = "UNKNOWN"


@dataclass(slots=True)
class ItemUnit:
    """A unit an item is counted in: ``numerator`` base units are ``denominator`` of this unit."""

    unit: UnitCode
    numerator: DecimalText
    denominator: DecimalText
    system: Ref
    source_unit: str
    conflict: bool = False


@keyed("item", id=("number",))
@dataclass(slots=True)
class Item:
    """A material definition. Known by its number alone where the owner does not answer."""

    number: str
    description: str | None = None
    gtin: str | None = None
    base_unit: UnitCode | None = None
    tracking: TrackingMode = TrackingMode.UNKNOWN
    revision: str | None = None
    units: tuple[ItemUnit, ...] = ()
    provenance: Provenance | None = None


@dataclass(slots=True)
class BomLine:
    """A component of a bill of materials."""

    position: str
    component: Ref
    quantity: Quantity
    scrap_percent: DecimalText | None = None
    phantom: bool = False
    backflush: bool = False
    operation_number: str | None = None


@keyed("bom", id=("plant", "item", "alternative"), item=("item",))
@dataclass(slots=True)
class BillOfMaterials:
    """What an item is made of at one plant (ISA-95 bill of material)."""

    plant: Ref
    item: Ref
    base_quantity: Quantity
    lines: tuple[BomLine, ...]
    provenance: Provenance
    alternative: str = "1"
    valid_from: date | None = None


@dataclass(slots=True)
class RoutingStep:
    """One operation of a routing, as master data."""

    plant: Ref
    number: str
    description: str | None = None
    work_center: OptionalRef = None
    setup: DurationText | None = None
    per_unit: DurationText | None = None


@keyed("routing", id=("plant", "item"), item=("item",))
@dataclass(slots=True)
class Routing:
    """How an item is made at one plant (ISA-95 operations definition)."""

    plant: Ref
    item: Ref
    steps: tuple[RoutingStep, ...]
    provenance: Provenance


@keyed("loc", id=("plant", "code"))
@dataclass(slots=True)
class Location:
    """A place where material lies (ISA-95 operational location)."""

    plant: Ref
    code: str
    parent: OptionalRef = None
    kind: LocationKind = LocationKind.UNKNOWN
    sgln: str | None = None
    provenance: Provenance | None = None


@keyed("lot", id=("item", "number"), item=("item",), order=("plant", "order"))
@dataclass(slots=True)
class Lot:
    """A material lot. Known by item and number alone where the owner does not answer."""

    item: Ref
    number: str
    plant: OptionalRef = None
    order: OptionalRef = None
    provenance: Provenance | None = None


@keyed(lot=("item", "lot"))
@dataclass(slots=True)
class LotMaster:
    """The lot as the ERP's batch master knows it."""

    item: Ref
    lot: Ref
    provenance: Provenance
    supplier_lot: str | None = None
    manufactured_on: date | None = None
    expires_on: date | None = None
    country_of_origin: str | None = None


@keyed(lot=("item", "lot"))
@dataclass(slots=True)
class LotQuality:
    """The lot as quality management decided on it. A release of the lot needs this."""

    item: Ref
    lot: Ref
    provenance: Provenance
    status: LotStatus = LotStatus.UNKNOWN
    decision_code: str | None = None


@keyed(input=("input_item", "input_lot"), output=("output_item", "output_lot"))
@dataclass(slots=True)
class LotTransformation:
    """Material of one lot went into another (EPCIS TransformationEvent)."""

    input_item: Ref
    input_lot: Ref
    output_item: Ref
    output_lot: Ref
    provenance: Provenance
    plant: OptionalRef = None
    order: OptionalRef = None
    quantity: Quantity | None = None
    at: datetime | None = None


@keyed("sn", id=("item", "number"), lot=("item", "lot"))
@dataclass(slots=True)
class SerialNumber:
    """One serialised piece (GS1 SGTIN)."""

    item: Ref
    number: str
    lot: OptionalRef = None
    plant: OptionalRef = None
    location: OptionalRef = None
    parent: OptionalRef = None
    provenance: Provenance | None = None


@keyed(item=("item",), lot=("item", "lot"), location=("plant", "location"))
@dataclass(slots=True)
class InventoryBalance:
    """Stock of an item at a location as one system sees it. It has no id of its own anywhere."""

    plant: Ref
    item: Ref
    location: Ref
    view: BalanceView
    on_hand: Quantity
    provenance: Provenance
    lot: OptionalRef = None
    handling_unit: OptionalRef = None
    stock_status: StockStatus = StockStatus.UNKNOWN
    reserved: Quantity | None = None
    available: Quantity | None = None


@keyed("mov", id=("system", "document"), item=("item",), lot=("item", "lot"), order=("plant", "order"))
@dataclass(slots=True)
class InventoryMovement:
    """One movement of stock as one system recorded it. ``occurred_at`` is the source's claim."""

    system: Ref
    document: str
    plant: Ref
    item: Ref
    kind: MovementKind
    quantity: Quantity
    occurred_at: datetime
    source_type: str
    provenance: Provenance
    lot: OptionalRef = None
    from_location: OptionalRef = None
    to_location: OptionalRef = None
    posting_date: date | None = None
    reversal_of: OptionalRef = None
    order: OptionalRef = None
    reference: OptionalRef = None
    """What the movement shares with its twin in another system (transfer order, delivery), if anything."""


@dataclass(slots=True)
class InventoryPosition:
    """The stock of an item, or of one of its lots, at a plant: book, physical and work in progress side by side.

    ``unexplained = physical + wip - book - in_flight``, in the item's base unit at ``comparable_at``. Null where a
    view cannot be expressed in the base unit: quantities are never compared one to one for lack of a factor.
    """

    item: Ref
    plant: Ref
    lot: OptionalRef
    verdict: ReconcileVerdict
    book: Quantity | None = None
    physical: Quantity | None = None
    wip: Quantity | None = None
    in_flight: Quantity | None = None
    unexplained: Quantity | None = None
    comparable_at: datetime | None = None
    balances: tuple[InventoryBalance, ...] = ()
    in_flight_movements: tuple[InventoryMovement, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
