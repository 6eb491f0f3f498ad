"""A request as the bytes that arrived: enough to know again one that was read before, without reading it again."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive

from gateway.request import LANE
from gateway.waiting import Begun

SCOPE_KEY = "crossdock.envelope"
LARGEST = 16_384
"""Bytes of a body or a query string beyond which nobody remembers them."""
_LANE = LANE.lower().encode()


class Envelope:
    """The bytes of a request and of the headers that decide how it is read. ``key`` is None where it is not to be known
    again: it is large, comes in pieces, says a header twice, or is no GET or POST.

    Its ``receive`` gives everything, the part already taken included.
    """

    __slots__ = ("_begun", "_receive", "key", "said", "size")

    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        self._receive = receive
        self._begun: Begun[Message] | None = None
        self.key: tuple[Any, ...] | None = None
        headers = scope["headers"]
        self.said: dict[bytes, bytes] = dict(headers)
        """The headers, by name."""
        said, method = self.said.get, scope["method"]
        if len(self.said) != len(headers):
            return
        if method == "POST":
            coroutine: Any = receive()
            self._begun = begun = Begun(coroutine)
            whole = begun.done and not begun.result.get("more_body")
            body: bytes = begun.result.get("body", b"") if whole else b""
        elif method == "GET":
            body = scope["query_string"]
        else:
            return
        self.size = len(body)
        if 0 < self.size <= LARGEST:
            encoding = said(b"content-encoding")
            self.key = (method, body, said(b"accept"), said(b"content-type"), encoding, said(_LANE))

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
