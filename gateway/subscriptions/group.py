"""All who ask the same with the same rights: what is told to one is told to all, in the same bytes."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gateway.events.log import Logged, Position, to_cursor
from gateway.subscribing import Payload, SubscriptionEnded
from gateway.subscriptions.pipeline import Pipeline
from gateway.subscriptions.standing import MakeContext
from gateway.subscriptions.subscriber import SLOW_HINT, Subscriber
from gateway.subscriptions.topics import Asked
from resolvers.context import Context
from resolvers.sourcing import failure
from resolvers.subscriptions import Seen, Told, Topic, attributes_of
from schema.base import PREFIXES
from schema.changes import ChangeKind
from sources.base import Written

log = logging.getLogger("crossdock.subscriptions")

MOST_WAITING = 5_000
"""Events that may wait to be told; where there are more, nobody could follow."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of an event: messages, the last with the event's cursor; or why there are none."""

    position: Position
    payloads: Sequence[Payload]
    failed: bool = False


class Home(Protocol):
    """Where a group stands."""

    def forget(self, group: "Group") -> None:
        """The group is empty."""
        ...


def written_of(logged: Logged, *, versioned: bool = False) -> Written:
    """What everything that is read for an event must show. The owner's version speaks of the subject alone."""
    event = logged.event
    version = event.version if versioned and not event.late else None
    tags = frozenset((event.subject,)) if version is not None else frozenset((event.subject, *event.touches))
    return Written(event.received_at.timestamp(), tags, event.source, version)


class Teller:
    """Makes messages by one document."""

    def __init__(self, asked: Asked, topic: Topic, context: MakeContext) -> None:
        self.asked, self.topic, self.context = asked, topic, context

    async def of_event(
        self, logged: Logged, seen: Sequence[Seen], kind: ChangeKind, *, heard: bool = False
    ) -> Made:
        """The messages about an event; all but the last go on before it, so that none is lost in between.

        ``heard``: what keeps values here has let go of those older than the event, so that none must be looked at for it.
        """
        position, event = logged.position, logged.event
        written = None if heard else written_of(logged)
        context = self.context(written)
        found = await self._objects(context, seen)
        before = to_cursor(Position(position.epoch, position.sequence - 1))
        payloads: list[Payload] = []
        times: Counter[str] = Counter()
        for number, (id, row) in enumerate(found, 1):
            cursor = to_cursor(position) if number == len(found) else before
            context = context if number == 1 else self.context(written)
            told = Told(kind, cursor, event)
            payload = await self.tell(context, told, id, row, _reasons(seen, id) if row is None else ())
            part = f"{id}#{times[id]}" if times[id] else id
            times[id] += 1
            payloads.append(replace(payload, event=event, part=part))
        return Made(position, payloads)

    async def tell(
        self, context: Context, told: Told, id: str | None, row: Any, missing: Iterable[Any] = ()
    ) -> Payload:
        """One message; ``missing`` are the systems that could not say more, and why."""
        change = self.topic.change(told, id, row)
        for system, error in missing:
            context.missed.append((self.topic.root, failure(context, system, self.topic.root, error)))
        return Payload(await self.asked.tell(context, change), told.cursor)

    async def _objects(self, context: Context, seen: Sequence[Seen]) -> list[tuple[str, Any]]:
        """Of the objects of an event those to tell of. What nobody could read is told of: it may have matched."""
        prefix = PREFIXES[self.topic.subject]
        known = [one for one in seen if one.answer.value is not None and self.topic.passes(one.answer.value)]
        found = [(f"{prefix}:{one.key}", one.answer.value) for one in known]
        if known and self.topic.looks and self.topic.objects is not None:
            self.asked.begin(context)
            found = await self.topic.objects(context, known)
            # What was noted while looking belongs to no place of the message.
            context.forget_notes()
        found += [
            (f"{prefix}:{one.key}", None)
            for one in seen
            if one.answer.value is None and not one.gone and self._may(context, one)
        ]
        return found

    def _may(self, context: Context, seen: Seen) -> bool:
        """Whether an object that could not be read may be told of, by what its key says."""
        key = attributes_of(self.topic.subject, seen.key)
        facets = self.topic.facets
        if any(name in facets and value not in facets[name] for name, value in key.items()):
            return False
        plants = context.actor.filter.plants
        return plants is None or key.get("plant") in plants


def _reasons(seen: Sequence[Seen], id: str) -> Sequence[Any]:
    return [reason for one in seen if id.endswith(f":{one.key}") for reason in one.answer.failures]


class Group:
    """The subscribers of one document, variables and rights. ``heard`` is said of the events that come here."""

    def __init__(self, likeness: Any, teller: Teller, home: Home, *, heard: bool) -> None:
        self.likeness, self.teller, self._home, self._heard = likeness, teller, home, heard
        self.facets: Mapping[str, frozenset[str]] = teller.topic.facets
        self._subscribers: dict[Subscriber, None] = {}
        self._pipeline: Pipeline[Made] = Pipeline(self._deliver)

    def __len__(self) -> int:
        """Who is here."""
        return len(self._subscribers)

    def join(self, subscriber: Subscriber, since: Position) -> None:
        """Tell someone everything after a position."""
        self._subscribers[subscriber] = None
        subscriber.joined(self, since)

    def leave(self, subscriber: Subscriber) -> None:
        """Tell someone no more."""
        self._subscribers.pop(subscriber, None)
        if not self._subscribers:
            self._pipeline.stop()
            self._home.forget(self)

    def occur(self, logged: Logged, seen: Sequence[Seen]) -> None:
        """Something happened to objects that may be of interest here."""
        if not self._subscribers:
            return
        if len(self._pipeline) >= MOST_WAITING:
            self.end("Events come faster than this document can be answered.", "EVENTS_GAP", SLOW_HINT)
            return
        self._pipeline.submit([one.key for one in seen], lambda: self._make(logged, seen))

    def end(self, message: str, code: str, hint: str | None = None) -> None:
        """End all of them, each at its own cursor."""
        for subscriber in list(self._subscribers):
            subscriber.end(SubscriptionEnded(message, code=code, hint=hint))

    async def _make(self, logged: Logged, seen: Sequence[Seen]) -> Made:
        try:
            return await self.teller.of_event(logged, seen, ChangeKind.LIVE, heard=self._heard)
        except Exception:
            log.exception("an event could not be told")
            return Made(logged.position, (), failed=True)

    def _deliver(self, made: Made) -> None:
        if made.failed:
            self.end(
                "A message could not be made.", "SUBSCRIPTION_ENDED", "Subscribe again after the cursor."
            )
            return
        if not made.payloads:
            return
        sequence = made.position.sequence
        for subscriber in list(self._subscribers):
            since = subscriber.since
            if since is None or since.sequence >= sequence:
                continue
            if subscriber.allowed():
                for payload in made.payloads:
                    subscriber.put(payload)
