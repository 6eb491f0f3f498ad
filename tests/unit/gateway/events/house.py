"""A small gateway without HTTP: an ERP that tells keys alone and an MES that tells all, a cache, a log in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson

from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.events.intake import Intake
from gateway.events.interest import Interests
from gateway.events.log import EventLog, Position
from gateway.events.polling import Polling
from gateway.events.sqlite import SqliteLog
from schema.base import Plant
from schema.events import Event
from sources.catalog import Catalog
from sources.events import Message
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.transport import mocked

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


class SameKeys:
    """Systems that name everything as we do."""

    def ours(self, system: str, kind: type, theirs: str) -> str | None:
        """As it is; one that is nobody's is written with a question mark."""
        return None if "?" in theirs else theirs


@dataclass
class Erp:
    """What the ERP knows of its orders, and whether it answers."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def put(self, number: str, status: str, version: int, released: datetime | None = None) -> None:
        """An order as it is from now on; it changed so many minutes after the start."""
        self.orders[number] = {
            "no": number,
            "plant": "P2" if number.startswith("2") else "P1",
            "status": status,
            "version": version,
            "changed": (START + timedelta(minutes=version)).isoformat(),
            "released": None if released is None else released.isoformat(),
            "qty": "5",
            "unit": "PC",
        }

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The orders asked for, or those that changed."""
        self.asked.append(str(request.url))
        if self.down:
            return httpx2.Response(503)
        wanted = request.url.params.get("no", "").split(",")
        since = request.url.params.get("since")
        rows = [
            row
            for number, row in self.orders.items()
            if (
                number in wanted
                if since is None
                else datetime.fromisoformat(row["changed"]) >= datetime.fromisoformat(since)
            )
        ]
        return httpx2.Response(200, content=orjson.dumps({"rows": rows}))


ERP: dict[str, Any] = {
    "code": "ERP",
    "adapter": "rest",
    "kind": "ERP",
    "plants": ["P1", "P2"],
    "base_url": "http://127.0.0.1:1",
    "retries": 0,
    "breaker_failures": 1000,
    "units": {"PC": "H87"},
    "rows": {
        "order": {
            "provenance": {"version": "version", "updated_at": "changed"},
            "ProductionOrder": {"number": "no", "plant": "plant", "item": {"const": "A"}},
            "OrderPlanning": {
                "plant": "plant",
                "order": "no",
                "status": "status",
                "quantity": {"quantity": "qty", "unit": "unit"},
                "released_at": "released",
            },
        }
    },
    "reads": {
        "orders": {
            "row": "order",
            "parts": ["ProductionOrder", "OrderPlanning"],
            "path": "/orders",
            "keys": {"param": "no", "join": ","},
            "rows": "rows",
        }
    },
    "searches": {
        "orders": {
            "read": "orders",
            "path": "/orders",
            "rows": "rows",
            "filters": {"changed_since": {"param": "since"}},
        }
    },
    "events": {
        "changed": {
            "match": {"what": "changed"},
            "reads": ["OrderPlanning"],
            "subject": {"type": "ProductionOrder", "number": "order"},
        }
    },
}
MES: dict[str, Any] = {
    "code": "MES",
    "adapter": "rest",
    "kind": "MES",
    "plants": ["P1"],
    "base_url": "http://127.0.0.1:1",
    "units": {"PC": "H87"},
    "rows": {"job": {"OrderExecution": {"order": "no"}}},
    "reads": {
        "jobs": {
            "row": "job",
            "parts": ["OrderExecution"],
            "path": "/j",
            "keys": {"param": "no", "join": ","},
        }
    },
    "events": {
        "state": {
            "match": {"what": "state"},
            "type": "mfg.production-order.changed.v1",
            "subject": {"type": "ProductionOrder", "number": "order"},
            "occurred_at": "at",
            "version": "version",
            "data": {"status": "status"},
        },
        "done": {
            "match": {"what": "done"},
            "type": "mfg.operation.completed.v1",
            "subject": {"type": "Operation", "order": "order", "number": "op"},
            "occurred_at": "at",
            "data": {"good": {"quantity": "good", "unit": "unit"}},
        },
    },
}


@dataclass
class House:
    """All of it, opened."""

    erp: Erp
    caching: Caching
    catalog: Catalog
    events: EventLog
    intake: Intake
    interests: Interests
    polling: Polling

    async def told(self) -> list[Event]:
        """Everything in the log."""
        head = await self.events.head()
        return [one.event for one in await self.events.read(Position(head.epoch, 0), 10_000)]


def state(order: str, status: str, version: int, id: str | None = None) -> Message:
    """The MES says what state an order is in; it came to it so many minutes after the start."""
    at = (START + timedelta(minutes=version)).isoformat()
    return Message({"what": "state", "order": order, "status": status, "version": version, "at": at}, id)


@asynccontextmanager
async def house(
    events: EventLog | None = None,
    erp: Erp | None = None,
    skew: int | None = None,
    told: dict[str, Any] | None = None,
    **changes: Any,
) -> AsyncIterator[House]:
    """The gateway, with a clock skew of the MES in milliseconds, what the ERP tells, and changes to look for in it."""
    erp = erp or Erp()
    caching = Caching(Tiers(Memory(1000, 1_000_000)))
    sources = [
        Rest(
            RestConfig.model_validate({**ERP, "events": told or ERP["events"], "changes": changes}),
            mocked(erp.answer),
        ),
        _Skewed(RestConfig.model_validate(MES), mocked(erp.answer), skew),
    ]
    plants = [Plant(code, code, "UTC") for code in ("P1", "P2")]
    catalog = Catalog(sources, plants, layers=[caching])
    log = events or SqliteLog()
    interests = Interests()

    def now() -> datetime:
        return datetime.now(UTC)

    intake = Intake(catalog, SameKeys(), log, caching.invalidate, now)
    polling = Polling(catalog, log, intake.publisher, interests, now)
    await log.open()
    await catalog.open()
    try:
        async with intake.running():
            yield House(erp, caching, catalog, log, intake, interests, polling)
    finally:
        await catalog.close()
        await log.close()


class Opened(SqliteLog):
    """A log that is open already and stays so."""

    def __init__(self, log: SqliteLog) -> None:
        self.__dict__ = log.__dict__

    async def open(self) -> None:
        """It is."""

    async def close(self) -> None:
        """Not yet."""


class _Skewed(Rest):
    """A system whose clock is known to be ahead."""

    def __init__(self, config: RestConfig, transport: Any, skew: int | None) -> None:
        super().__init__(config, transport)
        self._ahead = skew

    def clock_skew_ms(self) -> int | None:
        """As said."""
        return self._ahead
