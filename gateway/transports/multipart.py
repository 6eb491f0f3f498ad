"""Apollo's multipart protocol for subscriptions: parts of ``application/json``, results in an envelope.

Each part is followed at once by the boundary of the next, since readers take a part for whole only then. A boundary
cannot occur inside a part: JSON has no line ends in it.
"""

from collections.abc import Sequence
from typing import Any

from gateway.http import to_json
from gateway.subscribing import Payload, SubscriptionEnded

BOUNDARY = b"--graphql"
HEAD = b"\r\ncontent-type: application/json\r\n\r\n"


def opened() -> bytes:
    """The boundary before the first part."""
    return b"\r\n" + BOUNDARY


def part(body: bytes) -> bytes:
    """One part of JSON and the boundary after it."""
    return HEAD + body + b"\r\n" + BOUNDARY


def closed() -> bytes:
    """After a boundary: there are no more parts."""
    return b"--\r\n"


class MultipartStream:
    """Frames of ``multipart/mixed;subscriptionSpec=1.0``."""

    content_type = b'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    beat = part(b"{}")
    complete = closed()

    def opening(self, retry_after: float) -> bytes:
        """The first boundary and a heartbeat, so that the client knows at once that it is heard."""
        return opened() + self.beat

    def payload(self, payload: Payload) -> bytes:
        """A result in its envelope; the protocol has no place for a cursor but the result itself."""
        return part(b'{"payload":' + payload.body + b"}")

    def refused(self, errors: Sequence[dict[str, Any]]) -> bytes:
        """A result of nothing but errors, and the end."""
        return part(to_json({"payload": {"errors": list(errors)}})) + closed()

    def ended(self, reason: SubscriptionEnded) -> bytes:
        """An error of the transport, as the protocol calls what ends a subscription."""
        return part(to_json({"payload": None, "errors": [reason.entry]})) + closed()

    def left(self, reason: SubscriptionEnded) -> bytes:
        """The same: a reader takes a plain end for the end of the subscription."""
        return self.ended(reason)
