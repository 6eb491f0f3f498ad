"""Inspections of output lots, holds on lots, orders and shipments, and who really enforces them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from sources.plant.world.material import Lot, LotKey, Place
from sources.plant.world.production import CLOSED, COMPLETED, IN_PROGRESS, ON_HOLD, STARTED, ZERO
from sources.plant.world.quality import Enforcement, Hold, Inspection
from sources.plant.world.seed_orders import SHOWCASE
from sources.plant.world.world import World

REASONS = ("Viscosity out of range", "Wrong label", "Torque test failed", "Supplier recall notice")
MES = {"1710": "MES_KAS", "1720": "MES_ZWO"}


def seed_quality(world: World) -> None:
    """File inspections for every started order's lot, and about thirty holds."""
    for order in world.orders.values():
        if order.state in STARTED:
            _inspect(world, world.lots[LotKey(order.item, order.lot)], order.number)
    held = [order for order in world.orders.values() if order.state in (COMPLETED, IN_PROGRESS)]
    showcase = world.orders[SHOWCASE]
    _hold(world, "LOT", world.lots[LotKey(showcase.item, showcase.lot)], order="", enforced=False)
    for order in held[5::11]:
        if order.number != SHOWCASE:
            _hold(world, "LOT", world.lots[LotKey(order.item, order.lot)], order="")
    for order in world.orders.values():
        if order.state == ON_HOLD:
            _hold(world, "ORDER", None, order=order.number)
    for shipment in [row for row in world.shipments.values() if row.status == "STAGED"][:3]:
        _hold(world, "SHIPMENT", None, order="", shipment=shipment.number)


def _inspect(world: World, lot: Lot, order: str) -> None:
    start, rng = world.clock.start, world.rng
    job = world.orders[order]
    done = job.state in (COMPLETED, CLOSED)
    status = (
        "DECIDED" if done and rng.random() < 0.93 else rng.choice(("CREATED", "RELEASED", "RESULTS_RECORDED"))
    )
    created = job.actual_start or start
    quantity = job.good if done else job.quantity
    row = Inspection(
        f"{10000000001 + len(world.inspections):012d}",
        lot.plant,
        lot.item,
        lot.number,
        order,
        quantity,
        status,
        created,
        created,
    )
    if status == "DECIDED":
        row.decided_at = row.changed_at = min((job.actual_end or start) + timedelta(hours=4), start)
        bad = rng.choice((ZERO, ZERO, ZERO, Decimal(4)))
        row.decision = "A2" if bad else "A1"
        row.splits = [("USE_AS_IS", quantity - bad)] + ([("SCRAP", bad)] if bad else [])
    lot.quality = "RELEASED" if status == "DECIDED" else "UNDER_INSPECTION"
    world.add_inspection(row)


def _hold(
    world: World, scope: str, lot: Lot | None, *, order: str, shipment: str = "", enforced: bool = True
) -> None:
    n = len(world.holds)
    placed = world.clock.start - timedelta(hours=2 + n % 30, minutes=n)
    if lot is not None and not enforced:
        placed = _just_before_leaving(world, lot, placed)
    released = enforced and n % 5 == 3 and scope == "LOT"
    plant = lot.plant if lot else world.orders[order].plant if order else world.shipments[shipment].plant
    state = "RELEASED" if released else "ENFORCED" if enforced else "PARTIALLY_ENFORCED"
    hold = Hold(
        number=f"NCR-{2600 + n}",
        plant=plant,
        reason=REASONS[n % len(REASONS)],
        scope=scope,
        item=lot.item if lot else "",
        lot=lot.number if lot else "",
        order=order,
        shipment=shipment,
        restricts={"LOT": ("PICK", "CONSUME", "SHIP"), "ORDER": ("PRODUCE",)}.get(scope, ("SHIP",)),
        state=state,
        placed_at=placed,
        changed_at=placed,
    )
    if released:
        hold.released_at = hold.changed_at = world.clock.start - timedelta(hours=1)
    hold.enforcement = _enforcement(hold, enforced=enforced)
    if lot is not None and not released:
        _block(world, lot, erp=enforced)
        hold.violations = [
            row.number
            for row in world.ledger.by_item[lot.item]
            if row.lot == lot.number and row.kind == "SHIP" and row.occurred_at > placed
        ]
    world.add_hold(hold)


def _just_before_leaving(world: World, lot: Lot, otherwise: datetime) -> datetime:
    """Twenty seconds before the lot was first shipped: the hold that loses the race."""
    moves = [row for row in world.ledger.by_item[lot.item] if row.lot == lot.number and row.kind == "SHIP"]
    return min((row.occurred_at for row in moves), default=otherwise) - timedelta(seconds=20)


def _enforcement(hold: Hold, *, enforced: bool) -> list[Enforcement]:
    """The WMS follows within a minute, the ERP later or never, the MES only where production is restricted."""
    open_ = hold.state != "RELEASED"
    wms = Enforcement(
        "WMS_CEN", open_, "BLOCKED" if open_ else "FREE", hold.placed_at + timedelta(seconds=60), 60
    )
    late = hold.placed_at + timedelta(seconds=240)
    erp = Enforcement("SAP_PRD", open_, "07" if open_ else "01", late, 240)
    if not enforced:
        erp = Enforcement("SAP_PRD", False, "01", None, None)
    rows = [wms, erp] if hold.scope != "ORDER" else [erp]
    if hold.scope != "SHIPMENT":
        rows.append(Enforcement(MES[hold.plant], open_, "Held", hold.placed_at + timedelta(seconds=15), 15))
    return rows


def _block(world: World, lot: Lot, *, erp: bool) -> None:
    """Stock of the lot turns blocked: in the bins at once, in the books if the ERP followed."""
    lot.quality, lot.bin_status = "ON_HOLD", "BLOCKED"
    lot.version += 1
    _restate(world.ledger.physical.of_lot(lot.key), world.ledger.physical.add, "BLOCKED")
    if erp:
        lot.book_status = "07"
        _restate(world.ledger.book.of_lot(lot.key), world.ledger.book.add, "07")


def _restate(rows: list[tuple[Place, Decimal]], add: Callable[[Place, Decimal], None], status: str) -> None:
    for place, quantity in rows:
        add(place, -quantity)
        add(place._replace(status=status), quantity)
