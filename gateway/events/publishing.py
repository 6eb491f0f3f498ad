"""The last step of every event, whichever way it came: is it late, what led to it, caches let go, then into the log.

Events that come at the same time go through together: one look for what is known of them, one invalidation, one append.
Within a process they go one group after the other, so that of two about one subject each sees the one before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.events.concluding import COMPLETED, ISSUED, RELEASED
from gateway.events.log import Appended, EventLog, EventLogDown, Logged
from schema.events import Event

MOST_AT_ONCE = 2_000
"""Events in one group, so that nobody waits for all."""
CAUSED = frozenset({ISSUED, COMPLETED})
"""What can only follow the release of its order."""

Invalidate: TypeAlias = Callable[[Iterable[str]], Awaitable[object]]
Skew: TypeAlias = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one caller wants to be told."""

    events: Sequence[Event]
    let_go: frozenset[str]
    done: asyncio.Future[list[Appended]]

    def settle(self, appended: list[Appended]) -> None:
        """Say what became of it, if anybody still waits."""
        if not self.done.done():
            self.done.set_result(appended)

    def fail(self, error: Exception) -> None:
        """Say that it was not kept."""
        if not self.done.done():
            self.done.set_exception(error)


class Publisher:
    """Brings events into the log. ``skew`` is how far a system's clock is ahead, in milliseconds, as far as is known."""

    def __init__(self, events: EventLog, invalidate: Invalidate, skew: Skew) -> None:
        self._events, self._invalidate, self._skew = events, invalidate, skew
        self._waiting: list[_Part] = []
        self._working: asyncio.Task[None] | None = None

    async def publish(self, events: Sequence[Event], let_go: Collection[str] = ()) -> list[Appended]:
        """Keep and tell events, in this order; what became of each. Raises EventLogDown: then send them again.

        ``let_go`` are ids that the caches let go of since the events happened: what was read of them since is kept.
        """
        if not events:
            return []
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Appended]] = loop.create_future()
        self._waiting.append(_Part(events, frozenset(let_go), done))
        if self._working is None:
            self._working = loop.create_task(self._work(), name="events are published")
        return await done

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._working is not None:
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        try:
            while self._waiting:
                group: list[_Part] = []
                while self._waiting and sum(len(part.events) for part in group) < MOST_AT_ONCE:
                    group.append(self._waiting.pop(0))
                await self._settle(group)
        finally:
            self._working = None

    async def _settle(self, group: list["_Part"]) -> None:
        try:
            appended = await self._append(group)
        except EventLogDown as error:
            for part in group:
                part.fail(EventLogDown(str(error), hint=error.hint))
            return
        except Exception as error:
            if len(group) == 1:
                group[0].fail(error)
                return
            # One of them cannot be told at all: the others must not suffer for it.
            for part in group:
                await self._settle([part])
            return
        at = 0
        for part in group:
            part.settle(appended[at : at + len(part.events)])
            at += len(part.events)

    async def _append(self, group: list["_Part"]) -> list[Appended]:
        events = [event for part in group for event in part.events]
        kept = await self._events.find([event.number for event in events])
        known = {event.number for event, found in zip(events, kept, strict=True) if found is not None}
        news = [event for event in events if event.number not in known]
        if news:
            placed = {event.number: event for event in await self._placed(news)}
            stale = {
                id: None
                for part in group
                for event in part.events
                if event.number in placed
                for id in event.touches
                if id not in part.let_go
            }
            # Whoever is woken by the event must not find the old value: so this comes first.
            if stale:
                await self._invalidate(stale)
            events = [placed.get(event.number, event) for event in events]
        return await self._events.append(events)

    async def _placed(self, events: list[Event]) -> list[Event]:
        """The events with whether they are late and what led to them."""
        subjects = dict.fromkeys(event.subject for event in events)
        causes = dict.fromkeys(order for event in events if (order := _order(event)) is not None)
        found = await asyncio.gather(
            *[self._events.latest(subject) for subject in subjects],
            *[self._events.latest(order, RELEASED) for order in causes],
        )
        latest = dict(zip(subjects, map(_event, found), strict=False))
        released = dict(zip(causes, map(_event, found[len(subjects) :]), strict=True))
        placed = []
        for event in events:
            order, known = _order(event), latest[event.subject]
            cause = None if order is None else released[order]
            late = known is not None and self._precedes(event, known)
            number = None if cause is None or event.cause is not None else cause.number
            made = replace(event, late=event.late or late, cause=event.cause or number)
            placed.append(made)
            if not late:
                latest[event.subject] = made
            if made.type == RELEASED and made.subject in released:
                released[made.subject] = made
        return placed

    def _precedes(self, event: Event, known: Event) -> bool:
        """Whether an event is of before another of its subject: by the owner's version, else by the clocks put right."""
        if event.source == known.source and event.version is not None and known.version is not None:
            if event.version == known.version:
                return False
            if event.version.isdecimal() and known.version.isdecimal():
                return int(event.version) < int(known.version)
        return self._instant(event) < self._instant(known)

    def _instant(self, event: Event) -> datetime:
        # What was concluded is as new as the row it was concluded from: a release may bear the mere day as its time.
        at = event.recorded_at if event.synthesized else event.occurred_at
        return at - timedelta(milliseconds=self._skew(event.source) or 0)


def _order(event: Event) -> str | None:
    """The order whose release led to an event."""
    if event.type not in CAUSED:
        return None
    return next((id for id in event.touches if id.startswith("po:")), None)


def _event(logged: Logged | None) -> Event | None:
    return None if logged is None else logged.event
