"""The last events, in memory: one reader follows the log, however many wait for news of it.

A tail that keeps up is served from here; one that is further behind reads the log by itself until it has caught up.
The follower runs while there is a tail, and no longer.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from gateway.events.log import EventLogDown, Logged, Position, ResyncRequired

log = logging.getLogger("crossdock.events")

MOST = 4096
"""Events that are held in memory at least, once there are so many."""
BATCH = 500
PAUSE = 0.25
"""Seconds until a log that did not answer is asked again."""


class Recent:
    """``read`` and ``head`` ask the log; ``wait`` returns when there may be something new, soon at the latest."""

    def __init__(
        self,
        head: Callable[[], Awaitable[Position]],
        read: Callable[[Position, int], Awaitable[list[Logged]]],
        wait: Callable[[Position], Awaitable[None]],
    ) -> None:
        self._head = head
        self._read = read
        self._wait = wait
        self._events: list[Logged] = []
        self._last: Position | None = None
        self._news = asyncio.Event()
        self._tails = 0
        self._following: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> None:
        """The log can be read from now on."""
        self._closed = False

    async def tail(self, after: Position) -> AsyncIterator[Sequence[Logged]]:
        """All events after a position, for ever. Raises ResyncRequired; EventLogDown when the log is closed."""
        self._begin()
        try:
            while True:
                # Taken before looking: what comes in between rings it.
                news = self._news
                if self._closed:
                    raise EventLogDown("The event log is closed.")
                batch = await self._next(after)
                if batch:
                    after = batch[-1].position
                    yield batch
                else:
                    await news.wait()
        finally:
            self._end()

    async def stop(self) -> None:
        """End the follower, and the tails that still wait."""
        self._closed = True
        self._ring()
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None

    async def _next(self, after: Position) -> Sequence[Logged]:
        kept = self._kept(after)
        while kept is None:
            try:
                return await self._read(after, BATCH)
            except EventLogDown:
                if self._closed:
                    raise
                await asyncio.sleep(PAUSE)
        return kept

    def _kept(self, after: Position) -> Sequence[Logged] | None:
        """What is here after a position; None where the log must be asked."""
        last = self._last
        if last is None or last.epoch != after.epoch:
            return None
        missing = last.sequence - after.sequence
        if not 0 <= missing <= len(self._events):
            return None
        begin = len(self._events) - missing
        return self._events[begin : begin + BATCH]

    def _begin(self) -> None:
        self._tails += 1
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow(), name="event log tail")

    def _end(self) -> None:
        self._tails -= 1
        if not self._tails and self._following is not None:
            self._following.cancel()
            self._following = None
            self._forget(None)

    async def _follow(self) -> None:
        """Read on for ever; what stands in the way is waited out."""
        while True:
            try:
                await self._advance()
            except EventLogDown:
                await asyncio.sleep(PAUSE)
            except ResyncRequired:
                # Another log, or it was trimmed beyond us: the tails find out by themselves.
                self._forget(None)
            except Exception:
                log.exception("the event log cannot be followed")
                await asyncio.sleep(PAUSE)

    async def _advance(self) -> None:
        last = self._last
        if last is None:
            self._forget(await self._head())
            return
        batch = await self._read(last, BATCH)
        if batch:
            self._add(batch)
        else:
            await self._wait(last)

    def _add(self, batch: Sequence[Logged]) -> None:
        self._events += batch
        self._last = batch[-1].position
        if len(self._events) > 2 * MOST:
            del self._events[:-MOST]
        self._ring()

    def _forget(self, last: Position | None) -> None:
        self._events = []
        self._last = last
        self._ring()

    def _ring(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
