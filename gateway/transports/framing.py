"""How results are written into the body of an answer that does not end: what each way of framing must say."""

from collections.abc import Sequence
from typing import Any, Protocol

from gateway.subscribing import Payload, SubscriptionEnded


class Framing(Protocol):
    """One way to write a stream into an HTTP body. Every piece is whole: what follows it may come hours later."""

    content_type: bytes
    """The value of Content-Type."""
    beat: bytes
    """What is written so that nobody takes a silent stream for a dead one."""
    complete: bytes
    """There is nothing more, and the client need not come back."""

    def opening(self, retry_after: float) -> bytes:
        """What comes first; ``retry_after`` are the seconds after which a client that lost the stream may return."""
        ...

    def payload(self, payload: Payload) -> bytes:
        """One result."""
        ...

    def refused(self, errors: Sequence[dict[str, Any]]) -> bytes:
        """The operation did not begin, although the stream had; with what ends the stream."""
        ...

    def ended(self, reason: SubscriptionEnded) -> bytes:
        """The subscription ends before its time; with what ends the stream."""
        ...

    def left(self, reason: SubscriptionEnded) -> bytes:
        """The gateway ends the stream, not the subscription: the client should come back and go on."""
        ...
