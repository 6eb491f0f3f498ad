"""Subscribers of two workers over one Redis, through the death of a worker and of Redis: each is told everything, once."""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

import httpx2

from tests.e2e.webhooks.gateway import Gateway, configured, erp, running, until
from tests.redis_server import RedisServer

DOCUMENT = "subscription { productionOrderChanged(snapshot: false) { kind cursor event { id } } }"
CLIENTS, MOST_CLIENTS, EVENTS = 8, 60, 60
NEWS = ("REPLAY", "LIVE")


class Subscriber:
    """Listens to server-sent events and comes back with its last cursor, whatever happens, as a browser does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: list[str] = []
        self.cursor: str | None = None
        self.ready = False

    async def listen(self) -> None:
        """For ever."""
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(5, read=60)) as client:
            while True:
                with contextlib.suppress(httpx2.HTTPError):
                    await self._once(client)
                self.ready = False
                await asyncio.sleep(0.1)

    async def _once(self, client: httpx2.AsyncClient) -> None:
        headers = {"accept": "text/event-stream"}
        if self.cursor is not None:
            headers["last-event-id"] = self.cursor
        async with client.stream(
            "POST", f"{self.url}/graphql", json={"query": DOCUMENT}, headers=headers
        ) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    self._take(json.loads(line.removeprefix("data: ")))

    def _take(self, said: dict[str, dict[str, dict[str, object]]]) -> None:
        change = (said.get("data") or {}).get("productionOrderChanged")
        if change is None:
            return
        self.cursor = str(change["cursor"])
        self.ready = True
        if change["kind"] in NEWS:
            event = change["event"]
            assert isinstance(event, dict)
            self.told.append(str(event["id"]))


def sockets(pid: int) -> int:
    """How many sockets a process has open."""
    found = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return found


def workers_of(gateway: Gateway) -> list[int]:
    """The processes that answer."""
    pid = gateway.program.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


async def told(gateway: Gateway, number: int) -> str:
    """Tell the gateway what happened until it says that it has it, as systems do; the event's number."""
    while True:
        with contextlib.suppress(httpx2.HTTPError, AssertionError):
            return await gateway.tell(str(number), "RELEASED", 1)
        await asyncio.sleep(0.1)


async def test_everyone_is_told_everything_once_though_a_worker_and_redis_are_killed(tmp_path: Path) -> None:
    """Who listens at either worker hears what came in at the other; after kill -9 they go on from their cursors."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as redis:
        async with erp() as system:
            system.status |= {str(number): "RELEASED" for number in range(EVENTS)}
            file = configured(tmp_path, system, redis_url=redis.url, workers=2, events={})
            async with running(tmp_path / "out.txt", file) as gateway:
                await until(lambda: len(workers_of(gateway)) == 2)
                subscribers, listening = await at_both(gateway)
                events = [await told(gateway, number) for number in range(EVENTS // 3)]
                os.kill(workers_of(gateway)[0], signal.SIGKILL)
                events += [await told(gateway, number) for number in range(EVENTS // 3, EVENTS * 2 // 3)]
                await asyncio.to_thread(redis.kill)
                later = asyncio.create_task(_all(gateway, range(EVENTS * 2 // 3, EVENTS)))
                await asyncio.sleep(0.5)
                await asyncio.to_thread(redis.start)
                events += await later
                await until(lambda: all(len(one.told) >= EVENTS for one in subscribers))
                for task in listening:
                    task.cancel()
                await asyncio.gather(*listening, return_exceptions=True)
    expected = [f"evt:{event}" for event in events]
    for one in subscribers:
        assert one.told == expected


async def at_both(gateway: Gateway) -> tuple[list[Subscriber], list[asyncio.Task[None]]]:
    """As many subscribers as it takes to have some at either worker; which one gets a connection is the kernel's choice."""
    before = {pid: sockets(pid) for pid in workers_of(gateway)}
    subscribers: list[Subscriber] = []
    listening: list[asyncio.Task[None]] = []
    while len(subscribers) < CLIENTS or not all(sockets(pid) > count for pid, count in before.items()):
        assert len(subscribers) < MOST_CLIENTS, "all listen at one worker"
        subscribers.append(Subscriber(gateway.url))
        listening.append(asyncio.create_task(subscribers[-1].listen()))
        await until(lambda: subscribers[-1].ready)
    return subscribers, listening


async def _all(gateway: Gateway, numbers: range) -> list[str]:
    return [await told(gateway, number) for number in numbers]
