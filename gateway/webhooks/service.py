"""What the graph asks of the webhooks: making, changing and showing them. Each is its maker's alone."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias
from uuid import uuid4

import orjson

from gateway.events.log import EventLog, to_cursor
from gateway.request import GraphQLRequest
from gateway.webhooks.delivering import USER_AGENT
from gateway.webhooks.sending import Sender
from gateway.webhooks.signing import Secrets
from gateway.webhooks.store import OPEN, Hook, Message, WebhookStore
from gateway.webhooks.target import Targets
from resolvers.context import Actor
from resolvers.webhooks import Wanted
from schema.errors import RequestError
from schema.webhooks import DeliveryState, WebhookDelivery, WebhookState, WebhookSubscription

MOST_WEBHOOKS = 100
"""Webhooks of one party at most."""
MOST_NAME = 200
MOST_OVERLAP = 30 * 86_400
"""Seconds for which an old secret may sign at most."""
MOST_SHOWN = 200
TEST = "crossdock.webhook.test"
"""The type of a test message."""

Check: TypeAlias = Callable[[GraphQLRequest], Sequence[Mapping[str, Any]]]
"""The errors that a subscription would be refused with; none where it may begin."""


class WebhookService:
    """The webhooks as the graph sees them. ``changed`` tells those who run them to look."""

    def __init__(
        self,
        store: WebhookStore,
        log: EventLog,
        sender: Sender,
        targets: Targets,
        secrets: Secrets,
        check: Check,
        changed: Callable[[], None] = lambda: None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._log, self._sender = store, log, sender
        self._targets, self._secrets, self._check = targets, secrets, check
        self._changed, self._clock = changed, clock

    async def create(self, actor: Actor, wanted: Wanted) -> WebhookSubscription:
        """A new webhook, with its secret; it is told what happens from now on. Raises RequestError."""
        self._vet(wanted)
        if not wanted.name or not wanted.url or not wanted.query:
            raise RequestError("name, url and query: none may be empty")
        mine = await asyncio.to_thread(self._store.hooks, actor.subject)
        if len(mine) >= MOST_WEBHOOKS:
            raise RequestError(f"{MOST_WEBHOOKS} webhooks are there already", hint="Delete one first.")
        hook = Hook(
            uuid4().hex,
            actor.subject,
            wanted.name,
            wanted.url,
            wanted.query,
            wanted.variables or {},
            self._clock(),
            wanted.operation_name,
            cursor=to_cursor(await self._log.head()),
        )
        await asyncio.to_thread(self._store.add, hook)
        self._changed()
        return await self._shown(hook, secret=self._secrets.of(hook.number, hook.generation))

    async def update(self, actor: Actor, number: str, wanted: Wanted) -> WebhookSubscription:
        """Change what is named. Raises RequestError."""
        hook = await self._mine(actor, number)
        values = {
            name: value
            for name in ("name", "url", "query", "operation_name", "variables")
            if (value := getattr(wanted, name)) is not None
        }
        merged = Wanted(
            **{name: values.get(name, getattr(hook, name)) for name in Wanted.__dataclass_fields__}
        )
        self._vet(merged)
        if hook.state is WebhookState.ENDED:
            values |= {"state": WebhookState.ACTIVE.value, "reason": None}
        return await self._change(hook, **values)

    async def pause(self, actor: Actor, number: str) -> WebhookSubscription:
        """Send nothing until it is resumed. Raises RequestError."""
        hook = await self._mine(actor, number)
        return await self._change(hook, state=WebhookState.PAUSED.value, reason="Its owner paused it.")

    async def resume(self, actor: Actor, number: str, *, from_now: bool) -> WebhookSubscription:
        """Go on where it stopped, or from now. Raises RequestError."""
        hook = await self._mine(actor, number)
        values: dict[str, Any] = {"cursor": to_cursor(await self._log.head())} if from_now else {}
        return await self._change(
            hook, state=WebhookState.ACTIVE.value, reason=None, failing_since=None, **values
        )

    async def rotate(self, actor: Actor, number: str, overlap_seconds: int) -> WebhookSubscription:
        """A new secret, shown. Raises RequestError."""
        if not 0 <= overlap_seconds <= MOST_OVERLAP:
            raise RequestError(f"overlapSeconds: {overlap_seconds} is not between 0 and {MOST_OVERLAP}")
        hook = await self._mine(actor, number)
        generation = hook.generation + 1
        secret = self._secrets.of(hook.number, generation)
        ends = self._clock() + overlap_seconds
        return await self._change(hook, secret=secret, generation=generation, old_ends_at=ends)

    async def delete(self, actor: Actor, number: str) -> WebhookSubscription:
        """Forget it and its messages. Raises RequestError."""
        hook = await self._mine(actor, number)
        shown = await self._shown(hook)
        await asyncio.to_thread(self._store.remove, hook.number)
        self._changed()
        return shown

    async def test(self, actor: Actor, number: str) -> WebhookDelivery:
        """Send a test message now, once. Raises RequestError."""
        hook = await self._mine(actor, number)
        now = self._clock()
        at = datetime.fromtimestamp(now, UTC)
        said = {
            "type": TEST,
            "timestamp": at.isoformat(timespec="milliseconds"),
            "data": {"webhook": hook.number},
        }
        body, message = orjson.dumps(said), f"test_{uuid4().hex}"
        signed = self._secrets.headers(hook.number, hook.generations(now), message, at, body)
        headers = {"content-type": "application/json", "user-agent": USER_AGENT, **signed}
        outcome = await self._sender.send(hook.url, headers, body)
        state = DeliveryState.DELIVERED if outcome.delivered else DeliveryState.DEAD_LETTERED
        delivered = self._clock() if outcome.delivered else None
        return _delivery(
            Message(
                message, number, 0, "", body, now, now, state, 1, delivered, outcome.status, outcome.reason
            )
        )

    async def redeliver(self, actor: Actor, number: str, messages: list[str] | None) -> list[WebhookDelivery]:
        """Send messages again under their ids. Raises RequestError."""
        hook = await self._mine(actor, number)
        found = await asyncio.to_thread(self._store.again, hook.number, messages, self._clock())
        missing = set(messages or ()) - {message.number for message in found}
        if missing:
            raise RequestError(
                f"deliveries: {min(missing)[:80]!r} is no message of this webhook that has ended",
                hint="Those that wait are sent anyway.",
            )
        return [_delivery(message) for message in found]

    async def all_of(self, actor: Actor) -> list[WebhookSubscription]:
        """The webhooks of the one who asks."""
        hooks = await asyncio.to_thread(self._store.hooks, actor.subject)
        counts = await asyncio.to_thread(self._store.counts, [hook.number for hook in hooks])
        return [_subscription(hook, counts) for hook in hooks]

    async def deliveries(
        self, actor: Actor, number: str, states: tuple[DeliveryState, ...], first: int, before: str | None
    ) -> list[WebhookDelivery]:
        """The messages of a webhook, the newest first. Raises RequestError."""
        if not 1 <= first <= MOST_SHOWN:
            raise RequestError(f"first: {first} is not between 1 and {MOST_SHOWN}")
        hook = await self._mine(actor, number)
        place = None
        if before is not None:
            message = await asyncio.to_thread(self._store.message, before)
            if message is None or message.webhook != hook.number:
                raise RequestError(f"before: {before[:80]!r} is no message of this webhook")
            place = message.seq
        found = await asyncio.to_thread(self._store.messages, hook.number, states, place, first)
        return [_delivery(message) for message in found]

    def _vet(self, wanted: Wanted) -> None:
        """Raises RequestError where a webhook cannot be like this."""
        if wanted.name is not None and len(wanted.name) > MOST_NAME:
            raise RequestError(f"name: more than {MOST_NAME} characters")
        if wanted.url is not None:
            self._targets.check(wanted.url)
        if wanted.query is not None:
            request = GraphQLRequest(wanted.query, wanted.operation_name, dict(wanted.variables or {}))
            errors = self._check(request)
            if errors:
                raise RequestError(f"query: {errors[0].get('message')}")

    async def _mine(self, actor: Actor, number: str) -> Hook:
        # Another's webhook is as unknown as one that is not there.
        hook = await asyncio.to_thread(self._store.hook, number, actor.subject)
        if hook is None:
            raise RequestError(f"webhook: there is none {number[:80]!r}", hint="See webhookSubscriptions.")
        return hook

    async def _change(self, hook: Hook, secret: str | None = None, **values: Any) -> WebhookSubscription:
        await asyncio.to_thread(partial(self._store.change, hook.number, **values))
        self._changed()
        now = await asyncio.to_thread(self._store.hook, hook.number)
        return await self._shown(now or hook, secret=secret)

    async def _shown(self, hook: Hook, *, secret: str | None = None) -> WebhookSubscription:
        return _subscription(hook, await asyncio.to_thread(self._store.counts, [hook.number]), secret)


def _subscription(
    hook: Hook, counts: Mapping[tuple[str, str], int], secret: str | None = None
) -> WebhookSubscription:
    return WebhookSubscription(
        hook.number,
        hook.name,
        hook.url,
        hook.query,
        hook.state,
        _instant(hook.created_at),
        sum(counts.get((hook.number, state.value), 0) for state in OPEN),
        counts.get((hook.number, DeliveryState.DEAD_LETTERED.value), 0),
        hook.operation_name,
        hook.reason,
        hook.cursor,
        _maybe(hook.last_delivered_at),
        _maybe(hook.failing_since),
        _maybe(hook.old_ends_at),
        secret,
    )


def _delivery(message: Message) -> WebhookDelivery:
    return WebhookDelivery(
        message.number,
        message.webhook,
        message.subject,
        message.state,
        message.attempts,
        _instant(message.created_at),
        _instant(message.next_at) if message.state in OPEN else None,
        _maybe(message.delivered_at),
        message.last_status,
        message.last_reason,
        message.body.decode(),
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else _instant(seconds)
