"""Subscriptions: 1,000 on one worker, 200 events a second. Nothing lost, nothing twice, in order, and what it costs.

    python -m benchmarks.subscriptions [--quick] [--seconds 60] [--rate 200]

One process: the event log in a file, the engine of subscriptions, the cache, real HTTP clients to the plant (a process of
its own), and 1,000 consumers. Every event makes its order be read anew from the ERP. Counted is the CPU of this process,
the consumers' and the sender's share included.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvloop
from starlette.requests import HTTPConnection

from benchmarks import plant
from benchmarks.gateway import Inside, inside, write_config
from benchmarks.processes import plant_server, resident_bytes
from gateway.events.log import from_cursor
from gateway.events.sqlite import SqliteLog
from gateway.request import GraphQLRequest
from gateway.subscribing import SubscriptionEnded
from gateway.subscriptions.engine import Subscriptions
from gateway.subscriptions.health import Health
from gateway.subscriptions.standing import Standing
from resolvers.context import Context
from schema.events import Event, fact_of
from sources.base import Written

FEED = """subscription Feed($f: ProductionOrderFilter) { productionOrderChanged(filter: $f, snapshot: false) {
  cursor changed event { type occurredAt }
  order { id number status planning { quantity { value unit } dueDate } } } }"""
BOARD = """subscription Board($f: ProductionOrderFilter) { productionOrderChanged(filter: $f, snapshot: false) {
  cursor order { number status item { number description } execution { good { value } percentComplete } } } }"""
Passes = Callable[[int], bool]


@dataclass
class Client:
    """A subscriber: what it asks, which orders it must hear of, and what it heard (by sequence) and when."""

    document: str
    filter: dict[str, Any]
    passes: Passes
    heard: list[int] = field(default_factory=list)
    came: list[float] = field(default_factory=list)


def clients(statuses: Sequence[str]) -> list[Client]:
    """A thousand: three for each item, some with five items, wallboards of the whole plant, and some by status."""
    item = [plant.order(place)["item"] for place in range(plant.ORDERS)]

    def of(*names: str) -> tuple[dict[str, Any], Passes]:
        return {"items": [f"item:{name}" for name in names]}, lambda place: item[place] in names

    found = [Client(FEED, *of(f"FG-{n:04d}")) for n in range(plant.ITEMS) for _ in range(3)]
    found += [Client(FEED, *of(f"FG-{n:04d}")) for n in range(100)]
    found += [
        Client(FEED, *of(*[f"FG-{(group * 5 + n) % plant.ITEMS:04d}" for n in range(5)]))
        for group in range(50)
        for _ in range(5)
    ]
    found += [Client(BOARD, {"plants": ["plant:K1"]}, lambda _: True) for _ in range(12)]
    found += [Client(FEED, {"plants": ["plant:K1"]}, lambda _: True) for _ in range(13)]
    kinds = sorted(set(statuses))[:5]
    found += [
        Client(FEED, {"statuses": [kinds[n % len(kinds)]]}, partial(_stands, statuses, kinds[n % len(kinds)]))
        for n in range(25)
    ]
    return found


def _stands(statuses: Sequence[str], wanted: str, place: int) -> bool:
    return statuses[place] == wanted


async def statuses_of(made: Inside) -> list[str]:
    """The status of every order, as the gateway computes it."""
    document = """query($a: String) { productionOrders(first: 200, after: $a) {
      nodes { number status } pageInfo { hasNextPage endCursor } } }"""
    prepared, _ = made.engine.prepare(GraphQLRequest(document))
    found: dict[str, str] = {}
    after = None
    while True:
        executed = await made.engine.execution.execute(prepared.ast, made.context(), {"a": after})
        data = orjson.loads(executed.data) if isinstance(executed.data, bytes) else executed.data
        page = (data or {})["productionOrders"]
        found.update({node["number"]: node["status"] for node in page["nodes"]})
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return [found[plant.number_of(place)] for place in range(plant.ORDERS)]


class Sender:
    """Appends events at a rate, and remembers when and about which order (by sequence)."""

    def __init__(self, log: SqliteLog, rate: float) -> None:
        self.log, self.rate = log, rate
        self.sent: dict[int, float] = {}
        self.places: dict[int, int] = {}

    async def run(self, count: int) -> None:
        """So many events, each at its time; those that are due together are appended together."""
        loop, done = asyncio.get_running_loop(), 0
        began = loop.time()
        while done < count:
            due = min(count, int((loop.time() - began) * self.rate) + 1)
            if due > done:
                await self._append(range(done, due))
                done = due
            await asyncio.sleep(1 / self.rate)

    async def _append(self, numbers: range) -> None:
        places = [number * 7919 % plant.ORDERS for number in numbers]
        began = time.perf_counter()
        told = await self.log.append([_event(n, place) for n, place in zip(numbers, places, strict=True)])
        for place, one in zip(places, told, strict=True):
            self.sent[one.position.sequence], self.places[one.position.sequence] = began, place


def _event(number: int, place: int) -> Event:
    kind, id, now = "mfg.production-order.changed.v1", f"b-{number}", datetime.now(UTC)
    subject = plant.id_of(place)
    fact = fact_of("ERP", kind, [id])
    return Event(kind, "ERP", id, subject, fact, now, now, now, (subject,), id)


async def listen(client: Client, engine: Subscriptions, ready: asyncio.Semaphore) -> None:
    """Take what comes, for ever."""
    connection = HTTPConnection({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})
    stream = engine.subscribe(GraphQLRequest(client.document, variables={"f": client.filter}), connection)
    await anext(stream)
    ready.release()
    async for payload in stream:
        client.heard.append(from_cursor(payload.cursor or "").sequence)
        client.came.append(time.perf_counter())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    clients: int
    events: int
    seconds: float
    cpu: float
    messages: int
    lost: int
    twice: int
    disordered: int
    delays: list[float]
    calls: int
    grown: float

    @property
    def fine(self) -> bool:
        """Whether everything that is promised held."""
        return not (self.lost or self.twice or self.disordered)

    def lines(self) -> list[str]:
        """For the terminal."""
        delays = sorted(self.delays)
        p50, p99 = (delays[int(len(delays) * share)] * 1000 for share in (0.5, 0.99))
        return [
            f"{self.clients} subscriptions, {self.events} events in {self.seconds:.1f} s, {self.messages} messages",
            f"lost {self.lost}, twice {self.twice}, out of order {self.disordered}",
            f"from append to client: p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {delays[-1] * 1000:.1f} ms",
            f"CPU {self.cpu / self.seconds:.0%} of a core: {self.cpu / self.events * 1000:.2f} ms an event, "
            f"{self.cpu / self.messages * 1e6:.0f} us a message",
            f"upstream calls {self.calls}; memory {self.grown:+.1%} from the middle to the end",
        ]


async def measure(rate: float, seconds: float, plant_url: str, calls: Callable[[], int]) -> Outcome:
    """One run."""
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "events.db")
        await log.open()
        async with inside(write_config(Path(folder), plant_url, "")) as made:
            engine = _engine(made, log)
            them = clients(await statuses_of(made))
            ready = asyncio.Semaphore(0)
            tasks = [asyncio.create_task(listen(client, engine, ready)) for client in them]
            for _ in them:
                await ready.acquire()
            outcome = await _run(them, Sender(log, rate), int(rate * seconds), calls)
            engine.drain()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            unexpected = [one for one in ended if not isinstance(one, SubscriptionEnded)]
            if unexpected:
                raise RuntimeError(f"{len(unexpected)} subscriptions ended otherwise: {unexpected[0]!r}")
        await log.close()
        return outcome


def _engine(made: Inside, log: SqliteLog) -> Subscriptions:
    def context(written: Written | None) -> Context:
        return Context(made.catalog, deadline_ms=made.settings.deadline_ms, written=written)

    standing = Standing("benchmark", lambda: 0, context)
    health = Health(made.catalog.all_systems)

    def heard(event: Event) -> None:
        made.caching.heard(event.touches, event.received_at.timestamp())

    return Subscriptions(made.engine, log, lambda _: standing, health, heard=heard)


async def _run(them: Sequence[Client], sender: Sender, count: int, calls: Callable[[], int]) -> Outcome:
    gc.collect()
    gc.freeze()
    calls()
    cpu, began = time.process_time(), time.perf_counter()
    middle: list[int] = []
    sending = asyncio.create_task(sender.run(count))
    loop = asyncio.get_running_loop()
    loop.call_later(count / sender.rate / 2, lambda: middle.append(resident_bytes(os.getpid())))
    await sending
    expected = _expected(them, sender)
    deadline = loop.time() + 30
    for client, wanted in zip(them, expected, strict=True):
        while len(client.heard) < len(wanted) and loop.time() < deadline:  # noqa: ASYNC110 - nobody rings
            await asyncio.sleep(0.02)
    spent, took = time.process_time() - cpu, time.perf_counter() - began
    lost = sum(len(set(e) - set(c.heard)) for c, e in zip(them, expected, strict=True))
    twice = sum(len(c.heard) - len(set(c.heard)) for c in them)
    disordered = sum(c.heard != sorted(c.heard) for c in them)
    foreign = sum(len(set(c.heard) - set(e)) for c, e in zip(them, expected, strict=True))
    delays = [at - sender.sent[n] for c in them for n, at in zip(c.heard, c.came, strict=True)]
    grown = resident_bytes(os.getpid()) / middle[0] - 1 if middle else 0.0
    messages = sum(len(c.heard) for c in them)
    return Outcome(
        len(them), count, took, spent, messages, lost, twice + foreign, disordered, delays, calls(), grown
    )


def _expected(them: Sequence[Client], sender: Sender) -> list[list[int]]:
    """What each must hear of, by sequence."""
    return [[n for n, place in sender.places.items() if client.passes(place)] for client in them]


def main() -> None:
    """Measure and print; ends with 1 where a promise was broken."""
    parser = argparse.ArgumentParser("python -m benchmarks.subscriptions")
    parser.add_argument("--quick", action="store_true", help="ten seconds")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=200)
    given = parser.parse_args()
    seconds = 10.0 if given.quick else given.seconds
    with plant_server() as server:
        outcome = uvloop.run(measure(given.rate, seconds, server.url, server.calls))
    print("\n".join(outcome.lines()))
    sys.exit(0 if outcome.fine else 1)


if __name__ == "__main__":
    main()
