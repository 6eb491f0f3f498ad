"""The work on writes in one worker: what is due is claimed, carried, and let go; several objects at once."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from gateway.commands.carrying import Carrier
from gateway.commands.records import Write
from gateway.commands.settings import WriteSettings
from gateway.commands.store import LeaseLost, WriteStore
from gateway.threads import in_thread

log = logging.getLogger("crossdock.writes")
MOST = 32
"""Writes that one worker carries at once."""
POLL_SECONDS = 0.25
TIDY_SECONDS = 3600.0


class Runner:
    """Carries writes for as long as it runs. ``moved`` is told the number of every write that came further."""

    def __init__(
        self,
        store: WriteStore,
        carrier: Carrier,
        rule: WriteSettings,
        *,
        poll: float = POLL_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._carrier, self._rule = store, carrier, rule
        self._poll, self._clock = poll, clock
        self._worker = uuid4().hex
        self._at: dict[str, asyncio.Task[None]] = {}
        self._holders: dict[str, str] = {}
        self._wake, self._failing = asyncio.Event(), False
        self.moved: Callable[[str], None] = lambda number: None

    def look(self) -> None:
        """There may be something due."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the application runs; what is under way at the end is left to the next who looks."""
        jobs = [asyncio.create_task(job()) for job in (self._claiming, self._holding, self._tidying)]
        try:
            yield
        finally:
            for job in (*jobs, *self._at.values()):
                job.cancel()
            for job in (*jobs, *list(self._at.values())):
                with suppress(asyncio.CancelledError):
                    await job

    async def _claiming(self) -> None:
        while True:
            self._wake.clear()
            try:
                room = MOST - len(self._at)
                found = await self._claim(room) if room > 0 else []
                self._well()
            except Exception as error:
                self._ill(error)
                found = []
            for write in found:
                self._at[write.number] = asyncio.create_task(self._carry(write))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._wake.wait()

    async def _claim(self, room: int) -> list[Write]:
        # A lease has a name of its own each time: what an earlier one of this worker wrote late must not count.
        holder = f"{self._worker}-{uuid4().hex[:8]}"
        found = await in_thread(self._store.claim, holder, self._clock(), self._rule.lease, room)
        return [write for write in found if write.number not in self._at]

    async def _carry(self, write: Write) -> None:
        holder = write.held_by or ""
        self._holders[write.number] = holder
        done = True
        try:
            await self._carrier.carry(write)
        except LeaseLost:
            log.warning("another worker has taken over %s", write.number)
        except Exception:
            log.exception("%s cannot be carried on now", write.number)
            # The lease runs out by itself: what cannot be carried is not tried again at once.
            done = False
        finally:
            self._at.pop(write.number, None)
            self._holders.pop(write.number, None)
            if done:
                await asyncio.shield(self._let_go(write.number, holder))

    async def _let_go(self, number: str, holder: str) -> None:
        try:
            await in_thread(self._store.let_go, number, holder)
        except Exception as error:
            self._ill(error)
        self.moved(number)
        self.look()

    async def _holding(self) -> None:
        while True:
            await asyncio.sleep(self._rule.lease / 3)
            held = list(self._holders.items())
            try:
                for number, holder in held:
                    until = self._clock() + self._rule.lease
                    await in_thread(self._store.hold, [number], holder, until)
            except Exception as error:
                self._ill(error)

    async def _tidying(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            try:
                await in_thread(self._store.tidy, self._clock() - self._rule.keep)
            except Exception as error:
                self._ill(error)

    def _ill(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.warning("writes wait: their database does not answer (%s)", type(error).__name__)

    def _well(self) -> None:
        if self._failing:
            self._failing = False
            log.warning("the database of writes answers again")
