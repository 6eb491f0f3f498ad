"""uvicorn, with the patience it lacks by itself.

Stock uvicorn waits for ever for the rest of a half-sent head and lets it grow without bound. GuardedProtocol gives
each request a fixed time for its head and a bound on its size; bodies are timed where they are read
(``gateway.request``), idle keep-alive connections by uvicorn itself.
"""

import asyncio
from functools import partial
from typing import Any, ClassVar, cast

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application, ASGIApplication
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.request import LINE

log = structlog.get_logger("crossdock.server")


def write_whole(cycle: RequestResponseCycle, status: int, lines: bytes, body: bytes) -> None:
    """Send a whole answer in one write: what uvicorn does for two messages, once.

    ``lines`` must be well-formed and state the length of the body.
    """
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    head = [STATUS_LINE[status], *[b"%b: %b\r\n" % header for header in cycle.default_headers], lines]
    head.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    cycle.transport.write(b"".join([*head, body]))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    done, cycle.on_response = cycle.on_response, _nothing
    done()


class Line:
    """A connection with a whole request on it, for an application that need not wait for the body nor for its turn to
    write.
    """

    __slots__ = ("_cycle", "body")

    def __init__(self, cycle: RequestResponseCycle, body: bytes) -> None:
        self._cycle = cycle
        self.body = body

    def write(self, status: int, lines: bytes, body: bytes) -> bool:
        """Send a whole answer; False where it must go the ordinary way.

        That is so where the client is gone or behind with reading, where the connection is to end, and for HEAD.
        """
        cycle = self._cycle
        late = cycle.disconnected or cycle.flow.write_paused or cycle.transport.is_closing()
        if late or cycle.response_started or cycle.scope["method"] == "HEAD" or b"connection:" in lines:
            return False
        write_whole(cycle, status, lines, body)
        return True


def _nothing() -> None:
    """There is nothing more to do."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with a time limit (seconds) and a size limit (bytes) for each request's head.

    Set other limits by subclassing; the class is named in the server's configuration, so that workers find it.
    """

    head_seconds: ClassVar[float] = 10.0
    head_bytes: ClassVar[int] = 64 * 1024

    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_begun = False
    _beginning: list[tuple[RequestResponseCycle, ASGI3Application]] | None = None
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock: a connection that says nothing is as idle as one that stops half-way."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to an unfinished head, and ends a connection whose head does not end."""
        self._head_size += len(data) if self._in_head else 0
        self._beginning = []
        super().data_received(data)
        beginning, self._beginning = self._beginning, None
        for cycle, app in beginning:
            if not self._at_once(cycle, app):
                super()._start_asgi_task(cycle, app)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_size > self.head_bytes:
            self._refuse(b"431 Request Header Fields Too Large")
        elif self._head_timer is None and (
            self._head_begun or (self.timeout_keep_alive_task is None and not self._answering())
        ):
            # Half a head. Or stray line ends, which stop uvicorn's idle clock without beginning a request.
            self._arm()

    def on_message_begin(self) -> None:
        """A new request: its head gets its own time, from when it turns out that it has not come as a whole."""
        self._in_head = self._head_begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: from here the body's own limits hold."""
        self._in_head, self._head_begun, self._head_size = False, False, 0
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What follows on this connection is the next head."""
        super().on_message_complete()
        self._disarm()
        self._in_head = True

    def on_response_complete(self) -> None:
        """A request refused before its body was read: the rest of the body gets a head's time, not for ever."""
        super().on_response_complete()
        if not self._in_head and not self.transport.is_closing():
            self._arm()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # A task begins to run when all that has arrived is taken in, so nothing is lost by making it only then.
        if self._beginning is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._beginning.append((cycle, app))

    def _at_once(self, cycle: RequestResponseCycle, app: ASGI3Application) -> bool:
        """Whether the request is answered already: it is whole, and the application need not wait for anything."""
        ask: Any = getattr(app, "at_once", None)
        idle = not (cycle.more_body or cycle.disconnected or cycle.flow.write_paused)
        if ask is None or not idle or self.transport.is_closing():
            return False
        scope, body = cast("dict[str, Any]", cycle.scope), bytes(cycle.body)
        try:
            answered: bool = ask(scope, body, partial(write_whole, cycle))
        except Exception:  # A mistake of ours must not end the connection without an answer.
            log.exception("a request could not be answered at once")
            answered = cycle.response_started
        if not answered:
            scope[LINE] = Line(cycle, body)
        return answered

    def _arm(self) -> None:
        self._disarm()
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_late)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._answering():
            # An earlier pipelined request is still being answered, with reading paused: not the client's fault.
            self._arm()
        elif self._in_head:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _answering(self) -> bool:
        # uvicorn declares ``cycle`` as always there; before the first request it is None.
        cycle: object = self.cycle
        return cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


def server_config(
    app: ASGIApp | str,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    workers: int = 1,
    protocol: type[GuardedProtocol] = GuardedProtocol,
    graceful_seconds: int = 10,
) -> uvicorn.Config:
    """Uvicorn's settings for this gateway: uvloop, no banner, our own access log.

    With more than one worker ``app`` must be an import string ("module:attribute"), as each worker imports it.
    """
    return uvicorn.Config(
        app if isinstance(app, str) else cast("ASGIApplication", app),
        host=host,
        port=port,
        workers=workers,
        http=protocol,
        ws="websockets-sansio",
        loop="uvloop",
        server_header=False,
        # Nobody asks where a request came from or how: what a proxy says of that need not be read.
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=graceful_seconds,
    )
