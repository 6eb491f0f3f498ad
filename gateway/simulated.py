"""The simulated plant as one child process: every system behind a socket it inherits.

The parent binds the sockets, so that it knows the ports and says itself when one is taken. The child has a session of
its own, deaf to the terminal's Ctrl-C, and ends when its standard input does: however the parent goes, no orphan stays.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

import httpx2
import uvicorn

from schema.errors import ConfigError
from sources.plant.asgi import System
from sources.plant.dialects.notices import VOICES
from sources.plant.knobs import Knobs
from sources.plant.outbox import Outbox
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.plant.world.clock import Clock
from sources.plant.world.world import World

READY = b"ready\n"
LOOK_SECONDS, SEND_SECONDS, MOST_AT_ONCE = 0.2, 10.0, 50
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Plant:
    """How the simulated plant is: its seed, how much faster than life it runs, and how slowly its systems answer."""

    seed: int = 7
    speed: float = 60.0
    latency_ms: int = 0


@contextmanager
def simulated(plant: Plant, sockets: Mapping[str, socket.socket]) -> Iterator[None]:
    """Runs the systems at these sockets in a child process. Raises ConfigError if it does not come up."""
    fds = {code: bound.fileno() for code, bound in sockets.items()}
    command = [sys.executable, "-m", "gateway.simulated", json.dumps({"plant": asdict(plant), "fds": fds})]
    child = subprocess.Popen(  # noqa: S603 our own interpreter and module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=tuple(fds.values()),
        start_new_session=True,
    )
    try:
        if child.stdout is None or child.stdout.readline() != READY:
            raise ConfigError(
                "the simulated systems did not start",
                hint="Their own message stands above; `crossdock demo --help`.",
            )
        yield
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Closes the child's input, which is its sign to go; one that does not is killed."""
    try:
        child.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()


class _Server(uvicorn.Server):
    """A server among several: signals are none of its business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the process's signals alone."""
        yield


async def _serve(plant: Plant, fds: Mapping[str, int]) -> None:
    world = build_world(plant.seed, Clock(speed=plant.speed))
    systems = {code: SYSTEMS[code](world, Knobs(latency_ms=plant.latency_ms)) for code in fds}
    servers = [(_server(systems[code]), socket.socket(fileno=fd)) for code, fd in fds.items()]
    running = [asyncio.create_task(server.serve(sockets=[bound])) for server, bound in servers]
    telling = asyncio.create_task(tell(world, {c: s for c, s in systems.items() if isinstance(s, System)}))
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)
    telling.cancel()
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*running, return_exceptions=True)


async def tell(world: World, systems: Mapping[str, System]) -> None:
    """Sends what happens to where the systems' webhooks point, until cancelled; what is not received is sent again."""
    boxes = [Outbox(world, systems[code], voice) for code, voice in VOICES.items() if code in systems]
    async with httpx2.AsyncClient(timeout=SEND_SECONDS, trust_env=False) as client:
        while True:
            # Nothing moves by itself where nobody listens: a world that is only asked is as it was.
            if any(box.system.webhook for box in boxes):
                world.catch_up()
            await asyncio.gather(*[_send(client, box) for box in boxes])
            await asyncio.sleep(LOOK_SECONDS)


async def _send(client: httpx2.AsyncClient, box: Outbox) -> None:
    for notice in box.next(MOST_AT_ONCE):
        headers = {**notice.headers, **box.voice.signs(notice, int(time.time()))}
        try:
            answer = await client.post(box.system.webhook, content=notice.body, headers=headers)
        except httpx2.HTTPError:
            return
        if answer.status_code >= 500:
            return
        # What is refused for good is not sent for ever.
        box.sent([notice])


def _server(app: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        cast("Any", app),
        log_level="warning",
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def main(order: str) -> None:
    """Serves as the parent ordered, until the parent is gone."""
    wanted = json.loads(order)
    asyncio.run(_serve(Plant(**wanted["plant"]), wanted["fds"]))


if __name__ == "__main__":
    main(sys.argv[1])
