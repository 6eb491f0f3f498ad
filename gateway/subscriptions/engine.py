"""The engine of subscriptions: begins each, tells what was before, lets it join the hub, and ends it."""

import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from graphql import OperationType
from starlette.requests import HTTPConnection

from gateway.documents import DocumentInvalid
from gateway.engine import CannotRun, SchemaEngine
from gateway.events.interest import Interest
from gateway.events.log import EventLog, EventLogDown, Position, ResyncRequired, from_cursor, to_cursor
from gateway.masking import error_entry, internal_error, present_all
from gateway.request import GraphQLRequest
from gateway.subscribing import Payload, SubscriptionEnded, SubscriptionRefused
from gateway.subscriptions.group import Teller
from gateway.subscriptions.health import Health
from gateway.subscriptions.hub import Heard, Hub
from gateway.subscriptions.past import Present, missed, present_state, ready, snapshot
from gateway.subscriptions.settings import SubscriptionSettings
from gateway.subscriptions.standing import Standing
from gateway.subscriptions.subscriber import Subscriber
from gateway.subscriptions.topics import Asked, NoTopic
from gateway.telemetry import request_facts
from resolvers.subscriptions import Topic
from schema.base import SourceSystem
from schema.changes import ChangeKind
from schema.errors import CrossdockError

log = structlog.get_logger("crossdock.subscriptions")

LOG_AWAY_SECONDS = 5.0
"""When to come back after the event log did not answer."""


class Begun:
    """A subscription that has begun. ``head`` is where the log ended when it did, ``after`` where it goes on."""

    def __init__(self, teller: Teller, subscriber: Subscriber, head: Position) -> None:
        self.teller, self.subscriber, self.head = teller, subscriber, head
        self.after: Position | None = None
        self.present = Present()

    @property
    def topic(self) -> Topic:
        """What is watched."""
        return self.teller.topic


