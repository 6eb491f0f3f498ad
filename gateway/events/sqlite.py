"""The event log embedded: one file that several processes of one machine may share, or the memory of this one.

Appends that come at the same time share one transaction, so one write to the disk (group commit); they run on a thread
of their own, reads on another. Tails wake at once for what this process appends, and see what others append within
``POLL``. Everything that blocks is in ``tables``.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.events import tables
from gateway.events.codec import Row, micros
from gateway.events.grouping import Groups
from gateway.events.log import Appended, Duplicate, EventLogDown, Logged, Parked, Position, Retention
from gateway.events.recent import Recent
from schema.events import Event

log = logging.getLogger("crossdock.events")

P = ParamSpec("P")
T = TypeVar("T")
POLL = 0.05
"""Seconds after which what other processes appended is seen at the latest."""
MOST_AT_ONCE = 2_000
"""Events in one transaction, when many wait: so nobody waits for all."""


class SqliteLog:
    """The log in a file, or without one in memory: then it is gone with the process, and nobody else's.

    ``busy`` is for how many seconds another process may have the file to itself.
    """

    def __init__(
        self,
        path: Path | None = None,
        retention: Retention | None = None,
        busy: float = tables.BUSY_SECONDS,
    ) -> None:
        self.path = path
        self._busy = busy
        self._retention = retention or Retention()
        self._write = _Thread("writes")
        self._read = self._write if path is None else _Thread("reads")
        self._groups = Groups(self._keep, MOST_AT_ONCE)
        self._wake = asyncio.Event()
        self._seen: int | None = None
        self._refused = False
        self._recent = Recent(self.head, self.read, self._news)

    async def open(self) -> None:
        """Make the file and its tables where they are missing. Raises ConfigError."""
        self._recent.open()
        await self._write.open(self.path, self._busy)
        if self._read is not self._write:
            await self._read.open(self.path, self._busy)

    async def close(self) -> None:
        """Finish what is being appended, and let go of the file."""
        await self._recent.stop()
        await self._groups.finish()
        await self._write.close()
        if self._read is not self._write:
            await self._read.close()

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        """Keep events together with whatever else is waiting."""
        return await self._groups.append(events)

    async def read(self, after: Position, limit: int = 500) -> list[Logged]:
        """The next events after a position."""
        return await self._ask(tables.read, after, limit)

    async def head(self) -> Position:
        """The position of the last event."""
        return (await self._ask(tables.head))[0]

    def tail(self, after: Position) -> AsyncIterator[Sequence[Logged]]:
        """All events after a position, for ever."""
        return self._recent.tail(after)

    async def about(self, id: str, first: int, after: Position | None = None) -> list[Logged]:
        """The events that touch an object."""
        return await self._ask(tables.about, id, first, after)

    async def duplicates(self, number: str) -> list[Duplicate]:
        """The messages that told an event again."""
        return await self._ask(tables.duplicates, number)

    async def find(self, numbers: Iterable[str]) -> list[Logged | None]:
        """The events of these numbers."""
        return await self._ask(tables.find, list(numbers))

    async def latest(self, subject: str, type: str | None = None) -> Logged | None:
        """The event of a subject that occurred last."""
        return await self._ask(tables.latest, subject, type)

    async def trim(self, now: datetime) -> int:
        """Let go of what is too old or too much, a part at a time."""
        kept, count = self._retention, 0
        oldest = micros(now - kept.max_age)
        while gone := await self._tell(tables.trim, oldest, kept.max_events):
            count += gone
        if parked := await self._tell(tables.trim_parked, oldest, kept.max_parked):
            log.warning("%d parked messages were too old or too many and are gone", parked)
        return count

    async def park(self, parked: Sequence[Parked]) -> None:
        """Keep messages that could not become events."""
        await self._tell(tables.park, parked)

    async def parked(self, source: str | None = None, first: int = 100) -> list[Parked]:
        """The parked messages."""
        return await self._ask(tables.parked, source, first)

    async def unpark(self, numbers: Iterable[str]) -> list[Parked]:
        """Take parked messages out."""
        return await self._tell(tables.unpark, list(numbers))

    async def _keep(self, groups: Sequence[Sequence[Row]]) -> list[list[Appended]]:
        told = await self._tell(tables.append, groups)
        self._wake.set()
        return told

    async def _news(self, after: Position) -> None:
        """Return when there may be something new."""
        self._wake.clear()
        if (await self.head()).sequence != after.sequence:
            return
        if self.path is None:
            await self._wake.wait()
            return
        while not self._wake.is_set():
            try:
                async with asyncio.timeout(POLL):
                    await self._wake.wait()
            except TimeoutError:
                seen = await self._ask(_version)
                if seen != self._seen:
                    self._seen = seen
                    return

    async def _ask(self, call: Callable[..., T], *arguments: object) -> T:
        return await self._said(self._read, call, *arguments)

    async def _tell(self, call: Callable[..., T], *arguments: object) -> T:
        answer = await self._said(self._write, call, *arguments)
        if self._refused:
            self._refused = False
            log.warning("the event log %s takes events again", self.path)
        return answer

    async def _said(self, thread: "_Thread", call: Callable[..., T], *arguments: object) -> T:
        try:
            return await thread.run(call, *arguments)
        except sqlite3.Error as error:
            if not self._refused:
                self._refused = True
                log.error("the event log %s cannot be used: %s", self.path, error)
            raise EventLogDown(
                f"The event log does not answer: {error}", hint="Send the same again in a while."
            ) from error


class _Thread:
    """One thread with one connection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self, path: Path | None, busy: float) -> None:
        self._pool = ThreadPoolExecutor(1, f"event log {self._name}")
        try:
            self._connection = await self._in_pool(self._pool, tables.connect, path, busy)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        connection, self._connection = self._connection, None
        if pool is not None:
            if connection is not None:
                await self._in_pool(pool, connection.close)
            pool.shutdown(wait=False)

    async def run(self, call: Callable[..., T], *arguments: object) -> T:
        if self._pool is None or self._connection is None:
            raise EventLogDown("The event log is closed.")
        return await self._in_pool(self._pool, call, self._connection, *arguments)

    @staticmethod
    async def _in_pool(pool: ThreadPoolExecutor, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)


def _version(connection: sqlite3.Connection) -> int:
    """Changes when another connection has committed something."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
