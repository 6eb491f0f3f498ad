"""The gate of a system: who may call next, the most urgent first.

A call needs a free slot and, where the system has a rate, a turn. Both are given to the most urgent lane that waits,
and within a lane in the order of arrival; a turn is taken last, so that none is spent on a call without a slot. The
less urgent lanes hold a share of the slots only: what runs cannot be taken back, so room is kept for what may come.
A share holds for its lane and all less urgent ones together.

The queue has no bound of its own: every waiter has a deadline and leaves at it, and a waiter is one future. A bound
would refuse calls that might still have been in time. Giving a slot costs the same however many wait.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from sources.base import Lane
from sources.rate import Quota

Ticket: TypeAlias = asyncio.Future[None]


class Place(NamedTuple):
    """Where a call waits; ``slot`` unless it has one and waits for a turn only. The smaller goes first."""

    lane: Lane
    slot: bool


class NoTurn(Exception):
    """No turn will be free in time; ``seconds`` until the next one."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no turn for another {seconds:.1f} s")
        self.seconds = seconds


class Gate:
    """Slots and turns of one system. Use it within one event loop."""

    def __init__(
        self,
        size: int,
        shares: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        quota: Quota | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = tuple(max(1, int(size * share)) for share in shares)
        """Slots that a lane, the most urgent first, and all less urgent ones may hold together."""
        self._held = [0] * len(Lane)
        places = [Place(lane, slot) for lane in Lane for slot in (False, True)]
        self._queues: dict[Place, OrderedDict[Ticket, float]] = {place: OrderedDict() for place in places}
        """Who waits, in the order of arrival, and until when."""
        self._quota = quota
        self._clock = clock
        self._short_until = dict.fromkeys(Lane, float("-inf"))
        self._usher: asyncio.Task[None] | None = None
        self._pausing: Place | None = None
        self._bell = asyncio.Event()

    @property
    def running(self) -> int:
        """Slots that are taken."""
        return self._held[Lane.SHOP_FLOOR]

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return sum(map(len, self._queues.values()))

    async def enter(self, lane: Lane, limit: float = float("inf")) -> None:
        """Wait for a slot and a turn; whoever enters must leave. Raises NoTurn where none will come before ``limit``."""
        if not self.step_in(lane):
            await self._wait(Place(lane, slot=True), limit)

    def step_in(self, lane: Lane) -> bool:
        """Enter if that takes no waiting; whoever entered must leave."""
        if self._quota is not None or not self._free(lane):
            return False
        # Nobody more urgent waits: a slot that is free for this lane would have been theirs.
        self._hold(lane, 1)
        return True

    async def turn(self, lane: Lane, limit: float = float("inf")) -> None:
        """Wait for one more turn with a slot in hand, before those of the same lane who have none."""
        if self._quota is not None:
            await self._wait(Place(lane, slot=False), limit)

    async def _wait(self, place: Place, limit: float) -> None:
        short = self.short(place.lane)
        if short and self._clock() + short > limit:
            raise NoTurn(short)
        ticket: Ticket = asyncio.get_running_loop().create_future()
        self._queues[place][ticket] = limit
        self._go_on()
        try:
            await ticket
        except asyncio.CancelledError:
            self._gave_up(place, ticket)
            raise

    def leave(self, lane: Lane) -> None:
        """Give the slot back, to the next in line."""
        self._hold(lane, -1)
        self._go_on()

    def short(self, lane: Lane) -> float:
        """Seconds for which a lane is known to get no turn; 0 where nothing is known."""
        return max(0.0, self._short_until[lane] - self._clock())

    def _free(self, lane: Lane) -> bool:
        return all(self._held[of] < self.most[of] for of in range(lane + 1))

    def _hold(self, lane: Lane, slots: int) -> None:
        for of in range(lane + 1):
            self._held[of] += slots

    def _next(self) -> tuple[Place, Ticket] | None:
        """Who may go next, were there a turn."""
        for place, queue in self._queues.items():
            while queue and (not place.slot or self._free(place.lane)):
                ticket = next(iter(queue))
                if not ticket.done():
                    return place, ticket
                del queue[ticket]
        return None

    def _admit(self, place: Place, ticket: Ticket) -> None:
        del self._queues[place][ticket]
        if place.slot:
            self._hold(place.lane, 1)
        ticket.set_result(None)

    def _gave_up(self, place: Place, ticket: Ticket) -> None:
        if ticket.cancelled():
            self._queues[place].pop(ticket, None)
            if not self.waiting:
                self._bell.set()
        elif ticket.exception() is None and place.slot:
            self.leave(place.lane)

    def _go_on(self) -> None:
        """Let in whoever may go."""
        if self._quota is None:
            while (found := self._next()) is not None:
                self._admit(*found)
        elif (found := self._next()) is None:
            return
        elif self._usher is None:
            self._usher = asyncio.create_task(self._usher_in(self._quota))
        elif self._pausing is not None and found[0] < self._pausing:
            self._bell.set()

    async def _usher_in(self, quota: Quota) -> None:
        """Ask for turns, one after the other, for as long as someone waits who could use one."""
        try:
            while (found := self._next()) is not None:
                place, ticket = found
                try:
                    wait = await quota.take(place.lane)
                except Exception as error:
                    self._refuse(place, ticket, error)
                    continue
                self._short_until[place.lane] = self._clock() + wait
                if wait > 0:
                    self._spare(place, wait)
                    await self._pause(place, wait)
                elif (best := self._next()) is not None and best[0].lane <= place.lane:
                    # Someone more urgent may have come while we asked. A turn that nobody is left for is lost.
                    self._admit(*best)
        finally:
            self._usher = None

    def _refuse(self, place: Place, ticket: Ticket, error: Exception) -> None:
        self._queues[place].pop(ticket, None)
        if not ticket.done():
            ticket.set_exception(error)

    def _spare(self, place: Place, wait: float) -> None:
        """Tell those at the head of a queue who would wait in vain."""
        queue, until = self._queues[place], self._clock() + wait
        while queue:
            ticket, limit = next(iter(queue.items()))
            if limit > until:
                break
            self._refuse(place, ticket, NoTurn(wait))

    async def _pause(self, place: Place, seconds: float) -> None:
        """Wait until it is worth asking again, someone more urgent comes or nobody is left."""
        if not self._queues[place]:
            return
        self._pausing = place
        self._bell.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            pass
        finally:
            self._pausing = None
