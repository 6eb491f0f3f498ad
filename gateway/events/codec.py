"""An event as bytes in a log, and what the log must know of it beside them.

MessagePack with the names of the fields: releases that know more fields and those that know fewer read each other's.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from gateway.events.log import Parked
from schema.errors import RequestError
from schema.events import Event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.msgpack.Encoder().encode
to_event = msgspec.msgpack.Decoder(Event).decode
to_parked = msgspec.msgpack.Decoder(Parked).decode
UNWRITABLE = (TypeError, ValueError, OverflowError, UnicodeError)


class Row(NamedTuple):
    """An event as the logs keep it. Instants are microseconds since 1970, UTC; no fact is one that equals no other."""

    number: str
    fact: str | None
    subject: str
    type: str
    occurred: int
    received: int
    touches: tuple[str, ...]
    source: str
    id: str
    body: bytes


def to_row(event: Event) -> Row:
    """An event, ready to be kept. Raises RequestError where it holds what cannot be written as bytes."""
    try:
        return Row(
            event.number,
            event.fact or None,
            event.subject,
            event.type,
            micros(event.occurred_at),
            micros(event.received_at),
            tuple(dict.fromkeys((event.subject, *event.touches))),
            event.source,
            event.id,
            _encode(event),
        )
    except UNWRITABLE as error:
        raise RequestError(
            f"an event of {event.source!r} cannot be kept: {type(error).__name__}",
            hint="data holds JSON values only, instants have a time zone, texts are valid Unicode.",
        ) from error


def packed(value: Any) -> bytes:
    """A value of plain parts as MessagePack."""
    return _encode(value)


def micros(at: datetime) -> int:
    """Microseconds since 1970, UTC. Raises TypeError for an instant without a time zone."""
    return (at - EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The instant so many microseconds after 1970, UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def again(before: Parked | None, parked: Parked) -> Parked:
    """A message that is parked once more: the latest reason, the first arrival, all attempts."""
    if before is None:
        return parked
    first, attempts = min(before.received_at, parked.received_at), before.attempts + parked.attempts
    return replace(parked, received_at=first, attempts=attempts)


def to_rows(events: Sequence[Event]) -> list[Row]:
    """Events, ready to be kept."""
    return [to_row(event) for event in events]
