"""GraphQL over WebSocket: the protocol ``graphql-transport-ws``, and no other.

===== ==========================================================================================
close when
===== ==========================================================================================
1012  the gateway shuts down; the reason says when to come back
1013  the client does not read what it is sent (``gateway.sockets``)
4400  a message that is none: not JSON, not UTF-8, binary, of an unknown type, with a wrong id or payload
4401  an operation before ``connection_ack``
4403  the doorkeeper lets nobody in with these credentials, or they have expired
4406  the subprotocol is not ``graphql-transport-ws``
4408  no ``connection_init`` in time
4409  an id that is in use
4429  a second ``connection_init``
===== ==========================================================================================

A mistake in an operation is answered with ``error`` for its id and leaves the others alone. On shutdown subscriptions get
no ``complete``, which clients take for the end: the socket is closed and they come back. What cannot become a socket is
refused with a status of HTTP: 403 for pages of a foreign origin, 429 and 503 where there is no room.
"""

import asyncio
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from gateway.http import Engine, to_json
from gateway.masking import error_entry
from gateway.request import HttpRefusal
from gateway.subscribing import Subscribing
from gateway.telemetry import request_facts
from gateway.transports import messages
from gateway.transports.messages import Answering, Closing, Gone, Said
from gateway.transports.operation import Operation, SocketGone
from gateway.transports.visits import Doorkeeper, Everybody, NotAdmitted, Visit, Visits, client_of

log = structlog.get_logger("crossdock.access")


