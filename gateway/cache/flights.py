"""Flights: calls that several operations wait for. A key is on its way once, whoever asks for it.

Keys asked in the same turn of the loop, or within a window of at most a millisecond while the system is being asked
already, leave together; who asks for a key on its way waits for it, unless that flight left too early for what the
request accepts, or in a less urgent lane. Who came aboard after something had changed that the flight does not show
asks again. Nobody's cancellation or deadline touches another's: a flight ends early only
when nobody waits for it any more.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.cache.store import Entry
from schema.errors import SourceError, SourceTimeout, SourceUnavailable
from sources.base import Lane, Scope

log = logging.getLogger("crossdock.cache")

Pair: TypeAlias = tuple[type, str]
ROUNDS = 3
"""Most flights that one request waits for, one after the other, for the same key."""


@dataclass(slots=True)
class Landed:
    """What a flight brought for one pair: an entry or an error; ``shared`` if another process read it."""

    entry: Entry | None = None
    error: SourceError | None = None
    shared: bool = False


@dataclass(slots=True, eq=False)
class Flight:
    """One call in the making, under way, or over. ``fresh`` is the strictest of what its passengers accept."""

    lane: Lane
    scope: Scope
    done: asyncio.Future[None]
    deadline: float = 0.0
    keys: dict[str, None] = field(default_factory=dict)
    wants: dict[type, None] = field(default_factory=dict)
    fresh: dict[type, float] = field(default_factory=dict)
    sent: float | None = None
    landed: dict[Pair, Landed] = field(default_factory=dict)
    calls: int = 0
    waiters: int = 0
    task: asyncio.Task[None] | None = None
    handle: asyncio.Handle | None = None

    @property
    def pairs(self) -> list[Pair]:
        """Every class wanted with every key."""
        return [(cls, key) for cls in self.wants for key in self.keys]

    def land(self) -> None:
        """Let everyone who waits go on."""
        if not self.done.done():
            self.done.set_result(None)


Carry: TypeAlias = Callable[[Flight], Awaitable[None]]
"""Fill ``landed`` and call ``land``; what is not there when it returns has failed."""


class Flights:
    """The flights of one read of one system. ``clock`` gives seconds since the epoch.

    ``valid`` tells whether nothing that an entry speaks of has been invalidated since it was read.
    """

    def __init__(
        self,
        system: str,
        carry: Carry,
        *,
        max_keys: int,
        window: float,
        shared: bool = True,
        clock: Callable[[], float] = time.time,
        valid: Callable[[Entry], bool] = lambda _: True,
    ) -> None:
        self._system = system
        self._carry = carry
        self._max_keys = max_keys
        self._window = window
        self._shared = shared
        self._clock = clock
        self._valid = valid
        self._aboard: dict[Scope, dict[Pair, Flight]] = {}
        self._gathering: dict[tuple[Scope, Lane], Flight] = {}
        self._airborne = 0

    async def fetch(
        self,
        pairs: Iterable[Pair],
        fresh: Mapping[type, float],
        deadline: float,
        lane: Lane,
        scope: Scope,
    ) -> tuple[dict[Pair, Landed], list[tuple[Flight, bool]]]:
        """What there is to know about every pair, and the flights that told it (True: they left for us)."""
        found: dict[Pair, Landed] = {}
        taken: list[tuple[Flight, bool]] = []
        wanted, began = list(pairs), self._clock()
        for last in (False,) * (ROUNDS - 1) + (True,):
            boarded = self._board(wanted, fresh, deadline, lane, scope)
            await self._wait([flight for flight, _ in boarded], deadline)
            wanted = []
            for (flight, ours), aboard in boarded.items():
                taken.append((flight, ours))
                for pair in aboard:
                    landed = flight.landed.get(pair) or Landed(error=self._silent(flight))
                    if last or not self._in_vain(landed, flight, fresh[pair[0]], began, deadline):
                        found[pair] = landed
                    else:
                        wanted.append(pair)
            if not wanted:
                break
        return found, taken

    def refresh(
        self, pairs: Iterable[Pair], fresh: Mapping[type, float], seconds: float, scope: Scope
    ) -> None:
        """Read pairs anew that nobody waits for, unless they are on their way."""
        aboard = self._aboard.get(scope, {})
        idle = [pair for pair in pairs if pair not in aboard]
        if not idle:
            return
        for flight, _ in self._board(idle, fresh, time.monotonic() + seconds, Lane.BACKGROUND, scope):
            flight.waiters += 1

    def _silent(self, flight: Flight) -> SourceError:
        if flight.done.done() and time.monotonic() < flight.deadline:
            return SourceUnavailable(f"{self._system} gave no answer for this key.")
        return SourceTimeout(f"{self._system} did not answer within the time of the request")

    def _in_vain(self, landed: Landed, flight: Flight, fresh: float, began: float, deadline: float) -> bool:
        """Whether another flight may do better: this one was in more of a hurry, or brought what is too old for us."""
        if landed.error is not None:
            return isinstance(landed.error, SourceTimeout) and flight.deadline + 0.001 < deadline
        if landed.entry is None:
            return False
        read_at = landed.entry.read_at
        # What was invalidated before we asked must not reach us; what was while we waited, may.
        return (landed.shared and read_at < fresh) or (read_at < began and not self._valid(landed.entry))

    def _board(
        self, pairs: Iterable[Pair], fresh: Mapping[type, float], deadline: float, lane: Lane, scope: Scope
    ) -> dict[tuple[Flight, bool], list[Pair]]:
        boarded: dict[tuple[Flight, bool], list[Pair]] = {}
        made: set[int] = set()
        # Looked up by pair in a table of the scope's own: hashing a scope for every key costs more than all the rest.
        aboard = self._aboard.setdefault(scope, {})
        waiting: Flight | None = None
        for pair in pairs:
            cls, key = pair
            flight = aboard.get(pair) if self._shared else None
            if flight is None or flight.lane > lane or (flight.sent is not None and flight.sent < fresh[cls]):
                if waiting is None or not self._takes(waiting, key):
                    waiting = self._gather(key, lane, scope, made)
                flight = waiting
                flight.keys[key] = None
                flight.wants[cls] = None
                aboard[pair] = flight
            if flight.sent is None:
                flight.fresh[cls] = max(fresh[cls], flight.fresh.get(cls, fresh[cls]))
                flight.deadline = max(flight.deadline, deadline)
            boarded.setdefault((flight, id(flight) in made), []).append(pair)
        return boarded

    def _takes(self, flight: Flight, key: str) -> bool:
        return flight.sent is None and (key in flight.keys or len(flight.keys) < self._max_keys)

    def _gather(self, key: str, lane: Lane, scope: Scope, made: set[int]) -> Flight:
        """The flight that a key may still board; a new one where there is none or it is full."""
        loop = asyncio.get_running_loop()
        place = (scope, lane)
        flight = self._gathering.get(place)
        if flight is not None and (self._shared or id(flight) in made):
            if self._takes(flight, key):
                return flight
            self._leave(place, flight)
        flight = self._gathering[place] = Flight(lane, scope, loop.create_future())
        made.add(id(flight))
        if self._airborne and self._window > 0 and self._shared:
            flight.handle = loop.call_later(self._window, self._leave, place, flight)
        else:
            flight.handle = loop.call_soon(self._leave, place, flight)
        return flight

    def _leave(self, place: tuple[Scope, Lane], flight: Flight) -> None:
        if flight.sent is not None:
            return
        if self._gathering.get(place) is flight:
            del self._gathering[place]
        if flight.handle is not None:
            flight.handle.cancel()
        flight.sent = self._clock()
        aboard = self._aboard.setdefault(flight.scope, {})
        for pair in flight.pairs:
            aboard.setdefault(pair, flight)
        self._airborne += 1
        flight.done.add_done_callback(lambda _: self._forget(flight))
        flight.task = asyncio.get_running_loop().create_task(self._fly(flight))
        flight.task.add_done_callback(lambda _: self._arrived(flight))

    async def _fly(self, flight: Flight) -> None:
        try:
            await self._carry(flight)
        except (
            Exception
        ):  # A mistake of ours: those who wait learn that there is no answer, the log learns why.
            log.exception("%s: a shared call broke", self._system)

    def _arrived(self, flight: Flight) -> None:
        """The task is over, perhaps before it ran at all."""
        self._airborne -= 1
        flight.land()

    def _forget(self, flight: Flight) -> None:
        """Who asks from now on finds the result in the cache, or asks anew."""
        aboard = self._aboard.get(flight.scope, {})
        for pair in flight.pairs:
            if aboard.get(pair) is flight:
                del aboard[pair]
        if not aboard:
            self._aboard.pop(flight.scope, None)

    async def _wait(self, flights: Sequence[Flight], deadline: float) -> None:
        for flight in flights:
            flight.waiters += 1
        try:
            open_ = [flight.done for flight in flights if not flight.done.done()]
            if open_:
                # Waiting for plain futures cancels none of them, whatever happens to us.
                await asyncio.wait(open_, timeout=max(0.0, deadline - time.monotonic()))
        finally:
            for flight in flights:
                flight.waiters -= 1
                if flight.waiters == 0 and not flight.done.done():
                    self._abandon(flight)

    def _abandon(self, flight: Flight) -> None:
        """Nobody waits any more."""
        self._forget(flight)
        if flight.task is not None:
            flight.task.cancel()
            return
        flight.sent = self._clock()
        if flight.handle is not None:
            flight.handle.cancel()
        if self._gathering.get((flight.scope, flight.lane)) is flight:
            del self._gathering[flight.scope, flight.lane]
        flight.land()
