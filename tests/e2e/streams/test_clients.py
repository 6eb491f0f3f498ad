"""The clients that people have, against the real server: npm's and Python's."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from gateway.subscribing import Payload
from tests.e2e.streams.hearing import Heard, running
from tests.graph.streams.served import TICKS, Served, served
from tests.node import installed

PACKAGES = (
    "graphql@16.11.0",
    "graphql-ws@6.4.2",
    "graphql-sse@2.6.1",
    "eventsource@4.1.1",
    "ws@8.23.0",
    "@apollo/client@4.3.8",
    "rxjs@7.8.2",
)
CLIENTS = ["graphql-ws", "graphql-sse", "eventsource", "apollo"]
FEED = "subscription { feed }"


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder with the npm packages."""
    return installed("streams", PACKAGES)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A running server."""
    with served() as running:
        yield running


@contextmanager
def asking(folder: Path, client: str, url: str, query: str, **variables: Any) -> Iterator[Heard]:
    """A client in a process of its own."""
    operation = json.dumps({"query": query, "variables": variables})
    with running("clients.mjs", str(folder), client, url, operation) as heard:
        yield heard


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_every_result_and_the_end(folder: Path, server: Served, client: str) -> None:
    """In order, then complete."""
    with asking(folder, client, server.url, TICKS, count=3) as heard:
        for number in (1, 2, 3):
            assert heard.next("next")["data"] == {"ticks": number}
        assert heard.next("complete") is None


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_results_as_they_come(folder: Path, server: Served, client: str) -> None:
    """A result arrives when it is there, not when the next one is; and the client that goes is noticed."""
    with asking(folder, client, server.url, FEED) as heard:
        for text in ("one", "two"):
            server.feed.until("open", 1, 15)
            server.feed.push(Payload(json.dumps({"data": {"feed": text}}).encode()))
            assert heard.next("next")["data"] == {"feed": text}
    server.feed.until("open", 0)


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse", "apollo"])
def test_every_client_is_told_of_a_mistake(folder: Path, server: Served, client: str) -> None:
    """The errors of a refused operation reach the one who asked."""
    with asking(folder, client, server.url, "subscription { refused }") as heard:
        said = heard.next("error", "next")
        assert "not yours" in json.dumps(said)


@pytest.mark.parametrize("client", ["graphql-ws", "apollo"])
def test_an_ended_subscription_is_an_error_with_its_cursor(folder: Path, server: Served, client: str) -> None:
    """The client's code can go on after it."""
    with asking(folder, client, server.url, "subscription { gap }") as heard:
        assert heard.next("next")["data"] == {"gap": 1}
        (error,) = heard.next("error")
        assert error["message"] == "too slow"
        assert error["extensions"]["cursor"] == "e.7"


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse", "eventsource"])
def test_clients_come_back_after_a_restart(folder: Path, client: str) -> None:
    """By themselves, with the same subscription; a browser goes on after the event that it saw last."""
    with served(retry_after_ms=100) as first, asking(folder, client, first.url, FEED) as heard:
        first.feed.until("open", 1, 15)
        first.feed.push(Payload(b'{"data":{"feed":"before"}}', "e.1"))
        assert heard.next("next")["data"] == {"feed": "before"}
        first.stop()
        assert first.stopped(4)
        with served(port=first.port, retry_after_ms=100) as second:
            second.feed.until("open", 1, 15)
            second.feed.push(Payload(b'{"data":{"feed":"after"}}', "e.2"))
            assert heard.next("next")["data"] == {"feed": "after"}
            if client == "eventsource":
                assert second.feed.requests[0].extensions == {"lastEventId": "e.1"}


async def test_python_asks_over_websocket(server: Served) -> None:
    """The package gql: subscriptions, a query on the same socket, and a mistake that leaves the socket open."""
    transport = WebsocketsTransport(url=server.ws, ping_interval=0.2)
    async with Client(transport=transport) as session:
        document = gql(TICKS)
        document.variable_values = {"count": 3}
        seen = [result["ticks"] async for result in session.subscribe(document)]
        assert seen == [1, 2, 3]
        assert await session.execute(gql("{ hello }")) == {"hello": "hello you"}
        with pytest.raises(TransportQueryError, match="not yours"):
            async for _ in session.subscribe(gql("subscription { refused }")):
                pass
        await asyncio.sleep(0.5)
        assert await session.execute(gql("{ hello }")) == {"hello": "hello you"}
