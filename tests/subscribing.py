"""The engine of subscriptions over a little plant, with a real event log in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from starlette.requests import HTTPConnection

from gateway.engine import SchemaEngine
from gateway.events.interest import Interests
from gateway.events.log import EventLog, Logged
from gateway.events.showing import LoggedEvents
from gateway.events.sqlite import SqliteLog
from gateway.operations import Operations
from gateway.request import GraphQLRequest
from gateway.subscribing import Payload
from gateway.subscriptions.engine import Subscriptions
from gateway.subscriptions.health import Health
from gateway.subscriptions.settings import SubscriptionSettings
from gateway.subscriptions.standing import Standing
from resolvers.context import Context
from resolvers.execution.operation import PlanExecution
from resolvers.graph import graphql_schema
from schema.events import Event, fact_of
from sources.base import Layer, Source, Written
from sources.catalog import Catalog
from tests.graph.fakes import NOW, PLANTS
from tests.graph.plant import Systems, systems

WAIT = 5.0


def connection() -> HTTPConnection:
    """A connection of nobody in particular."""
    return HTTPConnection({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})


def happened(
    number: int,
    subject: str,
    type: str = "mfg.production-order.changed.v1",
    *,
    touches: Sequence[str] = (),
    source: str = "ERP",
    at: datetime = NOW,
    **more: Any,
) -> Event:
    """An event of a system."""
    id = f"m-{number}"
    fact = fact_of(source, type, [id])
    return Event(
        type, source, id, subject, fact, at, at, at, tuple(touches) or (subject,), f"c-{number}", **more
    )


@dataclass
class Setup:
    """A gateway's part that runs subscriptions."""

    plant: Systems
    log: EventLog
    engine: Subscriptions
    schema_engine: SchemaEngine
    catalog: Catalog
    interest: Interests
    contexts: list[Context] = field(default_factory=list)
    rights: list[Hashable] = field(default_factory=lambda: [0])
    ends_at: list[float | None] = field(default_factory=lambda: [None])
    count: int = 0

    def stream(self, document: str, **variables: Any) -> AsyncGenerator[Payload, None]:
        """A subscription."""
        return self.engine.subscribe(GraphQLRequest(document, variables=variables), connection())

    async def happen(self, subject: str, type: str = "mfg.production-order.changed.v1", **more: Any) -> str:
        """Let something happen; returns its cursor's position in hex."""
        self.count += 1
        [appended] = await self.log.append([happened(self.count, subject, type, **more)])
        return f"{appended.position.epoch}.{appended.position.sequence:x}"

    async def logged(self) -> list[Logged]:
        """All that is in the log."""
        head = await self.log.head()
        return await self.log.read(type(head)(head.epoch, 0), 100_000)


@asynccontextmanager
async def running(
    settings: SubscriptionSettings | None = None,
    *,
    layers: Sequence[Layer] = (),
    log: EventLog | None = None,
    plant: Systems | None = None,
    sources: Sequence[Source] = (),
    clock: Callable[[], float] = lambda: 1_000.0,
    deadline_ms: int = 5000,
) -> AsyncIterator[Setup]:
    """Everything, open."""
    plant = plant or systems()
    catalog = Catalog(sources or plant.all, PLANTS, layers=layers)
    log = log or SqliteLog()
    await log.open()
    schema = graphql_schema()
    made: list[Setup] = []
    events = LoggedEvents(log)

    def standing(_: HTTPConnection) -> Standing:
        setup = made[0]

        def context(written: Written | None) -> Context:
            ctx = Context(catalog, deadline_ms=deadline_ms, written=written, events=events, started=NOW)
            setup.contexts.append(ctx)
            return ctx

        return Standing("somebody", lambda: setup.rights[0], context, setup.ends_at[0])

    engine = SchemaEngine(
        schema,
        lambda _: Context(catalog, events=events),
        hooks=Operations(schema),
        execution=PlanExecution(schema),
    )
    interest = Interests()
    subscriptions = Subscriptions(
        engine,
        log,
        standing,
        Health(catalog.all_systems, 0.01),
        settings,
        interest=interest,
        clock=clock,
        rng=lambda: 0.5,
    )
    setup = Setup(plant, log, subscriptions, engine, catalog, interest)
    made.append(setup)
    try:
        yield setup
    finally:
        subscriptions.drain()
        await log.close()


async def take(stream: AsyncGenerator[Payload, None]) -> dict[str, Any]:
    """The next message, read."""
    return dict(orjson.loads((await raw(stream)).body))


async def raw(stream: AsyncGenerator[Payload, None]) -> Payload:
    """The next message."""
    async with asyncio.timeout(WAIT):
        return await anext(stream)


async def until_ready(stream: AsyncGenerator[Payload, None], root: str) -> list[dict[str, Any]]:
    """The messages up to the one that says READY."""
    found = []
    while True:
        change = (await take(stream))["data"][root]
        found.append(change)
        if change["kind"] == "READY":
            return found


async def quiet(stream: AsyncGenerator[Payload, None], seconds: float = 0.05) -> bool:
    """Whether nothing comes for a while; the stream is of no use afterwards."""
    try:
        async with asyncio.timeout(seconds):
            await anext(stream)
    except TimeoutError:
        return True
    return False


SOON = timedelta(seconds=1)