class Sockets:
    """The ASGI application behind ``/graphql`` for WebSocket."""

    def __init__(
        self,
        engine: Engine,
        subscribing: Subscribing,
        visits: Visits,
        doorkeeper: Doorkeeper | None = None,
    ) -> None:
        self.engine = engine
        self.subscribing = subscribing
        self.visits = visits
        self.doorkeeper = doorkeeper or Everybody()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one socket until it is closed."""
        await receive()
        connection = HTTPConnection(scope)
        try:
            self._check_origin(connection)
            with self.visits.enter(client_of(connection)) as visit:
                if messages.SUBPROTOCOL not in scope["subprotocols"]:
                    await send({"type": "websocket.accept"})
                    reason = f"Subprotocol not acceptable: use {messages.SUBPROTOCOL}."
                    await send(
                        {"type": "websocket.close", "code": messages.BAD_SUBPROTOCOL, "reason": reason}
                    )
                    return
                await send({"type": "websocket.accept", "subprotocol": messages.SUBPROTOCOL})
                await Socket(self, scope, receive, send, visit).run()
        except HttpRefusal as refusal:
            await _deny(send, refusal)
        except OSError:
            # The client has gone before it could be answered.
            return

    def _check_origin(self, connection: HTTPConnection) -> None:
        """A browser lets any page open a socket to anywhere: only ours and those that are named may."""
        origin = connection.headers.get("origin")
        if origin is None or origin in self.visits.settings.allowed_origins:
            return
        if urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower():
            message = "Pages of this origin may not open a socket here."
            hint = "Name it in streams.allowed_origins."
            raise HttpRefusal(message, status=HTTPStatus.FORBIDDEN, code="ORIGIN_NOT_ALLOWED", hint=hint)


async def _deny(send: Send, refusal: HttpRefusal) -> None:
    """Refuse the handshake with a status."""
    body = to_json({"errors": [error_entry(str(refusal), refusal.code, hint=refusal.hint)]})
    headers = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    headers += [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


class Socket:
    """One open socket and the operations on it."""

    def __init__(self, sockets: Sockets, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        self.sockets = sockets
        self.settings = sockets.visits.settings
        self.scope = scope
        self.visit = visit
        self._receive = receive
        self._asgi_send = send
        self._begun = self._acknowledged = False
        self._closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        self._operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    async def run(self) -> None:
        """Until it is closed, by whom ever."""
        began, loop = time.perf_counter(), asyncio.get_running_loop()
        timer = loop.call_later(self.settings.init_timeout_ms / 1000, self._init_late)
        self.visit.ended.add_done_callback(lambda _: self._gateway_ends())
        helpers = [loop.create_task(self._read()), loop.create_task(self._beat())]
        try:
            closing = await self._closing
            if closing.code == messages.SERVICE_RESTART:
                await self._finish_answers()
        finally:
            timer.cancel()
            for helper in helpers:
                helper.cancel()
            for operation in self._operations.values():
                operation.stop()
            await asyncio.gather(*helpers, return_exceptions=True)
        if not isinstance(closing, Gone):
            close = {"type": "websocket.close", "code": closing.code, "reason": closing.reason}
            with suppress(OSError):
                await self._asgi_send(close)
        await self._settle()
        log.info(
            "socket closed",
            request_id=request_facts(self.scope).request_id,
            path=self.scope["path"],
            code=closing.code,
            reason=closing.reason,
            operations=self._count,
            ms=round((time.perf_counter() - began) * 1000, 1),
        )

    def _close(self, closing: Closing) -> None:
        if not self._closing.done():
            self._closing.set_result(closing)

    def _init_late(self) -> None:
        if not self._begun:
            self._close(Closing(messages.INIT_TIMEOUT, "Connection initialisation timeout"))

    def _gateway_ends(self) -> None:
        reason = self.visit.ended.result()
        if reason.retry_after is None:
            self._close(Closing(messages.FORBIDDEN, str(reason)))
        else:
            said = f"{reason} Come back in {reason.retry_after:g} s."
            self._close(Closing(messages.SERVICE_RESTART, said))

    async def _finish_answers(self) -> None:
        """Let queries and mutations come to their end; a subscription would not."""
        for operation in self._operations.values():
            if operation.streaming:
                operation.stop()
        await self._settle()

    async def _settle(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _read(self) -> None:
        """Take every message, until the client has gone or must."""
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._take(message)
            self._close(Gone(message.get("code", messages.ABNORMAL), message.get("reason") or ""))
        except Closing as closing:
            self._close(closing)
        except OSError:
            self._close(Gone())
        except Exception:  # The last line: a mistake of ours ends the socket, with a code.
            log.exception("unexpected error on a socket")
            self._close(Closing(messages.INTERNAL_ERROR, "Internal error"))

    async def _take(self, message: Message) -> None:
        said = messages.read(message.get("text"))
        if said.type == "subscribe":
            await self._subscribe(said)
        elif said.type == "complete":
            operation = self._operations.pop(said.id, None)
            if operation is not None:
                operation.stop()
        elif said.type == "ping":
            await self._send(messages.pong(said.payload))
        elif said.type == "connection_init":
            await self._init(said.payload)

    async def _init(self, payload: dict[str, Any] | None) -> None:
        if self._begun:
            raise Closing(messages.TOO_MANY_INITS, "Too many initialisation requests")
        self._begun = True
        try:
            admission = await self.sockets.doorkeeper.admit(HTTPConnection(self.scope), payload)
        except NotAdmitted as refused:
            raise Closing(messages.FORBIDDEN, str(refused) or "Forbidden") from None
        self.visit.expire(admission)
        self._acknowledged = True
        await self._send(messages.ack(admission.said))

    async def _subscribe(self, said: Said) -> None:
        if not self._acknowledged:
            raise Closing(messages.UNAUTHORIZED, "Unauthorized")
        if said.id in self._operations:
            raise Closing(messages.ALREADY_EXISTS, f"Subscriber for {said.id} already exists")
        request = messages.request_in(said)
        if self._closing.done():
            # The client comes back with it.
            return
        most = self.settings.max_operations
        if len(self._tasks) >= most:
            text = f"There are {most} operations on this socket already."
            entry = error_entry(text, "TOO_MANY_OPERATIONS", hint="Complete some, or open another socket.")
            await self._send(Answering(said.id).error([entry]))
            return
        operation = self._operations[said.id] = Operation(said.id, request, self.scope, self._send)
        operation.task = task = asyncio.get_running_loop().create_task(self._run(said.id, operation))
        self._count += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, number: str, operation: Operation) -> None:
        try:
            await operation.run(self.sockets.engine, self.sockets.subscribing)
        except SocketGone:
            self._close(Gone())
        finally:
            if self._operations.get(number) is operation:
                del self._operations[number]

    async def _beat(self) -> None:
        """A ping now and then, for clients whose code cannot see those of WebSocket itself."""
        try:
            while True:
                await asyncio.sleep(self.settings.keep_alive_ms / 1000)
                if self._acknowledged:
                    await self._send(messages.PING)
        except OSError:
            self._close(Gone())

    async def _send(self, message: bytes) -> None:
        """Send a message. Waits while the client does not read; raises OSError where it has gone."""
        if self._closing.done() and self._closing.result().code != messages.SERVICE_RESTART:
            raise ConnectionError("the socket is closed")
        await self._asgi_send({"type": "websocket.send", "text": message.decode()})
