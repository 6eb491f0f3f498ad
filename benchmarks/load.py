"""The load: as many kept connections as wanted, each asking again as soon as it is answered.

It runs in the process of the measurements, which is no part of what is measured. The requests are ready bytes, and an
answer is only looked at as far as needed to know that it is whole and good.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

Variables = dict[str, Any]
CONNECT_SECONDS = 30.0


@dataclass(slots=True)
class Load:
    """What one run of load saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    size: int = 0
    """Bytes of the last answer's body."""
    failure: str | None = None

    @property
    def requests(self) -> int:
        """How many answers came."""
        return len(self.latencies)

    def quantile(self, part: float) -> float:
        """Seconds within which that part of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def post(query: str, variables: Variables, path: str = "/graphql") -> bytes:
    """A whole request, as a client sends it."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], until: float, load: Load, done: asyncio.Event) -> None:
        self.requests, self.until, self.load, self.done = requests, until, load, done
        self.parts: list[bytes] = []
        self.missing = -1

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.is_set():
            self.load.failure = self.load.failure or f"the server closed the connection: {exc}"
            self.done.set()

    def _next(self) -> None:
        request = next(self.requests, None) if time.perf_counter() < self.until else None
        if request is None or self.load.failure:
            self.done.set()
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        if self.missing < 0:
            self._head()
        else:
            self.missing -= len(data)
        if self.missing == 0:
            self.load.latencies.append(time.perf_counter() - self.began)
            self.parts, self.missing = [], -1
            self._next()

    def _head(self) -> None:
        raw = b"".join(self.parts)
        end = raw.find(b"\r\n\r\n")
        if end < 0:
            return
        head = raw[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        size = int(head[at + 17 :].split(b"\r\n", 1)[0])
        self.load.size = size
        self.missing = end + 4 + size - len(raw)
        body = raw[end + 4 :]
        if b" 200 " not in head.split(b"\r\n", 1)[0] or body[:8] not in b'{"data":':
            self.load.failure = raw[:600].decode(errors="replace")


async def _driven(port: int, requests: Iterator[bytes], concurrency: int, seconds: float) -> Load:
    load, loop = Load(), asyncio.get_running_loop()
    began = time.perf_counter()
    events = [asyncio.Event() for _ in range(concurrency)]
    async with asyncio.timeout(seconds + CONNECT_SECONDS):
        for done in events:
            client = partial(_Client, requests, began + seconds, load, done)
            await loop.create_connection(client, "127.0.0.1", port)
        for done in events:
            await done.wait()
    load.seconds = time.perf_counter() - began
    return load


def drive(
    port: int,
    requests: Sequence[bytes],
    *,
    concurrency: int = 32,
    seconds: float = 1.0,
    count: int | None = None,
) -> Load:
    """Send the requests, one after the other and from the beginning again, for so long or so often.

    Ends with a message at the first answer that is not what it should be.
    """
    endless = itertools.cycle(requests)
    load = uvloop.run(_driven(port, itertools.islice(endless, count), concurrency, seconds))
    if load.failure or not load.latencies:
        raise SystemExit(f"port {port}: {load.failure or 'no answer in time'}")
    return load
