"""A small schema of its own, served by a real uvicorn on a free port."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.engine import SchemaEngine
from gateway.graphiql import graphiql_page
from gateway.health import health_routes
from gateway.http import BodyLimits, GraphQLEndpoint
from gateway.limits import DocumentLimits
from gateway.server import GuardedProtocol, server_config
from gateway.telemetry import RequestLog
from schema.errors import BadId


@dataclass
class World:
    """What the resolvers have seen; the tests ask it."""

    mutations: int = 0
    started: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    written: threading.Event = field(default_factory=threading.Event)
    ready: bool = True


WORLD = World()


@strawberry.type
class Node:
    id: strawberry.ID

    @strawberry.field
    def child(self) -> "Node":
        return Node(id=strawberry.ID(self.id + "x"))


@strawberry.input
class Shape:
    name: str
    inner: "Shape | None" = None


@strawberry.type
class Service:
    sdl: str


@strawberry.type
class Query:
    _service: Service = strawberry.field(resolver=lambda: Service(sdl="type Query"), name="_service")

    @strawberry.field
    def node(self, id: strawberry.ID | None = None) -> Node:
        return Node(id=id or strawberry.ID("n"))

    @strawberry.field
    async def echo(self, text: str) -> str:
        await asyncio.sleep(0)
        return text

    @strawberry.field
    def plus(self, number: int) -> int:
        return number + 1

    @strawberry.field
    def shape(self, shape: Shape) -> str:
        return shape.name

    @strawberry.field
    def secret_fault(self) -> str | None:
        raise RuntimeError("password=hunter2")

    @strawberry.field
    def overflow(self) -> int | None:
        return 1 << 40

    @strawberry.field
    def bad_id(self) -> str | None:
        raise BadId("The id 'zzz' is not one of ours.", hint="Take it from a field 'id'.")

    @strawberry.field
    def who(self, info: strawberry.Info) -> str:
        return str(info.context["who"])

    @strawberry.field
    async def slow(self) -> str:
        WORLD.started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            WORLD.cancelled.set()
            raise
        return "late"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def bump(self) -> int:
        WORLD.mutations += 1
        return WORLD.mutations

    @strawberry.mutation
    async def slow_bump(self) -> int:
        WORLD.started.set()
        await asyncio.sleep(0.4)
        WORLD.mutations += 1
        WORLD.written.set()
        return WORLD.mutations


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> int:  # type: ignore[misc]
        yield 1


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)._schema


class Impatient(GuardedProtocol):
    """The server's own patience, cut to what a test can wait for."""

    head_seconds = 0.4
    head_bytes = 16_384


class Readiness:
    async def ready(self) -> dict[str, object]:
        return {"ready": WORLD.ready, "systems": {"erp": "up" if WORLD.ready else "down"}}


def make_app(limits: DocumentLimits | None = None, *, debug: bool = False) -> RequestLog:
    """The endpoint as the gateway mounts it."""
    engine = SchemaEngine(
        SCHEMA, lambda http: {"who": http.headers.get("x-who", "nobody")}, limits, debug=debug
    )
    page = graphiql_page("{ node { id } }")
    endpoint = GraphQLEndpoint(engine, limits=BodyLimits(max_bytes=100_000, timeout_seconds=0.5), page=page)
    return RequestLog(Starlette(routes=[Route("/graphql", endpoint), *health_routes(Readiness())]))


def serve(app: ASGIApp) -> Iterator[str]:
    """Runs the application on a free port until the test is over."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(app, protocol=Impatient, graceful_seconds=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture(scope="session")
def http_url() -> Iterator[str]:
    """Base URL of the server with the default limits."""
    yield from serve(make_app())


@pytest.fixture(scope="session")
def closed_url() -> Iterator[str]:
    """Base URL of a server whose introspection is switched off."""
    yield from serve(make_app(DocumentLimits(introspection=False)))


@pytest.fixture
def world() -> World:
    """What the resolvers have seen, made new."""
    WORLD.mutations, WORLD.ready = 0, True
    WORLD.started.clear()
    WORLD.cancelled.clear()
    WORLD.written.clear()
    return WORLD


@pytest.fixture(scope="session")
def client(http_url: str) -> Iterator[httpx2.Client]:
    """A client without an opinion about media types."""
    with httpx2.Client(base_url=http_url) as made:
        del made.headers["accept"]
        yield made


@pytest.fixture(scope="session")
def closed(closed_url: str) -> Iterator[httpx2.Client]:
    """A client of the server whose introspection is switched off."""
    with httpx2.Client(base_url=closed_url) as made:
        yield made
