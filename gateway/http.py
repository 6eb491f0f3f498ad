"""GraphQL over HTTP: one endpoint, any engine.

Follows the GraphQL-over-HTTP specification. Where its drafts and its audit suite disagree (the draft of August
2026 wants 422 for validation errors and 294 for partial data), this endpoint keeps to what deployed clients and
the audit expect:

=====================================  ===============================  ==================
What happened                          application/graphql-response+json  application/json
=====================================  ===============================  ==================
executed, with or without field errors 200                              200
parse, validation, coercion, limits    400, no ``data``                 200, no ``data``
not a GraphQL request (bad JSON …)     400                              400
mutation by GET; other methods         405 with ``Allow``               the same
unacceptable ``Accept``                406                              the same
body too slow / too large / wrong type 408 / 413 / 415                  the same
fault of the gateway                   500, masked                      the same
=====================================  ===============================  ==================

``application/json`` is the answer's type where the client has no opinion (no Accept, ``*/*``), as the
specification's watershed for older clients asks. A POST must be ``application/json``: a form or a text, which a
foreign page may send without asking, is refused, so there is no cross-site request forgery. Answers are never
stored (``Cache-Control: no-store``) unless the engine says otherwise, and vary by ``Accept``; an answer that may be
stored varies by what else it depends on, too.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answers import Kept, entity_tag, matches
from gateway.masking import error_entry, internal_error
from gateway.media import GRAPHQL, HTML, JSON, choose
from gateway.request import BodyLimits, GraphQLRequest, HttpRefusal, read_request
from gateway.telemetry import request_facts

__all__ = [
    "Answer",
    "BodyLimits",
    "ClientGone",
    "Engine",
    "GraphQLEndpoint",
    "GraphQLRequest",
    "while_connected",
]

CLIENT_CLOSED = 499
T = TypeVar("T")
log = structlog.get_logger("crossdock.http")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine answers: the response map (or its JSON bytes) and what HTTP should make of it.

    ``request_error`` means that nothing was executed. ``status`` overrides the table above; ``headers`` are added
    and win over the defaults.
    """

    result: dict[str, Any] | bytes
    request_error: bool = False
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    kept: Kept | None = None
    """Where the answer is one that is given again: what is known of it."""


class Engine(Protocol):
    """Whatever runs GraphQL: it answers every request, and raises only ClientGone and HttpRefusal."""

    async def execute(self, request: GraphQLRequest, http: Request) -> Answer:
        """Answers one request; ``http`` gives headers, state and the connection."""
        ...


class ClientGone(Exception):
    """The client closed the connection; nobody reads the answer."""


async def while_connected(http: Request, work: Awaitable[T]) -> T:
    """Awaits the work, but cancels it and raises ClientGone once the client has gone away.

    Only for what may stop half-way: a query, never a mutation. The body must have been read.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(http))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for unfinished in (task, gone):
            unfinished.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        continue


class GraphQLEndpoint:
    """The ASGI application behind ``/graphql``; ``page`` renders the page for browsers, or there is none."""

    def __init__(
        self, engine: Engine, *, limits: BodyLimits | None = None, page: Callable[[], Response] | None = None
    ) -> None:
        self.engine = engine
        self.limits = limits or BodyLimits()
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        http = Request(scope, receive)
        try:
            response = await self._respond(http)
        except (ClientDisconnect, ClientGone):
            response = Response(status_code=CLIENT_CLOSED)
        await response(scope, receive, send)

    async def _respond(self, http: Request) -> Response:
        accept = ",".join(http.headers.getlist("accept")) or None
        if self._wants_page(http, accept) and self.page is not None:
            return self.page()
        media = choose(accept, [JSON, GRAPHQL])
        try:
            if media is None:
                raise _not_acceptable()
            request = await read_request(http, self.limits)
            answer = await self.engine.execute(request, http)
        except HttpRefusal as refusal:
            entry = error_entry(str(refusal), refusal.code, hint=refusal.hint)
            answer = Answer({"errors": [entry]}, True, refusal.status, refusal.headers)
        except (ClientDisconnect, ClientGone):
            raise
        except Exception:  # The last line: whatever breaks, the client gets JSON and the log gets the reason.
            log.exception("unexpected error in the engine")
            entry = internal_error(request_facts(http.scope).request_id)
            answer = Answer({"errors": [entry]}, True, HTTPStatus.INTERNAL_SERVER_ERROR)
        return _response(answer, media or JSON, http)

    def _wants_page(self, http: Request, accept: str | None) -> bool:
        """A browser's address bar: a GET without a query that would rather have HTML than JSON."""
        if http.method not in ("GET", "HEAD") or "query" in http.query_params or accept is None:
            return False
        return HTML in accept.lower() and choose(accept, [HTML, JSON, GRAPHQL]) == HTML


def _not_acceptable() -> HttpRefusal:
    return HttpRefusal(
        "None of the media types in Accept can be answered.",
        status=HTTPStatus.NOT_ACCEPTABLE,
        code="NOT_ACCEPTABLE",
        hint=f"Accept {GRAPHQL} or {JSON}.",
    )


def _response(answer: Answer, media: str, http: Request) -> Response:
    status = answer.status
    if status is None:
        status = HTTPStatus.BAD_REQUEST if answer.request_error and media == GRAPHQL else HTTPStatus.OK
    body = answer.result if isinstance(answer.result, bytes) else to_json(answer.result)
    headers = {
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    } | answer.headers
    if headers["Cache-Control"] != "no-store":
        headers["ETag"] = tag = entity_tag(body, media)
        if http.method == "GET" and matches(http.headers.get("if-none-match", ""), tag):
            return Response(status_code=int(HTTPStatus.NOT_MODIFIED), headers=headers)
    headers["Content-Type"] = f"{media}; charset=utf-8"
    return Response(body, status_code=int(status), headers=headers)


def to_json(result: dict[str, Any]) -> bytes:
    """The response map as UTF-8 JSON; falls back to the standard library for what orjson is too strict for
    (integers beyond 64 bits, lone surrogates out of a source's payload).
    """
    with suppress(TypeError):
        return orjson.dumps(result)
    return json.dumps(result, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
