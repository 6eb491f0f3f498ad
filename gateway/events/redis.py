"""The event log in Redis, for several workers on several machines. Each step is one script (``scripts``), so atomic.

An event is as durable as Redis is configured to be: with ``appendonly yes`` and ``appendfsync always`` what was
acknowledged is on the disk. With ``everysec`` a crash of the machine may cost the last second, with ``appendonly no`` a
restart costs everything; both are said aloud when the log is opened. Because nobody can tell what was lost, the epoch
changes at every restart of Redis that does not promise to have lost nothing, and when it was emptied, comes back
shorter than it was seen, or is a replica that took over: readers are then told to read the state anew.

Redis 6.2 or later; one Redis, not a cluster.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from redis.exceptions import RedisError, ResponseError

from gateway.cache.link import Link, Unreachable
from gateway.cache.scripts import Script
from gateway.events import scripts
from gateway.events.codec import Row, instant, micros, packed, to_event
from gateway.events.grouping import Groups
from gateway.events.log import (
    READ_ANEW,
    Appended,
    Duplicate,
    EventLogDown,
    Logged,
    Parked,
    Position,
    ResyncRequired,
    Retention,
    check_position,
)
from gateway.events.recent import Recent
from schema.events import Event

log = logging.getLogger("crossdock.events")

BLOCK = 1.0
"""Seconds for which Redis holds the question for news open."""
SUCCESSION = 0.002
MOST_AT_ONCE = 250
"""Events that one script adds or lets go: Redis does nothing else meanwhile."""
NOWHERE = Position("", 0)
WEAK = {
    "off": "%s keeps nothing on its disk (appendonly no): when it is started again, all events are gone",
    "unknown": "%s does not say how it writes to its disk: readers must begin anew whenever it was started again",
    "everysec": "%s writes to its disk every second: a crash of its machine may cost the events of the last one, "
    "and readers must begin anew whenever it was started again; appendfsync always mends both",
}
EVICTS = (
    "%s may forget events when its memory is full (maxmemory-policy %s); noeviction or volatile-ttl do not"
)


class RedisLog:
    """The log in the Redis behind ``url``; ``namespace`` keeps gateways apart that share it.

    ``timeout`` is how long a call may take, ``pause`` how long Redis is left alone after it failed, in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "crossdock",
        retention: Retention | None = None,
        timeout: float = 2.0,
        pause: float = 0.5,
        connections: int = 16,
    ) -> None:
        self._link = Link(
            url,
            timeout=timeout,
            connections=connections,
            pause=pause,
            clock=time.time,
            name="Redis (event log)",
            says=log,
        )
        self._prefix = f"cd:{namespace}:ev:"
        self._keys = [self._prefix + name for name in ("state", "stream", "numbers", "facts")]
        self._order = self._prefix + "parked"
        self._retention = retention or Retention()
        self._groups = Groups(self._keep, MOST_AT_ONCE)
        self._wake = asyncio.Event()
        self._known = NOWHERE
        self._judged = ("", "")
        self._watching: asyncio.Task[None] | None = None
        self._recent = Recent(self.head, self.read, self._news)

    async def open(self) -> None:
        """Reach Redis if it is there, and look after it from now on."""
        self._recent.open()
        try:
            await self._greet()
        except (RedisError, OSError) as error:
            self._link.failed(error)
        self._watching = asyncio.get_running_loop().create_task(self._watch(), name="event log watch")

    async def close(self) -> None:
        """Give back connections and tasks."""
        await self._groups.finish()
        await self._recent.stop()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._link.close()

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        """Keep events together with whatever else is waiting."""
        return await self._groups.append(events)

    async def read(self, after: Position, limit: int = 500) -> list[Logged]:
        """The next events after a position."""
        epoch, last, trimmed, found = await self._sure(scripts.READ, self._keys[:2], after.sequence, limit)
        check_position(after, self._noted(epoch, last), int(trimmed))
        found = _without_hole(found, after.sequence)
        if not found and after.sequence < int(last):
            raise ResyncRequired("events after the position are missing in Redis", hint=READ_ANEW)
        return _logged(epoch, found)

    async def head(self) -> Position:
        """The position of the last event."""
        epoch, last, *_ = await self._sure(scripts.READ, self._keys[:2], 2**53, 1)
        return self._noted(epoch, last)

    def tail(self, after: Position) -> AsyncIterator[Sequence[Logged]]:
        """All events after a position, for ever."""
        return self._recent.tail(after)

    async def about(self, id: str, first: int, after: Position | None = None) -> list[Logged]:
        """The events that touch an object."""
        keys = [*self._keys[:2], f"{self._prefix}t:{id}"]
        epoch, last, _, found = await self._sure(scripts.ABOUT, keys, after.sequence if after else 0, first)
        if after is not None:
            check_position(after, self._noted(epoch, last))
        return _logged(epoch, found)

    async def duplicates(self, number: str) -> list[Duplicate]:
        """The messages that told an event again."""
        try:
            found = await self._link.ask("HGETALL", f"{self._prefix}d:{number}", name="read duplicates")
        except Unreachable as error:
            raise _down() from error
        told = []
        for same, value in found.items():
            count, received, packing = value.split(b" ", 2)
            source, id = msgspec.msgpack.decode(packing)
            told.append(Duplicate(same.decode(), source, id, instant(int(received)), int(count)))
        return sorted(told, key=lambda each: each.received_at)

    async def find(self, numbers: Iterable[str]) -> list[Logged | None]:
        """The events of these numbers."""
        wanted = list(numbers)
        if not wanted:
            return []
        epoch, found = await self._sure(scripts.FIND, self._keys[:3], *wanted)
        return [_logged(epoch, [pair])[0] if pair[1] is not None else None for pair in found]

    async def latest(self, subject: str, type: str | None = None) -> Logged | None:
        """The event of a subject that occurred last."""
        keys = [*self._keys[:2], f"{self._prefix}s:{subject}"]
        epoch, found = await self._sure(scripts.LATEST, keys, type or "")
        return _logged(epoch, found)[0] if found else None

    async def trim(self, now: datetime) -> int:
        """Let go of what is too old or too much, a part at a time."""
        kept, count, parked = self._retention, 0, 0
        oldest = micros(now - kept.max_age)
        bounds = (self._prefix, oldest, kept.max_events, MOST_AT_ONCE)
        while gone := await self._run(scripts.TRIM, self._keys, *bounds):
            count += gone
        bounds = (self._prefix, oldest, kept.max_parked, MOST_AT_ONCE)
        while gone := await self._run(scripts.TRIM_PARKED, [self._order], *bounds):
            parked += gone
        if parked:
            log.warning("%d parked messages were too old or too many and are gone", parked)
        return count

    async def park(self, parked: Sequence[Parked]) -> None:
        """Keep messages that could not become events."""
        values: list[Any] = []
        for each in parked:
            at = micros(each.received_at)
            values += (each.number, each.source, at, each.reason, each.body, each.attempts)
        if values:
            await self._run(scripts.PARK, [self._order], self._prefix, *values)

    async def parked(self, source: str | None = None, first: int = 100) -> list[Parked]:
        """The parked messages."""
        found = await self._run(scripts.PARKED, [self._order], self._prefix, first, source or "")
        return [_parked(each) for each in found]

    async def unpark(self, numbers: Iterable[str]) -> list[Parked]:
        """Take parked messages out."""
        found = await self._run(scripts.UNPARK, [self._order], self._prefix, *numbers)
        return [_parked(each) for each in found]

    async def _keep(self, groups: Sequence[Sequence[Row]]) -> list[list[Appended]]:
        values = [value for rows in groups for row in rows for value in _values(row)]
        epoch, *found = await self._sure(scripts.APPEND, self._keys, self._prefix, *values)
        name = epoch.decode()
        became = [Appended(Position(name, at), same and same.decode()) for at, same in found]
        self._noted(epoch, max(each.position.sequence for each in became))
        self._wake.set()
        told, begin = [], 0
        for rows in groups:
            told.append(became[begin : begin + len(rows)])
            begin += len(rows)
        return told

    async def _sure(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """Run a script that gives nothing where Redis was emptied; then everything begins anew."""
        answer = await self._run(script, keys, *arguments)
        if answer is None:
            try:
                await self._arrive()
            except (RedisError, OSError) as error:
                raise _down() from error
            answer = await self._run(script, keys, *arguments)
        if answer is None:
            raise _down()
        return answer

    async def _run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        try:
            return await self._link.run(script, keys, *arguments)
        except Unreachable as error:
            raise _down() from error

    def _noted(self, epoch: bytes, last: bytes | int) -> Position:
        """A position that Redis has told: it may never come back with less."""
        position = Position(epoch.decode(), int(last))
        if position.epoch != self._known.epoch or position.sequence > self._known.sequence:
            self._known = position
        return position

    async def _arrive(self) -> Position:
        """Where the log stands; a new epoch is begun where events may be lost."""
        fsync = await self._fsync()
        arguments = (uuid4().hex[:12], fsync, *self._known)
        epoch, last, aof, policy = await self._link.run_aside(scripts.ARRIVE, self._keys[:1], *arguments)
        self._judge("off" if aof == b"0" else fsync, policy.decode())
        return self._noted(epoch, last)

    async def _fsync(self) -> str:
        """How Redis writes to its disk, in its own words."""
        try:
            found = await self._link.aside("CONFIG", "GET", "appendfsync")
        except ResponseError:
            return "unknown"
        pairs = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        value: bytes = pairs.get(b"appendfsync", b"unknown")
        return value.decode()

    def _judge(self, writes: str, policy: str) -> None:
        """Say once what is weak about how Redis keeps things."""
        if self._judged == (writes, policy):
            return
        self._judged = (writes, policy)
        if writes != "always":
            log.warning(WEAK.get(writes, WEAK["everysec"]), self._link.where)
        if policy.startswith("allkeys"):
            log.warning(EVICTS, self._link.where, policy)

    async def _greet(self) -> Position:
        before = self._known
        position = await self._arrive()
        if not self._link.up:
            await self._link.renew()
            self._link.back()
        if position != before:
            self._wake.set()
        return position

    async def _watch(self) -> None:
        """Look after Redis for ever: what is new, whether it is down, whether it is up again."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._greet()
                until = loop.time() + BLOCK
                while self._link.up and (left := until - loop.time()) > 0:
                    await self._listen(left)
                if not self._link.up:
                    await asyncio.sleep(BLOCK / 10)
            except (RedisError, OSError) as error:
                self._link.failed(error)
                await self._link.reset()
                await asyncio.sleep(self._link.pause)
            except Exception:
                log.exception("the event log in Redis cannot be looked after")
                await asyncio.sleep(self._link.pause)

    async def _listen(self, seconds: float) -> None:
        """Wait for an event that is not known yet, of whomever."""
        options = ("COUNT", 1, "BLOCK", max(1, int(seconds * 1000)), "STREAMS", self._keys[1])
        if await self._link.aside("XREAD", *options, f"{self._known.sequence}-1", wait=seconds):
            found = await self._link.run_aside(scripts.READ, self._keys[:2], 2**53, 1)
            if found is not None:
                self._noted(found[0], found[1])
            self._wake.set()
            # Those that come in quick succession are heard of together.
            await asyncio.sleep(SUCCESSION)

    async def _news(self, after: Position) -> None:
        """Return when there may be something new."""
        self._wake.clear()
        if await self.head() == after:
            await self._wake.wait()


def _values(row: Row) -> tuple[Any, ...]:
    """What the script is told of an event."""
    told = packed((row.source, row.id))
    return (*row[:1], row.fact or "", *row[2:6], row.body, packed(row.touches), told)


def _without_hole(found: Sequence[Any], after: int) -> Sequence[Any]:
    """The events that follow each other: nobody let go of one in between, so where it is missing it was lost."""
    if not found or int(found[-1][0]) == after + len(found):
        return found
    return [pair for place, pair in enumerate(found, after + 1) if int(pair[0]) == place]


def _logged(epoch: bytes, found: Sequence[Any]) -> list[Logged]:
    name = epoch.decode()
    return [
        Logged(Position(name, int(at)), to_event(body))
        for at, body in found
        if at is not None and body is not None
    ]


def _parked(found: Sequence[bytes]) -> Parked:
    number, source, received, reason, body, attempts = found
    return Parked(
        number.decode(), source.decode(), instant(int(received)), reason.decode(), body, int(attempts)
    )


def _down() -> EventLogDown:
    return EventLogDown("The event log does not answer.", hint="Send the same again in a while.")
