"""A TCP proxy that takes a dependency down and up at one address, and spoils its bytes on request.

``with Proxy(port) as proxy`` listens at ``proxy.port`` for as long as it lives. While it is down its address stays
taken but nobody listens: connecting is refused as it is when a process has died, and no one else gets the port.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from enum import Enum
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"
CHUNK = 65536


class Mode(Enum):
    """What happens to the answers."""

    PASS = "pass"
    SLOW = "slow"
    """One byte every 20 ms."""
    HALF = "half"
    """The headers and half of the body's first piece; then our side is closed and the other stays open."""
    SILENT = "silent"
    """Connections are taken, requests read, answers never come."""
    RESET = "reset"
    """The connection is reset instead of an answer."""


class Proxy:
    """One address in front of one port of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.mode = Mode.PASS
        self.connections = 0
        self._socket = _taken(0)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    def of(cls, url: str) -> "Proxy":
        """A proxy in front of the server at a URL."""
        port = urlsplit(url).port
        assert port is not None, f"{url} names no port"
        return cls(port)

    @property
    def url(self) -> str:
        """Where the dependency seems to be."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._socket.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def up(self) -> None:
        """Listen again."""
        self._run(self._open())

    def down(self) -> None:
        """Drop every connection and refuse new ones."""
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=self._socket)

    async def _close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._socket = _taken(self.port)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        # Transports close one turn of the loop after they were told to.
        await asyncio.sleep(0.01)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers = {known for known in self._writers if not known.is_closing()} | {writer}
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        requests = self._loop.create_task(_requests(reader, back))
        try:
            await self._answers(there, writer)
        except OSError:
            writer.transport.abort()
        finally:
            requests.cancel()
            await asyncio.gather(requests, return_exceptions=True)
            back.transport.abort()
            writer.close()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await there.read(CHUNK):
            if self.mode is Mode.RESET:
                writer.transport.abort()
                return
            if self.mode is Mode.HALF:
                writer.write(_half(piece))
                writer.write_eof()
                await asyncio.sleep(60)
            if self.mode is Mode.SLOW:
                await _trickle(piece, writer)
            elif self.mode is Mode.PASS:
                writer.write(piece)
                await writer.drain()


async def _requests(reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(CHUNK):
            back.write(piece)
            await back.drain()
        back.write_eof()


async def _trickle(piece: bytes, writer: asyncio.StreamWriter) -> None:
    for place in range(len(piece)):
        writer.write(piece[place : place + 1])
        await writer.drain()
        await asyncio.sleep(0.02)


def _half(piece: bytes) -> bytes:
    head, blank, body = piece.partition(b"\r\n\r\n")
    return head + blank + body[: len(body) // 2] if blank else piece[: len(piece) // 2]


def _taken(port: int) -> socket.socket:
    """A socket that holds the port without listening: connecting to it is refused."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((HOST, port))
    taken.setblocking(False)
    return taken
