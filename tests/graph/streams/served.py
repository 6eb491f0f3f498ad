"""Subscriptions of a fake engine behind the real transports, on a real uvicorn."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from gateway.engine import SchemaEngine
from gateway.graphiql import graphiql_page
from gateway.http import GraphQLEndpoint
from gateway.request import GraphQLRequest
from gateway.route import Front
from gateway.server import GuardedProtocol, server_config
from gateway.sockets import GuardedSocket
from gateway.subscribing import Payload, SubscriptionEnded, SubscriptionRefused
from gateway.transports.http import HttpStreams
from gateway.transports.settings import StreamSettings
from gateway.transports.visits import Admission, NotAdmitted, Visits
from gateway.transports.websocket import Sockets

FLOOD = b'{"data":{"flood":"' + b"x" * 65_536 + b'"}}'


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return f"hello {name}"

    @strawberry.field
    async def slow(self, info: strawberry.Info) -> str:
        feed: Feed = info.context
        feed.queries += 1
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            feed.cancelled += 1
            raise
        return "late"

    @strawberry.field
    def fault(self) -> str | None:
        raise RuntimeError("password=hunter2")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def slow_bump(self, info: strawberry.Info) -> int:
        feed: Feed = info.context
        await asyncio.sleep(0.3)
        feed.bumps += 1
        return feed.bumps


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, count: int) -> AsyncGenerator[int, None]:
        yield count

    @strawberry.subscription
    async def feed(self) -> AsyncGenerator[str, None]:
        yield ""

    @strawberry.subscription
    async def flood(self) -> AsyncGenerator[str, None]:
        yield ""

    @strawberry.subscription
    async def refused(self, late: float = 0) -> AsyncGenerator[int, None]:
        yield 0

    @strawberry.subscription
    async def gap(self) -> AsyncGenerator[int, None]:
        yield 0

    @strawberry.subscription
    async def broken(self) -> AsyncGenerator[int, None]:
        yield 0


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)._schema


class Feed:
    """An engine of subscriptions that does what the document's field says; the test feeds ``feed`` and counts."""

    def __init__(self) -> None:
        self.open = self.begun = self.flooded = self.queries = self.cancelled = self.bumps = 0
        self.requests: list[GraphQLRequest] = []
        self._queues: set[asyncio.Queue[Payload | SubscriptionEnded]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def subscribe(
        self, request: GraphQLRequest, connection: HTTPConnection
    ) -> AsyncGenerator[Payload, None]:
        self.loop = asyncio.get_running_loop()
        self.requests.append(request)
        text = request.query or ""
        self.open += 1
        self.begun += 1
        try:
            name = next(n for n in ("ticks", "feed", "flood", "refused", "gap", "broken") if n in text)
            async for payload in getattr(self, f"_{name}")(request):
                yield payload
        finally:
            self.open -= 1

    async def _ticks(self, request: GraphQLRequest) -> AsyncGenerator[Payload, None]:
        last = request.extensions.get("lastEventId") or "e.0"
        start = int(str(last).rpartition(".")[2])
        for number in range(start + 1, request.variables["count"] + 1):
            yield Payload(b'{"data":{"ticks":%d}}' % number, f"e.{number}")

    async def _feed(self, request: GraphQLRequest) -> AsyncGenerator[Payload, None]:
        queue: asyncio.Queue[Payload | SubscriptionEnded] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while True:
                found = await queue.get()
                if isinstance(found, SubscriptionEnded):
                    raise found
                yield found
        finally:
            self._queues.discard(queue)

    async def _flood(self, request: GraphQLRequest) -> AsyncGenerator[Payload, None]:
        while True:
            self.flooded += 1
            yield Payload(FLOOD)

    async def _refused(self, request: GraphQLRequest) -> AsyncGenerator[Payload, None]:
        await asyncio.sleep(request.variables.get("late", 0))
        if request.query:
            raise SubscriptionRefused([{"message": "not yours", "extensions": {"code": "NOT_AUTHORIZED"}}])
        yield Payload(b"null")

    async def _gap(self, request: GraphQLRequest) -> AsyncGenerator[Payload, None]:
        yield Payload(b'{"data":{"gap":1}}', "e.1")
        raise SubscriptionEnded("too slow", code="EVENTS_GAP", cursor="e.7", retry_after=3)

    async def _broken(self, request: GraphQLRequest) -> AsyncGenerator[Payload, None]:
        yield Payload(b'{"data":{"broken":1}}')
        raise RuntimeError("password=hunter2")

    @property
    def listening(self) -> int:
        """How many wait to be fed."""
        return len(self._queues)

    def push(self, what: Payload | SubscriptionEnded) -> None:
        """Give every open ``feed`` something."""
        assert self.loop is not None
        for queue in list(self._queues):
            self.loop.call_soon_threadsafe(queue.put_nowait, what)

    def until(self, condition: str, value: int, seconds: float = 5) -> None:
        """Wait until a count is what it should be."""
        deadline = time.monotonic() + seconds
        while getattr(self, condition) != value:
            assert time.monotonic() < deadline, f"{condition} is {getattr(self, condition)}, not {value}"
            time.sleep(0.01)


class Door:
    """Lets in whoever does not say that they are a stranger; for as long as they say."""

    async def admit(self, connection: HTTPConnection, payload: dict[str, Any] | None) -> Admission:
        said = payload or {}
        if said.get("who") == "stranger" or connection.headers.get("x-who") == "stranger":
            raise NotAdmitted("You are a stranger.")
        expires = said.get("expires") or connection.headers.get("x-expires")
        return Admission(float(expires) if expires else None, {"who": said["who"]} if "who" in said else None)


class Impatient(GuardedProtocol):
    unread_seconds = 1.0
    head_seconds = 0.5


class ImpatientSocket(GuardedSocket):
    unread_seconds = 1.0
    close_seconds = 1.0


@dataclass
class Served:
    """A running server."""

    host: str
    port: int
    feed: Feed
    visits: Visits
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/graphql"

    @property
    def ws(self) -> str:
        return f"ws://{self.host}:{self.port}/graphql"

    def stop(self) -> None:
        """Tell the server to shut down."""
        self.server.should_exit = True

    def stopped(self, seconds: float = 5) -> bool:
        """Whether it has, within so many seconds."""
        self.thread.join(seconds)
        return not self.thread.is_alive()


def make_app(feed: Feed, visits: Visits) -> Front:
    """The endpoint with all its transports."""
    engine = SchemaEngine(SCHEMA, lambda http: feed)
    page = graphiql_page("subscription { feed }")
    endpoint = GraphQLEndpoint(engine, page=page, streams=HttpStreams(feed, visits, Door()))
    sockets = Sockets(engine, feed, visits, Door())
    return Front(endpoint, Starlette(), sockets=sockets, ending=visits.drain)


@contextmanager
def served(
    graceful_seconds: int = 4, port: int = 0, unread_seconds: float = 1.0, **settings: Any
) -> Iterator[Served]:
    """A server of its own, with these settings of streams."""
    feed = Feed()
    visits = Visits(
        StreamSettings.model_validate({"keep_alive_ms": 300, "init_timeout_ms": 400} | settings), lambda: 0.5
    )
    listener = socket.create_server(("127.0.0.1", port))
    config = server_config(
        make_app(feed, visits),
        protocol=type("Http", (Impatient,), {"unread_seconds": unread_seconds}),
        socket=type("Socket", (ImpatientSocket,), {"unread_seconds": unread_seconds}),
        message_bytes=100_000,
        graceful_seconds=graceful_seconds,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server did not start"
    host, port = listener.getsockname()
    try:
        yield Served(host, port, feed, visits, server, thread)
    finally:
        server.should_exit = True
        thread.join(10)
        with contextlib.suppress(OSError):
            listener.close()
        assert not thread.is_alive(), "the server did not stop"


def subscription(query: str, **variables: object) -> bytes:
    """The body of a POST."""
    return json.dumps({"query": query, "variables": variables}).encode()


TICKS = "subscription Ticks($count: Int!) { ticks(count: $count) }"
