"""Logs and the request id that ties them together.

Every HTTP request gets an id: the client's own ``X-Request-Id`` if it is sane, else a new one. It is in every log
line of the request, in the answer's header and in masked errors. One access line is written per request.
"""

import asyncio
import atexit
import json
import logging
import os
import re
import sys
import time
import uuid
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, Literal, TextIO

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_SCOPE_KEY = "crossdock.request"
_QUIET = ("/health/",)
_PLAIN = {"GET": '"GET"', "POST": '"POST"', "/graphql": '"/graphql"'}

PAUSE, TOGETHER = 0.02, 500
"""Seconds that an access line may wait for others, and how many at most wait."""

log = structlog.get_logger("crossdock.access")
_access = logging.getLogger("crossdock.access")


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request so far; the engine adds the operation's name and type, the endpoint the status.

    Of a stream also how many results it has sent, and how it ended: complete, client, refused, or the code of an error.
    """

    request_id: str
    operation: str | None = None
    kind: str | None = None
    status: int = 500
    payloads: int | None = None
    end: str | None = None


RUNNING: ContextVar[RequestFacts | None] = ContextVar("crossdock.request", default=None)
"""The request that the running task works for: its id stands in every log line."""


class _Numbers:
    """Ids of requests: a random part that is this process's own, and a count."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew, under another random part."""
        self._own, self._count = uuid.uuid4().hex[:20], count(1)

    def next(self) -> str:
        """An id that nobody else has."""
        return f"{self._own}{next(self._count):012x}"


_numbers = _Numbers()
os.register_at_fork(after_in_child=_numbers.renew)


def request_facts(scope: Scope) -> RequestFacts:
    """The facts of this request; made on first use."""
    facts = scope.get(_SCOPE_KEY)
    if not isinstance(facts, RequestFacts):
        facts = scope[_SCOPE_KEY] = RequestFacts(_request_id(scope))
    return facts


def own_facts(scope: Scope) -> RequestFacts:
    """Facts of one of many operations that came by the same connection: under an id of its own, from now on."""
    facts = scope[_SCOPE_KEY] = RequestFacts(request_id(None))
    return facts


def _request_id(scope: Scope) -> str:
    return request_id(next((value for name, value in scope["headers"] if name == b"x-request-id"), None))


def request_id(given: bytes | None) -> str:
    """The client's own id if it is sane, else a new one."""
    if given is not None:
        text = given.decode("latin-1")
        if _SANE_ID.fullmatch(text):
            return text
    return _numbers.next()


class RequestLog:
    """ASGI middleware: request id in and out, one access line with status, milliseconds and operation.

    An application that answers with the request's id by itself and notes the status in its facts is run bare
    (``tags`` false): nothing is put between it and the server.
    """

    def __init__(self, app: ASGIApp, *, tags: bool = True) -> None:
        self.app = app
        self.tags = tags

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes HTTP requests on with an id; leaves lifespan and WebSocket alone."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, facts = time.perf_counter(), request_facts(scope)
        running = RUNNING.set(facts)
        try:
            await self.app(scope, receive, _tagged(facts, send) if self.tags else send)
        finally:
            RUNNING.reset(running)
            access_line(scope, facts, time.perf_counter() - started)


def _tagged(facts: RequestFacts, send: Send) -> Send:
    async def tagged(message: Message) -> None:
        if message["type"] == "http.response.start":
            facts.status = message["status"]
            MutableHeaders(scope=message)["X-Request-Id"] = facts.request_id
        await send(message)

    return tagged


