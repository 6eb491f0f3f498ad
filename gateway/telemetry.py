"""Logs and the request id that ties them together.

Every HTTP request gets an id: the client's own ``X-Request-Id`` if it is sane, else a new one. It is in every log
line of the request, in the answer's header and in masked errors. One access line is written per request.
"""

import logging
import re
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Literal, TextIO

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_SCOPE_KEY = "crossdock.request"
_QUIET = ("/health/",)

log = structlog.get_logger("crossdock.access")


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request so far; the engine adds the operation's name and type."""

    request_id: str
    operation: str | None = None
    kind: str | None = None


def request_facts(scope: Scope) -> RequestFacts:
    """The facts of this request; made on first use where the middleware is not installed."""
    facts = scope.get(_SCOPE_KEY)
    if not isinstance(facts, RequestFacts):
        facts = scope[_SCOPE_KEY] = RequestFacts(_request_id(scope))
    return facts


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex


class RequestLog:
    """ASGI middleware: request id in and out, one access line with status, milliseconds and operation."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes HTTP requests on with an id; leaves lifespan and WebSocket alone."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        facts, started, status = request_facts(scope), time.perf_counter(), 500

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = facts.request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=facts.request_id):
            try:
                await self.app(scope, receive, tagged)
            finally:
                _access_line(scope, facts, status, time.perf_counter() - started)


def _access_line(scope: Scope, facts: RequestFacts, status: int, seconds: float) -> None:
    quiet = status < 400 and scope["path"].startswith(_QUIET)
    level = logging.DEBUG if quiet else logging.INFO
    log.log(
        level,
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(seconds * 1000, 1),
        **({"operation": facts.operation} if facts.operation else {}),
        **({"kind": facts.kind} if facts.kind else {}),
    )


def configure_logging(
    style: Literal["json", "console"] = "console", level: str = "info", stream: TextIO | None = None
) -> None:
    """Sends our logs and those of the libraries to one stream, as JSON lines or as text for people."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
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
    handler = logging.StreamHandler(target)
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
