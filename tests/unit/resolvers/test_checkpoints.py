"""Milestones: done, due, late, blocked, in mismatch, and unknown where the owner is silent."""

from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from resolvers.checkpoints import CHECKPOINT_NEEDS, Evidence, judged
from schema.logistics import Shipment, ShipmentPosting, ShipmentWarehouse
from schema.production import (
    Checkpoint,
    CheckpointKind,
    CheckpointState,
    MaterialConsumption,
    MaterialRequirement,
    MaterialStaging,
    OperationActual,
    OperationStatus,
    OrderPosting,
    OrderStatus,
)
from schema.quality import HoldScope, HoldState, InspectionStatus, QualityHold, QualityInspection
from tests.unit.resolvers.making import HERE, HOUR, NOW, SILENT, amount, item, known, plan, run

K: TypeAlias = CheckpointKind
S: TypeAlias = CheckpointState
COMPONENT = ("P", "1", "C")


def evidence(**changes: Any) -> Evidence:
    """An order that went as it should, but for the changes."""
    good = Evidence(
        planning=plan(released_at=NOW - HOUR, planned_start=NOW - HOUR, planned_end=NOW + HOUR),
        execution=run(actual_start=NOW - HOUR, good=amount("10")),
        posting=known(OrderPosting("P", "1", HERE, received=amount("10"))),
        materials=known([MaterialRequirement(*COMPONENT, amount("20"), amount("20"))]),
        staging=known([MaterialStaging(*COMPONENT, amount("20"), HERE)]),
        consumption=known([MaterialConsumption(*COMPONENT, amount("20"), HERE)]),
        actuals=known(
            [OperationActual("P", "1", "10", HERE, status=OperationStatus.COMPLETED, actual_end=NOW)]
        ),
        inspections=known([]),
        holds=known([]),
        shipments=known([]),
    )
    return replace(good, **changes)


def at(kind: K, **changes: Any) -> S:
    """How one milestone stands."""
    return by_kind(judged(evidence(**changes), "I", NOW))[kind]


def by_kind(found: list[Checkpoint]) -> dict[K, S]:
    """States by kind."""
    return {checkpoint.kind: checkpoint.state for checkpoint in found}


def test_an_order_that_went_well() -> None:
    """Everything is done, and what never was due is not due."""
    assert by_kind(judged(evidence(), "I", NOW)) == {
        K.ORDER_RELEASED: S.DONE,
        K.MATERIAL_STAGED: S.DONE,
        K.EXECUTION_STARTED: S.DONE,
        K.CONSUMPTION_POSTED: S.DONE,
        K.OPERATION_COMPLETED: S.DONE,
        K.QUALITY_CLEARED: S.NOT_DUE,
        K.RECEIPT_POSTED: S.DONE,
        K.SHIPPED: S.NOT_DUE,
        K.ERP_RECONCILED: S.DONE,
    }


@pytest.mark.parametrize(
    ("silent", "kind"),
    [
        ("planning", K.ORDER_RELEASED),
        ("execution", K.ORDER_RELEASED),
        ("execution", K.EXECUTION_STARTED),
        ("staging", K.MATERIAL_STAGED),
        ("materials", K.MATERIAL_STAGED),
        ("consumption", K.CONSUMPTION_POSTED),
        ("actuals", K.OPERATION_COMPLETED),
        ("holds", K.QUALITY_CLEARED),
        ("inspections", K.QUALITY_CLEARED),
        ("posting", K.RECEIPT_POSTED),
        ("shipments", K.SHIPPED),
    ],
)
def test_silence_is_unknown(silent: str, kind: K) -> None:
    """Where an owner is silent the milestone is UNKNOWN, never PENDING, and so is the whole."""
    assert silent in CHECKPOINT_NEEDS
    assert at(kind, **{silent: SILENT}) is S.UNKNOWN
    assert at(K.ERP_RECONCILED, **{silent: SILENT}) is S.UNKNOWN


def test_what_is_due_and_not_done_is_late() -> None:
    """Past its planned time a milestone is LATE, before it PENDING."""
    late, early = plan(planned_start=NOW - HOUR, planned_end=NOW - HOUR), plan(planned_start=NOW + HOUR)
    none: Any = known([])
    assert at(K.MATERIAL_STAGED, planning=late, staging=none) is S.LATE
    assert at(K.MATERIAL_STAGED, planning=early, staging=none) is S.PENDING
    waiting = run(OrderStatus.RELEASED)
    assert at(K.EXECUTION_STARTED, planning=late, execution=waiting) is S.LATE
    assert at(K.EXECUTION_STARTED, planning=early, execution=waiting) is S.PENDING
    running = known([OperationActual("P", "1", "10", HERE, status=OperationStatus.RUNNING)])
    assert at(K.OPERATION_COMPLETED, planning=late, actuals=running) is S.LATE


