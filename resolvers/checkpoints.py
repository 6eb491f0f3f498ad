"""The milestones of a production order: what each owner's evidence says, and when it is late (domain model 1.5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strawberry.types import Info

from resolvers.eager import together
from resolvers.edges import EXPOSED, Edge, follow
from resolvers.freshness import at
from resolvers.loaders import Answer
from resolvers.statuses import active
from resolvers.units import convert
from schema.base import Quantity, SystemKind, join_key
from schema.logistics import Shipment, ShipmentPosting, ShipmentWarehouse
from schema.material import Item
from schema.production import (
    Checkpoint,
    CheckpointKind,
    CheckpointState,
    MaterialConsumption,
    MaterialRequirement,
    MaterialStaging,
    OperationActual,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    OrderStatus,
    ProductionOrder,
)
from schema.quality import InspectionStatus, QualityHold, QualityInspection

K, S = CheckpointKind, CheckpointState
CHECKPOINT_NEEDS = (
    "planning",
    "execution",
    "posting",
    "materials",
    "staging",
    "consumption",
    "actuals",
    "inspections",
    "holds",
    "shipments",
)
CHECKPOINT_LOADS = ((ShipmentWarehouse, "shipment"), (ShipmentPosting, "shipment"), (Item, "id"))
DONE_OPERATIONS = {OperationStatus.COMPLETED, OperationStatus.CLOSED, OperationStatus.CANCELLED}
STARTED = {OrderStatus.IN_PROGRESS, OrderStatus.ON_HOLD, OrderStatus.COMPLETED, OrderStatus.CLOSED}
RELEASED = {OrderStatus.RELEASED, *STARTED}
DECIDED = {InspectionStatus.DECIDED, InspectionStatus.SKIPPED, InspectionStatus.CANCELLED}


@dataclass(slots=True)
class Evidence:
    """Everything the milestones are judged by."""

    planning: Answer[OrderPlanning]
    execution: Answer[OrderExecution]
    posting: Answer[OrderPosting]
    materials: Answer[list[MaterialRequirement]]
    staging: Answer[list[MaterialStaging]]
    consumption: Answer[list[MaterialConsumption]]
    actuals: Answer[list[OperationActual]]
    inspections: Answer[list[QualityInspection]]
    holds: Answer[list[QualityHold]]
    shipments: Answer[list[Shipment]]
    confirmed: Sequence[Answer[ShipmentWarehouse]] = ()
    posted: Sequence[Answer[ShipmentPosting]] = ()
    items: Mapping[str, Item] = field(default_factory=dict)
    """Items whose quantities come in different units, by number."""


async def checkpoints(row: ProductionOrder, info: Info) -> list[Checkpoint]:
    """The milestones of the order, in their natural order, each judged by its owner's evidence."""
    loads = at(info)
    table = EXPOSED[ProductionOrder].fields
    edges = [table[name] for name in CHECKPOINT_NEEDS]
    answers: list[Any] = await together(
        [follow(edge, row, loads) for edge in edges if isinstance(edge, Edge)]
    )
    evidence = Evidence(*answers)
    numbers = [join_key(shipment.number) for shipment in evidence.shipments.value or ()]
    mixed = _mixed(evidence, row.item)
    confirmed, posted, items = await together(
        [
            loads.load_set(ShipmentWarehouse, "shipment", numbers, False),
            loads.load_set(ShipmentPosting, "shipment", numbers, False),
            loads.load_set(Item, "id", [join_key(number) for number in mixed], False),
        ]
    )
    evidence.confirmed, evidence.posted = confirmed, posted
    evidence.items = {answer.value.number: answer.value for answer in items if answer.value is not None}
    return judged(evidence, row.item, loads.ctx.now)


