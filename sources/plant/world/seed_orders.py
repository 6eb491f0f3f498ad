"""Four hundred production orders at every stage of their life, the oldest numbers furthest along."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from sources.plant.world.material import PC, Item, Step
from sources.plant.world.production import (
    CANCELLED,
    CLOSED,
    COMPLETED,
    CREATED,
    IN_PROGRESS,
    ON_HOLD,
    RELEASED,
    STARTED,
    ZERO,
    Component,
    Operation,
    Order,
    Report,
)
from sources.plant.world.world import World

FIRST, COUNT = 1_000_001, 400
SHOWCASE = "1000040"
RUNNING_FROM, RELEASED_FROM, DUE_FROM, CREATED_FROM = 151, 236, 246, 321
_THOUSANDTH = Decimal("0.001")


def seed_orders(world: World) -> None:
    """File all orders; what they consumed and produced is `history`'s part."""
    made = [item for item in world.items.values() if item.routing]
    goods = [item for item in made if item.kind == "FG"]
    subs = [item for item in made if item.kind == "SF"]
    for n in range(1, COUNT + 1):
        item = world.rng.choice(subs if n % 10 == 7 else goods)
        world.add_order(_order(world, n, item))


def _state(n: int) -> str:
    if n == int(SHOWCASE) - FIRST + 1:
        return IN_PROGRESS
    if n > 100 and n % 23 == 0:
        return CANCELLED
    if n >= CREATED_FROM:
        return CREATED
    if n >= RELEASED_FROM:
        return RELEASED
    if n >= RUNNING_FROM:
        return ON_HOLD if n % 9 == 0 else IN_PROGRESS
    return COMPLETED if n > 50 else CLOSED


def _order(world: World, n: int, item: Item) -> Order:
    rng, start = world.rng, world.clock.start
    number, state = str(FIRST + n - 1), _state(n)
    plant = "1710" if n % 20 < 13 else "1720"
    quantity = Decimal(rng.randint(10, 80) * 10)
    planned = start + timedelta(hours=2 * (n - DUE_FROM))
    if number == SHOWCASE:
        plant, quantity, planned = "1710", Decimal(500), start - timedelta(hours=26)
    operations = operations_of(item.routing[plant], quantity, planned)
    end = operations[-1].planned_end
    created = min(planned, start) - timedelta(days=7, minutes=rng.randint(0, 900))
    order = Order(
        number=number,
        plant=plant,
        item=item.number,
        quantity=quantity,
        state=state,
        priority=rng.choice((1, 2, 3, 3, 5)),
        created_at=created,
        planned_start=planned,
        planned_end=end,
        due=(end + timedelta(days=rng.randint(1, 4))).date(),
        changed_at=created,
        seen_at=created,
        operations=operations,
        components=components_of(world.items, item, quantity),
    )
    if state not in (CREATED, CANCELLED):
        release(order, min(planned - timedelta(days=1), start - timedelta(minutes=rng.randint(15, 600))))
    if state in STARTED:
        _progress(world, rng, order)
    order.erp_locked = state == ON_HOLD and n % 2 == 0
    return order


def operations_of(steps: list[Step], quantity: Decimal, planned: datetime) -> list[Operation]:
    """The operations of an order for that quantity, one after the other from the planned start."""
    operations, at = [], planned
    for step in steps:
        run = int(step.seconds_per_unit * quantity / 60)
        end = at + timedelta(minutes=step.setup_minutes + run)
        operations.append(
            Operation(
                step.number, step.description, step.work_center, at, end, step.setup_minutes, run, quantity
            )
        )
        at = end
    return operations


def components_of(items: dict[str, Item], item: Item, quantity: Decimal) -> list[Component]:
    """What the order needs by its BOM, scrap included; whole pieces for piece items."""
    rows = []
    for line in item.bom:
        need = line.per_hundred * quantity / 100 * (1 + line.scrap_percent / 100)
        unit = Decimal(1) if items[line.component].base_unit == PC else _THOUSANDTH
        rows.append(
            Component(line.position, line.component, line.operation, need.quantize(unit), line.backflush)
        )
    return rows


def release(order: Order, at: datetime) -> None:
    """The order is released: it has a date, an output lot, and a first operation ready."""
    order.released_at = order.changed_at = order.seen_at = at
    if order.state == CREATED:
        order.state = RELEASED
    tail = "-EU" if order.plant == "1720" and int(order.number) % 5 == 0 else ""
    order.lot = "L2409-07" if order.number == SHOWCASE else f"L{at:%y%W}-{order.number[-4:]}{tail}"
    order.operations[0].status = "READY"
    order.version += 1


def _progress(world: World, rng: Random, order: Order) -> None:
    """Give a started order its reports: operations overlap, each behind the one before it."""
    start = world.clock.start
    order.actual_start = min(
        order.planned_start + timedelta(minutes=rng.randint(-20, 90)), start - timedelta(minutes=95)
    )
    share = 0.83 if order.number == SHOWCASE else rng.uniform(0.15, 0.9)
    finished = order.state in (COMPLETED, CLOSED)
    count = len(order.operations)
    for n, operation in enumerate(order.operations):
        part = 1.0 if finished else max(0.0, min(1.0, (share * (count + 1) - n) / 2))
        span = (order.planned_end - order.planned_start) if finished else (start - order.actual_start)
        begin = order.actual_start + span * (n / (count + 1))
        last = order.actual_start + span * ((n + 2) / (count + 1)) - timedelta(minutes=rng.randint(4, 25))
        _run(rng, order, operation, Decimal(str(round(part, 3))), begin, last)
    final = order.operations[-1]
    order.good, order.scrap = final.good, sum((row.scrap for row in order.operations), ZERO)
    if finished:
        order.actual_end = final.actual_end
    if order.state == ON_HOLD:
        next(
            row for row in order.operations if row.status in ("RUNNING", "READY", "PENDING")
        ).status = "PAUSED"


def _run(
    rng: Random, order: Order, operation: Operation, part: Decimal, begin: datetime, last: datetime
) -> None:
    done = (operation.quantity * part).quantize(Decimal(1))
    if not done:
        return
    operation.actual_start = begin
    scrap = Decimal(rng.choice((0, 0, 0, 1, 2)))
    first = (done / 2).quantize(Decimal(1))
    middle = begin + (last - begin) / 2
    add_report(order, operation, middle, first, ZERO, final=False)
    add_report(order, operation, last, done - first - scrap, scrap, final=part >= 1)


def add_report(
    order: Order, operation: Operation, at: datetime, good: Decimal, scrap: Decimal, *, final: bool
) -> Report:
    """A terminal confirms pieces on an operation; the final report completes it."""
    number = f"CF{order.number}{operation.number}{len(operation.reports) + 1:03d}"
    report = Report(number, at, good, scrap, final, reason="S12" if scrap else "")
    operation.reports.append(report)
    operation.good += good
    operation.scrap += scrap
    operation.status = "COMPLETED" if final else "RUNNING"
    operation.actual_end = at if final else None
    order.seen_at = max(order.seen_at, at)
    order.version += 1
    return report
