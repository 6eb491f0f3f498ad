"""One operation on a socket: a query, a mutation or a subscription under an id."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import Message

from gateway.http import CLIENT_CLOSED, ClientGone, Engine, GraphQLRequest, to_json
from gateway.masking import error_entry, internal_error
from gateway.request import HttpRefusal
from gateway.subscribing import Subscribing, SubscriptionEnded, SubscriptionRefused
from gateway.telemetry import RUNNING, access_line, own_facts
from gateway.transports.messages import Answering

log = structlog.get_logger("crossdock.streams")
Send = Callable[[bytes], Awaitable[None]]


class SocketGone(Exception):
    """There is no socket any more to answer on."""


class Operation:
    """Runs once. ``scope`` is the socket's; the operation has a request of its own made from it, with an id of its own.

    It answers until it is stopped. A query and a subscription end then; a mutation that has begun is carried through.
    """

    def __init__(self, number: str, request: GraphQLRequest, scope: Mapping[str, Any], send: Send) -> None:
        self.request = request
        self.streaming = False
        self.task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._send = send
        self._answering = Answering(number)
        own = {**scope, "type": "http", "method": "POST"}
        self._http = Request(own, self._receive)
        self.facts = own_facts(own)

    @property
    def stopped(self) -> bool:
        """Whether anybody still wants to hear of it."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Nobody listens any more."""
        self._stopped.set()
        if self.streaming and self.task is not None:
            self.task.cancel()

    async def run(self, engine: Engine, subscribing: Subscribing) -> None:
        """Answer. Raises SocketGone where nobody can be answered."""
        began, running = time.perf_counter(), RUNNING.set(self.facts)
        try:
            await self._answer(engine, subscribing)
        except (ClientGone, SocketGone, asyncio.CancelledError):
            self.facts.end, self.facts.status = (
                "client",
                self.facts.status if self.streaming else CLIENT_CLOSED,
            )
            if not self.stopped:
                raise
        except HttpRefusal as refusal:
            await self._refuse([error_entry(str(refusal), refusal.code, hint=refusal.hint)], refusal.status)
        except Exception:  # The last line: the client gets an error with the id, the log gets the reason.
            log.exception("unexpected error in an operation on a socket")
            await self._refuse([internal_error(self.facts.request_id)], 500)
        finally:
            RUNNING.reset(running)
            line = {"method": "WS", "path": self._http.scope["path"]}
            access_line(line, self.facts, time.perf_counter() - began)

    async def _answer(self, engine: Engine, subscribing: Subscribing) -> None:
        answer = await engine.execute(self.request, self._http)
        if answer.needs_stream:
            await self._stream(subscribing)
            return
        result = answer.result
        if answer.request_error:
            body = result if isinstance(result, dict) else {}
            await self._refuse(body.get("errors", []), answer.status or 400)
            return
        self.facts.status = 200
        await self._say(self._answering.next(result if isinstance(result, bytes) else to_json(result)))
        await self._say(self._answering.complete)

    async def _stream(self, subscribing: Subscribing) -> None:
        if self.stopped:
            raise ClientGone
        self.facts.status, self.facts.payloads, self.streaming = 200, 0, True
        results = subscribing.subscribe(self.request, self._http)
        try:
            async for payload in results:
                await self._say(self._answering.next(payload.body))
                self.facts.payloads += 1
        except SubscriptionRefused as refused:
            self.facts.end = "refused"
            await self._refuse(refused.errors, 400)
        except SubscriptionEnded as ended:
            self.facts.end = ended.code
            await self._say(self._answering.error([ended.entry]))
        else:
            self.facts.end = "complete"
            await self._say(self._answering.complete)
        finally:
            await results.aclose()

    async def _refuse(self, errors: list[dict[str, Any]], status: int) -> None:
        self.facts.status = status
        await self._say(self._answering.error(errors))

    async def _say(self, message: bytes) -> None:
        if self.stopped:
            return
        try:
            await self._send(message)
        except OSError as error:
            raise SocketGone from error

    async def _receive(self) -> Message:
        """What the engine hears of the client: that it has gone."""
        await self._stopped.wait()
        return {"type": "http.disconnect"}
