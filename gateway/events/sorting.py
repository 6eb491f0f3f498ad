"""What becomes of a message: events that it tells, objects that must be read for it, or why it is neither. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from gateway.events.contracts import flaw
from gateway.events.log import Parked
from gateway.events.naming import Keys, to_event
from schema.errors import MappingError, SourceNotMapped
from schema.events import Event, number_of
from sources.base import Source
from sources.events import Fact, Hint, Message

WAITING = "WAITING"
"""The reason of what is only kept until its rows are read; all other reasons are for people."""
UNKNOWN_KIND, UNREADABLE, NOT_MAPPED = "UNKNOWN_KIND", "UNREADABLE", "NOT_MAPPED"
CONTRACT, NOT_FOUND = "CONTRACT", "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Sorted:
    """A message and what it is. ``problem`` is a code and what is wrong; what is right of it is there all the same."""

    number: str
    message: Message
    received_at: datetime
    events: tuple[Event, ...] = ()
    hints: tuple[Hint, ...] = ()
    problem: str | None = None

    def parked(self, system: str, reason: str) -> Parked:
        """The message as it is kept when it has not become all that it tells."""
        return Parked(self.number, system, self.received_at, reason, packed(self.message))


def sort(
    source: Source, keys: Keys, message: Message, received_at: datetime, number: str | None = None
) -> Sorted:
    """What a message is, with the number it is parked under."""
    number = number or number_for(source.code, message, received_at)
    try:
        told = source.told(message)
    except MappingError as error:
        return Sorted(number, message, received_at, problem=f"{UNREADABLE}: {error}")
    if told is None:
        return Sorted(number, message, received_at, problem=f"{UNKNOWN_KIND}: {_shown(message.body)}")
    events: list[Event] = []
    problem = None
    for fact in told:
        if not isinstance(fact, Fact):
            continue
        try:
            event = to_event(keys, source.code, fact, received_at)
        except SourceNotMapped as error:
            problem = f"{NOT_MAPPED}: {error}"
            continue
        wrong = flaw(event)
        if wrong is None:
            events.append(event)
        else:
            problem = f"{CONTRACT}: {wrong}"
    hints = tuple(one for one in told if isinstance(one, Hint))
    return Sorted(number, message, received_at, tuple(events), hints, problem)


def number_for(system: str, message: Message, received_at: datetime) -> str:
    """The number a message is parked under; one without an id is a message of its own whenever it comes."""
    if message.id is not None:
        return number_of(system, f"message:{message.id}")
    body = orjson.dumps(message.body)
    return number_of(system, f"body:{sha256(body).hexdigest()}:{received_at.isoformat()}")


class _Packed(msgspec.Struct):
    body: Any
    id: str | None = None


def packed(message: Message) -> bytes:
    """A message as bytes that people can read too."""
    return msgspec.json.encode(_Packed(message.body, message.id))


def unpacked(body: bytes) -> Message:
    """A message from its bytes. Raises MappingError."""
    try:
        found = msgspec.json.decode(body, type=_Packed)
    except msgspec.MsgspecError as error:
        raise MappingError(f"it was not parked by this program: {error}") from error
    return Message(found.body, found.id)


def flawless(events: Sequence[Event]) -> tuple[list[Event], str | None]:
    """The events that keep their contracts, and what is wrong with the first of the others."""
    good: list[Event] = []
    problem = None
    for event in events:
        wrong = flaw(event)
        if wrong is None:
            good.append(event)
        elif problem is None:
            problem = f"{CONTRACT}: {wrong}"
    return good, problem


def _shown(body: Any) -> str:
    """What a message calls itself, for the one who must write its table: never its content."""
    if not isinstance(body, Mapping):
        return f"a {type(body).__name__}, not an object"
    named = [f"{name}={body[name]!r:.60}" for name in ("type", "event", "event_type") if name in body]
    return ", ".join(named) or f"with {', '.join(sorted(map(str, body))[:8])}"[:120]
