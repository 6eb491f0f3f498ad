"""A request as the bytes that arrived: enough to know again one that was read before, without reading it again."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive

from gateway.request import LANE
from gateway.waiting import Begun

LARGEST = 16_384
"""Bytes of a body or a query string beyond which nobody remembers them."""
_LANE = LANE.lower().encode()


class Envelope:
    """The bytes of a request and of the headers that decide how it is read. ``key`` is None where it is not to be known
    again: it is large, comes in pieces, says a header twice, or is no GET or POST.

    Its ``receive`` gives everything, the part already taken included.
    """

    __slots__ = ("_begun", "_receive", "condition", "key", "size")

    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        self._receive = receive
        self._begun: Begun[Message] | None = None
        self.key: tuple[Any, ...] | None = None
        self.size = 0
        self.condition: bytes | None = None
        headers = scope["headers"]
        said = dict(headers)
        if len(said) == len(headers):
            self._open(scope, said.get)

    def _open(self, scope: Mapping[str, Any], said: Any) -> None:
        method = scope["method"]
        if method == "POST":
            body = self._whole_body()
        elif method == "GET":
            body, self.condition = scope["query_string"], said(b"if-none-match")
        else:
            return
        if body and len(body) <= LARGEST:
            self.size = len(body)
            encoding = said(b"content-encoding")
            self.key = (method, body, said(b"accept"), said(b"content-type"), encoding, said(_LANE))

    def _whole_body(self) -> bytes | None:
        """The body, if all of it is here already. What has been begun is not lost, and not waited for."""
        coroutine: Any = self._receive()
        self._begun = begun = Begun(coroutine)
        if not begun.done or begun.result["type"] != "http.request" or begun.result.get("more_body", False):
            return None
        body: bytes = begun.result.get("body", b"")
        return body

    async def receive(self) -> Message:
        """The next message, as the server gives it."""
        begun = self._begun
        if begun is None:
            return await self._receive()
        self._begun = None
        return await begun