def access_line(scope: Scope, facts: RequestFacts, seconds: float) -> None:
    """The one line of a request."""
    quiet = facts.status < 400 and scope["path"].startswith(_QUIET)
    level = logging.DEBUG if quiet else logging.INFO
    if not _access.isEnabledFor(level):
        return
    lines = Lines.here
    if lines is not None:
        lines.access("debug" if quiet else "info", scope, facts, seconds)
        return
    log.log(
        level,
        "request",
        method=scope["method"],
        path=scope["path"],
        status=facts.status,
        ms=round(seconds * 1000, 1),
        request_id=facts.request_id,
        **({"operation": facts.operation} if facts.operation else {}),
        **({"kind": facts.kind} if facts.kind else {}),
        **({} if facts.payloads is None else {"payloads": facts.payloads, "end": facts.end}),
    )


class Lines(logging.StreamHandler[TextIO]):
    """A handler that puts the access lines together by hand, as JSON: they are most of all lines, and the machinery for
    the others costs more than many an answer.

    A line after a pause is written at once. Lines that follow closely are written together, at most ``PAUSE`` seconds
    later; any other line has them written before itself. ``here`` is where they go; None where they are not JSON.
    """

    here: ClassVar["Lines | None"] = None

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[tuple[str, str, str, RequestFacts, float, float]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._written = float("-inf")
        self._second, self._stamp = 0, ""

    def access(self, level: str, scope: Scope, facts: RequestFacts, seconds: float) -> None:
        """One line about a request."""
        self._waiting.append((level, scope["method"], scope["path"], facts, seconds, time.time()))
        if self._timer is not None:
            if len(self._waiting) >= TOGETHER:
                self.write()
            return
        if time.monotonic() - self._written > PAUSE:
            self.write()
            return
        self._timer = asyncio.get_running_loop().call_later(PAUSE, self.write)

    def emit(self, record: logging.LogRecord) -> None:
        """Any other line."""
        self.write()
        super().emit(record)

    def write(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._written = time.monotonic()
            # The stream may be gone when the process ends.
            with suppress(ValueError):
                self.stream.write("".join([self._line(*one) for one in waiting]))
                self.stream.flush()

    def _line(
        self, level: str, method: str, path: str, facts: RequestFacts, seconds: float, at: float
    ) -> str:
        # A name of GraphQL and a sane id need no escaping.
        operation = f', "operation": "{facts.operation}"' if facts.operation else ""
        kind = f', "kind": "{facts.kind}"' if facts.kind else ""
        if facts.payloads is not None:
            kind += f', "payloads": {facts.payloads}, "end": {json.dumps(facts.end)}'
        said = f'"method": {_PLAIN.get(method) or json.dumps(method)}, "path": {_PLAIN.get(path) or json.dumps(path)}'
        return (
            f'{{{said}, "status": {facts.status}, "ms": {seconds * 1000:.1f}{operation}{kind}, "event": "request"'
            f', "request_id": "{facts.request_id}", "level": "{level}", "logger": "crossdock.access"'
            f', "timestamp": "{self._when(at)}"}}\n'
        )

    def _when(self, at: float) -> str:
        second = int(at)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((at - second) * 1_000_000):06d}Z"


def _for_request(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The id of the request that the line is written for."""
    facts = RUNNING.get()
    if facts is not None:
        event.setdefault("request_id", facts.request_id)
    return event


@atexit.register
def _last_lines() -> None:
    if Lines.here is not None:
        Lines.here.write()


def configure_logging(
    style: Literal["json", "console"] = "console", level: str = "info", stream: TextIO | None = None
) -> None:
    """Sends our logs and those of the libraries to one stream, as JSON lines or as text for people."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _for_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    target = stream or sys.stderr
    handler = Lines(target) if style == "json" else logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(style, target),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if Lines.here is not None:
        Lines.here.write()
    Lines.here = handler if isinstance(handler, Lines) else None
    root.setLevel(level.upper())
    # The client's own lines repeat every call with its keys: other people's data, at the cost of a line a call.
    logging.getLogger("httpx2").setLevel(max(logging.WARNING, root.level))


def _rendering(style: Literal["json", "console"], target: TextIO) -> list[structlog.typing.Processor]:
    if style == "json":
        # Without locals: they hold credentials and payloads.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain)]
