"""What a message says: the subscription's result in the envelope that Standard Webhooks recommends."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

import orjson

from gateway.epcis.documents import capture_document
from gateway.epcis.events import Plants
from gateway.subscribing import Payload
from gateway.webhooks.store import Hook
from schema.webhooks import WebhookFormat

Writer: TypeAlias = Callable[[Hook, Payload, float], bytes | None]
"""The body of a message, at an instant in seconds since the epoch; None where a result is not to be sent."""


def writer_of(plants: Plants) -> Writer:
    """What writes the messages of webhooks, each in its format."""

    def write(hook: Hook, result: Payload, now: float) -> bytes | None:
        if hook.format is WebhookFormat.EPCIS:
            return capture_document(result, plants, datetime.fromtimestamp(now, UTC))
        return write_result(hook, result, now)

    return write


NEXT = "crossdock.subscription.next"
"""The type of a message about no event in particular."""


def write_result(hook: Hook, result: Payload, now: float) -> bytes | None:
    """The result of the partner's own document; ``type`` is the event's. That the past was told is not sent."""
    event = result.event
    if event is None and result.cursor is not None:
        return None
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
