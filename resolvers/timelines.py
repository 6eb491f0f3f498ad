"""Events in the graph: how one looks, and the timeline of an object in causal order."""

from collections.abc import Sequence
from datetime import datetime

from strawberry.types import Info

from resolvers.context import Context
from resolvers.edges import AnyNode
from resolvers.freshness import at
from resolvers.ids import decode, encode
from resolvers.paging import Connection, cut
from resolvers.sourcing import failure
from schema.base import Provenance, SourceOutcome, SourceStatus
from schema.errors import SourceError
from schema.events import Event
from schema.integration import BusinessEvent
from schema.production import ProductionOrder

MOST_EVENTS = 1_000
"""Events of one timeline at most, the first to come; where there are more it is partial."""
NO_EVENTS = "This gateway keeps no event log yet."


def business_event(event: Event) -> BusinessEvent:
    """An event as the graph shows it."""
    return BusinessEvent(
        event.number,
        event.kind,
        event.type,
        event.occurred_at,
        event.recorded_at,
        event.received_at,
        event.late,
        event.synthesized,
        event.correlation_id,
        Provenance(event.source, event.received_at, event.id, event.recorded_at, event.version),
        event.cause,
        None,
        event.subject,
    )


async def subject(row: BusinessEvent, info: Info) -> AnyNode | None:
    """What it happened to; null where its owner cannot be asked or does not know it."""
    if row.subject_id is None:
        return None
    cls, key = decode(row.subject_id)
    found: AnyNode | None = (await at(info).one(cls, key)).value
    return found


async def timeline(
    row: ProductionOrder, info: Info, first: int = 100, after: str | None = None
) -> Connection[BusinessEvent]:
    """What happened to the order, in causal order: no effect before its cause, no clock ahead of ours.

    Partial, with the reason, where the event log cannot be asked.
    """
    ctx: Context = info.context
    # Who is told the same answer again would not hear of the event that came since.
    ctx.bounds.collects = False
    id = encode(row)
    known: list[BusinessEvent] = []
    said = SourceStatus("GATEWAY", "timeline", SourceOutcome.NOT_MAPPED, NO_EVENTS, None, ("timeline",))
    if ctx.events is not None:
        said = SourceStatus("GATEWAY", "timeline", SourceOutcome.OK)
        try:
            known = await ctx.events.about(id, MOST_EVENTS + 1)
        except SourceError as error:
            said = failure(ctx, "GATEWAY", "timeline", error, ("timeline",))
    if len(known) > MOST_EVENTS:
        told = f"Only the first {MOST_EVENTS} events are shown."
        said = SourceStatus("GATEWAY", "timeline", SourceOutcome.PARTIAL, told, None, ("timeline",))
    page = cut(ctx, causal(known[:MOST_EVENTS]), f"timeline {id}", first, after)
    page.partial = said.outcome is not SourceOutcome.OK
    page.sources = [said]
    if page.partial:
        page.total_count = None
    return page


def causal(events: Sequence[BusinessEvent]) -> list[BusinessEvent]:
    """Events in the order in which they can have happened.

    Nothing happened after we heard of it, whatever the clock of its system says, and nothing before what caused it.
    What cannot be told apart keeps the order in which it came.
    """
    known = {event.number: event for event in events}
    placed: dict[str, tuple[datetime, int]] = {}

    def place(event: BusinessEvent, above: frozenset[str]) -> tuple[datetime, int]:
        found = placed.get(event.number)
        if found is not None:
            return found
        own = min(event.occurred_at, event.received_at)
        cause = known.get(event.cause or "")
        if cause is not None and cause.number not in above and len(above) < 100:
            then, depth = place(cause, above | {event.number})
            found = (max(own, then), depth + 1) if then >= own else (own, 0)
        else:
            found = (own, 0)
        placed[event.number] = found
        return found

    return sorted(events, key=lambda event: place(event, frozenset({event.number})))
