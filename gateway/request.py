"""One GraphQL request as it arrives over HTTP, read and checked before anything else looks at it.

Everything here refuses instead of guessing: the body is bounded before and while it is read, its media type is
parsed rather than searched, its JSON is strict (RFC 8259, UTF-8, no NaN, no number beyond a double, bounded
nesting), and each parameter has exactly one type.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from gateway.media import parse_content_type
from gateway.multipart import Form
from resolvers.eager import Started
from schema.errors import CrossdockError
from sources.base import Lane

T = TypeVar("T")
PARAMETERS = ("query", "operationName", "variables", "extensions")
MAX_JSON_DEPTH = 64
"""How deep variables and extensions may be nested; deeper than any input type, shallower than any stack."""
LINE = "crossdock.line"
"""Where a scope holds the whole body and a way to answer in one write, where the server offers that."""
DRAIN_SECONDS = 0.5
DRAIN_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The four parameters of GraphQL over HTTP and the method they came by.

    ``query`` is None only where ``extensions.persistedQuery`` names the document instead. ``parts`` is the form in which
    the client takes an answer in parts, None where it does not.
    """

    query: str | None
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    extensions: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"
    parts: Form | None = None


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much of a body is read (bytes) and how long it may take to arrive (seconds)."""

    max_bytes: int = 1 << 20
    timeout_seconds: float = 10.0


class HttpRefusal(CrossdockError):
    """The HTTP request is no GraphQL request; answered with ``status`` whatever the client accepts."""

    code = "BAD_REQUEST"

    def __init__(
        self,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        code: str = "BAD_REQUEST",
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = int(status)
        self.code = code
        self.headers = dict(headers or {})


LANE = "Crossdock-Lane"
"""The header by which a client says how urgent its requests are."""


_LANE = LANE.lower().encode()
_LANES = {lane.name.lower(): lane for lane in Lane}


def lane_of(headers: Headers) -> Lane:
    """The lane that a request asks for, the application's where it does not say; raises HttpRefusal."""
    values = [value.decode("latin-1") for name, value in headers.raw if name == _LANE]
    if not values:
        return Lane.APP
    lane = _LANES.get(values[0].strip().lower()) if len(values) == 1 else None
    if lane is None:
        raise HttpRefusal(
            f"The header {LANE}: {_shown(', '.join(values))} is no lane.", hint=f"One of {', '.join(_LANES)}."
        )
    return lane


async def read_request(request: Request, limits: BodyLimits) -> GraphQLRequest:
    """The GraphQL request inside a GET or POST; raises HttpRefusal with the status to answer."""
    if request.method == "GET":
        return _from_query_string(request.scope["query_string"])
    if request.method == "POST":
        return _from_parameters(await read_json(request, limits), "POST")
    raise HttpRefusal(
        f"{request.method} is not a way to ask GraphQL here.",
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        code="METHOD_NOT_ALLOWED",
        hint="Use POST with a JSON body, or GET for queries.",
        headers={"Allow": "GET, POST"},
    )


async def read_json(request: Request, limits: BodyLimits) -> object:
    """The JSON value that a POST holds, checked like everything here; raises HttpRefusal."""
    _check_content(request.scope["headers"])
    return _json(await read_body(request, limits), "The body")


def _check_content(headers: list[tuple[bytes, bytes]]) -> None:
    types = [value for name, value in headers if name == b"content-type"]
    encodings = [value for name, value in headers if name == b"content-encoding"]
    if types == [b"application/json"] and not encodings:
        return
    encoding = encodings[0].decode("latin-1").strip().lower() if encodings else "identity"
    if encoding not in ("", "identity"):
        raise _unsupported(
            f"Content-Encoding {_shown(encoding)} is not read here.", "Send the body uncompressed."
        )
    values = [value.decode("latin-1") for value in types]
    mend = "Send 'Content-Type: application/json'."
    if len(values) != 1:
        raise _unsupported("A POST needs exactly one Content-Type header.", mend)
    parsed = parse_content_type(values[0])
    if parsed is None or parsed.name != "application/json":
        raise _unsupported(f"Content-Type {_shown(values[0])} is not read here.", mend)
    charset = parsed.parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8"):
        raise _unsupported(f"Charset {_shown(charset)} is not read here.", "Send the body in UTF-8.")


