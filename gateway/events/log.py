"""The event log as its users see it. It is kept in SQLite, or in Redis where ``redis_url`` is set; both keep these promises.

- ``append`` returns once the events are durable. An event whose number or whose fact is in the log already is not added
  again; what became of each is said.
- Positions rise in the order of appending, one by one, and that order is the order of every reader. An event that a reader can see
  stays where it is: nothing appears later before a position that was read.
- A position belongs to an epoch: the life of one log. A cursor of another epoch, or one whose next events are no longer
  kept, raises ``ResyncRequired``; nothing is passed over in silence.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from schema.errors import RequestError
from schema.events import Event


class ResyncRequired(RequestError):
    """The events after a cursor are no longer kept, or the cursor is another log's: read the state anew."""

    code = "RESYNC_REQUIRED"


class Position(NamedTuple):
    """A place in the log: after the event of this number, 0 before the first."""

    epoch: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Logged:
    """An event with its place."""

    position: Position
    event: Event


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an event: its place, and whether that is another message's that told of the same (``duplicate_of``)."""

    position: Position
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A message that told again what an event of the log says: its own number, and how often and when it last came."""

    number: str
    source: str
    id: str
    received_at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that could not become an event: what came, from whom, when, and why it was not passed on.

    One that is parked again under its number before it was taken out counts its attempts on.
    """

    number: str
    source: str
    received_at: datetime
    reason: str
    body: bytes
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much a log keeps; messages that could not become events are counted by themselves."""

    max_age: timedelta = timedelta(days=7)
    max_events: int = 1_000_000
    max_parked: int = 10_000


class EventLog(Protocol):
    """Where events are kept. Opened and used inside one running loop."""

    async def open(self) -> None:
        """Get ready. Raises ConfigError where it cannot be used at all; a server that is down is waited for later."""
        ...

    async def close(self) -> None:
        """Give back what is held; what was appended stays."""
        ...

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        """Keep events, in this order, in one piece. Raises EventLogDown where they could not be made durable.

        Whether anything was kept is then not known; sending the same again is safe.
        """
        ...

    async def read(self, after: Position, limit: int = 500) -> list[Logged]:
        """The next events after a position, oldest first; empty at the end. Raises ResyncRequired, EventLogDown."""
        ...

    async def head(self) -> Position:
        """The position of the last event."""
        ...

    def tail(self, after: Position) -> AsyncIterator[Sequence[Logged]]:
        """All events after a position, for ever: batches as they come. Raises ResyncRequired; waits out an outage."""
        ...

    async def about(self, id: str, first: int, after: Position | None = None) -> list[Logged]:
        """The kept events that touch an object, in the order of the log, after a position in it."""
        ...

    async def duplicates(self, number: str) -> list[Duplicate]:
        """The messages that told again what the event of this number says, kept as long as the event is."""
        ...

    async def find(self, numbers: Iterable[str]) -> list[Logged | None]:
        """The events of these numbers, None where there is none (any more)."""
        ...

    async def latest(self, subject: str, type: str | None = None) -> Logged | None:
        """The event of a subject that occurred last, of one type or of any; of two at one instant the later one here."""
        ...

    async def trim(self, now: datetime) -> int:
        """Let go of what is older or more than the log may keep; returns how many events went."""
        ...

    async def park(self, parked: Sequence[Parked]) -> None:
        """Keep messages that could not become events."""
        ...

    async def parked(self, source: str | None = None, first: int = 100) -> list[Parked]:
        """The parked messages, oldest first."""
        ...

    async def unpark(self, numbers: Iterable[str]) -> list[Parked]:
        """Take parked messages out, to be tried again or thrown away."""
        ...


class EventLogDown(RequestError):
    """The log could not take the events: nothing was accepted, send them again."""

    code = "EVENT_LOG_UNAVAILABLE"


def check_position(after: Position, last: Position, trimmed: int = 0) -> None:
    """Raises ResyncRequired where what follows a position cannot be told whole.

    ``last`` is the log's last position, ``trimmed`` that of the last event which was let go.
    """
    if after.epoch != last.epoch or after.sequence > last.sequence:
        why = "the position is another event log's"
    elif after.sequence < trimmed:
        why = "the events after the position are no longer kept"
    else:
        return
    raise ResyncRequired(why, hint=READ_ANEW)


def to_cursor(position: Position) -> str:
    """A position as clients see it: opaque, url-safe text."""
    return f"{position.epoch}.{position.sequence:x}"


def from_cursor(cursor: str) -> Position:
    """The position of a cursor. Raises ResyncRequired where it is none of ours."""
    epoch, dot, sequence = cursor.rpartition(".")
    try:
        if not dot or not epoch or len(cursor) > MOST_CURSOR or not cursor.isascii():
            raise ValueError(cursor)
        return Position(epoch, int(sequence, 16))
    except ValueError:
        raise ResyncRequired(
            "after: not a cursor of this event log", hint="Leave it out to begin with the present state."
        ) from None


READ_ANEW = "Read the present state anew and begin without a cursor."
MOST_CURSOR = 100
"""Characters of a cursor at most."""
