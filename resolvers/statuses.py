"""Status is computed, never fetched: pure functions over what the owners said, by fixed precedence (domain model 1.1)."""

from datetime import datetime

from resolvers.loaders import Answer
from schema.base import SystemKind
from schema.logistics import ShipmentPosting, ShipmentStatus, ShipmentTransport, ShipmentWarehouse
from schema.material import Lot, LotMaster, LotQuality, LotStatus
from schema.production import (
    Operation,
    OperationActual,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    OrderStatus,
    ProductionOrder,
    RawStatus,
    StatusBasis,
)
from schema.quality import HoldRestriction, HoldScope, HoldState, QualityHold

S = OrderStatus
PRECEDENCE = (S.CANCELLED, S.CLOSED, S.ON_HOLD, S.COMPLETED, S.IN_PROGRESS, S.RELEASED, S.CREATED, S.PLANNED)
CONFLICTS = {S.CANCELLED: {S.IN_PROGRESS, S.COMPLETED, S.ON_HOLD}, S.CLOSED: {S.IN_PROGRESS, S.ON_HOLD}}
"""Statuses of two systems that cannot both be true."""

INACTIVE = {HoldState.RELEASED, HoldState.REQUESTED}


def active(hold: QualityHold) -> bool:
    """Whether a hold forbids something now."""
    return hold.state not in INACTIVE


def _claims(
    planning: Answer[OrderPlanning], execution: Answer[OrderExecution], holds: Answer[list[QualityHold]]
) -> list[tuple[SystemKind, OrderStatus]]:
    claims = []
    if planning.value is not None:
        claims.append((SystemKind.ERP, planning.value.status))
    if execution.value is not None:
        claims.append((SystemKind.MES, execution.value.status))
    if any(
        active(hold) and hold.scope is HoldScope.ORDER and HoldRestriction.PRODUCE in hold.restricts
        for hold in holds.value or ()
    ):
        claims.append((SystemKind.QMS, S.ON_HOLD))
    return [claim for claim in claims if claim[1] is not S.UNKNOWN]


def _decided(claims: list[tuple[SystemKind, OrderStatus]]) -> tuple[SystemKind, OrderStatus]:
    for status in PRECEDENCE:
        for kind, claimed in claims:
            if claimed is status:
                if status is S.ON_HOLD and any(claim in (S.COMPLETED,) for _, claim in claims):
                    break
                return kind, status
    return SystemKind.GATEWAY, S.UNKNOWN


def order_status(
    order: ProductionOrder,
    planning: Answer[OrderPlanning],
    execution: Answer[OrderExecution],
    posting: Answer[OrderPosting],
    holds: Answer[list[QualityHold]],
) -> OrderStatus:
    """The furthest state any owner reports, by fixed precedence; UNKNOWN when nobody could say."""
    return _decided(_claims(planning, execution, holds))[1]


def status_basis(
    order: ProductionOrder,
    planning: Answer[OrderPlanning],
    execution: Answer[OrderExecution],
    posting: Answer[OrderPosting],
    holds: Answer[list[QualityHold]],
) -> StatusBasis:
    """What the status was computed from: every system's own words, and whether they contradict each other."""
    claims = _claims(planning, execution, holds)
    raw = tuple(
        RawStatus(row.provenance.system, row.status_codes, row.status, row.provenance.source_updated_at)
        for row in (planning.value, execution.value)
        if row is not None
    )
    claimed = {status for _, status in claims}
    conflict = any(status in claimed and claimed & others for status, others in CONFLICTS.items())
    return StatusBasis(_decided(claims)[0], raw, conflict)


def operation_status(operation: Operation, actual: Answer[OperationActual]) -> OperationStatus:
    """What the shop floor reports; where it does not know the operation, what the ERP planned."""
    if actual.value is not None and actual.value.status is not OperationStatus.UNKNOWN:
        return actual.value.status
    return operation.planned_status if actual.known else OperationStatus.UNKNOWN


RESTRICTIVE = (
    LotStatus.RECALLED,
    LotStatus.REJECTED,
    LotStatus.ON_HOLD,
    LotStatus.EXPIRED,
    LotStatus.UNDER_INSPECTION,
)


def lot_status(
    lot: Lot,
    master: Answer[LotMaster],
    quality: Answer[LotQuality],
    holds: Answer[list[QualityHold]],
    now: datetime,
) -> LotStatus:
    """One strict source is enough for a restriction; a release needs quality management."""
    claims = set()
    if quality.value is not None:
        claims.add(quality.value.status)
    if any(active(hold) for hold in holds.value or ()):
        claims.add(LotStatus.ON_HOLD)
    expires = master.value.expires_on if master.value is not None else None
    if expires is not None and expires < now.date():
        claims.add(LotStatus.EXPIRED)
    for status in (*RESTRICTIVE, LotStatus.RESTRICTED, LotStatus.CONSUMED):
        if status in claims:
            return status
    silent = not quality.known or not holds.known
    return LotStatus.RELEASED if LotStatus.RELEASED in claims and not silent else LotStatus.UNKNOWN


P = ShipmentStatus
ADVANCE = (
    P.PLANNED,
    P.ALLOCATED,
    P.PICKING,
    P.PICKED,
    P.PACKED,
    P.STAGED,
    P.LOADED,
    P.SHIPPED,
    P.IN_TRANSIT,
    P.OUT_FOR_DELIVERY,
    P.AVAILABLE_FOR_PICKUP,
    P.DELIVERED,
)
FINAL = (P.CANCELLED, P.RETURNED, P.EXCEPTION)


def shipment_status(
    shipment: object,
    warehouse: Answer[ShipmentWarehouse],
    posting: Answer[ShipmentPosting],
    transport: Answer[ShipmentTransport],
) -> ShipmentStatus:
    """The furthest state: transport counts once the goods left; a label alone does not move them."""
    claims = [row.status for row in (warehouse.value, transport.value) if row is not None]
    for status in FINAL:
        if status in claims:
            return status
    reached = [ADVANCE.index(status) for status in claims if status in ADVANCE]
    return ADVANCE[max(reached)] if reached else P.UNKNOWN
