"""Server-sent events, as ``graphql-sse`` reads them in its mode of distinct connections: ``next`` and ``complete``.

``id:`` is the cursor of a result. A browser's EventSource sends the last one back as ``Last-Event-ID`` when it returns
by itself, and the subscription goes on after it. A stream that ends without ``complete`` asks the client to return.
"""

from collections.abc import Sequence
from typing import Any

from gateway.http import to_json
from gateway.subscribing import Payload, SubscriptionEnded


class EventStream:
    """Frames of ``text/event-stream``. Lines end in LF alone: some clients lose every event after a CR."""

    content_type = b"text/event-stream; charset=utf-8"
    beat = b":\n\n"
    # Without a line of data a browser does not tell anybody of an event.
    complete = b"event: complete\ndata:\n\n"

    def opening(self, retry_after: float) -> bytes:
        """When to come back, so that the client need not choose; and something to read at once."""
        return b"retry: %d\n\n" % (retry_after * 1000)

    def payload(self, payload: Payload) -> bytes:
        """A ``next`` with its cursor."""
        return _event(payload.body, payload.cursor)

    def refused(self, errors: Sequence[dict[str, Any]]) -> bytes:
        """A ``next`` of nothing but errors, and the end."""
        return _event(to_json({"errors": list(errors)})) + self.complete

    def ended(self, reason: SubscriptionEnded) -> bytes:
        """The same with the reason. Its cursor, where it has one, is where an EventSource goes on."""
        retry = b"" if reason.retry_after is None else self.opening(reason.retry_after)
        return retry + _event(to_json({"errors": [reason.entry]}), reason.cursor) + self.complete

    def left(self, reason: SubscriptionEnded) -> bytes:
        """Nothing but when to come back: clients take a missing ``complete`` for a lost connection."""
        return b"" if reason.retry_after is None else self.opening(reason.retry_after)


def _event(body: bytes, cursor: str | None = None) -> bytes:
    if cursor is None:
        return b"event: next\ndata: %b\n\n" % body
    return b"event: next\nid: %b\ndata: %b\n\n" % (cursor.encode(), body)
