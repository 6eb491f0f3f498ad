"""What a message says: the subscription's result in the envelope that Standard Webhooks recommends."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

import orjson

from gateway.subscribing import Payload
from gateway.webhooks.store import Hook

Writer: TypeAlias = Callable[[Hook, Payload, float], bytes | None]
"""The body of a message, at an instant in seconds since the epoch; None where a result is not to be sent."""

NEXT = "crossdock.subscription.next"
"""The type of a message about no event in particular."""


def write_result(hook: Hook, result: Payload, now: float) -> bytes:
    """The result of the partner's own document; ``type`` is the event's."""
    event = result.event
    said = {
        "type": NEXT if event is None else event.type,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "data": {
            "webhook": hook.number,
            "cursor": result.cursor,
            "event": None if event is None else event.number,
            "subject": None if event is None else event.subject,
            "result": orjson.Fragment(result.body),
        },
    }
    return orjson.dumps(said)