def test_release_needs_both() -> None:
    """Released in the ERP is done only once the shop floor has the order."""
    unknown_there: Any = known(None)
    assert at(K.ORDER_RELEASED, execution=unknown_there) is not S.DONE
    created = plan(OrderStatus.CREATED, planned_start=NOW + HOUR)
    assert at(K.ORDER_RELEASED, planning=created) is S.PENDING


def test_staging_is_compared_by_amount_and_unit() -> None:
    """Too little is not staged; boxes against pieces are unknown without a factor; backflushed parts need no staging."""
    assert at(K.MATERIAL_STAGED, staging=known([MaterialStaging(*COMPONENT, amount("19"), HERE)])) is S.LATE
    boxes = known([MaterialStaging(*COMPONENT, amount("2", "XBX"), HERE)])
    assert at(K.MATERIAL_STAGED, staging=boxes) is S.UNKNOWN
    assert at(K.MATERIAL_STAGED, staging=boxes, items={"C": item(("XBX", "10", "1"))}) is S.DONE
    flushed = known([MaterialRequirement(*COMPONENT, amount("20"), backflush=True)])
    assert at(K.MATERIAL_STAGED, materials=flushed, staging=known([])) is S.DONE


@pytest.mark.parametrize(
    ("booked", "wanted"), [("19", S.PENDING), ("20", S.DONE), ("40", S.MISMATCH), (None, S.PENDING)]
)
def test_consumption_against_the_books(booked: str | None, wanted: S) -> None:
    """Less booked than used is on its way; more (a second backflush) is a mismatch."""
    issued = amount(booked) if booked else None
    materials = known([MaterialRequirement(*COMPONENT, amount("20"), issued)])
    assert at(K.CONSUMPTION_POSTED, materials=materials) is wanted


@pytest.mark.parametrize(("received", "wanted"), [("9", S.PENDING), ("10", S.DONE), ("11", S.MISMATCH)])
def test_receipt_against_what_was_made(received: str, wanted: S) -> None:
    """The ERP's receipt follows the good quantity; more than was made is a mismatch."""
    posting = known(OrderPosting("P", "1", HERE, received=amount(received)))
    assert at(K.RECEIPT_POSTED, posting=posting) is wanted
    assert at(K.RECEIPT_POSTED, posting=posting, execution=run(good=amount("0"))) is S.NOT_DUE


def test_quality_blocks_pends_and_clears() -> None:
    """An active hold blocks; an undecided inspection is pending; all decided is done."""
    hold = QualityHold("H", "w", HoldScope.ORDER, HoldState.PLACED, NOW, HERE)
    open_one = QualityInspection("1", amount("1"), HERE, InspectionStatus.CREATED)
    decided = QualityInspection("2", amount("1"), HERE, InspectionStatus.DECIDED, decided_at=NOW)
    assert at(K.QUALITY_CLEARED, holds=known([hold])) is S.BLOCKED
    assert at(K.QUALITY_CLEARED, inspections=known([open_one, decided])) is S.PENDING
    assert at(K.QUALITY_CLEARED, inspections=known([decided])) is S.DONE


def test_shipped_needs_warehouse_and_books() -> None:
    """A shipment has left when the warehouse confirmed it and the ERP booked it; a silent one is unknown."""
    confirmed = [known(ShipmentWarehouse("S", HERE, confirmed_at=NOW))]
    booked = [known(ShipmentPosting("S", HERE, True))]
    one = known([Shipment("S")])
    assert at(K.SHIPPED, shipments=one, confirmed=confirmed, posted=booked) is S.DONE
    assert (
        at(K.SHIPPED, shipments=one, confirmed=confirmed, posted=[known(ShipmentPosting("S", HERE))])
        is S.PENDING
    )
    assert at(K.SHIPPED, shipments=one, confirmed=confirmed, posted=[SILENT]) is S.UNKNOWN


def test_one_mismatch_spoils_the_reconciliation() -> None:
    """The whole is a mismatch where one is, and pending where one is."""
    posting = known(OrderPosting("P", "1", HERE, received=amount("11")))
    assert at(K.ERP_RECONCILED, posting=posting) is S.MISMATCH
    posting = known(OrderPosting("P", "1", HERE, received=amount("9")))
    assert at(K.ERP_RECONCILED, posting=posting) is S.PENDING
