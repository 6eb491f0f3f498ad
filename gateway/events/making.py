"""The event log that the settings ask for, and what runs with it for as long as the gateway does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from gateway.cache.address import with_password
from gateway.config import Settings
from gateway.events.log import EventLog, EventLogDown, Retention
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog

log = logging.getLogger("crossdock.events")

TRIM_EVERY = 60.0
"""Seconds between two looks for what may go."""


def make_event_log(settings: Settings) -> EventLog:
    """The log of the settings: in Redis where there is one, else in a file, else in memory; nothing is opened yet.

    Raises ConfigError where the password of Redis cannot be had.
    """
    kept = settings.events
    retention = Retention(timedelta(seconds=kept.max_age), kept.max_events, kept.max_parked)
    url, secret = settings.redis_url, settings.redis_password
    if url is None:
        return SqliteLog(kept.path, retention)
    address = url if secret is None else with_password(url, secret.resolve())
    return RedisLog(address, namespace=settings.redis_namespace, retention=retention)


class RunningLog:
    """Opens a log, trims it now and then, closes it. ``now`` is the time."""

    def __init__(self, events: EventLog, now: Callable[[], datetime], every: float = TRIM_EVERY) -> None:
        self.events = events
        self._now = now
        self._every = every

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the application runs."""
        await self.events.open()
        trimming = asyncio.get_running_loop().create_task(self._trim(), name="event log trim")
        try:
            yield
        finally:
            trimming.cancel()
            await asyncio.gather(trimming, return_exceptions=True)
            await self.events.close()

    async def _trim(self) -> None:
        while True:
            try:
                await self.events.trim(self._now())
            except EventLogDown:
                pass  # Said where it was noticed; later is soon enough.
            except Exception:
                log.exception("the event log cannot be trimmed")
            await asyncio.sleep(self._every)