def _unsupported(message: str, hint: str) -> HttpRefusal:
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return HttpRefusal(message, status=status, code="UNSUPPORTED_MEDIA_TYPE", hint=hint)


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """The whole body, at most ``max_bytes``, within the time allowed; raises HttpRefusal."""
    declared = next((value for name, value in request.scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared[:20]) > limits.max_bytes:
        await _drain(request)
        raise _too_large(limits)
    line = request.scope.get(LINE)
    if line is not None:
        return _bounded(line.body, limits)
    coroutine: Any = request.receive()
    begun: Started[Message] = Started(coroutine)
    if begun.done and not begun.value.get("more_body", False):
        body = _piece(begun.value)
    else:
        body = await _pieces(begun, request, limits)
    if len(body) > limits.max_bytes:
        await _drain(request)
    return _bounded(body, limits)


def _bounded(body: bytes, limits: BodyLimits) -> bytes:
    if len(body) > limits.max_bytes:
        raise _too_large(limits)
    return body


async def _pieces(begun: Started[Message], request: Request, limits: BodyLimits) -> bytes:
    """The body piece by piece, until it is whole or too large."""
    body = bytearray()
    try:
        async with asyncio.timeout(limits.timeout_seconds):
            message = await begun
            while True:
                body += _piece(message)
                if len(body) > limits.max_bytes or not message.get("more_body", False):
                    return bytes(body)
                message = await request.receive()
    except TimeoutError:
        raise HttpRefusal(
            f"The body did not arrive within {limits.timeout_seconds:g} s.",
            status=HTTPStatus.REQUEST_TIMEOUT,
            code="REQUEST_TIMEOUT",
            headers={"Connection": "close"},
        ) from None


def _piece(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    piece: bytes = message.get("body", b"")
    return piece


async def _drain(request: Request) -> None:
    """Swallow a little more of a refused body: closing on unread data resets the socket, and the client would
    see a broken pipe in place of the answer that tells it why.
    """
    loop_end, taken = time.monotonic() + DRAIN_SECONDS, 0
    while taken < DRAIN_BYTES:
        left = loop_end - time.monotonic()
        try:
            message = await asyncio.wait_for(request.receive(), max(left, 0.001))
        except TimeoutError:
            return
        taken += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def _too_large(limits: BodyLimits) -> HttpRefusal:
    return HttpRefusal(
        f"The body is larger than {limits.max_bytes} bytes.",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        code="REQUEST_TOO_LARGE",
        hint="Send fewer variables, or ask in several requests.",
        headers={"Connection": "close"},
    )


def _json(raw: bytes | str, what: str) -> object:
    """Strict JSON; the reason names the place, never the content."""
    if not raw:
        raise HttpRefusal(f"{what} is empty.", hint='Send a JSON object such as {"query": "{ __typename }"}.')
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise HttpRefusal(f"{what} is not JSON: {error}.", code="BAD_JSON") from None


def _from_query_string(raw: bytes) -> GraphQLRequest:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise HttpRefusal("The query string is not URL-encoded UTF-8.") from None
    found: dict[str, object] = {}
    for name, text in pairs:
        if name not in PARAMETERS:
            continue
        if name in found:
            raise HttpRefusal(f"The parameter {name!r} is given twice.", hint="Give it once.")
        is_json = name in ("variables", "extensions")
        found[name] = (_json(text, f"The parameter {name!r}") if text else None) if is_json else text
    return _from_parameters(found, "GET")


def _from_parameters(found: object, method: str) -> GraphQLRequest:
    if isinstance(found, list):
        raise HttpRefusal(
            "A list of requests (batching) is not supported.",
            code="BATCHING_NOT_SUPPORTED",
            hint="Send one request at a time, or ask for several root fields in one document.",
        )
    if not isinstance(found, dict):
        raise HttpRefusal(f"The body must be a JSON object, not {_kind(found)}.")
    query = _typed(found, "query", str)
    extensions = _typed(found, "extensions", dict) or {}
    if query is None and not extensions.get("persistedQuery"):
        raise HttpRefusal("The parameter 'query' is missing.", hint="Send the GraphQL document as a string.")
    variables = _typed(found, "variables", dict) or {}
    if (variables or extensions) and _deeper_than([variables, extensions], MAX_JSON_DEPTH + 1):
        raise HttpRefusal(f"The variables are nested deeper than {MAX_JSON_DEPTH} levels.")
    # Form-like clients send an empty operationName for "none"; no operation can have the empty name.
    name = _typed(found, "operationName", str) or None
    return GraphQLRequest(query, name, variables, extensions, method)


def _typed(found: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    value = found.get(name)
    if value is None or isinstance(value, kind):
        return value
    expected = "a string" if kind is str else "a JSON object"
    raise HttpRefusal(f"The parameter {name!r} must be {expected}, not {_kind(value)}.")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "something else")


def _deeper_than(value: object, limit: int) -> bool:
    """Level by level, so that the check itself cannot run out of stack."""
    level = [value]
    for _ in range(limit + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return False
        level = inner
    return True


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
