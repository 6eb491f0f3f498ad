"""The crosswalk of a running gateway: the table in memory, refreshed when it changes; what is unmatched, written down."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TypeAlias

from gateway.crosswalk.layer import CrosswalkLayer
from gateway.crosswalk.store import Store
from gateway.crosswalk.table import Table, make_table, touched
from gateway.crosswalk.waiting import Waiting
from schema.matching import Entry, Unmatched
from sources.base import Source

log = logging.getLogger("crossdock.crosswalk")
POLL_SECONDS = 3.0
"""How long a change may take to be noticed by a worker that nobody tells of it."""

Listener: TypeAlias = Callable[[frozenset[str]], None]
"""Called with the gateway's ids of what is matched differently from now on."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CrosswalkService:
    """What the catalog asks (``entry``, ``report``), the layer around every call, and the work in the background."""

    def __init__(
        self,
        store: Store,
        every: float = POLL_SECONDS,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.store = store
        self.listeners: list[Listener] = []
        self.waiting = Waiting(now)
        self._table, self._version, self._every = Table(), -1, every
        self._turn = asyncio.Lock()
        self._failing = False

    def layer(self, sources: Sequence[Source]) -> CrosswalkLayer:
        """The layer around the calls of these systems."""
        return CrosswalkLayer(sources, lambda: self._table, self.report)

    def entry(self, system: str, kind: str, theirs: str) -> Entry | None:
        """The entry of a system's key."""
        side = self._table.sides.get(system)
        return None if side is None else side.of_theirs(kind, theirs)

    def report(self, unmatched: Unmatched) -> None:
        """Take a key that could not be matched: into memory only, written down later."""
        self.waiting.add(unmatched)

    async def changed(self) -> None:
        """Look at once whether the table has changed, and take it over if so."""
        async with self._turn:
            version = await asyncio.to_thread(self.store.version)
            if version == self._version:
                return
            new = make_table(await asyncio.to_thread(self.store.entries))
            old, self._table, self._version = self._table, new, version
        ids = touched(old, new)
        for listener in self.listeners if ids else ():
            listener(ids)

    async def flush(self) -> None:
        """Write down what could not be matched since the last time; what cannot be written is lost."""
        notes = self.waiting.take()
        if notes:
            await asyncio.to_thread(self.store.note, notes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Loads the table, keeps it fresh, and writes the rest down at the end. Raises ConfigError without a database.

        Without its crosswalk a gateway would show rows under the wrong keys: rather it does not start. A database that
        goes away later costs nothing but news: the table is in memory.
        """
        await asyncio.to_thread(self.store.open)
        try:
            await self.changed()
            task = asyncio.create_task(self._work())
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await self._round()
        finally:
            await asyncio.to_thread(self.store.close)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._round()

    async def _round(self) -> None:
        """One look and one flush; trouble is said once, and once when it is over."""
        try:
            await self.changed()
            await self.flush()
        except Exception as error:
            if not self._failing:
                self._failing = True
                log.warning(
                    "the crosswalk is as it was: its database does not answer (%s)", type(error).__name__
                )
        else:
            if self._failing:
                self._failing = False
                log.warning("the database of the crosswalk answers again")
