"""The one way to make a world: the same seed and clock give the same plant, every time."""

from __future__ import annotations

from sources.plant.world.clock import Clock
from sources.plant.world.history import History
from sources.plant.world.seed_items import seed_items
from sources.plant.world.seed_orders import seed_orders
from sources.plant.world.seed_quality import seed_quality
from sources.plant.world.seed_special import seed_special
from sources.plant.world.seed_trade import seed_trade
from sources.plant.world.simulate import start
from sources.plant.world.world import World


def build_world(seed: int = 7, clock: Clock | None = None) -> World:
    """A plant at its clock's start, its near future planned; a frozen clock unless given another."""
    world = World(seed, clock or Clock())
    world.items = seed_items(world.rng)
    seed_orders(world)
    History(world).run()
    seed_trade(world)
    seed_quality(world)
    seed_special(world)
    start(world)
    world.tick(world.clock.start)
    return world