class Subscriptions:
    """Runs the subscriptions of one process. ``standing`` says who subscribes; it may raise HttpRefusal.

    ``clock`` is in seconds since the epoch, ``rng`` between 0 and 1.
    """

    def __init__(
        self,
        engine: SchemaEngine,
        events: EventLog,
        standing: Callable[[HTTPConnection], Standing],
        health: Health,
        settings: SubscriptionSettings | None = None,
        *,
        interest: Interest | None = None,
        heard: Heard | None = None,
        clock: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.hub = Hub(events, heard)
        self.settings = settings or SubscriptionSettings()
        self._engine, self._events, self._standing, self._health = engine, events, standing, health
        self._interest, self._clock, self._rng = interest, clock, rng
        self._clients: Counter[str] = Counter()
        self._live: dict[Subscriber, None] = {}
        self._draining = False

    def __len__(self) -> int:
        """How many there are."""
        return self._clients.total()

    async def subscribe(
        self, request: GraphQLRequest, connection: HTTPConnection
    ) -> AsyncGenerator[Payload, None]:
        """The messages of a subscription (see ``gateway.subscribing.Subscribing``)."""
        request_id = request_facts(connection.scope).request_id
        async with AsyncExitStack() as held:
            try:
                begun = await self._begin(request, connection, held)
            except Exception as error:
                raise SubscriptionRefused(self._refusal(error, request_id)) from error
            subscriber = begun.subscriber
            watches_health = begun.topic.subject is SourceSystem
            try:
                async for payload in self._systems(begun) if watches_health else self._told(begun):
                    subscriber.check()
                    yield payload
                    subscriber.took(payload)
                while True:
                    payload = await subscriber.next()
                    yield payload
                    subscriber.took(payload)
            except ResyncRequired as error:
                raise SubscriptionEnded(str(error), code=error.code, hint=error.hint) from error
            except EventLogDown as error:
                cursor, wait = begun.subscriber.cursor, LOG_AWAY_SECONDS
                raise SubscriptionEnded(
                    str(error), code=error.code, cursor=cursor, retry_after=wait
                ) from error

    def drain(self) -> None:
        """End all of them and begin no more: each is told to come back at another moment, so that not all do at once."""
        self._draining = True
        for subscriber in list(self._live):
            subscriber.end(self._stopping())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the application runs."""
        try:
            yield
        finally:
            self.drain()

    def _stopping(self) -> SubscriptionEnded:
        wait = round(self._rng() * self.settings.drain_ms / 1000, 3)
        hint = "Subscribe again after the cursor, once the seconds are over."
        return SubscriptionEnded("The gateway is stopping.", retry_after=wait, hint=hint)

    def _refusal(self, error: Exception, request_id: str) -> list[dict[str, Any]]:
        """What is said about a request that begins no subscription."""
        if isinstance(error, DocumentInvalid):
            return present_all(error.errors, error.code, request_id)
        if isinstance(error, NoTopic):
            return present_all(error.errors, "BAD_USER_INPUT", request_id)
        if isinstance(error, SubscriptionEnded):
            return [error.entry]
        if isinstance(error, CrossdockError):
            return [error_entry(str(error), error.code, hint=error.hint)]
        log.error("a subscription could not begin", exc_info=error)
        return [internal_error(request_id)]

    async def _begin(
        self, request: GraphQLRequest, connection: HTTPConnection, held: AsyncExitStack
    ) -> Begun:
        if self._draining:
            raise self._stopping()
        standing = self._standing(connection)
        self._admit(standing.client, held)
        document, operation = self._engine.prepare(request)
        if operation.operation is not OperationType.SUBSCRIPTION:
            told = f"A {operation.operation.value} is answered once; here only subscriptions are run."
            raise CannotRun("SUBSCRIPTION_EXPECTED", told, "Send it as an ordinary request.")
        asked = Asked(self._engine, document, operation, request)
        topic = await asked.topic(standing.context(None))
        subscriber = Subscriber(standing, self.settings)
        self._live[subscriber] = None
        held.callback(self._live.pop, subscriber, None)
        held.callback(subscriber.close)
        if standing.ends_at is not None:
            subscriber.expire(standing.ends_at - self._clock())
        teller = Teller(asked, topic, standing.context, told=self.hub.heard is not None)
        if topic.subject is SourceSystem:
            return Begun(teller, subscriber, Position("", 0))
        return await self._placed(teller, subscriber, held)

    async def _placed(self, teller: Teller, subscriber: Subscriber, held: AsyncExitStack) -> Begun:
        """Find out where it begins: after its cursor, or at the end of the log, which is looked at first of all."""
        await self.hub.begin()
        held.callback(self.hub.finish)
        begun = Begun(teller, subscriber, await self._events.head())
        topic = teller.topic
        if self._interest is not None:
            ids, kinds = topic.interest
            held.callback(self._interest.watch(ids, kinds).close)
        if topic.after is not None:
            begun.after = from_cursor(topic.after)
            subscriber.cursor = topic.after
            await self._events.read(begun.after, 1)
        elif topic.snapshot:
            begun.present = await present_state(teller, self.settings.max_snapshot)
        return begun

    def _admit(self, client: str, held: AsyncExitStack) -> None:
        """Count one more. Raises CannotRun where there are too many."""
        limits = self.settings
        if len(self) >= limits.max_per_process or self._clients[client] >= limits.max_per_client:
            whose = "of one client" if len(self) < limits.max_per_process else "here"
            told = f"There are as many subscriptions {whose} as there may be."
            raise CannotRun("TOO_MANY_SUBSCRIPTIONS", told, "End one, or come back later.")
        self._clients[client] += 1

        def leave() -> None:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

        held.callback(leave)

    async def _told(self, begun: Begun) -> AsyncIterator[Payload]:
        """The state or what was missed, then that this is over, then what has happened since; then it has joined."""
        teller, subscriber, head = begun.teller, begun.subscriber, begun.head
        if begun.after is not None:
            async for payload in self._between(begun, begun.after):
                yield payload
        else:
            async for payload in snapshot(teller, begun.present):
                yield payload
        yield await ready(teller, to_cursor(head), begun.present)
        # What happened while that was told; the hub may be far ahead of it.
        since = head
        likeness = teller.asked.likeness
        while not self.hub.join(subscriber, likeness, teller, since):
            async for made in missed(self._events, teller, since, ChangeKind.LIVE):
                for payload in made.payloads:
                    yield payload
                since = made.position
                subscriber.cursor = to_cursor(since)

    async def _between(self, begun: Begun, since: Position) -> AsyncIterator[Payload]:
        """What was missed after a cursor, up to the end of the log when it was passed."""
        head = begun.head
        while since.sequence < head.sequence:
            before = since
            async for made in missed(self._events, begun.teller, since, ChangeKind.REPLAY, head):
                for payload in made.payloads:
                    yield payload
                since = made.position
                begun.subscriber.cursor = to_cursor(since)
            if since == before:
                return

    async def _systems(self, begun: Begun) -> AsyncIterator[Payload]:
        """Every system as it is; then it has joined those who are told of changes."""
        teller, subscriber = begun.teller, begun.subscriber

        async def tell(system: SourceSystem) -> Payload:
            return Payload(await teller.asked.tell(teller.context(None), system))

        systems = self._health.systems()
        for system in systems:
            yield await tell(system)
        self._health.join(subscriber, tell, systems)
