"""Whatever happens in whatever order: a client sees what the log holds for it, in its order, nothing twice, nothing missing.

Clients come and go, are slow or quick, and go on after their cursor; events come in between, of one object or of two.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.events.log import from_cursor
from gateway.subscribing import Payload, SubscriptionEnded
from gateway.subscriptions.settings import SubscriptionSettings
from schema.events import number_of
from tests.graph.plant import PLANT, number
from tests.subscribing import Setup, running

DOCUMENT = """subscription($f: ProductionOrderFilter, $after: String) {
  productionOrderChanged(filter: $f, after: $after, snapshot: false) {
    kind cursor objectId event { id } } }"""
ROOT = "productionOrderChanged"
OBJECTS = 6
FILTERS: list[tuple[dict[str, Any], frozenset[int]]] = [
    ({}, frozenset(range(OBJECTS))),
    ({"items": ["item:FG-0"]}, frozenset({0, 3})),
    ({"items": ["item:FG-1", "item:FG-2"]}, frozenset({1, 2, 4, 5})),
    ({"plants": ["plant:1720"]}, frozenset()),
    ({"statuses": ["IN_PROGRESS"]}, frozenset({0, 2, 4})),
]
"""Filters of orders, and which of the orders they mean."""


@dataclass
class Client:
    """A client and all that it saw, over all its connections."""

    which: int
    stream: AsyncGenerator[Payload, None] | None = None
    cursor: str | None = None
    began: int = 0
    """The sequence after which it was told."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Number of the event and id of the object."""

    def take(self, body: bytes) -> str:
        """Note a message."""
        change = orjson.loads(body)["data"][ROOT]
        kind: str = change["kind"]
        if kind == "READY" and self.cursor is None:
            self.began = from_cursor(change["cursor"]).sequence
        if kind != "READY":
            self.seen.append((change["event"]["id"].removeprefix("evt:"), change["objectId"]))
        self.cursor = change["cursor"]
        return kind

    def forget(self, places: dict[str, int]) -> None:
        """Forget what lies after the cursor: it will be told again."""
        reached = from_cursor(self.cursor).sequence if self.cursor else 0
        while self.seen and places[self.seen[-1][0]] > reached:
            self.seen.pop()


PLACES: dict[str, int] = {}
"""Number of an event → its place in the log; the numbers are the same in every story."""


def begin(setup: Setup, client: Client) -> None:
    """Connect, after the cursor where there is one."""
    client.forget(PLACES)
    client.stream = setup.stream(DOCUMENT, f=FILTERS[client.which][0], after=client.cursor)


async def take(setup: Setup, client: Client, most: int) -> None:
    """Take some messages, those that come soon; who was ended goes on after the cursor it was told."""
    if client.stream is None:
        begin(setup, client)
    stream = client.stream
    assert stream is not None
    for _ in range(most):
        waiting = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait([waiting], timeout=0.05 if client.cursor else 5)
        if not done:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await stream.aclose()
            client.stream = None
            return
        try:
            client.take(waiting.result().body)
        except SubscriptionEnded as ended:
            if (ended.code, ended.cursor) != ("EVENTS_GAP", client.cursor):
                raise
            client.stream = None
            return


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("event"),
            st.lists(st.integers(0, OBJECTS - 1), min_size=1, max_size=2, unique=True),
        ),
        st.tuples(st.just("take"), st.tuples(st.integers(0, 3), st.integers(1, 6))),
        st.tuples(st.just("leave"), st.integers(0, 3)),
    ),
    max_size=40,
)
CLIENTS = st.lists(st.integers(0, len(FILTERS) - 1), min_size=4, max_size=4)


async def story(which: list[int], steps: list[tuple[str, Any]]) -> None:
    """Let it all happen, then let every client catch up, and compare."""
    PLACES.clear()
    async with running(SubscriptionSettings(queue_messages=3)) as setup:
        clients = [Client(filter_) for filter_ in which]
        for client in clients:
            await take(setup, client, 1)
        for what, value in steps:
            if what == "event":
                ids = [f"po:{PLANT}/{number(n)}" for n in value]
                cursor = await setup.happen(ids[0], touches=ids)
                PLACES[number_of("ERP", f"m-{setup.count}")] = from_cursor(cursor).sequence
            elif what == "take":
                await take(setup, clients[value[0]], value[1])
            elif (stream := clients[value].stream) is not None:
                await stream.aclose()
                clients[value].stream = None
        for client in clients:
            await caught_up(setup, client)
        events = await setup.logged()
        for client in clients:
            assert client.seen == [
                (logged.event.number, id)
                for logged in events
                if logged.position.sequence > client.began
                for id in logged.event.touches
                if int(id.rpartition("/")[2]) - int(number(0)) in FILTERS[client.which][1]
            ]


async def caught_up(setup: Setup, client: Client) -> None:
    """Go on after the cursor until everything of the past is told."""
    if client.stream is not None:
        await client.stream.aclose()
    begin(setup, client)
    stream = client.stream
    assert stream is not None
    async for payload in stream:
        if client.take(payload.body) == "READY":
            break
    await stream.aclose()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(CLIENTS, STEPS)
def test_a_client_sees_what_the_log_holds_for_it(which: list[int], steps: list[tuple[str, Any]]) -> None:
    """In its order, once, over any number of connections."""
    asyncio.run(story(which, steps))
