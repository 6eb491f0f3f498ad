"""Events to try a log with, and the kinds of log that there are."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from gateway.events.log import EventLog, Logged, Retention
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog
from schema.events import Event

NOW = datetime(2025, 5, 6, 12, tzinfo=UTC)
ISSUED = "mfg.material.issued.v1"


def event(id: object, *, minutes: float = 0, **changed: Any) -> Event:
    """An event of one's own id and fact, that happened and came so many minutes after noon."""
    at = NOW + timedelta(minutes=minutes)
    fields: dict[str, Any] = {
        "type": ISSUED,
        "source": "SAP_PRD",
        "id": str(id),
        "subject": "po:1710/1000040",
        "fact": f"fact of {id}",
        "occurred_at": at,
        "recorded_at": at,
        "received_at": at,
        "touches": ("po:1710/1000040", "item:FG-1050"),
        "correlation_id": "c-1",
        "data": {"quantity": "12.5", "unit": "H87", "lot": "Größe 1"},
    }
    return Event(**(fields | changed))


def ids(logged: Sequence[Logged]) -> list[str]:
    """The sources' ids of events."""
    return [each.event.id for each in logged]


Making = Callable[..., AbstractAsyncContextManager[EventLog]]
"""Opens one of several logs that share what they keep; takes a ``retention``."""


@asynccontextmanager
async def opened(log: EventLog) -> AsyncIterator[EventLog]:
    """The log, open."""
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def redis_logs(url: str) -> Making:
    """Logs in one namespace of a Redis that nobody else has."""
    namespace = uuid4().hex

    def making(retention: Retention | None = None) -> AbstractAsyncContextManager[EventLog]:
        # A machine that is busy with other tests is no outage.
        return opened(RedisLog(url, namespace=namespace, retention=retention, timeout=10.0))

    return making


def file_logs(path: Path) -> Making:
    """Logs in one file."""

    def making(retention: Retention | None = None) -> AbstractAsyncContextManager[EventLog]:
        return opened(SqliteLog(path, retention))

    return making


def memory_logs() -> Making:
    """A log in this process's memory; the next one is another."""

    def making(retention: Retention | None = None) -> AbstractAsyncContextManager[EventLog]:
        return opened(SqliteLog(None, retention))

    return making
