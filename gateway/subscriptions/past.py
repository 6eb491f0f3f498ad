"""What a subscription tells before it is live: the present state of what matches, or what was missed after a cursor."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.events.log import EventLog, Logged, Position
from gateway.subscribing import Payload
from gateway.subscriptions.group import Made, Teller
from gateway.subscriptions.room import seen_of
from resolvers.sourcing import lacking
from resolvers.subscriptions import Told, attributes_of, keys_in
from schema.base import SourceStatus
from schema.changes import ChangeKind
from schema.errors import RequestError

AT_ONCE = 25
"""Objects or events that are read together."""
BATCH = 200
"""Events that are read from the log at a time."""


class SnapshotTooLarge(RequestError):
    """More objects match than a subscription may begin with."""

    code = "SNAPSHOT_TOO_LARGE"


@dataclass(slots=True)
class Present:
    """The objects that match now, and the systems that could not say."""

    rows: list[Any] = field(default_factory=list)
    missing: dict[str, SourceStatus] = field(default_factory=dict)


async def present_state(teller: Teller, most: int) -> Present:
    """What matches now, page by page as a list root gives it. Raises SnapshotTooLarge."""
    found = Present()
    cursor: str | None = None
    while True:
        context = teller.context(None)
        teller.asked.begin(context)
        if teller.topic.page is None:
            return found
        page = await teller.topic.page(
            context, max(1, min(context.max_page, most + 1 - len(found.rows))), cursor
        )
        found.rows += [edge.node for edge in page.edges]
        found.missing.update({said.system: said for said in page.sources if lacking(said)})
        if len(found.rows) > most:
            raise SnapshotTooLarge(
                f"More than {most} objects match: too many to begin with.",
                hint="Narrow the filter; or begin with snapshot: false, or after a cursor.",
            )
        before, cursor = cursor, page.page_info.end_cursor
        if not page.page_info.has_next_page or cursor is None or cursor == before:
            return found


async def snapshot(teller: Teller, present: Present) -> AsyncIterator[Payload]:
    """A message for every object that matches now, without a cursor: the state is not complete before the last."""
    topic, told = teller.topic, Told(ChangeKind.SNAPSHOT)
    for start in range(0, len(present.rows), AT_ONCE):
        rows = present.rows[start : start + AT_ONCE]
        # At once, so that what they load from one system travels together.
        for payload in await asyncio.gather(
            *[teller.tell(teller.context(None), told, topic.id_of(row), row) for row in rows]
        ):
            yield payload


async def ready(teller: Teller, cursor: str, present: Present) -> Payload:
    """The message that says that the past is told, from where to go on, and who could not be asked about it."""
    context = teller.context(None)
    for status in present.missing.values():
        context.missed.append((teller.topic.root, status))
    return await teller.tell(context, Told(ChangeKind.READY, cursor), None, None)


async def missed(
    events: EventLog, teller: Teller, after: Position, kind: ChangeKind, until: Position | None = None
) -> AsyncIterator[Made]:
    """What is made of the next events of the log, at most a batch of them, in order. Raises ResyncRequired."""
    batch = await events.read(after, BATCH)
    if until is not None:
        batch = [logged for logged in batch if logged.position.sequence <= until.sequence]
    for start in range(0, len(batch), AT_ONCE):
        for made in await asyncio.gather(
            *[_made(teller, logged, kind) for logged in batch[start : start + AT_ONCE]]
        ):
            yield made


async def _made(teller: Teller, logged: Logged, kind: ChangeKind) -> Made:
    keys = _concerning(teller, logged)
    if not keys:
        return Made(logged.position, ())
    seen = await seen_of(teller.context, teller.topic.subject, logged, keys, teller.asked.selected)
    return await teller.of_event(logged, [one for one in seen if not one.gone], kind)


def _concerning(teller: Teller, logged: Logged) -> Sequence[str]:
    """The objects of an event that may match, by their keys alone."""
    subject, facets = teller.topic.subject, teller.topic.facets
    return [
        key
        for key in keys_in(logged.event, subject)
        if all(
            name not in facets or value in facets[name] for name, value in attributes_of(subject, key).items()
        )
    ]
