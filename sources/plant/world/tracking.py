"""The carrier's side of a shipment: a tracker whose events are claims, in the carrier's own codes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sources.plant.world.trade import Shipment, Tracker, TrackEvent
from sources.plant.world.world import World

CLAIMS = {
    "pre_transit": ("X3", "Shipping label created"),
    "in_transit": ("AF", "Departed terminal"),
    "out_for_delivery": ("OA", "Out for delivery"),
    "delivered": ("D1", "Delivered"),
    "failure": ("SD", "Delayed: consignee closed"),
}
_PATH = {
    "PACKED": ("pre_transit",),
    "STAGED": ("pre_transit",),
    "LOADED": ("pre_transit",),
    "SHIPPED": ("pre_transit",),
    "IN_TRANSIT": ("pre_transit", "in_transit"),
    "OUT_FOR_DELIVERY": ("pre_transit", "in_transit", "out_for_delivery"),
    "DELIVERED": ("pre_transit", "in_transit", "out_for_delivery", "delivered"),
    "EXCEPTION": ("pre_transit", "in_transit", "failure"),
}


def new_tracker(world: World, shipment: Shipment, eta: datetime) -> Tracker:
    """A tracker of which nothing is known yet but when it should arrive."""
    return Tracker(
        number=f"1Z{int(shipment.number) % 100000:05d}{world.rng.randint(100000, 999999)}",
        pro=f"PRO-{shipment.number[-5:]}",
        status="",
        eta=eta,
    )


def tracker_for(world: World, shipment: Shipment, left: datetime) -> Tracker:
    """A tracker with the events that led to the shipment's status, the last before the clock's start."""
    now = world.clock.start
    eta = max(left, shipment.planned_ship, now - timedelta(hours=20)) + timedelta(hours=30)
    tracker = new_tracker(world, shipment, eta)
    path = _PATH[shipment.status]
    first = left - timedelta(hours=3)
    for n, word in enumerate(path):
        at = first if n == 0 else min(left + (now - left) * (n / len(path)), now)
        claim(world, shipment, tracker, word, at)
    return tracker


def claim(world: World, shipment: Shipment, tracker: Tracker, word: str, at: datetime) -> None:
    """The carrier claims something; it is recorded minutes later."""
    code, message = CLAIMS[word]
    home = world.plants[shipment.plant]
    away = world.parties[shipment.partner]
    near = word in ("pre_transit", "in_transit")
    near = near != (shipment.direction == "INBOUND")
    city, country = (home.city, home.country) if near else (away.city, away.country)
    number = f"{tracker.number}-{len(tracker.events) + 1}"
    recorded = at + timedelta(minutes=len(tracker.events) * 2 + 1)
    tracker.events.append(TrackEvent(number, word, code, message, at, recorded, city, country))
    tracker.status = word
    if word == "delivered":
        tracker.delivered_at, tracker.signed_by, tracker.eta = at, "R. Vos", at
    shipment.changed_at = max(shipment.changed_at, at)
    shipment.version += 1
    world.tell("tracked", shipment, at, tracker.events[-1])