def _mixed(evidence: Evidence, product: str) -> list[str]:
    """The items that the systems count in different units, so that their factors are needed."""
    units: dict[str, set[str]] = {}
    for requirement in evidence.materials.value or ():
        for quantity in (requirement.required, requirement.issued_erp):
            if quantity is not None:
                units.setdefault(requirement.component, set()).add(quantity.unit)
    for staging in evidence.staging.value or ():
        units.setdefault(staging.component, set()).add(staging.staged.unit)
    for used in evidence.consumption.value or ():
        units.setdefault(used.component, set()).add(used.consumed.unit)
    good = evidence.execution.value.good if evidence.execution.value is not None else None
    received = evidence.posting.value.received if evidence.posting.value is not None else None
    units.setdefault(product, set()).update(
        quantity.unit for quantity in (good, received) if quantity is not None
    )
    return sorted(item for item, found in units.items() if len(found) > 1)


def judged(evidence: Evidence, product: str, now: datetime) -> list[Checkpoint]:
    """All milestones from the evidence; a silent owner makes UNKNOWN, never PENDING."""
    found = [*[judge(evidence, now) for judge in JUDGES], _received(evidence, product), _shipped(evidence)]
    settled = [checkpoint.state for checkpoint in found]
    state = (
        S.UNKNOWN
        if S.UNKNOWN in settled
        else S.MISMATCH
        if S.MISMATCH in settled
        else S.DONE
        if all(one in (S.DONE, S.NOT_DUE) for one in settled)
        else S.PENDING
    )
    return [*found, Checkpoint(K.ERP_RECONCILED, state, SystemKind.GATEWAY)]


def _pending(due: datetime | None, now: datetime) -> CheckpointState:
    return S.LATE if due is not None and due < now else S.PENDING


def _released(e: Evidence, now: datetime) -> Checkpoint:
    if not e.planning.known or not e.execution.known:
        return Checkpoint(K.ORDER_RELEASED, S.UNKNOWN, SystemKind.ERP)
    plan, run = e.planning.value, e.execution.value
    at = plan.released_at if plan is not None else None
    released = plan is not None and (at is not None or plan.status in RELEASED)
    if released and run is not None:
        return Checkpoint(K.ORDER_RELEASED, S.DONE, SystemKind.ERP, at)
    return Checkpoint(
        K.ORDER_RELEASED, _pending(plan.planned_start if plan else None, now), SystemKind.ERP, at
    )


def _staged(e: Evidence, now: datetime) -> Checkpoint:
    if not e.materials.known or not e.staging.known:
        return Checkpoint(K.MATERIAL_STAGED, S.UNKNOWN, SystemKind.WMS)
    staged = {row.component: row.staged for row in e.staging.value or ()}
    needed = [row for row in e.materials.value or () if not row.backflush]
    states = [_covers(staged.get(row.component), row.required, e.items.get(row.component)) for row in needed]
    if None in states:
        return Checkpoint(K.MATERIAL_STAGED, S.UNKNOWN, SystemKind.WMS)
    due = e.planning.value.planned_start if e.planning.value is not None else None
    return Checkpoint(K.MATERIAL_STAGED, S.DONE if all(states) else _pending(due, now), SystemKind.WMS)


def _covers(given: Quantity | None, wanted: Quantity, item: Item | None) -> bool | None:
    """Whether a quantity is enough; None where the two cannot be compared."""
    if given is None:
        return False
    converted = convert(given, wanted.unit, item)
    return None if converted is None else converted.value >= wanted.value


def _started(e: Evidence, now: datetime) -> Checkpoint:
    if not e.execution.known:
        return Checkpoint(K.EXECUTION_STARTED, S.UNKNOWN, SystemKind.MES)
    run = e.execution.value
    if run is not None and (run.actual_start is not None or run.status in STARTED):
        return Checkpoint(K.EXECUTION_STARTED, S.DONE, SystemKind.MES, run.actual_start)
    due = e.planning.value.planned_start if e.planning.value is not None else None
    return Checkpoint(K.EXECUTION_STARTED, _pending(due, now), SystemKind.MES)


