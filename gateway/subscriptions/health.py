"""The health of the systems, for those who watch it: looked at every second while somebody does.

It is a state, not an event: it has no cursor, and one that lasted for less than a look is not told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gateway.subscribing import Payload
from gateway.subscriptions.subscriber import Subscriber
from schema.base import CircuitState, SourceSystem

log = logging.getLogger("crossdock.subscriptions")

EVERY = 1.0
"""Seconds between two looks."""
State = tuple[bool, CircuitState]
Tell = Callable[[SourceSystem], Awaitable[Payload]]


@dataclass(slots=True)
class _Watcher:
    tell: Tell
    known: dict[str, State] = field(default_factory=dict)


class Health:
    """``systems`` gives every system as it is, without asking it."""

    def __init__(self, systems: Callable[[], Sequence[SourceSystem]], every: float = EVERY) -> None:
        self.systems = systems
        self._every = every
        self._watchers: dict[Subscriber, _Watcher] = {}
        self._looking: asyncio.Task[None] | None = None

    def join(self, subscriber: Subscriber, tell: Tell, told: Sequence[SourceSystem]) -> None:
        """Tell someone what differs from what it was told."""
        self._watchers[subscriber] = _Watcher(tell, {system.code: state_of(system) for system in told})
        subscriber.place = self
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look(), name="health")

    def leave(self, subscriber: Subscriber) -> None:
        """Tell someone no more."""
        self._watchers.pop(subscriber, None)
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            systems = self.systems()
            for subscriber, watcher in list(self._watchers.items()):
                for system in systems:
                    if watcher.known.get(system.code) != state_of(system) and subscriber.allowed():
                        watcher.known[system.code] = state_of(system)
                        await self._told(subscriber, watcher, system)

    async def _told(self, subscriber: Subscriber, watcher: _Watcher, system: SourceSystem) -> None:
        try:
            subscriber.put(await watcher.tell(system))
        except Exception:
            log.exception("the health of a system could not be told")
            watcher.known.pop(system.code, None)


def state_of(system: SourceSystem) -> State:
    """What counts as a change of health."""
    return system.healthy, system.circuit
