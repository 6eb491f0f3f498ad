"""Flights: calls that several operations wait for. A key is on its way once, whoever asks for it.

Keys asked in the same turn of the loop, or within a window of at most a millisecond while the system is being asked
already, leave together, and so do those that come while the process is busy (see ``Lull``; the shop floor does not wait
for it). Who asks for a key on its way waits for it, unless that flight left too early for what the request accepts, or
in a less urgent lane. Who came aboard after something had changed that the flight does not show asks again. Nobody's
cancellation or deadline touches another's: a flight ends early only when nobody waits for it any more.

Keys board by the column: a batch of which nothing is on its way, which is the usual case, boards in one go.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from gateway.cache.lull import Lull
from gateway.cache.store import Entry
from schema.errors import SourceError, SourceTimeout, SourceUnavailable
from sources.base import Lane, Scope

log = logging.getLogger("crossdock.cache")

Pair: TypeAlias = tuple[type, str]
Wanted: TypeAlias = Mapping[type, Sequence[str]]
"""Per class the keys that are asked for; most of the time the same ones for every class."""
Landed: TypeAlias = Entry | SourceError
"""What a flight brought for one class and key."""
ROUNDS = 3
"""Most flights that one request waits for, one after the other, for the same key."""


@dataclass(slots=True, eq=False)
class Flight:
    """One call in the making, under way, or over. ``fresh`` is the strictest of what its passengers accept.

    ``shared`` are the pairs that another process read; ``failed`` whether there was an error for any; ``uneven`` whether
    not every class was asked for with every key.
    """

    lane: Lane
    scope: Scope
    done: asyncio.Future[None]
    deadline: float = 0.0
    keys: dict[str, None] = field(default_factory=dict)
    wants: dict[type, None] = field(default_factory=dict)
    fresh: dict[type, float] = field(default_factory=dict)
    sent: float | None = None
    landed: dict[type, dict[str, Landed]] = field(default_factory=dict)
    shared: set[Pair] = field(default_factory=set)
    failed: bool = False
    uneven: bool = False
    calls: int = 0
    waiters: int = 0
    task: asyncio.Task[None] | None = None
    handle: asyncio.Handle | None = None

    @property
    def pairs(self) -> list[Pair]:
        """Every class wanted with every key."""
        return [(cls, key) for cls in self.wants for key in self.keys]

    @property
    def whole(self) -> bool:
        """Whether there is something for every pair."""
        return all(len(self.landed.get(cls, ())) >= len(self.keys) for cls in self.wants)

    def land(self) -> None:
        """Let everyone who waits go on."""
        if not self.done.done():
            self.done.set_result(None)


Carry: TypeAlias = Callable[[Flight], Awaitable[None]]
"""Fill ``landed`` and call ``land``; what is not there when it returns has failed."""
Aboard: TypeAlias = dict[Flight, tuple[bool, dict[type, list[str]]]]
"""The flights of a request: whether one was begun for it, and what it waits for there."""


@dataclass(slots=True)
class Catch:
    """What the flights of a request brought: per class one result a key, in order, and how many others had read."""

    found: dict[type, list[Landed]]
    flights: list[tuple[Flight, bool]]
    shared: int = 0


@dataclass(slots=True)
class _Board:
    """What is on its way for one scope: key → flight, by class."""

    by_class: dict[type, dict[str, Flight]] = field(default_factory=dict)
    flights: set[Flight] = field(default_factory=set)


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
        lull: Lull | None = None,
    ) -> None:
        self._lull = lull
        self._system = system
        self._carry = carry
        self._max_keys = max_keys
        self._window = window
        self._shared = shared
        self._clock = clock
        self._valid = valid
        # By class and key in a table of the scope's own: hashing a scope for every key costs more than all the rest.
        self._boards: dict[Scope, _Board] = {}
        self._gathering: dict[tuple[Scope, Lane], Flight] = {}
        self._airborne = 0

    async def fetch(
        self,
        wanted: Wanted,
        fresh: Mapping[type, float],
        deadline: float,
        lane: Lane,
        scope: Scope,
    ) -> Catch:
        """What there is to know about every key, and the flights that told it (True: they left for us)."""
        began = self._clock()
        boarded = self._board(wanted, fresh, deadline, lane, scope)
        await self._wait(list(boarded), deadline)
        if len(boarded) == 1:
            [(flight, (ours, _))] = boarded.items()
            if not (flight.failed or flight.shared) and flight.sent is not None and flight.sent >= began:
                try:
                    found = {cls: [flight.landed[cls][key] for key in keys] for cls, keys in wanted.items()}
                except KeyError:
                    # It landed without all of them.
                    pass
                else:
                    return Catch(found, [(flight, ours)])
        return await self._collected(wanted, boarded, (fresh, deadline, lane, scope), began)

    async def _collected(
        self,
        wanted: Wanted,
        boarded: Aboard,
        terms: tuple[Mapping[type, float], float, Lane, Scope],
        began: float,
    ) -> Catch:
        """Key by key, and with another flight for what came back in vain."""
        fresh, deadline, *_ = terms
        found: dict[type, dict[str, Landed]] = {cls: {} for cls in wanted}
        catch = Catch({}, [])
        for last in (False,) * (ROUNDS - 1) + (True,):
            again: dict[type, list[str]] = {}
            for flight, (ours, aboard) in boarded.items():
                catch.flights.append((flight, ours))
                for cls, keys in aboard.items():
                    brought = flight.landed.get(cls, {})
                    for key in keys:
                        landed, shared = brought.get(key) or self._silent(flight), (cls, key) in flight.shared
                        if not last and self._in_vain(landed, shared, flight, fresh[cls], began, deadline):
                            again.setdefault(cls, []).append(key)
                        else:
                            found[cls][key] = landed
                            catch.shared += shared
            if not again:
                break
            boarded = self._board(again, *terms)
            await self._wait(list(boarded), deadline)
        catch.found = {cls: [found[cls][key] for key in keys] for cls, keys in wanted.items()}
        return catch

    def refresh(self, wanted: Wanted, fresh: Mapping[type, float], seconds: float, scope: Scope) -> None:
        """Read keys anew that nobody waits for, unless they are on their way."""
        board = self._boards.get(scope) or _Board()
        idle = {
            cls: rest
            for cls, keys in wanted.items()
            if (rest := [key for key in keys if key not in board.by_class.get(cls, ())])
        }
        if not idle:
            return
        for flight in self._board(idle, fresh, time.monotonic() + seconds, Lane.BACKGROUND, scope):
            flight.waiters += 1

    def _silent(self, flight: Flight) -> SourceError:
        if flight.done.done() and time.monotonic() < flight.deadline:
            return SourceUnavailable(f"{self._system} gave no answer for this key.")
        return SourceTimeout(f"{self._system} did not answer within the time of the request")

    def _in_vain(
        self, landed: Landed, shared: bool, flight: Flight, fresh: float, began: float, deadline: float
    ) -> bool:
        """Whether another flight may do better: this one was in more of a hurry, or brought what is too old for us."""
        if isinstance(landed, SourceError):
            return isinstance(landed, SourceTimeout) and flight.deadline + 0.001 < deadline
        read_at = landed.read_at
        # What was invalidated before we asked must not reach us; what was while we waited, may.
        return (shared and read_at < fresh) or (read_at < began and not self._valid(landed))

    def _board(
        self, wanted: Wanted, fresh: Mapping[type, float], deadline: float, lane: Lane, scope: Scope
    ) -> Aboard:
        board = self._boards.get(scope)
        if board is None:
            board = self._boards[scope] = _Board()
        boarding = _Boarding(board, fresh, deadline, lane, scope)
        columns = list(wanted.values())
        if self._idle(board, wanted) and all(keys == columns[0] for keys in columns[1:]):
            self._board_whole(boarding, list(wanted), columns[0])
        else:
            for cls, keys in wanted.items():
                for key in keys:
                    self._board_one(boarding, cls, key)
        return boarding.boarded

    def _idle(self, board: _Board, wanted: Wanted) -> bool:
        """Whether nothing of it is on its way, so that all of it can board in one go."""
        if not self._shared or not board.flights:
            return True
        tables = board.by_class
        return all(
            table.keys().isdisjoint(keys) for cls, keys in wanted.items() if (table := tables.get(cls))
        )

    def _board_whole(self, boarding: "_Boarding", classes: list[type], keys: Sequence[str]) -> None:
        """These classes with all of these keys, none of which is on its way."""
        at, tables = 0, boarding.board.by_class
        while at < len(keys):
            flight = self._gather(keys[at], boarding)
            some = keys[at : at + max(1, self._max_keys - len(flight.keys))]
            at += len(some)
            flight.uneven = flight.uneven or (bool(flight.wants) and [*flight.wants] != classes)
            flight.keys.update(dict.fromkeys(some))
            flight.deadline = max(flight.deadline, boarding.deadline)
            aboard = dict.fromkeys(some, flight)
            waits = boarding.boarded.setdefault(flight, (flight in boarding.made, {}))[1]
            for cls in classes:
                flight.wants[cls] = None
                flight.fresh[cls] = max(boarding.fresh[cls], flight.fresh.get(cls, boarding.fresh[cls]))
                tables.setdefault(cls, {}).update(aboard)
                waits.setdefault(cls, []).extend(some)

    def _board_one(self, boarding: "_Boarding", cls: type, key: str) -> None:
        table = boarding.board.by_class.setdefault(cls, {})
        flight = table.get(key) if self._shared else None
        strict = boarding.fresh[cls]
        if (
            flight is None
            or flight.lane > boarding.lane
            or (flight.sent is not None and flight.sent < strict)
        ):
            flight = self._gather(key, boarding)
            flight.keys[key] = flight.wants[cls] = None
            flight.uneven = True
            table[key] = flight
        if flight.sent is None:
            flight.fresh[cls] = max(strict, flight.fresh.get(cls, strict))
            flight.deadline = max(flight.deadline, boarding.deadline)
        waits = boarding.boarded.setdefault(flight, (flight in boarding.made, {}))[1]
        waits.setdefault(cls, []).append(key)

    def _takes(self, flight: Flight, key: str) -> bool:
        return flight.sent is None and (len(flight.keys) < self._max_keys or key in flight.keys)

    def _gather(self, key: str, boarding: "_Boarding") -> Flight:
        """The flight that a key may still board; a new one where there is none or it is full."""
        place = (boarding.scope, boarding.lane)
        flight = self._gathering.get(place)
        if flight is not None and (self._shared or flight in boarding.made):
            if self._takes(flight, key):
                return flight
            self._leave(place, flight)
        loop = asyncio.get_running_loop()
        flight = self._gathering[place] = Flight(boarding.lane, boarding.scope, loop.create_future())
        boarding.made.add(flight)
        boarding.board.flights.add(flight)
        if self._airborne and self._window > 0 and self._shared:
            flight.handle = loop.call_later(self._window, self._ready, place, flight)
        else:
            self._ready(place, flight)
        return flight

    def _ready(self, place: tuple[Scope, Lane], flight: Flight) -> None:
        """It may leave with all who board in this turn of the loop, or until the process has a moment."""
        if self._lull is None or not self._shared or flight.lane is Lane.SHOP_FLOOR:
            flight.handle = asyncio.get_running_loop().call_soon(self._leave, place, flight)
        else:
            self._lull.wait(partial(self._leave, place, flight))

    def _leave(self, place: tuple[Scope, Lane], flight: Flight) -> None:
        if flight.sent is not None:
            return
        if self._gathering.get(place) is flight:
            del self._gathering[place]
        if flight.handle is not None:
            flight.handle.cancel()
        flight.sent = self._clock()
        if flight.uneven:
            # The call brings every class with every key: whoever asks for such a pair now finds it on its way.
            tables = self._boards[flight.scope].by_class
            for cls in flight.wants:
                table = tables.setdefault(cls, {})
                for key in flight.keys:
                    table.setdefault(key, flight)
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
        board = self._boards.get(flight.scope)
        if board is None or flight not in board.flights:
            return
        board.flights.discard(flight)
        if not board.flights:
            del self._boards[flight.scope]
            return
        for cls in flight.wants:
            table = board.by_class[cls]
            for key in flight.keys:
                if table.get(key) is flight:
                    del table[key]

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


@dataclass(slots=True)
class _Boarding:
    """One request while it boards: on whose board, what it accepts, and the flights it has found or begun."""

    board: _Board
    fresh: Mapping[type, float]
    deadline: float
    lane: Lane
    scope: Scope
    boarded: Aboard = field(default_factory=dict)
    made: set[Flight] = field(default_factory=set)
