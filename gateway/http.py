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
stored varies by what else it depends on, too. A client that accepts ``multipart/mixed`` gets what ``@defer`` and
``@stream`` put off in parts (``gateway.multipart``); nobody else notices these directives.
"""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.answers import Answers, Header, Kept, encoded, entity_tag, matches
from gateway.envelope import envelope_of
from gateway.masking import error_entry, internal_error
from gateway.media import GRAPHQL, HTML, JSON, choose
from gateway.multipart import Form, form_of, framed
from gateway.parts import Delivery
from gateway.request import LINE, BodyLimits, GraphQLRequest, HttpRefusal, read_request
from gateway.telemetry import RequestFacts, request_facts
from resolvers.eager import Started

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
LINGER = 1.0
"""Seconds that a reader has to take what is told when the time of the operation is over."""
PATIENCE = 0.005
"""Seconds that a query may take before anybody looks whether its client is still there."""
OFFERED = (JSON, GRAPHQL)
SNIFF = (b"x-content-type-options", b"nosniff")
UNSTORED = ((b"cache-control", b"no-store"), (b"vary", b"Accept"), SNIFF)
TYPES = {media: (b"content-type", f"{media}; charset=utf-8".encode()) for media in OFFERED}
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
    parts: Delivery | None = None
    """Where others follow the ``result``: what brings them."""


class Engine(Protocol):
    """Whatever runs GraphQL: it answers every request, and raises only ClientGone and HttpRefusal."""

    async def execute(self, request: GraphQLRequest, http: Request) -> Answer:
        """Answers one request; ``http`` gives headers, state and the connection."""
        ...


class ClientGone(Exception):
    """The client closed the connection; nobody reads the answer."""


async def while_connected(http: Request, work: Coroutine[Any, Any, T]) -> T:
    """Awaits the work, but cancels it and raises ClientGone once the client has gone away.

    Only for what may stop half-way: a query, never a mutation. The body must have been read. Nobody watches the client
    of work that is over in a moment.
    """
    begun = Started(work)
    if begun.done:
        return begun.value
    watch = _Watch(http)
    try:
        return await begun
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        watch.task.uncancel()
        raise ClientGone from None
    finally:
        watch.end()


class _Watch:
    """Looks out for the client of the running task, and cancels the task when it has gone."""

    def __init__(self, http: Request) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("nobody to cancel: this must run in a task")
        self.task: asyncio.Task[Any] = task
        self.gone = False
        self._http = http
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._begin)

    def end(self) -> None:
        """Look no more."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        while (await self._http.receive())["type"] != "http.disconnect":
            continue
        self.gone = True
        self.task.cancel()


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire, the request's id excepted."""

    status: int
    headers: tuple[Header, ...]
    body: bytes = b""
    parts: Delivery | None = None
    """What brings the parts that follow the body."""


GONE = Reply(CLIENT_CLOSED, ((b"content-length", b"0"),))


