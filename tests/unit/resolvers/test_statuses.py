"""Status by precedence: restrictions need one strict source, a release needs its owner."""

from datetime import date
from typing import Any

import pytest

from resolvers.loaders import Answer
from resolvers.statuses import lot_status, operation_status, order_status, shipment_status, status_basis
from schema.base import SystemKind
from schema.logistics import ShipmentPosting, ShipmentStatus, ShipmentTransport, ShipmentWarehouse
from schema.material import Lot, LotMaster, LotQuality, LotStatus
from schema.production import Operation, OperationActual, OperationStatus, OrderStatus, ProductionOrder
from schema.quality import HoldRestriction, HoldScope, HoldState, QualityHold
from tests.unit.resolvers.making import HERE, NOTHING, NOW, SILENT, known, plan, run

S = OrderStatus
ORDER = ProductionOrder("P", "1", "I")
NO_HOLDS: Answer[list[QualityHold]] = known([])


def hold(
    state: HoldState = HoldState.ENFORCED, scope: HoldScope = HoldScope.ORDER, *forbids: HoldRestriction
) -> Any:
    """The holds on something: one."""
    return known([QualityHold("H", "why", scope, state, NOW, HERE, forbids or (HoldRestriction.PRODUCE,))])


@pytest.mark.parametrize(
    ("erp", "mes", "wanted"),
    [
        (S.RELEASED, S.IN_PROGRESS, S.IN_PROGRESS),
        (S.RELEASED, S.COMPLETED, S.COMPLETED),
        (S.CLOSED, S.IN_PROGRESS, S.CLOSED),
        (S.CANCELLED, S.IN_PROGRESS, S.CANCELLED),
        (S.COMPLETED, S.ON_HOLD, S.COMPLETED),
        (S.RELEASED, S.ON_HOLD, S.ON_HOLD),
        (S.UNKNOWN, S.IN_PROGRESS, S.IN_PROGRESS),
        (S.UNKNOWN, S.UNKNOWN, S.UNKNOWN),
        (S.CREATED, S.RELEASED, S.RELEASED),
        (S.PLANNED, S.UNKNOWN, S.PLANNED),
    ],
)
def test_the_furthest_state_decides(erp: S, mes: S, wanted: S) -> None:
    """Of what ERP and MES say the order of precedence picks one."""
    assert order_status(ORDER, plan(erp), run(mes), NOTHING, NO_HOLDS) is wanted


def test_one_system_is_enough_and_none_is_unknown() -> None:
    """A silent system does not silence the other; with both silent the status is UNKNOWN."""
    assert order_status(ORDER, plan(S.RELEASED), SILENT, SILENT, SILENT) is S.RELEASED
    assert order_status(ORDER, SILENT, run(S.IN_PROGRESS), SILENT, SILENT) is S.IN_PROGRESS
    assert order_status(ORDER, SILENT, SILENT, SILENT, SILENT) is S.UNKNOWN


def test_a_quality_hold_stops_production() -> None:
    """An active hold on the order that forbids producing is ON_HOLD; others are not."""
    assert order_status(ORDER, plan(), run(), NOTHING, hold()) is S.ON_HOLD
    assert order_status(ORDER, plan(), run(), NOTHING, hold(HoldState.RELEASED)) is S.IN_PROGRESS
    assert order_status(ORDER, plan(), run(), NOTHING, hold(HoldState.REQUESTED)) is S.IN_PROGRESS
    ships = hold(HoldState.ENFORCED, HoldScope.ORDER, HoldRestriction.SHIP)
    assert order_status(ORDER, plan(), run(), NOTHING, ships) is S.IN_PROGRESS
    assert order_status(ORDER, plan(), run(S.COMPLETED), NOTHING, hold()) is S.COMPLETED


