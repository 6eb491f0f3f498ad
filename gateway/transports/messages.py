"""The messages of ``graphql-transport-ws`` and the codes it closes a socket with."""

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.http import to_json
from gateway.request import GraphQLRequest, HttpRefusal, from_parameters

SUBPROTOCOL = "graphql-transport-ws"
LONGEST_ID = 256
LONGEST_REASON = 120
"""Bytes of a reason: a close frame has room for 123."""

ABNORMAL = 1006
SERVICE_RESTART = 1012
INVALID_MESSAGE = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
BAD_SUBPROTOCOL = 4406
INIT_TIMEOUT = 4408
ALREADY_EXISTS = 4409
TOO_MANY_INITS = 4429
INTERNAL_ERROR = 4500

ACK = b'{"type":"connection_ack"}'
PING = b'{"type":"ping"}'
TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")


class Closing(Exception):
    """The socket must be closed with this code; the reason is cut to what a close frame holds."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")


class Gone(Closing):
    """The client has closed the socket, or the server has in our stead: there is nobody to send a close to."""

    def __init__(self, code: int = ABNORMAL, reason: str = "") -> None:
        super().__init__(code, reason)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a client, checked: ``id`` is there where the type has one, ``payload`` as it came."""

    type: str
    id: str
    payload: dict[str, Any] | None


def read(text: str | None) -> Said:
    """A message that fits the protocol; raises Closing (4400) for everything else. None is a binary one."""
    if text is None:
        raise _invalid("messages are text in UTF-8")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _invalid("not JSON") from None
    if not isinstance(found, dict):
        raise _invalid("not an object")
    kind = found.get("type")
    if kind not in TYPES:
        raise _invalid("'type' must be one of " + ", ".join(TYPES))
    payload = found.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise _invalid("'payload' must be an object")
    if kind not in ("subscribe", "complete"):
        return Said(kind, "", payload)
    number = found.get("id")
    if not isinstance(number, str) or not 0 < len(number) <= LONGEST_ID:
        raise _invalid(f"'id' must be a string of 1 to {LONGEST_ID} characters")
    return Said(kind, number, payload)


def request_in(said: Said) -> GraphQLRequest:
    """The request that a ``subscribe`` holds; raises Closing."""
    try:
        return from_parameters(said.payload, "POST")
    except HttpRefusal as refusal:
        raise _invalid(str(refusal)) from None


def ack(payload: dict[str, Any] | None) -> bytes:
    """Says that operations may begin."""
    return to_json({"type": "connection_ack", "payload": payload}) if payload else ACK


def pong(payload: dict[str, Any] | None) -> bytes:
    """The answer to a ping, with what it brought."""
    return to_json({"type": "pong", "payload": payload} if payload is not None else {"type": "pong"})


class Answering:
    """The messages that answer one id."""

    __slots__ = ("_id", "_next", "complete")

    def __init__(self, number: str) -> None:
        self._id = to_json_string(number)
        self._next = b'{"id":' + self._id + b',"type":"next","payload":'
        self.complete = b'{"id":' + self._id + b',"type":"complete"}'

    def next(self, body: bytes) -> bytes:
        """One result, which is JSON already."""
        return self._next + body + b"}"

    def error(self, errors: list[dict[str, Any]]) -> bytes:
        """Why the operation did not begin, or ended before its time."""
        return b'{"id":' + self._id + b',"type":"error","payload":' + list_json(errors) + b"}"


def to_json_string(text: str) -> bytes:
    """A string as JSON."""
    return orjson.dumps(text)


def list_json(entries: list[dict[str, Any]]) -> bytes:
    """Entries of ``errors`` as JSON."""
    return b"[" + b",".join(map(to_json, entries)) + b"]"


def _invalid(why: str) -> Closing:
    return Closing(INVALID_MESSAGE, f"Invalid message: {why}.")
