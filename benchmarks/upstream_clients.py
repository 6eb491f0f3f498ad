"""CPU time of one upstream GET by HTTP client, the server in a process of its own.

    .venv/bin/python benchmarks/upstream_clients.py [--calls 4000] [--loop uvloop]

Only the CPU of this process counts, all its threads included: what a call costs the gateway, not how long it takes.
Every client reads the whole body and the headers that sources/http.py needs; the last line is sources/http.py itself.
"""

import argparse
import asyncio
import gc
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import httpx2
import uvloop
from httpx_aiohttp.httpx2 import AiohttpTransport
from pyreqwest.client import ClientBuilder

from sources.http import Http, HttpConfig

SIZES = (1_500, 30_000)
CONCURRENCY = (1, 50)
ROUNDS = 5
Get = Callable[[str], Awaitable[int]]


class Server(asyncio.Protocol):
    """Answers every request with as many bytes as its path says; requests are small and come whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        size = int(data[5 : data.index(b" ", 5)])
        head = (
            f"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 07:00:00 GMT\r\nServer: x\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        )
        self.transport.write(head.encode() + b"x" * size)


async def serve(listening: socket.socket) -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(Server, sock=listening)
    await server.serve_forever()


async def with_httpx2(stack: AsyncExitStack, url: str) -> Get:
    """As sources/http.py did it: httpx2 over its own transport."""
    return await _httpx2(stack, url, None)


async def with_httpx2_aiohttp(stack: AsyncExitStack, url: str) -> Get:
    """httpx2's interface over aiohttp's connections."""
    connector = aiohttp.TCPConnector(limit=50)
    session = aiohttp.ClientSession(connector=connector, trust_env=False)
    return await _httpx2(stack, url, AiohttpTransport(client=session))


async def _httpx2(stack: AsyncExitStack, url: str, transport: httpx2.AsyncBaseTransport | None) -> Get:
    limits = httpx2.Limits(max_connections=50, max_keepalive_connections=50)
    context = ssl.create_default_context()
    client = httpx2.AsyncClient(
        transport=transport, limits=limits, trust_env=False, timeout=None, verify=context
    )
    await stack.enter_async_context(client)

    async def get(path: str) -> int:
        answer = await client.get(url + path, headers={"Accept": "application/json"})
        return len(answer.content) * bool(answer.headers["date"])

    return get


async def with_aiohttp(stack: AsyncExitStack, url: str) -> Get:
    """aiohttp, its body read whole."""
    connector = aiohttp.TCPConnector(limit=50, limit_per_host=50)
    session = aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )
    await stack.enter_async_context(session)

    async def get(path: str) -> int:
        headers = {"Accept": "application/json"}
        async with session.get(url + path, headers=headers, allow_redirects=False) as answer:
            return len(await answer.read()) * bool(answer.headers["date"])

    return get


async def with_pyreqwest(stack: AsyncExitStack, url: str) -> Get:
    """pyreqwest: reqwest, hyper and tokio below Python."""
    client = ClientBuilder().no_proxy().follow_redirects(False).max_connections(50).build()
    await stack.enter_async_context(client)

    async def get(path: str) -> int:
        answer = await client.get(url + path).header("Accept", "application/json").build().send()
        return len(await answer.bytes()) * bool(answer.headers["date"])

    return get


async def with_ours(stack: AsyncExitStack, url: str) -> Get:
    """What adapters call: deadline, lanes, clocks, limits and all."""
    http = Http(
        HttpConfig.model_validate(
            {"code": "X", "adapter": "rest", "kind": "ERP", "base_url": url, "max_connections": 50}
        )
    )
    await http.open()
    stack.push_async_callback(http.close)

    async def get(path: str) -> int:
        answer = await http.send("GET", path, deadline=time.monotonic() + 5)
        return len(answer.body)

    return get


CLIENTS = {
    "httpx2": with_httpx2,
    "httpx2 over aiohttp": with_httpx2_aiohttp,
    "aiohttp": with_aiohttp,
    "pyreqwest": with_pyreqwest,
    "sources/http.py": with_ours,
}


async def measure(get: Get, size: int, concurrency: int, calls: int) -> float:
    """Median CPU microseconds of one call over a few rounds."""
    path, each = f"/{size}", max(1, calls // concurrency)

    async def worker() -> None:
        for _ in range(each):
            assert await get(path) == size

    await asyncio.gather(*[worker() for _ in range(concurrency)])
    rounds = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        await asyncio.gather(*[worker() for _ in range(concurrency)])
        rounds.append((time.process_time() - began) / (each * concurrency) * 1e6)
    return statistics.median(rounds)


async def main(url: str, calls: int) -> None:
    """One line a client."""
    cases = [(size, many) for size in SIZES for many in CONCURRENCY]
    print(f"{'CPU µs a call':22}", *[f"{f'{size / 1000:g} kB ×{many}':>12}" for size, many in cases])
    for name, make in CLIENTS.items():
        async with AsyncExitStack() as stack:
            get = await make(stack, url)
            row = [await measure(get, size, many, calls) for size, many in cases]
        print(f"{name:22}", *[f"{one:12.0f}" for one in row], flush=True)


def run() -> None:
    """Start the server in a process of its own, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        with socket.socket(fileno=given.serve) as listening:
            uvloop.run(serve(listening))
        return
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
        command = [sys.executable, os.path.abspath(__file__), "--serve", str(listening.fileno())]
        server = subprocess.Popen(command, pass_fds=[listening.fileno()])
        try:
            run_loop = uvloop.run if given.loop == "uvloop" else asyncio.run
            run_loop(main(f"http://127.0.0.1:{listening.getsockname()[1]}", given.calls))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    run()
