"""Business partners, sales orders and purchase orders."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from schema.base import OptionalRef, Provenance, Quantity, Ref, keyed


class PartyRole(StrEnum):
    """What a business partner is to us."""

    CUSTOMER = "CUSTOMER"
    SUPPLIER = "SUPPLIER"
    CARRIER = "CARRIER"
    THREE_PL = "THREE_PL"
    CONTRACT_MANUFACTURER = "CONTRACT_MANUFACTURER"


class CommercialStatus(StrEnum):
    """Life of a sales or purchase order."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    PARTIALLY_FULFILLED = "PARTIALLY_FULFILLED"
    FULFILLED = "FULFILLED"
    ON_HOLD = "ON_HOLD"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


@keyed("party", id=("code",))
@dataclass(slots=True)
class Party:
    """A business partner. Known by its code alone where the owner does not answer."""

    code: str
    name: str | None = None
    roles: tuple[PartyRole, ...] = ()
    gln: str | None = None
    scac: str | None = None
    provenance: Provenance | None = None


@keyed("so", id=("number",), customer_reference=("customer_reference",))
@dataclass(slots=True)
class SalesOrder:
    """What a customer ordered. The customer's own reference is not unique."""

    number: str
    customer: Ref
    status: CommercialStatus = CommercialStatus.UNKNOWN
    customer_reference: str | None = None
    provenance: Provenance | None = None


@keyed("sol", id=("order", "number"), order=("order",))
@dataclass(slots=True)
class SalesOrderLine:
    """One line of a sales order."""

    order: Ref
    number: str
    item: Ref
    ordered: Quantity
    promised_date: dt.date | None = None
    plant: OptionalRef = None
    provenance: Provenance | None = None


@keyed("pur", id=("number",))
@dataclass(slots=True)
class PurchaseOrder:
    """What we ordered from a supplier."""

    number: str
    supplier: Ref
    provenance: Provenance
    status: CommercialStatus = CommercialStatus.UNKNOWN
    plant: OptionalRef = None


@keyed(order=("order",))
@dataclass(slots=True)
class PurchaseOrderLine:
    """One line of a purchase order."""

    order: Ref
    number: str
    item: Ref
    ordered: Quantity
    received: Quantity | None = None
    due_date: dt.date | None = None
    subcontract: bool = False
    provenance: Provenance | None = None


@keyed(order=("order",))
@dataclass(slots=True)
class SupplierCommit:
    """What the supplier has committed to for one line."""

    order: Ref
    number: Ref
    provenance: Provenance
    quantity: Quantity | None = None
    date: dt.date | None = None
    asn_number: str | None = None
