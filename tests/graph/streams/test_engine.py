"""The real engine of subscriptions behind the real transports: the same events, whatever they travel by."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from starlette.applications import Starlette

from gateway.app import make_front
from gateway.config import Settings
from gateway.server import server_config
from tests.graph.plant import PLANT, number
from tests.subscribing import Setup, running

ROOT = "productionOrderChanged"
QUERY = """subscription Orders($after: String, $snapshot: Boolean! = false) {
  productionOrderChanged(filter: {items: ["item:FG-0"]}, after: $after, snapshot: $snapshot) {
    kind cursor replay objectId changed order { number status } } }"""
FIRST = f"po:{PLANT}/{number(0)}"
FOURTH = f"po:{PLANT}/{number(3)}"


async def until(done: Callable[[], bool]) -> None:
    """Wait for a condition, for some seconds."""
    for _ in range(500):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


@asynccontextmanager
async def serving(setup: Setup) -> AsyncIterator[str]:
    """The address of a server in this very loop."""
    front = make_front(Settings(), setup.schema_engine, setup.engine, Starlette(), None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(server_config(front, graceful_seconds=2))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            async with asyncio.timeout(5):
                await task


class Events:
    """Server-sent events, one by one."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The fields of the next event."""
        found: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if not line and "data" in found:
                    return found
                name, _, value = line.partition(": ")
                if name:
                    found[name] = value
        raise AssertionError("the stream has ended")

    async def change(self) -> tuple[dict[str, Any], str | None]:
        """The next change and the id of its event."""
        event = await self.next()
        return json.loads(event["data"])["data"][ROOT], event.get("id")


@asynccontextmanager
async def events(address: str, last: str | None = None, **variables: Any) -> AsyncIterator[Events]:
    """A subscription as a browser asks for it."""
    headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
    params = {"query": QUERY, "variables": json.dumps(variables)}
    url = f"http://{address}"
    async with (
        httpx2.AsyncClient() as client,
        client.stream("GET", url, params=params, headers=headers) as response,
    ):
        assert response.status_code == 200
        yield Events(response)


async def test_all_transports_tell_the_same() -> None:
    """One event, the same result by WebSocket and by server-sent events, whose id is the cursor in the document."""
    async with running() as setup, serving(setup) as address:
        transport = WebsocketsTransport(url=f"ws://{address}")
        async with Client(transport=transport) as session, events(address) as stream:
            told = session.subscribe(gql(QUERY))
            ready, _ = await stream.change()
            assert ready["kind"] == (await anext(told))[ROOT]["kind"] == "READY"
            cursor = await setup.happen(FIRST)
            change, id = await stream.change()
            assert (change["kind"], change["order"]["number"]) == ("LIVE", number(0))
            assert id == change["cursor"] == cursor
            assert (await anext(told))[ROOT] == change
            await told.aclose()


async def test_a_browser_that_returns_misses_nothing() -> None:
    """After Last-Event-ID come the events in between, then READY; the argument of the first request does not count."""
    async with running() as setup, serving(setup) as address:
        async with events(address) as stream:
            await stream.change()
            await setup.happen(FIRST)
            _, last = await stream.change()
        missed = [await setup.happen(FIRST), await setup.happen(FIRST)]
        async with events(address, last) as stream:
            told = [await stream.change() for _ in range(3)]
            assert [(change["kind"], id) for change, id in told] == [
                ("REPLAY", missed[0]),
                ("REPLAY", missed[1]),
                ("READY", missed[1]),
            ]


async def test_what_the_engine_refuses_is_answered_before_anything_is_sent() -> None:
    """A cursor that is none: 400 with the code for who reads JSON, an error on the socket."""
    async with running() as setup, serving(setup) as address:
        async with httpx2.AsyncClient() as client:
            accept = "application/graphql-response+json, text/event-stream"
            body = {"query": QUERY, "extensions": {"lastEventId": "nothing"}}
            answer = await client.post(f"http://{address}", json=body, headers={"accept": accept})
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["extensions"]["code"] == "RESYNC_REQUIRED"
            body["extensions"] = {"lastEventId": 7}
            answer = await client.post(f"http://{address}", json=body, headers={"accept": accept})
            assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        document = gql(QUERY)
        document.variable_values = {"after": "nothing"}
        async with Client(transport=WebsocketsTransport(url=f"ws://{address}")) as session:
            with pytest.raises(TransportQueryError, match="RESYNC_REQUIRED"):
                await anext(session.subscribe(document))


async def test_who_leaves_leaves_nothing() -> None:
    """The engine has no subscription left once the clients have gone."""
    async with running() as setup, serving(setup) as address:
        async with events(address) as one, events(address) as two:
            await one.change()
            await two.change()
            assert len(setup.engine) == 2
        await until(lambda: not len(setup.engine))