class GraphQLEndpoint:
    """The ASGI application behind ``/graphql``; ``page`` renders the page for browsers, or there is none.

    ``answers`` are the engine's, which are told the bytes that ask for them.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        limits: BodyLimits | None = None,
        page: Callable[[], Response] | None = None,
        answers: Answers | None = None,
    ) -> None:
        self.engine = engine
        self.limits = limits or BodyLimits()
        self.page = page
        self.answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        facts, http = request_facts(scope), Request(scope, receive)
        try:
            reply = await self._respond(http, facts)
        except (ClientDisconnect, ClientGone):
            reply = GONE
        facts.status = reply.status
        headers = [*reply.headers, (b"x-request-id", facts.request_id.encode("latin-1"))]
        line = scope.get(LINE)
        if line is not None and line.write(reply.status, head_lines(headers), reply.body):
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.parts is None:
            await send({"type": "http.response.body", "body": reply.body})
            return
        try:
            await while_connected(http, _sent(reply.body, reply.parts, send))
        except (ClientGone, TimeoutError):
            facts.status = CLIENT_CLOSED
        finally:
            await reply.parts.close()

    async def _respond(self, http: Request, facts: RequestFacts) -> Reply:
        accepts = [value for name, value in http.scope["headers"] if name == b"accept"]
        accept = b",".join(accepts).decode("latin-1") or None
        if self.page is not None and self._wants_page(http, accept):
            page = self.page()
            return Reply(page.status_code, tuple(page.raw_headers), bytes(page.body))
        media, form = _media(accept), form_of(accept)
        try:
            if media is None and form is None:
                raise _not_acceptable()
            request = await read_request(http, self.limits)
            if form is not None:
                request = replace(request, parts=form)
            answer = await self.engine.execute(request, http)
        except HttpRefusal as refusal:
            entry = error_entry(str(refusal), refusal.code, hint=refusal.hint)
            answer = Answer({"errors": [entry]}, True, refusal.status, refusal.headers)
        except (ClientDisconnect, ClientGone):
            raise
        except Exception:  # The last line: whatever breaks, the client gets JSON and the log gets the reason.
            log.exception("unexpected error in the engine")
            entry = internal_error(facts.request_id)
            answer = Answer({"errors": [entry]}, True, HTTPStatus.INTERNAL_SERVER_ERROR)
        if form is not None and (answer.parts is not None or media is None):
            return _divided(answer, form)
        envelope = envelope_of(http.scope)
        if answer.kept is not None and self.answers is not None and envelope is not None:
            self.answers.remember(envelope.key, envelope.size, answer.kept, media or JSON)
        return _reply(answer, media or JSON, http)

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


def _media(accept: str | None) -> str | None:
    """The type to answer in. Clients say the same few things over and over."""
    return choose(accept, OFFERED) if accept is None or len(accept) > 200 else _known_media(accept)


@lru_cache(256)
def _known_media(accept: str) -> str | None:
    return choose(accept, OFFERED)


def _reply(answer: Answer, media: str, http: Request) -> Reply:
    status = answer.status
    if status is None:
        status = HTTPStatus.BAD_REQUEST if answer.request_error and media == GRAPHQL else HTTPStatus.OK
    body = answer.result if isinstance(answer.result, bytes) else to_json(answer.result)
    if not answer.headers:
        return Reply(int(status), (*UNSTORED, *content(body, media)), body)
    said = {"Cache-Control": "no-store", "Vary": "Accept"} | answer.headers
    if said["Cache-Control"] != "no-store":
        said["ETag"] = tag = entity_tag(body, media)
        if http.method == "GET" and matches(http.headers.get("if-none-match", ""), tag):
            return Reply(HTTPStatus.NOT_MODIFIED.value, (*encoded(said), SNIFF))
    return Reply(int(status), (*encoded(said), SNIFF, *content(body, media)), body)


def head_lines(headers: Iterable[Header]) -> bytes:
    """Headers as they stand in the head of an answer."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _divided(answer: Answer, form: Form) -> Reply:
    """An answer in parts, as many as there are: a client that accepts nothing else gets any answer so."""
    body = answer.result if isinstance(answer.result, bytes) else to_json(answer.result)
    headers = (*UNSTORED, *encoded(answer.headers if answer.request_error else {}), form.header)
    status = int(answer.status or HTTPStatus.OK)
    return Reply(status, headers, framed(body, first=True, last=answer.parts is None), answer.parts)


async def _sent(first: bytes, parts: Delivery, send: Send) -> None:
    """Send every part when it is there. Raises TimeoutError where the reader does not take them in time."""
    body: Message = {"type": "http.response.body", "body": first, "more_body": True}
    await send(body)
    async for payload in parts.later():
        following = payload["hasNext"]
        body = {"type": "http.response.body", "body": framed(to_json(payload), last=not following)}
        now = time.monotonic()
        async with asyncio.timeout(None if parts.until is None else max(parts.until - now, LINGER)):
            await send(body | {"more_body": following})


def content(body: bytes, media: str) -> tuple[Header, Header]:
    """The headers that describe a body."""
    return TYPES[media], (b"content-length", b"%d" % len(body))


def to_json(result: dict[str, Any]) -> bytes:
    """The response map as UTF-8 JSON; falls back to the standard library for what orjson is too strict for
    (integers beyond 64 bits, lone surrogates out of a source's payload).
    """
    with suppress(TypeError):
        return orjson.dumps(result)
    return json.dumps(result, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
