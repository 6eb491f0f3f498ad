"""What happens next: running orders report, released ones start, goods leave, carriers deliver."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from sources.plant.world.history import add_output, area_of, link
from sources.plant.world.material import LotKey
from sources.plant.world.motion import ISSUE, RECEIPT, SHIP, TRANSFER, Draft, happen, settle_later
from sources.plant.world.packing import pack
from sources.plant.world.places import LETTERS, line_side
from sources.plant.world.production import COMPLETED, CREATED, IN_PROGRESS, RELEASED, Order
from sources.plant.world.quality import Hold
from sources.plant.world.seed_orders import add_report, release
from sources.plant.world.tracking import claim, new_tracker
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
            again(world, begin + timedelta(minutes=5 + n % 20), order)
        elif order.state == RELEASED:
            late = order.planned_start < begin
            begin_at(world, order, begin + timedelta(hours=4) if late else order.planned_start)
        elif order.state == CREATED:
            due = max(order.planned_start - timedelta(days=1), begin + timedelta(hours=1))
            world.plan(due, partial(release_order, world, order))
    held = [hold for hold in world.holds.values() if hold.state == "ENFORCED" and hold.scope == "LOT"]
    for n, hold in enumerate(held):
        world.plan(begin + timedelta(minutes=30 + 55 * n), partial(_let_go, world, hold))
    for n, shipment in enumerate(world.shipments.values()):
        if shipment.tracker is not None and shipment.status != "DELIVERED":
            _move_on(world, begin + timedelta(minutes=20 + n % 90), shipment)


def _let_go(world: World, hold: Hold, now: datetime) -> None:
    """The laboratory gives a lot free again; warehouse and books follow later, if ever."""
    hold.state, hold.released_at, hold.changed_at = "RELEASED", now, now
    hold.version += 1
    world.tell("hold", hold, now)


def again(world: World, at: datetime, order: Order) -> None:
    """An order under way is reported on next at a time."""
    world.plan(at, partial(_report, world, order))


def begin_at(world: World, order: Order, at: datetime) -> None:
    """A released order starts at a time."""
    world.plan(at, partial(_begin, world, order))


def release_order(world: World, order: Order, now: datetime) -> None:
    """A created order is released: it gets its output lot and will start as planned."""
    if order.state != CREATED:
        return
    release(order, now)
    letter = LETTERS[order.plant]
    add_output(world, order, f"{letter}{area_of(world, order)}-0{int(order.number) % 5 + 1}-01")
    begin_at(world, order, order.planned_start)
    world.tell("order", order, now)


def _lag(world: World) -> timedelta:
    return timedelta(minutes=world.rng.randint(2, 45))


def _begin(world: World, order: Order, now: datetime) -> None:
    """A released order starts: what is missing is brought to the line."""
    if order.state != RELEASED:
        return
    order.state, order.actual_start = IN_PROGRESS, now
    line = line_side(order.operations[0].work_center)
    for component in order.components:
        lot = world.lots[LotKey(component.item, component.lot)]
        source = f"{LETTERS[order.plant]}-STAGE" if component.staged else lot.home_bin
        component.staged = component.required
        draft = Draft(now, TRANSFER, lot, component.required, source, line, "WMS", _lag(world), order.number)
        settle_later(world, happen(world, draft), draft.lag)
        link(world, order, lot, component.required)
    order.operations[0].actual_start = now
    world.tell("started", order, now)
    again(world, now + timedelta(minutes=15), order)


def _report(world: World, order: Order, now: datetime) -> None:
    """The first unfinished operation reports a tenth of the order; the last one makes goods."""
    if order.state != IN_PROGRESS:
        return
    operation = next((row for row in order.operations if row.status != "COMPLETED"), None)
    if operation is None:
        return
    left = operation.quantity - operation.good - operation.scrap
    step = max((operation.quantity / 10).quantize(Decimal(1)), Decimal(1))
    good = min(left, step)
    operation.actual_start = operation.actual_start or now
    add_report(order, operation, now, good, Decimal(0), final=good == left)
    if operation is order.operations[0]:
        _use(world, order, good / operation.quantity, now)
    if operation is order.operations[-1]:
        _make(world, order, good, now, final=good == left)
    if operation.status == "COMPLETED":
        world.tell("ended", order, now, operation)
    if order.operations[-1].status != "COMPLETED":
        again(world, now + timedelta(minutes=25), order)


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
        for shipment in world.shipments_by["order"].get(order.number, ()):
            if shipment.tracker is None:
                world.plan(now + timedelta(minutes=40), partial(_pack_up, world, shipment, order))


def _pack_up(world: World, shipment: Shipment, order: Order, now: datetime) -> None:
    """What the order made is picked and packed, as far as it goes, and the carrier gets its label."""
    gone = sum(
        (line.picked for row in world.shipments_by["order"][order.number] for line in row.lines), Decimal(0)
    )
    line = shipment.lines[0]
    line.lot = order.lot
    line.picked += min(line.ordered - line.picked, max(order.good - gone, Decimal(0)))
    shipment.picked_percent = (line.picked * 100 / line.ordered).quantize(Decimal("0.1"))
    shipment.status = "PACKED"
    pack(world, shipment, "")
    shipment.tracker = new_tracker(world, shipment, now + timedelta(hours=40))
    claim(world, shipment, shipment.tracker, "pre_transit", now)
    world.add_shipment(shipment)
    world.tell("shipment", shipment, now)
    _move_on(world, now + timedelta(minutes=60), shipment)


def _move_on(world: World, at: datetime, shipment: Shipment) -> None:
    world.plan(at, partial(_advance, world, shipment))


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
    world.tell("shipment", shipment, now)
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
