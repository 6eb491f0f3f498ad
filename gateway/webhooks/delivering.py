"""The work behind the webhooks: results are collected from the subscription and kept, and what is kept is delivered.

Every webhook is run by one worker at a time, which holds it for a while and says so again before that is over. A worker
that dies holds nothing for longer than that; another goes on from the cursor and with the messages that wait.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from starlette.requests import HTTPConnection

from gateway.epcis.documents import SUBSCRIPTION
from gateway.events.log import EventLogDown, ResyncRequired
from gateway.request import GraphQLRequest
from gateway.subscribing import LAST_EVENT_ID, Payload, Subscribing, SubscriptionEnded, SubscriptionRefused
from gateway.threads import in_thread
from gateway.webhooks.messages import Writer
from gateway.webhooks.retrying import Rule, after, health
from gateway.webhooks.sending import Outcome, Sender
from gateway.webhooks.signing import Secrets
from gateway.webhooks.store import Hook, Message, WebhookStore
from schema.errors import SourceError, SourceThrottled, SourceTimeout, SourceUnavailable
from schema.webhooks import WebhookFormat, WebhookState

log = logging.getLogger("crossdock.webhooks")

HELD_SECONDS = 15.0
"""For how long a worker holds a webhook without saying so again."""
LAST_SECONDS = 3.0
"""How long a run that is stopped waits for what it is sending."""
LOOK_SECONDS = 1.0
"""How often a webhook looks for messages whose time has come, when nobody tells it."""
AT_ONCE = 16
"""Messages of one webhook under way together; one while it fails."""
MOST_WAITING = 10_000
"""Messages that one webhook keeps; beyond that its results stay in the event log until some are gone."""
MOST_KEPT = 200
"""Results kept in one transaction at most."""
USER_AGENT = "Crossdock-Webhooks/1"
LOST = "Events were lost before they could be sent: {}"
PASSING = frozenset(
    {
        EventLogDown.code,
        SubscriptionEnded.code,
        SourceError.code,
        SourceUnavailable.code,
        SourceTimeout.code,
        SourceThrottled.code,
        "TOO_MANY_SUBSCRIPTIONS",
        "INTERNAL_SERVER_ERROR",
    }
)
"""Codes of refusals that say nothing about the subscription itself: it is asked for again."""
REFUSED_SECONDS = 5.0
"""How long after such a refusal, where it does not say."""


class Courier:
    """Runs webhooks in one worker. ``paused`` is told of every webhook that was paused for its failures."""

    def __init__(
        self,
        store: WebhookStore,
        subscribing: Subscribing,
        sender: Sender,
        secrets: Secrets,
        write: Writer,
        rule: Rule | None = None,
        *,
        clock: Callable[[], float] = time.time,
        held_seconds: float = HELD_SECONDS,
        look_seconds: float = LOOK_SECONDS,
        paused: Callable[[Hook, str], None] = lambda hook, reason: None,
    ) -> None:
        self.store, self.sender, self.secrets = store, sender, secrets
        self.subscribing, self.write = subscribing, write
        self.rule = rule or Rule()
        self.clock = clock
        self.paused = paused
        self._worker = uuid4().hex
        self._held = held_seconds
        self.look_seconds = look_seconds
        self._runs: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._look = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs webhooks for as long as the application does."""
        await self.sender.open()
        task = asyncio.create_task(self._rounds())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._stop(list(self._runs))
            await self.sender.close()
            await in_thread(partial(self.store.let_go, self._worker))

    def look(self) -> None:
        """A webhook has changed: look now, not when it is time."""
        self._look.set()

    async def _rounds(self) -> None:
        failing = False
        while True:
            self._look.clear()
            try:
                await self._round()
                failing = False
            except Exception as error:
                if not failing:
                    log.warning("webhooks cannot be read (%s); it is tried again", type(error).__name__)
                failing = True
            with suppress(TimeoutError):
                async with asyncio.timeout(self._held / 3):
                    await self._look.wait()

    async def _round(self) -> None:
        """Take over what nobody runs, begin anew what was changed, stop what is no longer ours."""
        hooks = await in_thread(partial(self.store.hold, self._worker, self.clock(), self._held))
        ours = {hook.number: hook for hook in hooks}
        over = [
            number
            for number, (version, task) in self._runs.items()
            if task.done() or number not in ours or ours[number].version != version
        ]
        await self._stop(over)
        for number, hook in ours.items():
            if number not in self._runs:
                self._runs[number] = (hook.version, asyncio.create_task(Run(self, hook).run()))

    async def _stop(self, numbers: Sequence[str]) -> None:
        tasks = [self._runs.pop(number)[1] for number in numbers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Run:
    """One webhook in this worker, until it is stopped, changed or paused."""

    def __init__(self, courier: Courier, hook: Hook) -> None:
        self._courier = courier
        self._hook = hook
        self._store = courier.store
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self._results: asyncio.Queue[Payload] = asyncio.Queue(MOST_KEPT)

    async def run(self) -> None:
        """Collect and deliver."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._collect())
                group.create_task(self._keep())
                group.create_task(self._deliver())
        except* _Over:
            self._courier.look()
        except* Exception as errors:
            log.exception("webhook %s broke; it begins anew", self._hook.number, exc_info=errors)
            await asyncio.sleep(self._courier.look_seconds)
            self._courier.look()

    async def _collect(self) -> None:
        """Follow the subscription from the cursor, for ever."""
        cursor = self._hook.cursor
        while True:
            wait = self._courier.look_seconds
            request = GraphQLRequest(
                query_of(self._hook),
                self._hook.operation_name,
                dict(self._hook.variables),
                {LAST_EVENT_ID: cursor} if cursor is not None else {},
            )
            try:
                async with aclosing(self._courier.subscribing.subscribe(request, _nobody())) as results:
                    async for payload in results:
                        cursor = payload.cursor or cursor
                        await self._results.put(payload)
            except SubscriptionRefused as refused:
                extensions = refused.errors[0].get("extensions", {}) if refused.errors else {}
                code = extensions.get("code")
                if code == ResyncRequired.code:
                    await self._end(WebhookState.PAUSED, LOST.format(refused))
                if code not in PASSING:
                    await self._end(WebhookState.ENDED, f"The subscription was refused: {refused}")
                wait = max(wait, extensions.get("retryAfterSeconds") or REFUSED_SECONDS)
            except SubscriptionEnded as ended:
                if ended.code == ResyncRequired.code:
                    await self._end(WebhookState.PAUSED, LOST.format(ended))
                wait = ended.retry_after or wait
            await asyncio.sleep(wait)

    async def _keep(self) -> None:
        """Keep results as they come: all that are there in one transaction."""
        hook, seq = self._hook, self._hook.seq
        while True:
            results = [await self._results.get()]
            while len(results) < MOST_KEPT and not self._results.empty():
                results.append(self._results.get_nowait())
            now, messages = self._courier.clock(), []
            for result in results:
                body = self._courier.write(hook, result, now)
                if body is not None:
                    seq += 1
                    messages.append(_message(hook, result, seq, body, now))
            cursor = next((one.cursor for one in reversed(results) if one.cursor is not None), hook.cursor)
            if not await in_thread(partial(self._store.keep, hook, messages, cursor)):
                raise _Over
            if messages:
                self._news.set()
                await self._space()

    async def _space(self) -> None:
        """Wait while too many messages are kept already; meanwhile the event log keeps what comes."""
        while True:
            counts = await in_thread(partial(self._store.counts, [self._hook.number]))
            if (
                sum(count for (_, state), count in counts.items() if state in ("PENDING", "RETRYING"))
                < MOST_WAITING
            ):
                return
            self._room.clear()
            await self._room.wait()

    async def _deliver(self) -> None:
        """Send what is due, subject by subject in order."""
        courier = self._courier
        while True:
            self._news.clear()
            most = AT_ONCE if self._hook.state is WebhookState.ACTIVE else 1
            due = await in_thread(partial(self._store.due, self._hook.number, courier.clock(), most))
            if not due:
                with suppress(TimeoutError):
                    async with asyncio.timeout(courier.look_seconds):
                        await self._news.wait()
                continue
            batch = asyncio.ensure_future(self._batch(due))
            try:
                await asyncio.shield(batch)
            except asyncio.CancelledError:
                # What a receiver has taken is written down, or it would be sent again.
                await asyncio.wait([batch], timeout=LAST_SECONDS)
                batch.cancel()
                await asyncio.gather(batch, return_exceptions=True)
                raise

    async def _batch(self, due: Sequence[Message]) -> None:
        """Send messages together, and write down what became of them."""
        courier = self._courier
        outcomes = await asyncio.gather(*[self._send(message) for message in due])
        now = courier.clock()
        settled = [
            after(message, outcome, now, courier.rule) for message, outcome in zip(due, outcomes, strict=True)
        ]
        noted = self._fares(outcomes, now)
        await in_thread(partial(self._store.settle, self._hook, settled, noted))
        self._room.set()
        self._noted(noted)

    async def _send(self, message: Message) -> Outcome:
        hook, courier = self._hook, self._courier
        now = courier.clock()
        at = datetime.fromtimestamp(now, UTC)
        signed = courier.secrets.headers(hook.number, hook.generations(now), message.number, at, message.body)
        headers = {"content-type": "application/json", "user-agent": USER_AGENT, **signed}
        return await courier.sender.send(hook.url, headers, message.body)

    def _fares(self, outcomes: Sequence[Outcome], now: float) -> dict[str, object]:
        """What to write down of the webhook. One success among failures is a success: it is there."""
        outcome = next((one for one in outcomes if one.delivered), outcomes[-1])
        noted = health(self._hook, outcome, now, self._courier.rule)
        return noted | ({"last_delivered_at": now} if outcome.delivered else {})

    def _noted(self, noted: Mapping[str, object]) -> None:
        """Go on as it was written down; raises _Over where the webhook is paused by it."""
        state = WebhookState(str(noted.get("state", self._hook.state.value)))
        since = noted.get("failing_since", self._hook.failing_since)
        reason = noted.get("reason", self._hook.reason)
        self._hook = replace(
            self._hook,
            state=state,
            failing_since=since if isinstance(since, float) else None,
            reason=reason if isinstance(reason, str) else None,
        )
        if state is WebhookState.PAUSED:
            self._say(str(reason))
            raise _Over

    async def _end(self, state: WebhookState, reason: str) -> None:
        await in_thread(partial(self._store.note, self._hook, state=state.value, reason=reason[:500]))
        self._say(reason)
        raise _Over

    def _say(self, reason: str) -> None:
        log.warning("webhook %s (%s) is not active any more: %s", self._hook.number, self._hook.name, reason)
        self._courier.paused(self._hook, reason)


def query_of(hook: Hook) -> str:
    """The document that a webhook subscribes with; that of EPCIS is always the gateway's present one."""
    return SUBSCRIPTION if hook.format is WebhookFormat.EPCIS else hook.query


class _Over(Exception):
    """A run is over; the store says how it goes on."""


def _message(hook: Hook, result: Payload, seq: int, body: bytes, now: float) -> Message:
    event = result.event
    if event is None:
        # A state, such as a system's health: there is nothing by which to know it again.
        return Message(f"msg_{uuid4().hex}", hook.number, seq, "", body, now, now)
    # The id is the same whenever and by whomever this result is kept. An event may be told of several objects.
    told = f"{hook.number}\n{event.number}\n{result.part}"
    number, subject = hashlib.sha256(told.encode()).hexdigest()[:32], event.subject
    return Message(f"msg_{number}", hook.number, seq, subject, body, now, now)


def _nobody() -> HTTPConnection:
    """The connection that a webhook's subscription comes by: none."""
    scope: Mapping[str, object] = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "headers": [],
        "query_string": b"",
        "client": None,
    }
    return HTTPConnection(dict(scope))
