"""The simulated plant for these tests: a frozen world, eight real servers that can be stopped and started one by one."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import httpx2
import uvicorn

from sources.plant.asgi import System
from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.plant.world.world import World

T = TypeVar("T")
HOST = "127.0.0.1"


class RunningPlant:
    """Every system at a port of its own, all in one loop in one thread: the world is never touched by two at once."""

    def __init__(self) -> None:
        self.world: World = build_world()
        self.systems = {code: cast("System", make(self.world, Knobs())) for code, make in SYSTEMS.items()}
        self.ports: dict[str, int] = {}
        self._running: dict[str, tuple[uvicorn.Server, asyncio.Task[None]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="plant", daemon=True)

    def open(self) -> None:
        """Start every system."""
        self._thread.start()
        for code in self.systems:
            self.start(code)

    def close(self) -> None:
        """Stop whatever runs."""
        for code in list(self._running):
            self.stop(code)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def start(self, code: str) -> None:
        """Start a system, at the port it had before."""
        self._do(self._start(code))

    def stop(self, code: str) -> None:
        """Stop a system's server: its port refuses connections."""
        self._do(self._stop(code))

    def turn(self, code: str, **knobs: Any) -> None:
        """Set knobs of a system."""
        self._do(self._turn(code, knobs))

    def heal(self, code: str) -> None:
        """Put all knobs of a system back."""
        self.turn(code, **Knobs().as_dict())

    def count(self) -> dict[str, int]:
        """How often each system was asked since the last `forget`, as it says itself; the silent ones left out."""
        with httpx2.Client() as client:
            asked = {code: client.get(f"http://{HOST}:{port}/__stats") for code, port in self.ports.items()}
        return {code: found.json()["requests"] for code, found in asked.items() if found.json()["requests"]}

    def forget(self) -> None:
        """Start all counts anew."""
        with httpx2.Client() as client:
            for port in self.ports.values():
                client.post(f"http://{HOST}:{port}/__stats/reset").raise_for_status()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self, code: str) -> None:
        # Only of a socket that says it is TCP does asyncio switch Nagle's algorithm off; with it answers take 40 ms more.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, self.ports.get(code, 0)))
        self.ports[code] = bound.getsockname()[1]
        app = cast("Any", self.systems[code])
        config = uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=0)
        server = uvicorn.Server(config)
        # `_serve` is `serve` without the signal handlers, which belong to a main thread.
        task = asyncio.create_task(server._serve([bound]))
        while not server.started:  # noqa: ASYNC110 uvicorn has no event for it
            await asyncio.sleep(0.005)
        self._running[code] = (server, task)

    async def _stop(self, code: str) -> None:
        server, task = self._running.pop(code)
        server.should_exit = True
        await task

    async def _turn(self, code: str, knobs: dict[str, Any]) -> None:
        self.systems[code].knobs.update(knobs)


@contextmanager
def running_plant() -> Iterator[RunningPlant]:
    """A plant, running."""
    plant = RunningPlant()
    plant.open()
    try:
        yield plant
    finally:
        plant.close()


@dataclass
class Reply:
    """What a client got: the status, the answer, and after how many seconds."""

    status: int
    body: dict[str, Any]
    seconds: float = 0.0
    errors: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.errors = self.body.get("errors", [])

    @property
    def data(self) -> dict[str, Any]:
        """The data of an answer without errors."""
        assert self.status == 200, self.body
        assert not self.errors, self.errors
        data: dict[str, Any] = self.body["data"]
        return data