def _consumed(e: Evidence, now: datetime) -> Checkpoint:
    if not e.materials.known or not e.consumption.known:
        return Checkpoint(K.CONSUMPTION_POSTED, S.UNKNOWN, SystemKind.ERP)
    issued = {row.component: row.issued_erp for row in e.materials.value or ()}
    used = e.consumption.value or ()
    if not used:
        return Checkpoint(K.CONSUMPTION_POSTED, S.NOT_DUE, SystemKind.ERP)
    for row in used:
        booked = issued.get(row.component)
        same = None if booked is None else convert(booked, row.consumed.unit, e.items.get(row.component))
        if same is not None and same.value != row.consumed.value:
            late = same.value < row.consumed.value
            return Checkpoint(K.CONSUMPTION_POSTED, S.PENDING if late else S.MISMATCH, SystemKind.ERP)
        if same is None:
            return Checkpoint(K.CONSUMPTION_POSTED, S.UNKNOWN if booked else S.PENDING, SystemKind.ERP)
    return Checkpoint(K.CONSUMPTION_POSTED, S.DONE, SystemKind.ERP)


def _completed(e: Evidence, now: datetime) -> Checkpoint:
    if not e.actuals.known:
        return Checkpoint(K.OPERATION_COMPLETED, S.UNKNOWN, SystemKind.MES)
    rows = e.actuals.value or ()
    if rows and all(row.status in DONE_OPERATIONS for row in rows):
        ends = [row.actual_end for row in rows if row.actual_end is not None]
        return Checkpoint(K.OPERATION_COMPLETED, S.DONE, SystemKind.MES, max(ends, default=None))
    due = e.planning.value.planned_end if e.planning.value is not None else None
    return Checkpoint(K.OPERATION_COMPLETED, _pending(due, now), SystemKind.MES)


def _cleared(e: Evidence, now: datetime) -> Checkpoint:
    if not e.holds.known or not e.inspections.known:
        return Checkpoint(K.QUALITY_CLEARED, S.UNKNOWN, SystemKind.QMS)
    if any(active(hold) for hold in e.holds.value or ()):
        return Checkpoint(K.QUALITY_CLEARED, S.BLOCKED, SystemKind.QMS)
    rows = e.inspections.value or ()
    if not rows:
        return Checkpoint(K.QUALITY_CLEARED, S.NOT_DUE, SystemKind.QMS)
    decided = [row.decided_at for row in rows if row.decided_at is not None]
    done = all(row.status in DECIDED for row in rows)
    return Checkpoint(
        K.QUALITY_CLEARED, S.DONE if done else S.PENDING, SystemKind.QMS, max(decided, default=None)
    )


def _received(e: Evidence, product: str) -> Checkpoint:
    if not e.posting.known or not e.execution.known:
        return Checkpoint(K.RECEIPT_POSTED, S.UNKNOWN, SystemKind.ERP)
    good = e.execution.value.good if e.execution.value is not None else None
    if good is None or good.value == 0:
        return Checkpoint(K.RECEIPT_POSTED, S.NOT_DUE, SystemKind.ERP)
    received = e.posting.value.received if e.posting.value is not None else None
    same = None if received is None else convert(received, good.unit, e.items.get(product))
    if same is None:
        return Checkpoint(K.RECEIPT_POSTED, S.UNKNOWN if received else S.PENDING, SystemKind.ERP)
    state = S.DONE if same.value == good.value else S.PENDING if same.value < good.value else S.MISMATCH
    return Checkpoint(K.RECEIPT_POSTED, state, SystemKind.ERP)


def _shipped(e: Evidence) -> Checkpoint:
    answers: list[Answer[Any]] = [e.shipments, *e.confirmed, *e.posted]
    if not all(answer.known for answer in answers):
        return Checkpoint(K.SHIPPED, S.UNKNOWN, SystemKind.WMS)
    if not e.shipments.value:
        return Checkpoint(K.SHIPPED, S.NOT_DUE, SystemKind.WMS)
    confirmed = [a.value.confirmed_at for a in e.confirmed if a.value is not None and a.value.confirmed_at]
    booked = [a.value for a in e.posted if a.value is not None and a.value.goods_issue_posted]
    done = len(confirmed) == len(booked) == len(e.shipments.value)
    return Checkpoint(K.SHIPPED, S.DONE if done else S.PENDING, SystemKind.WMS, max(confirmed, default=None))


JUDGES: tuple[Callable[[Evidence, datetime], Checkpoint], ...] = (
    _released,
    _staged,
    _started,
    _consumed,
    _completed,
    _cleared,
)
