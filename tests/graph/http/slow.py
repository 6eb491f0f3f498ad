"""A slow system on a socket of its own, and the endpoint over the little plant whose MES it is, in a server of its own."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.requests import Request

from gateway.engine import SchemaEngine
from gateway.http import GraphQLEndpoint
from gateway.limits import DocumentLimits
from gateway.operations import Operations
from gateway.server import server_config
from gateway.telemetry import RequestLog
from resolvers.context import Context
from resolvers.execution.operation import PlanExecution
from resolvers.graph import graphql_schema
from sources.base import Batch, Bundle
from sources.catalog import Catalog
from tests.graph.fakes import PLANTS, Fake, Spec
from tests.graph.plant import number, systems

ORDER = f'productionOrder(id: "po:1710/{number(0)}")'
CARD = f"{{ {ORDER} {{ number ... @defer {{ execution {{ good {{ value }} }} }} }} }}"
WHOLE = {"productionOrder": {"number": number(0), "execution": {"good": {"value": "50"}}}}


class SlowSystem:
    """A system of its own on a socket: it answers a line with a line, and takes its time."""

    def __init__(self) -> None:
        self.seconds = 0.6
        self.answered_at = 0.0
        self.asked = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(100)
            self.asked.set()
            time.sleep(self.seconds)
            self.answered_at = time.monotonic()
            connection.sendall(b"done\n")

    def close(self) -> None:
        """Answer no more."""
        self._listener.close()


class Slow(Fake):
    """A fake that asks the slow system before it answers."""

    port: int = 0

    async def _read(self, spec: Spec, batch: Batch) -> Bundle:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"ask\n")
            await reader.readline()
        finally:
            writer.close()
        return await super()._read(spec, batch)


class Served:
    """The endpoint over the plant, whose MES is slow, in a server of its own."""

    def __init__(self, slow: SlowSystem, deadline_ms: int = 5000) -> None:
        self.slow = slow
        plant = systems()
        mes = Slow("MES", plant.mes.config.kind, plant.mes.specs, plant.mes.rows, plant.mes.config.plants)
        mes.port = slow.port
        plant.mes = mes
        catalog = Catalog(plant.all, PLANTS)
        schema = graphql_schema()
        hooks = Operations(schema)
        self.contexts: list[Context] = []

        def make_context(_: Request) -> Context:
            self.contexts.append(Context(catalog, deadline_ms=deadline_ms))
            return self.contexts[-1]

        engine = SchemaEngine(
            schema,
            make_context,
            DocumentLimits(),
            hooks=hooks,
            execution=PlanExecution(schema),
        )
        self.app = RequestLog(GraphQLEndpoint(engine), tags=False)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.url, self.port = "", 0

    def tasks(self) -> list[str]:
        """What runs in the server now, with the file of its code."""

        async def look() -> list[str]:
            coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
            return [repr(getattr(each, "cr_code", each)) for each in coroutines]

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(look(), self.loop).result(5)


@contextmanager
def served(slow: SlowSystem, **settings: Any) -> Iterator[Served]:
    """Serve until the test is over."""
    made = Served(slow, **settings)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        made.loop = asyncio.get_running_loop()
        if scope["type"] == "http":
            await made.app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    made.port = listener.getsockname()[1]
    made.url = f"http://127.0.0.1:{made.port}/graphql"
    config = server_config(app, graceful_seconds=1)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server did not start"
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
