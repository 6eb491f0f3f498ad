"""Sales orders over the production orders, their shipments, purchases and maintenance."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sources.plant.world.material import LotKey
from sources.plant.world.motion import PURCHASE, SHIP, Draft, happen, settle_later
from sources.plant.world.packing import pack
from sources.plant.world.places import WORK_CENTERS
from sources.plant.world.production import CANCELLED, CLOSED, COMPLETED, CREATED, IN_PROGRESS, ZERO, Order
from sources.plant.world.seed_orders import SHOWCASE
from sources.plant.world.tracking import tracker_for
from sources.plant.world.trade import (
    Maintenance,
    PurchaseLine,
    PurchaseOrder,
    SalesLine,
    SalesOrder,
    Shipment,
    ShipmentLine,
)
from sources.plant.world.world import World

SHOWCASE_PO, SHOWCASE_SSCC, SHOWCASE_CUSTOMER = "4500123987", "006141411234567890", "cust-42"
CARRIERS = ("3pl-7", "dhl-freight", "3pl-7", "dsv-road", "rhenus")
LEFT = frozenset({"SHIPPED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "EXCEPTION"})
STAGES = ("PLANNED", "ALLOCATED", "PICKING", "PICKED", "PACKED", "STAGED", "LOADED")


def seed_trade(world: World) -> None:
    """File sales orders with shipments, purchase orders with commits, maintenance orders."""
    _sales(world)
    numbers = iter(range(80_000_001, 81_000_000))
    for order in list(world.orders.values()):
        if order.sales_order and order.state != CANCELLED:
            if order.number == SHOWCASE:
                _ship(world, str(next(numbers)), order, "IN_TRANSIT", Decimal(100), SHOWCASE_SSCC)
            _ship(world, str(next(numbers)), order, _stage(world, order), None, "")
    _purchases(world)
    _inbound(world)
    _maintenance(world)


def _sales(world: World) -> None:
    """Every finished-goods order serves a line; a sales order has one to three, of one plant."""
    goods = [order for order in world.orders.values() if world.items[order.item].kind == "FG"]
    first = [order for order in goods if order.number >= SHOWCASE and order.plant == "1710"][:3]
    groups = [first]
    rest = [order for order in goods if order not in first]
    while rest:
        size = world.rng.randint(1, 3)
        groups.append([order for order in rest[:size] if order.plant == rest[0].plant])
        rest = rest[len(groups[-1]) :]
    for n, group in enumerate(groups):
        _sales_order(world, f"{3_000_001 + n}", group, showcase=n == 0)


def _sales_order(world: World, number: str, group: list[Order], *, showcase: bool) -> None:
    customer = SHOWCASE_CUSTOMER if showcase else f"cust-{world.rng.choice((42, *range(1, 51)))}"
    reference = SHOWCASE_PO if showcase else f"45{world.rng.randint(10_000_000, 99_999_999)}"
    states = {order.state for order in group}
    status = "OPEN" if states & {IN_PROGRESS, CREATED} else "CONFIRMED"
    if states <= {CLOSED, COMPLETED}:
        status = "FULFILLED"
    elif states & {CLOSED, COMPLETED}:
        status = "PARTIALLY_FULFILLED"
    created = min(order.created_at for order in group) - timedelta(days=5)
    sales = SalesOrder(number, customer, reference, status, created, max(row.changed_at for row in group))
    for n, order in enumerate(group):
        order.sales_order, order.sales_line = number, str((n + 1) * 10)
        world.orders_by["sales_order"][number].append(order)
        sales.lines.append(
            SalesLine(order.sales_line, order.item, order.quantity, order.due + timedelta(days=3))
        )
    world.add_sales(sales)


def _stage(world: World, order: Order) -> str:
    rng = world.rng
    if order.state == CLOSED:
        return "DELIVERED"
    if order.state == COMPLETED:
        late = ("SHIPPED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "DELIVERED", "EXCEPTION")
        return rng.choice((*STAGES[3:], *late, *late))
    return rng.choice(STAGES[:3]) if order.state == IN_PROGRESS and order.received else "PLANNED"


def _ship(world: World, number: str, order: Order, status: str, quantity: Decimal | None, sscc: str) -> None:
    rng, start = world.rng, world.clock.start
    partner = world.sales[order.sales_order].customer
    done = order.actual_end or start - timedelta(hours=8)
    planned = order.planned_end + timedelta(hours=12)
    left = min(done + timedelta(hours=rng.randint(3, 30)), start - timedelta(minutes=rng.randint(10, 300)))
    carrier = "3pl-7" if sscc else rng.choice(CARRIERS)
    shipment = Shipment(
        number, order.plant, "OUTBOUND", carrier, partner, status, planned, min(planned, left)
    )
    ordered = quantity or order.quantity - (Decimal(100) if order.number == SHOWCASE else ZERO)
    rank = STAGES.index(status) if status in STAGES else len(STAGES)
    available = min(ordered, order.good)
    picked = available if rank >= 3 else (available / 2).quantize(Decimal(1)) if rank == 2 else ZERO
    lot = order.lot if order.lot and rank >= 1 else ""
    shipped = picked if status in LEFT else ZERO
    shipment.lines.append(
        ShipmentLine(
            "10", order.item, ordered, picked, shipped, lot, order.number, order.sales_order, order.sales_line
        )
    )
    shipment.picked_percent = (picked * 100 / ordered).quantize(Decimal("0.1"))
    shipment.staged_at = left - timedelta(hours=2) if rank >= 5 else None
    shipment.loaded_at = left - timedelta(minutes=40) if rank >= 6 else None
    if rank >= 4:
        pack(world, shipment, sscc)
    if status in LEFT:
        shipment.confirmed_at = left
        _issue(world, shipment, left)
    if rank >= 4:
        shipment.tracker = tracker_for(world, shipment, left)
    world.add_shipment(shipment)


def _issue(world: World, shipment: Shipment, at: datetime) -> None:
    """The goods leave; the ERP books the issue when it gets to it. The shipment is filed first, to be told."""
    world.shipments[shipment.number] = shipment
    for line in shipment.lines:
        lot = world.lots[LotKey(line.item, line.lot)]
        lag = timedelta(minutes=world.rng.randint(3, 50))
        draft = Draft(at, SHIP, lot, line.shipped, lot.home_bin, "", "WMS", lag, shipment=shipment.number)
        settle_later(world, happen(world, draft), lag)


def _purchases(world: World) -> None:
    rng, start = world.rng, world.clock.start
    raw = [item for item in world.items.values() if not item.routing]
    words = ("OPEN", "CONFIRMED", "PARTIALLY_FULFILLED", "FULFILLED", "CLOSED", "CONFIRMED", "CANCELLED")
    for n in range(90):
        status = words[n % len(words)]
        created = start - timedelta(days=40 - n // 3, hours=n % 7)
        order = PurchaseOrder(
            f"45000{n + 1:05d}", f"sup-{n % 12 + 1}", ("1710", "1720")[n % 3 == 2], status, created, created
        )
        for line in range(1, rng.randint(2, 4)):
            ordered = Decimal(rng.randint(2, 40) * 50)
            part = {"PARTIALLY_FULFILLED": ordered / 2, "FULFILLED": ordered, "CLOSED": ordered}.get(
                status, ZERO
            )
            due = (created + timedelta(days=rng.randint(20, 60))).date()
            row = PurchaseLine(str(line * 10), rng.choice(raw).number, ordered, part, due, n % 15 == 4)
            if status not in ("OPEN", "CANCELLED"):
                row.commit_quantity = ordered if rng.random() < 0.8 else ordered * Decimal("0.8")
                row.commit_date = due + timedelta(days=rng.choice((0, 0, 0, 2, 5)))
                row.asn = f"ASN{n:04d}{line}" if status == "PARTIALLY_FULFILLED" else ""
            order.lines.append(row)
        world.purchases[order.number] = order


def _inbound(world: World) -> None:
    """What suppliers have sent: half of it has arrived and is put away, the rest is on the road."""
    due = [row for row in world.purchases.values() if row.status in ("PARTIALLY_FULFILLED", "FULFILLED")]
    for n, order in enumerate(due):
        left = world.clock.start - timedelta(hours=20 + 5 * n)
        status = "DELIVERED" if order.status == "FULFILLED" else "IN_TRANSIT"
        shipment = Shipment(
            f"{89_000_001 + n}", order.plant, "INBOUND", CARRIERS[n % 5], order.supplier, status, left, left
        )
        shipment.purchase_order, shipment.confirmed_at = order.number, left
        shipment.picked_percent = Decimal(100)
        for line in order.lines:
            shipment.lines.append(
                ShipmentLine(line.number, line.item, line.ordered, line.ordered, line.ordered, "", "", "", "")
            )
            if status == "DELIVERED":
                _put_away(world, order, line, left + timedelta(hours=8))
        shipment.tracker = tracker_for(world, shipment, left)
        world.add_shipment(shipment)


def _put_away(world: World, order: PurchaseOrder, line: PurchaseLine, at: datetime) -> None:
    lot = next((row for row in world.lots_of_item[line.item] if row.plant == order.plant), None)
    if lot is not None:
        draft = Draft(at, PURCHASE, lot, line.received, "", lot.home_bin, "WMS", timedelta(minutes=12))
        settle_later(world, happen(world, draft), draft.lag)


def _maintenance(world: World) -> None:
    start, rng = world.clock.start, world.rng
    words = ("REQUESTED", "PLANNED", "RELEASED", "IN_PROGRESS", "ON_HOLD", "COMPLETED", "CLOSED", "CANCELLED")
    for n in range(40):
        center = WORK_CENTERS[n % len(WORK_CENTERS)]
        status = words[(n + n // len(WORK_CENTERS)) % len(words)]
        done = status in ("COMPLETED", "CLOSED", "CANCELLED")
        begin = start + timedelta(hours=rng.randint(-90, -20) if done else rng.randint(-3, 90))
        order = Maintenance(
            number=f"MO-{7001 + n}",
            plant=center.plant,
            work_center=center.code,
            equipment=center.equipment[n % len(center.equipment)],
            status=status,
            blocks=status == "IN_PROGRESS" or n % 7 == 0,
            planned_start=begin,
            planned_end=begin + timedelta(hours=rng.randint(1, 8)),
            description=("Lubrication", "Belt change", "Calibration", "Leak at seal")[n % 4],
            changed_at=min(begin, start) - timedelta(hours=5),
        )
        world.add_maintenance(order)
