"""Intake: what comes in from systems, to events in the log. What it says is accepted is durable.

::

    messages ── sort ──► events ──────────────────────────────► publisher ──► log
                   ├───► keys alone ── parked ── inbox ── read ──┘
                   └───► not understood ── parked, for people
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from gateway.events.concluding import subject_of
from gateway.events.contracts import CONTRACTS
from gateway.events.inbox import Inbox, Tools
from gateway.events.log import Appended, EventLog, EventLogDown, Parked
from gateway.events.naming import Keys
from gateway.events.publishing import Invalidate, Publisher
from gateway.events.reading import Reader
from gateway.events.sorting import UNREADABLE, WAITING, Sorted, sort, unpacked
from schema.errors import ConfigError, MappingError
from sources.base import Source
from sources.catalog import Catalog
from sources.events import Message
from sources.rest.mapping import TYPES
from sources.rest.source import Rest

log = structlog.get_logger("crossdock.events")

State = Literal["ACCEPTED", "DUPLICATE", "WAITING", "PARKED"]


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a message: its events by number, those among them that were told before, and what else there is.

    ``number`` is the message's own, by which it is found where it is kept (WAITING, PARKED).
    """

    number: str
    state: State
    events: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    reason: str | None = None


class Backlog(EventLogDown):
    """More waits to be completed than can be kept: nothing was accepted, send it again later."""


class Intake:
    """Takes messages of systems in. Opened and used inside one running loop."""

    def __init__(
        self,
        catalog: Catalog,
        keys: Keys,
        events: EventLog,
        invalidate: Invalidate,
        now: Callable[[], datetime],
        most_waiting: int = 5_000,
    ) -> None:
        self._catalog, self._keys, self._events, self._now = catalog, keys, events, now
        self._most_waiting = most_waiting
        reader = Reader(catalog)
        check(catalog, reader)
        self.publisher = Publisher(events, invalidate, self._skew)
        tools = Tools(catalog, keys, events, self.publisher, invalidate, reader, now)
        self.inbox = Inbox(tools, self._again)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the application runs, inside the lives of the log, the cache and the sources."""
        self.inbox.start()
        try:
            yield
        finally:
            await self.inbox.stop()
            await self.publisher.close()

    async def take(self, system: str, messages: Sequence[Message]) -> list[Became]:
        """Take in messages of a system, in their order; when it returns all are durable. Raises EventLogDown."""
        source, at = self._source(system), self._now()
        found = [sort(source, self._keys, message, at) for message in messages]
        if len(self.inbox) + sum(bool(one.hints) for one in found) > self._most_waiting:
            raise Backlog(
                f"{len(self.inbox)} messages wait to be completed.", hint="Send the same again in a while."
            )
        return await self._settle(system, found)

    async def replay(self, parked: Sequence[Parked]) -> list[Became]:
        """Try parked messages again; those that are still not understood stay parked, with the reason of today."""
        by_system: dict[str, list[Sorted]] = {}
        for one in parked:
            if one.source in self._catalog.systems:
                by_system.setdefault(one.source, []).append(self._again(one))
        became: list[Became] = []
        for system, found in by_system.items():
            settled = await self._settle(system, found)
            await self._events.unpark(
                [one.number for one in settled if one.state in ("ACCEPTED", "DUPLICATE")]
            )
            became += settled
        return became

    async def _settle(self, system: str, found: Sequence[Sorted]) -> list[Became]:
        kept = [
            one.parked(system, one.problem or WAITING)
            for one in found
            if one.problem is not None or one.hints
        ]
        if kept:
            await self._events.park(kept)
        appended = await self.publisher.publish([event for one in found for event in one.events])
        self.inbox.add(system, [one for one in found if one.hints and one.problem is None])
        for one in found:
            if one.problem is not None:
                log.warning("a message was parked", system=system, number=one.number, reason=one.problem)
        return list(_became(found, appended))

    def _again(self, parked: Parked) -> Sorted:
        """A parked message as it is understood today."""
        try:
            message = unpacked(parked.body)
        except MappingError as error:
            body = parked.body.decode("utf-8", "replace")
            return Sorted(parked.number, Message(body), parked.received_at, problem=f"{UNREADABLE}: {error}")
        source = self._source(parked.source)
        return sort(source, self._keys, message, parked.received_at, parked.number)

    def _source(self, system: str) -> Source:
        return self._catalog.systems[system].source

    def _skew(self, system: str) -> int | None:
        known = self._catalog.systems.get(system)
        return None if known is None else known.source.clock_skew_ms()


def _became(found: Iterable[Sorted], appended: Sequence[Appended]) -> Iterable[Became]:
    at = 0
    for one in found:
        mine = appended[at : at + len(one.events)]
        at += len(one.events)
        numbers = tuple(event.number for event in one.events)
        again = tuple(each.duplicate_of for each in mine if each.duplicate_of is not None)
        if one.problem is not None:
            state: State = "PARKED"
        elif one.hints:
            state = "WAITING"
        else:
            state = "DUPLICATE" if again and len(again) == len(numbers) else "ACCEPTED"
        yield Became(one.number, state, numbers, again, one.problem)


def check(catalog: Catalog, reader: Reader) -> None:
    """Refuse tables that can never tell an event. Raises ConfigError naming the place and the mend."""
    for code, system in catalog.systems.items():
        if not isinstance(system.source, Rest):
            continue
        for name, spec in system.source.config.events.items():
            place = f"systems.{code}.events.{name}"
            for cls in spec.reads:
                _check_read(reader, code, spec.subject.type, TYPES[cls], place)
            contract = CONTRACTS.get(spec.type or "")
            room = () if contract is None else contract.data.__struct_encode_fields__
            for field in spec.data:
                if contract is not None and field not in room:
                    raise ConfigError(
                        f"{place}.data: {field!r} has no room in {spec.type}",
                        hint=f"There are {', '.join(room)}.",
                    )


def _check_read(reader: Reader, code: str, subject: str, cls: type, place: str) -> None:
    reader.provider(code, cls)
    about = subject_of(cls)[0].__name__
    if about != subject:
        raise ConfigError(
            f"{place}.reads: {cls.__name__} is about {about}, not {subject}",
            hint="Name the subject that is read.",
        )
