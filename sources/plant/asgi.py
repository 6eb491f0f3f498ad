"""A plain ASGI application for a simulated system: routes, credentials, knobs and request counts.

Every system has `GET|POST /__knobs`, `GET /__stats`, `POST /__stats/reset` and `GET|POST /__webhook` (where it sends
what happens): no credentials, never counted, never troubled by the knobs they set.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from sources.plant.knobs import KnobError, Knobs, Stats
from sources.plant.world.world import World

Row = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class Response:
    """A status, a body to be shown as JSON (None: empty), and headers beside the content type."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json"

    def encoded(self) -> bytes:
        """The body as UTF-8 JSON."""
        return b"" if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()


class Refusal(Exception):
    """A request this system cannot answer: the status and a message; the dialect words the body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Request:
    """One HTTP request, read whole."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    parts: dict[str, str] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return self.query.get(name, [default])[-1]

    def commas(self, name: str) -> list[str]:
        """A comma list parameter, repeated or not, without blanks."""
        values = (part.strip() for value in self.query.get(name, []) for part in value.split(","))
        return [value for value in values if value]

    def integer(self, name: str, default: int, most: int) -> int:
        """A whole-number parameter between 0 and `most`; raises Refusal 400 otherwise."""
        text = self.one(name, str(default))
        if not text.isdigit():
            raise Refusal(400, f"parameter {name} must be a whole number, not {text!r}")
        if int(text) > most:
            raise Refusal(400, f"parameter {name} must be at most {most}, not {text}")
        return int(text)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; raises Refusal 400 when it is anything else."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, f"body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Refusal(400, f"body must be a JSON object, not {type(value).__name__}")
        return value


Handler = Callable[[Request], Response]


@dataclass(slots=True)
class Route:
    """A method, a path with `{name}` parts, and the function that answers it; `write`: it changes the world."""

    method: str
    path: str
    handler: Handler
    token: bool = False
    write: bool = False


class System:
    """One simulated system as an ASGI application over the shared world."""

    def __init__(
        self,
        world: World,
        knobs: Knobs,
        routes: list[Route],
        check: Callable[[Request], None],
        refuse: Callable[[Refusal], Response],
    ) -> None:
        self.world = world
        self.knobs = knobs
        self.stats = Stats()
        self.webhook = ""
        """Where it sends what happens; empty sends nothing."""
        self._check = check
        self._refuse = refuse
        self._exact = {(route.method, route.path): route for route in routes if "{" not in route.path}
        self._patterns = [(route, _pattern(route.path)) for route in routes if "{" in route.path]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection scope: HTTP, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            request = await _read(scope, receive)
            if request.path.startswith("/__"):
                await _send(send, self._control(request))
            else:
                await self._serve(request, receive, send)

    def answer(self, request: Request) -> Response:
        """What the healthy system says, refusals worded by the dialect."""
        try:
            route = self._route(request)
            self.stats.count(f"{request.method} {route.path}", token=route.token)
            if not route.token:
                self._check(request)
            self.world.catch_up()
            return route.handler(request)
        except Refusal as refusal:
            return self._refuse(refusal)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        knobs = self.knobs
        if knobs.latency_ms:
            await asyncio.sleep(knobs.latency_ms / 1000)
        if knobs.outage == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if knobs.outage == "drop":
            await _send_part(send, Response(200), b"", 64)
            return
        word = knobs.write_trouble if self._writes(request) else ""
        if word == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if word == "reset":
            await _send_part(send, Response(200), b"", 64)
            return
        response = (
            self._written(request, word) if self._writes(request) else self._trouble(self.answer(request))
        )
        if word == "hang_after":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if word == "reset_after":
            await _send_part(send, Response(200), b"", 64)
            return
        body = b'{"truncated": [1, 2,' if knobs.garbage else response.encoded()
        if knobs.half_closed:
            await _send_part(send, response, body[: len(body) // 2], len(body))
        else:
            await _send_body(send, response, body, knobs.slow_body / 1000)

    def _writes(self, request: Request) -> bool:
        exact = self._exact.get((request.method, request.path))
        routes = [exact] if exact else [r for r, pattern in self._patterns if pattern.fullmatch(request.path)]
        return any(route.write and route.method == request.method for route in routes)

    def _written(self, request: Request, word: str) -> Response:
        """The answer to a write. Trouble keeps it from being carried out, unless its name says after."""
        ill = self._trouble(Response(200))
        if word in ("429", "500"):
            ill = self._refuse(Refusal(int(word), "not now"))
            ill.headers["Retry-After"] = "1"
        if ill.status != 200:
            return ill
        response = self.answer(request)
        return self._refuse(Refusal(500, "internal error")) if word == "500_after" else response

    def _trouble(self, response: Response) -> Response:
        knobs = self.knobs
        if knobs.outage == "503":
            return self._refuse(Refusal(503, "service unavailable"))
        if knobs.error_500:
            return self._refuse(Refusal(500, "internal error"))
        if knobs.throttle and self.stats.requests % max(knobs.throttle_every, 1) == 0:
            refused = self._refuse(Refusal(429, "too many requests"))
            refused.headers["Retry-After"] = str(knobs.throttle)
            return refused
        return response

    def _route(self, request: Request) -> Route:
        exact = self._exact.get((request.method, request.path))
        if exact is not None:
            return exact
        for route, pattern in self._patterns:
            match = pattern.fullmatch(request.path)
            if match and route.method == request.method:
                request.parts = match.groupdict()
                return route
        self.stats.count("unknown")
        raise Refusal(404, f"no such resource: {request.method} {request.path}")

    def _control(self, request: Request) -> Response:
        if request.path == "/__stats/reset" and request.method == "POST":
            self.stats.reset()
        if request.path.startswith("/__stats"):
            return Response(200, self.stats.as_dict())
        if request.path == "/__webhook":
            return self._register(request)
        if request.path != "/__knobs":
            there = "/__knobs, /__stats and /__webhook"
            return Response(404, {"error": f"no control {request.path}; there are {there}"})
        try:
            if request.method == "POST":
                self.knobs.update(request.json())
        except (KnobError, Refusal) as error:
            return Response(400, {"error": str(error)})
        return Response(200, self.knobs.as_dict())

    def _register(self, request: Request) -> Response:
        try:
            if request.method == "POST":
                self.webhook = str(request.json().get("url") or "")
        except Refusal as error:
            return Response(400, {"error": str(error)})
        return Response(200, {"url": self.webhook})


def _pattern(path: str) -> re.Pattern[str]:
    escaped = re.escape(path).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+?)", escaped))


async def _read(scope: MutableMapping[str, Any], receive: Receive) -> Request:
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, b"".join(chunks))


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _start(send: Send, response: Response, length: int) -> None:
    headers = {"Content-Type": response.media, "Content-Length": str(length), **response.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})


async def _send(send: Send, response: Response) -> None:
    await _send_body(send, response, response.encoded(), 0)


async def _send_part(send: Send, response: Response, part: bytes, length: int) -> None:
    """Promise `length` bytes, send fewer and return: the server then closes the connection."""
    await _start(send, response, length)
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _send_body(send: Send, response: Response, body: bytes, seconds: float) -> None:
    await _start(send, response, len(body))
    if seconds:
        step = max(len(body) // 10, 1)
        for at in range(0, len(body), step):
            await asyncio.sleep(seconds / 10)
            await send({"type": "http.response.body", "body": body[at : at + step], "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})
