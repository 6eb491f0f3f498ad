"""A subscription over HTTP: one request whose answer does not end.

Until the subscription has given something, or has run for a moment without being refused, nothing is sent: what is
refused at once is answered as any other request. After that all that can happen is said inside the stream.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import Send

from gateway.http import GraphQLRequest
from gateway.masking import internal_error
from gateway.media import EVENT_STREAM, MULTIPART
from gateway.request import HttpRefusal
from gateway.subscribing import LAST_EVENT_ID, Payload, Subscribing, SubscriptionEnded, SubscriptionRefused
from gateway.telemetry import request_facts
from gateway.transports.framing import Framing
from gateway.transports.multipart import MultipartStream
from gateway.transports.sse import EventStream
from gateway.transports.visits import Doorkeeper, Everybody, NotAdmitted, Visit, Visits, client_of

OPENING = 0.25
"""Seconds in which a subscription may still be refused with a status of HTTP."""
HEADERS = (
    (b"cache-control", b"no-store, no-transform"),
    (b"vary", b"Accept"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
)
FRAMINGS: dict[str, Framing] = {EVENT_STREAM: EventStream(), MULTIPART: MultipartStream()}
log = structlog.get_logger("crossdock.streams")


class HttpStreams:
    """Streams of results as answers of HTTP."""

    def __init__(
        self, subscribing: Subscribing, visits: Visits, doorkeeper: Doorkeeper | None = None
    ) -> None:
        self.subscribing = subscribing
        self.visits = visits
        self.doorkeeper = doorkeeper or Everybody()

    def once(self, media: str, body: bytes) -> tuple[bytes, bytes]:
        """One answer as a stream of its own: its type and its bytes."""
        framing = FRAMINGS[media]
        start = b"" if media == EVENT_STREAM else framing.opening(self.visits.retry_after)
        return framing.content_type, start + framing.payload(Payload(body)) + framing.complete

    async def run(
        self, media: str, request: GraphQLRequest, http: Request, send: Send
    ) -> list[dict[str, Any]] | None:
        """Stream the results of a subscription until it is over, one way or another; None then.

        Where it is refused before anything was sent: the errors to answer with. Raises HttpRefusal where there is no
        room for it.
        """
        with self.visits.enter(client_of(http)) as visit:
            try:
                visit.expire(await self.doorkeeper.admit(http, None))
            except NotAdmitted as refused:
                raise HttpRefusal(str(refused), status=403, code="NOT_ADMITTED") from None
            results = self.subscribing.subscribe(_resumed(request, http), http)
            return await HttpStream(FRAMINGS[media], results, visit, self.visits, http, send).run()


def _resumed(request: GraphQLRequest, http: Request) -> GraphQLRequest:
    """The same request, going on after the event that the client saw last, where it says which."""
    last = http.headers.get("last-event-id")
    return request if not last else replace(request, extensions=request.extensions | {LAST_EVENT_ID: last})


class HttpStream:
    """One open stream: a task that writes results, one that writes into long silences, one that looks for the client."""

    def __init__(
        self,
        framing: Framing,
        results: AsyncGenerator[Payload, None],
        visit: Visit,
        visits: Visits,
        http: Request,
        send: Send,
    ) -> None:
        self.framing = framing
        self.results = results
        self.visit = visit
        self.visits = visits
        self.http = http
        self.facts = request_facts(http.scope)
        self._send = send
        self._started = self._silent = self._finished = False
        self._one = asyncio.Lock()
        self._refused: list[dict[str, Any]] | None = None

    async def run(self) -> list[dict[str, Any]] | None:
        """Until it ends: the errors where nothing was sent, else None."""
        self.facts.payloads = 0
        loop = asyncio.get_running_loop()
        pump = loop.create_task(self._pump())
        beat, watch = loop.create_task(self._beat()), loop.create_task(self._watch())
        ended = self.visit.ended
        waiting: set[asyncio.Future[Any]] = {pump, watch, ended}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                await pump
            elif watch.done():
                self.facts.end = "client"
        finally:
            for task in (pump, beat, watch):
                task.cancel()
            await asyncio.gather(pump, beat, watch, return_exceptions=True)
            await self.results.aclose()
        if ended.done() and not self._finished and self.facts.end != "client":
            await self._leave(ended.result())
        return self._refused

    async def _pump(self) -> None:
        """Every result, then the end."""
        try:
            async for payload in self.results:
                await self._write(self.framing.payload(payload))
                self.facts.payloads = (self.facts.payloads or 0) + 1
        except SubscriptionRefused as refused:
            await self._refuse(refused.errors)
        except SubscriptionEnded as reason:
            await self._last(self.framing.ended(reason), reason.code)
        except Exception:  # The last line: the client gets an error with the id, the log gets the reason.
            log.exception("unexpected error in a subscription")
            await self._refuse([internal_error(self.facts.request_id)])
        else:
            await self._last(self.framing.complete, "complete")

    async def _refuse(self, errors: list[dict[str, Any]]) -> None:
        if self._started:
            await self._last(self.framing.refused(errors), "error")
        else:
            self.facts.end, self._refused, self._finished = "refused", errors, True

    async def _beat(self) -> None:
        """Open the stream if nothing has come for a moment, and break every silence that lasts too long."""
        await asyncio.sleep(OPENING)
        if not self._started:
            await self._write(b"")
        while True:
            self._silent = True
            await asyncio.sleep(self.visits.settings.keep_alive_ms / 1000)
            if self._silent:
                await self._write(self.framing.beat)

    async def _watch(self) -> None:
        """Wait until the client has gone."""
        while (await self.http.receive())["type"] != "http.disconnect":
            continue

    async def _leave(self, reason: SubscriptionEnded) -> None:
        """End the stream because the gateway wants it."""
        if self._started:
            await self._last(self.framing.left(reason), reason.code)
        else:
            self.facts.end, self._refused, self._finished = reason.code, [reason.entry], True

    async def _write(self, data: bytes, more: bool = True) -> None:
        """Send a piece, after the head if it is the first. Waits while the client does not read.

        The server cuts off who reads nothing for too long (``gateway.server``).
        """
        async with self._one:
            if not self._started:
                self._started, self.facts.status = True, 200
                head = [*HEADERS, (b"content-type", self.framing.content_type)]
                head.append((b"x-request-id", self.facts.request_id.encode("latin-1")))
                await self._send({"type": "http.response.start", "status": 200, "headers": head})
                data = self.framing.opening(self.visits.retry_after) + data
            self._silent = False
            await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _last(self, data: bytes, end: str) -> None:
        self.facts.end = end
        await self._write(data, more=False)
        self._finished = True
