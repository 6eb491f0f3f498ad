"""Appends that come at the same time are kept together: one write for all of them, one after the other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from gateway.events.codec import Row, to_rows
from gateway.events.log import Appended, EventLogDown
from schema.events import Event

Keep = Callable[[Sequence[Sequence[Row]]], Awaitable[list[list[Appended]]]]


class Groups:
    """``keep`` keeps the events of several callers in one piece; ``most`` is how many it gets at once, about."""

    def __init__(self, keep: Keep, most: int) -> None:
        self._keep = keep
        self._most = most
        self._waiting = deque[tuple[list[Row], asyncio.Future[list[Appended]]]]()
        self._keeping: asyncio.Task[None] | None = None

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        """Keep events together with whatever else is waiting. Who is cancelled meanwhile may have had them kept."""
        if not events:
            return []
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Appended]] = loop.create_future()
        self._waiting.append((to_rows(events), done))
        if self._keeping is None:
            self._keeping = loop.create_task(self._run(), name="event log append")
        return await done

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._keeping is not None:
            await asyncio.wait([self._keeping])

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, rows = [], 0
                while self._waiting and rows < self._most:
                    group.append(self._waiting.popleft())
                    rows += len(group[-1][0])
                await self._settle(group)
        finally:
            self._keeping = None

    async def _settle(self, group: list[tuple[list[Row], asyncio.Future[list[Appended]]]]) -> None:
        try:
            told = await self._keep([rows for rows, _ in group])
        except Exception as error:
            # Whatever it is, it is those who wait that must hear it.
            for _, done in group:
                if not done.done():
                    done.set_exception(_alike(error))
            return
        for (_, done), became in zip(group, told, strict=True):
            if not done.done():
                done.set_result(became)


def _alike(error: Exception) -> Exception:
    """An error of one's own for each who waits: they are raised in several tasks."""
    return EventLogDown(str(error), hint=error.hint) if isinstance(error, EventLogDown) else error
