"""Troubles any HTTP system may have, put in front of a sim: the same for every adapter, whatever its sim can do."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer that comes in place of the system's."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)


THROTTLED = Canned(
    429, b'{"error": "slow down"}', ((b"content-type", b"application/json"), (b"retry-after", b"7"))
)
BROKEN = Canned(500, b"<html>Internal Server Error</html>", ((b"content-type", b"text/html"),))
AWAY = Canned(503, b"")
GARBAGE = Canned(200, b'{"rows": [{"numb')
LOGIN_PAGE = Canned(200, b"<html><form>Please log in</form></html>", ((b"content-type", b"text/html"),))
NOT_UTF8 = Canned(200, b'{"rows": "\xff\xfe"}')
EMPTY = Canned(200, b"")
ELSEWHERE = Canned(302, b"", ((b"location", b"http://127.0.0.1:1/elsewhere"),))


class Faults:
    """An ASGI application in front of another: counts requests, delays them, answers in its place."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.reset()

    def reset(self) -> None:
        """No trouble, nothing counted."""
        self.canned: Canned | None = None
        self.delay = 0.0
        self.requests = 0
        self.headers: dict[bytes, bytes] = {}
        """Headers of the latest request."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.requests += 1
        self.headers = dict(scope["headers"])
        await asyncio.sleep(self.delay)
        if self.canned is None:
            await self._app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        length = (b"content-length", str(len(self.canned.body)).encode())
        await send(
            {
                "type": "http.response.start",
                "status": self.canned.status,
                "headers": [*self.canned.headers, length],
            }
        )
        await send({"type": "http.response.body", "body": self.canned.body})
