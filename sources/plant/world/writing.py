"""What happens because somebody writes it: orders released, replanned, closed, paused, reported on. At once, and for real."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sources.plant.world.production import (
    CANCELLED,
    CLOSED,
    COMPLETED,
    CREATED,
    IN_PROGRESS,
    ON_HOLD,
    RELEASED,
    Operation,
    Order,
)
from sources.plant.world.seed_orders import add_report
from sources.plant.world.simulate import again, begin_at, release_order
from sources.plant.world.world import World


class NotNow(Exception):
    """The order is in no state for it; the message says in which."""


def release(world: World, order: Order) -> None:
    """A created order is released to the floor."""
    _needs(order, CREATED)
    release_order(world, order, world.now())


def reschedule(
    world: World, order: Order, start: datetime | None, end: datetime | None, quantity: Decimal | None
) -> None:
    """An order gets another time or quantity; what is not given stays."""
    _needs(order, CREATED, RELEASED, IN_PROGRESS, ON_HOLD)
    if quantity is not None and quantity < order.good:
        raise NotNow(f"{order.good} are made already")
    order.planned_start = start or order.planned_start
    order.planned_end = end or order.planned_end
    order.quantity = order.quantity if quantity is None else quantity
    _changed(world, order)


def close(world: World, order: Order) -> None:
    """An order is closed, whatever is left of it."""
    _needs(order, RELEASED, IN_PROGRESS, ON_HOLD, COMPLETED)
    order.state = CLOSED
    _changed(world, order)


def cancel(world: World, order: Order) -> None:
    """An order of which nothing was made is given up."""
    _needs(order, CREATED, RELEASED)
    order.state = CANCELLED
    _changed(world, order)


def pause(world: World, order: Order) -> None:
    """Work on an order stops."""
    _needs(order, RELEASED, IN_PROGRESS)
    order.state = ON_HOLD
    _changed(world, order)


def resume(world: World, order: Order) -> None:
    """Work on an order goes on."""
    _needs(order, ON_HOLD)
    now = world.now()
    order.state = RELEASED if order.actual_start is None else IN_PROGRESS
    if order.actual_start is None:
        begin_at(world, order, max(now, order.planned_start))
    else:
        again(world, now, order)
    _changed(world, order)


def report(
    world: World, order: Order, operation: Operation, good: Decimal, scrap: Decimal, *, final: bool
) -> str:
    """Work done on an operation; returns the number of the report. The ERP books it in its own time, as ever."""
    _needs(order, RELEASED, IN_PROGRESS)
    now = world.now()
    order.state = IN_PROGRESS
    order.actual_start = order.actual_start or now
    operation.actual_start = operation.actual_start or now
    add_report(order, operation, now, good, scrap, final=final)
    _changed(world, order)
    return operation.reports[-1].id


def _needs(order: Order, *states: str) -> None:
    if order.state not in states:
        raise NotNow(f"order {order.number} is {order.state}")


def _changed(world: World, order: Order) -> None:
    now = world.now()
    order.changed_at = order.seen_at = now
    order.version += 1
    world.tell("order", order, now)
