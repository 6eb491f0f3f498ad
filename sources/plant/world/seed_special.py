"""The awkward cases everyone has: lots whose names collide when cut, serial numbers of what is built."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sources.plant.world.material import Lot, LotKey, Place
from sources.plant.world.motion import home
from sources.plant.world.world import World

TWINS = ("L2409-07A-EU", "L2409-07A-US")
TWIN_ITEM = "FG-1002"


def seed_special(world: World) -> None:
    """Two lots of one item in Zwolle that its MES cannot tell apart, and serials for serialised items."""
    made = world.clock.start - timedelta(days=60)
    for n, number in enumerate(TWINS):
        lot = Lot(TWIN_ITEM, number, "1720", made.date(), made.date() + timedelta(days=540), "NL", made)
        lot.home_bin = f"ZB-01-0{n + 1}"
        world.add_lot(lot)
        place = Place(TWIN_ITEM, number, "1720", lot.home_bin, lot.bin_status)
        world.ledger.physical.add(place, Decimal(200))
        world.ledger.book.add(home(world, lot), Decimal(200))
    for order in world.orders.values():
        if order.lot and world.items[order.item].tracking == "LOT_AND_SERIAL":
            made_here = world.lots[LotKey(order.item, order.lot)]
            made_here.serials = [f"{order.number}-{n:04d}" for n in range(1, int(order.good) + 1)][:50]
