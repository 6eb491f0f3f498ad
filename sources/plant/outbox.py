"""What a simulated system still has to send, in the order and as often as its knobs want it."""

from __future__ import annotations

from collections import deque
from random import Random

from sources.plant.asgi import System
from sources.plant.dialects.notices import Notice, Voice
from sources.plant.world.world import Told, World


class Outbox:
    """The messages of one system. Nothing is taken out before it was received: the sender says so."""

    def __init__(self, world: World, system: System, voice: Voice) -> None:
        self.system, self.voice = system, voice
        self._world = world
        self._rng = Random(world.seed)
        self._waiting: deque[Notice] = deque()
        world.listeners.append(self._hear)

    def _hear(self, told: Told) -> None:
        if self.system.webhook:
            self._waiting.extend(self.voice.notices(self._world, told))

    def __len__(self) -> int:
        return len(self._waiting)

    def next(self, most: int) -> list[Notice]:
        """The next messages as they are to be sent; they stay until `sent` is called."""
        knobs = self.system.knobs
        if knobs.tell_nothing or not self.system.webhook:
            return []
        found = list(self._waiting)[: max(most, knobs.tell_shuffled)]
        if knobs.tell_shuffled:
            self._rng.shuffle(found)
        return [one for one in found for _ in range(2 if knobs.tell_twice else 1)]

    def sent(self, notices: list[Notice]) -> None:
        """These were received."""
        gone = {id(one) for one in notices}
        self._waiting = deque(one for one in self._waiting if id(one) not in gone)
