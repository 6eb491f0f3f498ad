"""A request as the bytes that arrived: enough to know again one that was read before, without reading it again."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive

from gateway.request import LANE
from resolvers.eager import Started

SCOPE_KEY = "crossdock.envelope"
LARGEST = 16_384
"""Bytes of a body or a query string beyond which nobody remembers them."""
_LANE = LANE.lower().encode()


class Envelope:
    """The bytes of a request and of the headers that decide how it is read; ``body`` is None where it is not all here.

    ``key`` is None where the request is not to be known again: it is large, comes in pieces, says a header twice, or is
    no GET or POST.
    """

    __slots__ = ("key", "said", "size")

    def __init__(self, scope: Mapping[str, Any], body: bytes | None) -> None:
        headers, method = scope["headers"], scope["method"]
        self.said: dict[bytes, bytes] = dict(headers)
        """The headers, by name."""
        self.key: tuple[Any, ...] | None = None
        asked = scope["query_string"] if method == "GET" else body if method == "POST" else None
        self.size = 0 if asked is None else len(asked)
        if 0 < self.size <= LARGEST and len(self.said) == len(headers):
            said = self.said.get
            encoding = said(b"content-encoding")
            self.key = (method, asked, said(b"accept"), said(b"content-type"), encoding, said(_LANE))


class Taken:
    """The first message of a request, taken to look at it. ``receive`` gives it once more, and then all others."""

    __slots__ = ("_begun", "_receive", "body")

    def __init__(self, receive: Receive) -> None:
        coroutine: Any = receive()
        self._receive = receive
        self._begun: Started[Message] | None = Started(coroutine)
        begun = self._begun
        whole = begun.done and not begun.value.get("more_body")
        self.body: bytes | None = begun.value.get("body") if whole else None
        """All of the body, if it is here already; it is not waited for."""

    async def receive(self) -> Message:
        """The next message, as the server gives it."""
        begun = self._begun
        if begun is None:
            return await self._receive()
        self._begun = None
        return await begun


def envelope_of(scope: Mapping[str, Any]) -> Envelope | None:
    """The envelope of a request, where somebody has looked at it."""
    found = scope.get(SCOPE_KEY)
    return found if isinstance(found, Envelope) else None
