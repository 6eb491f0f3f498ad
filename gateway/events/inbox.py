"""Messages that gave the key alone: kept until what they point at is read, and what happened is concluded.

They are parked in the log before their sender is told so; only when their events are in the log are they taken out. A
system that is down is asked again, ever more slowly, and nothing is given up for it. What a dead process left is taken
over by the next one.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from gateway.events.concluding import Look, Witness, compared, concluded
from gateway.events.log import EventLog, EventLogDown, Parked
from gateway.events.naming import Keys, id_of, with_inner
from gateway.events.publishing import Invalidate, Publisher
from gateway.events.reading import Reader
from gateway.events.sorting import NOT_FOUND, UNREADABLE, WAITING, Sorted, flawless
from schema.errors import MappingError, SourceError
from schema.events import Event
from sources.catalog import Catalog
from sources.events import Hint

log = logging.getLogger("crossdock.events")

MOST_AT_ONCE = 200
TRIES = 8
"""How often a key is looked for that the system does not know (yet)."""
SHORTEST, LONGEST = 0.5, 60.0
SWEEP_EVERY = 30.0
"""Seconds between two looks for what others left, and the age at which something was left."""


@dataclass(slots=True)
class _Waiting:
    """A message that waits, and how often its key was looked for in vain."""

    sorted: Sorted
    misses: int = 0


@dataclass(slots=True)
class _Done:
    """What became of a part of what waits: events, finished messages, ones that people must look at, ones to try again."""

    witnesses: dict[str, list[Witness]] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    dead: list[Parked] = field(default_factory=list)
    again: list[_Waiting] = field(default_factory=list)
    trouble: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What completing takes."""

    catalog: Catalog
    keys: Keys
    events: EventLog
    publisher: Publisher
    invalidate: Invalidate
    reader: Reader
    now: Callable[[], datetime]


