"""What happens next: running orders report, released ones start, goods leave, carriers deliver."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sources.plant.world.material import LotKey
from sources.plant.world.motion import ISSUE, RECEIPT, SHIP, TRANSFER, Draft, happen, settle_later
from sources.plant.world.places import line_side
from sources.plant.world.production import COMPLETED, IN_PROGRESS, RELEASED, Order
from sources.plant.world.seed_orders import add_report
from sources.plant.world.tracking import claim
from sources.plant.world.trade import Shipment
from sources.plant.world.world import World

NEXT_CLAIM = {"pre_transit": "in_transit", "in_transit": "out_for_delivery", "out_for_delivery": "delivered"}
STATUS_OF = {"in_transit": "IN_TRANSIT", "out_for_delivery": "OUT_FOR_DELIVERY", "delivered": "DELIVERED"}
NEXT_STAGE = {"PICKED": "PACKED", "PACKED": "STAGED", "STAGED": "LOADED", "LOADED": "SHIPPED"}


def start(world: World) -> None:
    """Plan the first happening of everything that is under way."""
    begin = world.clock.start
    for n, order in enumerate(world.orders.values()):
        if order.state == IN_PROGRESS:
            _again(world, begin + timedelta(minutes=5 + n % 20), order)
        elif order.state == RELEASED and order.planned_start >= begin:
            _begin_at(world, order)
    for n, shipment in enumerate(world.shipments.values()):
        if shipment.tracker is not None and shipment.status != "DELIVERED":
            _move_on(world, begin + timedelta(minutes=20 + n % 90), shipment)


def _again(world: World, at: datetime, order: Order) -> None:
    world.plan(at, lambda now: _report(world, order, now))


def _begin_at(world: World, order: Order) -> None:
    world.plan(order.planned_start, lambda now: _begin(world, order, now))


def _lag(world: World) -> timedelta:
    return timedelta(minutes=world.rng.randint(2, 45))


def _begin(world: World, order: Order, now: datetime) -> None:
    """A released order starts: what is missing is brought to the line."""
    order.state, order.actual_start = IN_PROGRESS, now
    line = line_side(order.operations[0].work_center)
    for component in order.components:
        lot = world.lots[LotKey(component.item, component.lot)]
        stage = "K-STAGE" if order.plant == "1710" else "Z-STAGE"
        source = stage if component.staged else lot.home_bin
        component.staged = component.required
        draft = Draft(now, TRANSFER, lot, component.required, source, line, "WMS", _lag(world), order.number)
        settle_later(world, happen(world, draft), draft.lag)
        output = world.lots[LotKey(order.item, order.lot)]
        output.parents.append((lot.key, component.required))
        lot.children.append((output.key, component.required))
    order.operations[0].actual_start = now
    _again(world, now + timedelta(minutes=15), order)


def _report(world: World, order: Order, now: datetime) -> None:
    """The first unfinished operation reports a fifth of the order; the last one makes goods."""
    if order.state != IN_PROGRESS:
        return
    operation = next((row for row in order.operations if row.status != "COMPLETED"), None)
    if operation is None:
        return
    left = operation.quantity - operation.good - operation.scrap
    step = max((operation.quantity / 5).quantize(Decimal(1)), Decimal(1))
    good = min(left, step)
    operation.actual_start = operation.actual_start or now
    add_report(order, operation, now, good, Decimal(0), final=good == left)
    if operation is order.operations[0]:
        _use(world, order, good / operation.quantity, now)
    if operation is order.operations[-1]:
        _make(world, order, good, now, final=good == left)
    if order.operations[-1].status != "COMPLETED":
        _again(world, now + timedelta(minutes=12), order)


def _use(world: World, order: Order, share: Decimal, now: datetime) -> None:
    """Consume components in step with the first operation; never more than is at the line."""
    finished = order.operations[0].status == "COMPLETED"
    for component in order.components:
        left = component.staged - component.consumed
        unit = Decimal(1) if world.items[component.item].base_unit == "PC" else Decimal("0.001")
        quantity = left if finished else min(left, (component.staged * share).quantize(unit))
        if quantity > 0:
            lot = world.lots[LotKey(component.item, component.lot)]
            line = line_side(order.operations[0].work_center)
            draft = Draft(now, ISSUE, lot, quantity, line, "", "MES", _lag(world), order.number)
            settle_later(world, happen(world, draft), draft.lag)


def _make(world: World, order: Order, good: Decimal, now: datetime, *, final: bool) -> None:
    lot = world.lots[LotKey(order.item, order.lot)]
    order.good += good
    draft = Draft(now, RECEIPT, lot, good, "", lot.home_bin, "WMS", _lag(world), order.number)
    settle_later(world, happen(world, draft), draft.lag)
    if final:
        order.state, order.actual_end = COMPLETED, now


def _move_on(world: World, at: datetime, shipment: Shipment) -> None:
    world.plan(at, lambda now: _advance(world, shipment, now))


def _advance(world: World, shipment: Shipment, now: datetime) -> None:
    """The next step of a packed shipment: through the dock, then whatever the carrier claims."""
    held = any(hold.state != "RELEASED" for hold in world.holds_by["shipment"][shipment.number])
    tracker = shipment.tracker
    if held or tracker is None:
        return
    if shipment.status in NEXT_STAGE:
        _dock(world, shipment, now)
    elif tracker.status in NEXT_CLAIM:
        word = NEXT_CLAIM[tracker.status]
        claim(world, shipment, tracker, word, now)
        shipment.status = STATUS_OF[word]
    if shipment.status not in ("DELIVERED", "EXCEPTION"):
        _move_on(world, now + timedelta(minutes=95), shipment)


def _dock(world: World, shipment: Shipment, now: datetime) -> None:
    shipment.status = NEXT_STAGE[shipment.status]
    shipment.changed_at = now
    shipment.version += 1
    if shipment.status == "STAGED":
        shipment.staged_at = now
    elif shipment.status == "LOADED":
        shipment.loaded_at = now
    elif shipment.status == "SHIPPED":
        shipment.confirmed_at = now
        for line in shipment.lines:
            line.shipped = line.picked
            lot = world.lots[LotKey(line.item, line.lot)]
            draft = Draft(now, SHIP, lot, line.shipped, lot.home_bin, "", "WMS", _lag(world))
            draft.shipment = shipment.number
            settle_later(world, happen(world, draft), draft.lag)