def test_the_basis_tells_who_decided_and_who_contradicts() -> None:
    """The basis has every source's own words, the one that decided, and a conflict where both cannot be true."""
    basis = status_basis(ORDER, plan(S.CANCELLED, status_codes=("DLFL",)), run(), NOTHING, NO_HOLDS)
    assert (basis.decided_by, basis.conflict) == (SystemKind.ERP, True)
    assert [(raw.codes, raw.mapped) for raw in basis.raw] == [(("DLFL",), S.CANCELLED), ((), S.IN_PROGRESS)]
    assert not status_basis(ORDER, plan(), run(), NOTHING, NO_HOLDS).conflict
    assert status_basis(ORDER, SILENT, SILENT, SILENT, SILENT).decided_by is SystemKind.GATEWAY
    assert status_basis(ORDER, plan(), run(), NOTHING, hold()).decided_by is SystemKind.QMS


def test_an_operation_is_what_the_floor_says() -> None:
    """The MES decides; what it does not know is as planned; its silence is UNKNOWN."""
    step = Operation("P", "1", "10", planned_status=OperationStatus.READY)
    actual = known(OperationActual("P", "1", "10", HERE, status=OperationStatus.RUNNING))
    assert operation_status(step, actual) is OperationStatus.RUNNING
    assert operation_status(step, NOTHING) is OperationStatus.READY
    assert operation_status(step, SILENT) is OperationStatus.UNKNOWN


LOT = Lot("I", "L")


def quality(status: LotStatus) -> Answer[LotQuality]:
    """What quality management decided."""
    return known(LotQuality("I", "L", HERE, status))


def expiring(day: date) -> Answer[LotMaster]:
    """A lot with a shelf life."""
    return known(LotMaster("I", "L", HERE, expires_on=day))


def test_a_release_needs_quality_management() -> None:
    """RELEASED only where the QMS says so and its holds could be asked."""
    assert lot_status(LOT, NOTHING, quality(LotStatus.RELEASED), NO_HOLDS, NOW) is LotStatus.RELEASED
    assert lot_status(LOT, NOTHING, quality(LotStatus.RELEASED), SILENT, NOW) is LotStatus.UNKNOWN
    assert lot_status(LOT, NOTHING, NOTHING, NO_HOLDS, NOW) is LotStatus.UNKNOWN
    assert lot_status(LOT, SILENT, SILENT, SILENT, NOW) is LotStatus.UNKNOWN


def test_one_strict_source_restricts() -> None:
    """A hold, a decision or the calendar is enough, whatever the others say or do not say."""
    released = quality(LotStatus.RELEASED)
    assert lot_status(LOT, NOTHING, released, hold(), NOW) is LotStatus.ON_HOLD
    assert lot_status(LOT, expiring(date(2026, 11, 22)), released, NO_HOLDS, NOW) is LotStatus.EXPIRED
    assert lot_status(LOT, expiring(date(2026, 11, 23)), released, NO_HOLDS, NOW) is LotStatus.RELEASED
    assert lot_status(LOT, SILENT, quality(LotStatus.REJECTED), SILENT, NOW) is LotStatus.REJECTED
    assert lot_status(LOT, NOTHING, quality(LotStatus.RECALLED), hold(), NOW) is LotStatus.RECALLED


P = ShipmentStatus


@pytest.mark.parametrize(
    ("wms", "tms", "wanted"),
    [
        (P.PACKED, P.PLANNED, P.PACKED),
        (P.SHIPPED, P.IN_TRANSIT, P.IN_TRANSIT),
        (P.SHIPPED, P.DELIVERED, P.DELIVERED),
        (P.CANCELLED, P.IN_TRANSIT, P.CANCELLED),
        (P.SHIPPED, P.EXCEPTION, P.EXCEPTION),
        (P.UNKNOWN, P.UNKNOWN, P.UNKNOWN),
        (None, P.IN_TRANSIT, P.IN_TRANSIT),
        (P.PICKED, None, P.PICKED),
        (None, None, P.UNKNOWN),
    ],
)
def test_a_shipment_is_as_far_as_anybody_says(wms: P | None, tms: P | None, wanted: P) -> None:
    """The furthest state of warehouse and carrier; an end state wins."""
    warehouse: Answer[ShipmentWarehouse] = known(ShipmentWarehouse("S", HERE, wms)) if wms else SILENT
    transport: Answer[ShipmentTransport] = known(ShipmentTransport("S", HERE, tms)) if tms else SILENT
    posting: Answer[ShipmentPosting] = NOTHING
    assert shipment_status(None, warehouse, posting, transport) is wanted
