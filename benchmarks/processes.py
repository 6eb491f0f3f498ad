"""The servers under test as processes of their own, and what they use: CPU and memory of the whole tree, from /proc."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.plant import ADDRESS

ROOT = Path(__file__).parents[1]
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_SECONDS = 30.0


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time that a tree of processes has used, children that ended included."""
    total = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / TICK


def resident_bytes(pid: int) -> int:
    """Memory that a tree of processes holds."""
    return sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE for one in tree(pid))


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    pid: int
    port: int


@dataclass(frozen=True, slots=True)
class PlantServer:
    """The plant, running."""

    url: str

    def calls(self) -> int:
        """The calls since this was last asked."""
        return sum(self._ask("/__stats?reset=1")["calls"].values())

    def delay(self, milliseconds: float) -> None:
        """How long every answer takes from now on."""
        self._ask(f"/__set?latency_ms={milliseconds}")

    def _ask(self, path: str) -> dict[str, dict[str, int]]:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            told: dict[str, dict[str, int]] = json.load(answer)
            return told


@contextmanager
def _running(command: list[str], *, piped: bool = False) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE if piped else subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def plant_server() -> Iterator[PlantServer]:
    """The plant in a process of its own."""
    with _running([sys.executable, "-m", "benchmarks.plant"], piped=True) as process:
        assert process.stdout is not None
        yield PlantServer(process.stdout.readline().strip() or ADDRESS)


@contextmanager
def server(name: str, *command: str) -> Iterator[Server]:
    """A server, as soon as it listens; ``{port}`` in the command is a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with _running([part.format(port=port) for part in command]) as process:
        until = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{name} does not start: {' '.join(command)}")
            time.sleep(0.05)
        yield Server(name, process.pid, port)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gateway(config: Path) -> AbstractContextManager[Server]:
    """The gateway as an operator starts it."""
    crossdock = str(Path(sys.executable).with_name("crossdock"))
    return server("gateway", crossdock, "serve", "--config", str(config), "--port", "{port}")


def baseline(plant: str) -> AbstractContextManager[Server]:
    """The hand-written baseline."""
    return server("baseline", sys.executable, "-m", "benchmarks.baseline", plant, "{port}")


def floor() -> AbstractContextManager[Server]:
    """Uvicorn with static answers."""
    return server("floor", sys.executable, "-m", "benchmarks.floor", "{port}")