class Inbox:
    """What waits, by system. ``sort`` gives back what a parked message is."""

    def __init__(self, tools: Tools, sort: Callable[[Parked], Sorted]) -> None:
        self._tools, self._sort = tools, sort
        self._waiting: dict[str, dict[str, _Waiting]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, system: str, messages: Iterable[Sorted]) -> None:
        """Take messages that are parked as waiting."""
        waiting = self._waiting.setdefault(system, {})
        for message in messages:
            waiting.setdefault(message.number, _Waiting(message))
        if waiting and system not in self._workers:
            work = asyncio.get_running_loop().create_task(self._work(system), name=f"inbox of {system}")
            self._workers[system] = work

    def start(self) -> None:
        """Begin to look for what was left, at once and now and then."""
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="inbox sweep")

    async def stop(self) -> None:
        """End the work; what waits stays parked."""
        tasks = [*self._workers.values(), *([self._sweeper] if self._sweeper is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._workers.clear()

    async def _sweep(self) -> None:
        age = timedelta()
        while True:
            with suppress(EventLogDown):  # said by the log itself
                await self._take_over(age)
            age = timedelta(seconds=SWEEP_EVERY)
            await asyncio.sleep(SWEEP_EVERY)

    async def _take_over(self, age: timedelta) -> None:
        left: dict[str, list[Sorted]] = {}
        for parked in await self._tools.events.parked(first=1_000_000):
            old = parked.received_at <= self._tools.now() - age
            if parked.reason == WAITING and old and parked.source in self._tools.catalog.systems:
                left.setdefault(parked.source, []).append(self._sort(parked))
        for system, messages in left.items():
            self.add(system, messages)

    async def _work(self, system: str) -> None:
        """Complete what waits, the oldest first, until nothing does."""
        waiting, pause = self._waiting[system], SHORTEST
        try:
            while waiting:
                some = [waiting[number] for number in list(waiting)[:MOST_AT_ONCE]]
                try:
                    done = await self._complete(system, some)
                except EventLogDown:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST)
                    continue
                except Exception:
                    log.exception("%s: messages could not be completed", system)
                    await self._one_by_one(system, some)
                    await asyncio.sleep(pause)
                    continue
                for number in (*done.finished, *(parked.number for parked in done.dead)):
                    del waiting[number]
                for one in done.again:
                    # To the end: others may be ready meanwhile.
                    waiting[one.sorted.number] = waiting.pop(one.sorted.number)
                if not done.again:
                    pause = SHORTEST
                    continue
                asked = None if done.trouble is None else done.trouble.retry_after
                await asyncio.sleep(max(pause, asked or 0.0))
                pause = min(pause * 2, LONGEST)
        finally:
            self._workers.pop(system, None)

    async def _one_by_one(self, system: str, some: Sequence[_Waiting]) -> None:
        """Complete each by itself: one that cannot be is for people, and the others are not kept by it."""
        for one in some:
            try:
                done = await self._complete(system, [one])
            except EventLogDown:
                return
            except Exception as error:
                reason = f"{UNREADABLE}: the gateway failed over it ({type(error).__name__}); see its log"
                with suppress(EventLogDown):
                    await self._tools.events.park([one.sorted.parked(system, reason)])
                    del self._waiting[system][one.sorted.number]
            else:
                if not done.again:
                    del self._waiting[system][one.sorted.number]

    async def _complete(self, system: str, some: Sequence[_Waiting]) -> _Done:
        tools = self._tools
        keys = {one.sorted.number: [self._keys(system, hint) for hint in one.sorted.hints] for one in some}
        wanted: dict[type, dict[str, None]] = {}
        ids: dict[str, None] = {}
        for one in some:
            for hint, found in zip(one.sorted.hints, keys[one.sorted.number], strict=True):
                for cls in hint.reads:
                    wanted.setdefault(cls, {}).update(dict.fromkeys(found))
                ids.update(dict.fromkeys(id_of(hint.subject.cls, key) for key in found))
        let_go = with_inner(ids)
        await tools.invalidate(let_go)
        rows = await tools.reader.rows(system, {cls: list(found) for cls, found in wanted.items()})
        done = _Done()
        for one in some:
            self._one(system, one, keys[one.sorted.number], rows, done)
        await self._tell(system, {one.sorted.number: one.sorted for one in some}, done, let_go)
        return done

    async def _tell(
        self, system: str, messages: Mapping[str, Sorted], done: _Done, let_go: Collection[str]
    ) -> None:
        """Publish what was concluded; only then are the messages taken out."""
        events, news = self._tools.events, list[Event]()
        before = await known(events, chain.from_iterable(done.witnesses.values()))
        for number, witnesses in done.witnesses.items():
            good, problem = flawless(compared(witnesses, before))
            news += good
            if problem is None:
                done.finished.append(number)
            else:
                done.dead.append(messages[number].parked(system, problem))
        await self._tools.publisher.publish(news, let_go)
        if done.dead:
            await events.park(done.dead)
        if done.finished:
            await events.unpark(done.finished)

    def _keys(self, system: str, hint: Hint) -> list[str]:
        """Our keys of what may be meant: one, or one for each plant where the message leaves it out."""
        plants = self._tools.catalog.serving(system)
        whole = hint.subject.key
        theirs = [whole] if whole is not None else [hint.subject.at(plant) for plant in plants]
        ours = [self._tools.keys.ours(system, hint.subject.cls, key) for key in theirs if key is not None]
        return [key for key in ours if key is not None]

    def _one(
        self,
        system: str,
        one: _Waiting,
        keys: Sequence[Sequence[str]],
        rows: Mapping[tuple[type, str], list[Any] | SourceError],
        done: _Done,
    ) -> None:
        """Sort a message by what its rows say."""
        message = one.sorted
        cells = [
            rows[cls, key]
            for hint, some in zip(message.hints, keys, strict=True)
            for cls in hint.reads
            for key in some
        ]
        errors = [cell for cell in cells if isinstance(cell, SourceError)]
        found = [row for cell in cells if not isinstance(cell, SourceError) for row in cell]
        broken = next((error for error in errors if isinstance(error, MappingError)), None)
        if broken is not None:
            done.dead.append(message.parked(system, f"{UNREADABLE}: {broken}"))
        elif errors:
            done.trouble = errors[0]
            done.again.append(one)
        elif not found and one.misses < TRIES:
            one.misses += 1
            done.again.append(one)
        elif not found:
            done.dead.append(message.parked(system, f"{NOT_FOUND}: {system} does not know what it names"))
        else:
            look = Look(system, message.received_at)
            told = [witness for row in found for witness in concluded(row, look)]
            done.witnesses[message.number] = told


async def known(events: EventLog, witnesses: Iterable[Witness]) -> dict[tuple[str, str], Event | None]:
    """What the log has as the last of everything that the witnesses ask about."""
    asked = list(dict.fromkeys(one for witness in witnesses for one in witness.asks()))
    found = await asyncio.gather(*[events.latest(subject, type) for subject, type in asked])
    return {one: None if logged is None else logged.event for one, logged in zip(asked, found, strict=True)}
