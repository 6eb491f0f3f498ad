"""The event log as the graph reads it: events by their number, in batches, and those about an object."""

from collections.abc import Sequence

from gateway.events.log import EventLog, EventLogDown, Logged
from resolvers.timelines import business_event
from schema.errors import SourceUnavailable
from schema.integration import BusinessEvent
from sources.base import Batch, Bundle, Part, Provider, Providers, Read

AWAY = "The event log does not answer."


class LoggedEvents:
    """``resolvers.context.Happenings`` over a log."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        part = Part(BusinessEvent)
        read = Read("events", (part,), self._read, 500)
        self.providers: Providers = ((Provider("GATEWAY", read, part, self._read),),)

    async def about(self, id: str, most: int) -> list[BusinessEvent]:
        """The kept events that touch an object."""
        try:
            return [business_event(logged.event) for logged in await self._events.about(id, most)]
        except EventLogDown as error:
            raise SourceUnavailable(AWAY) from error

    async def _read(self, batch: Batch) -> Bundle:
        try:
            found: Sequence[Logged | None] = await self._events.find(batch.keys)
        except EventLogDown as error:
            failed = SourceUnavailable(AWAY)
            failed.__cause__ = error
            return {BusinessEvent: [failed] * len(batch.keys)}
        return {BusinessEvent: [None if one is None else business_event(one.event) for one in found]}
