"""Webhooks delivered to a real server over HTTP, kept in SQLite and in a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from gateway.database import Database
from gateway.events.log import Position, from_cursor, to_cursor
from gateway.request import GraphQLRequest
from gateway.subscribing import Payload, SubscriptionEnded, SubscriptionRefused
from gateway.webhooks.delivering import Courier
from gateway.webhooks.messages import write_result
from gateway.webhooks.retrying import Rule
from gateway.webhooks.sending import Sender
from gateway.webhooks.signing import Secrets
from gateway.webhooks.store import Hook, WebhookStore
from gateway.webhooks.target import Targets
from schema.events import Event
from schema.webhooks import DeliveryState, WebhookState
from tests.postgres_server import PostgresServer
from tests.receiver import Receiver, receiving

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
SECRETS = Secrets("the gateway's own secret")
QUICK = Rule(schedule=(0.05, 0.05, 0.05), pause_after=3600, rng=lambda: 0.0)
LOOPBACK = Targets(["127.0.0.0/8"], plain=True)


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new database is."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.database()
    return f"sqlite:///{tmp_path}/webhooks.db"


@pytest.fixture
def store(url: str) -> Iterator[WebhookStore]:
    """An empty store."""
    made = WebhookStore(Database(url))
    made.open()
    yield made
    made.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A partner's server."""
    async with receiving() as made:
        yield made


def event(sequence: int, subject: str) -> Event:
    """An event about a shipment."""
    kind = "mfg.shipment.changed.v1"
    return Event(kind, "WMS", f"e{sequence}", subject, f"f{sequence}", NOW, NOW, NOW, (subject,), "c")


class Feed:
    """Subscriptions over a list of events that grows: what the engine promises, without the graph.

    Who subscribes gets everything after the cursor and then what is told.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.asked: list[str | None] = []
        self.broken: Exception | None = None
        self._more = asyncio.Condition()

    async def tell(self, *subjects: str) -> None:
        """Something happens to each of these."""
        async with self._more:
            for subject in subjects:
                self.events.append(event(len(self.events) + 1, subject))
            self._more.notify_all()

    async def subscribe(
        self, request: GraphQLRequest, connection: HTTPConnection
    ) -> AsyncGenerator[Payload, None]:
        """The port of the transports."""
        cursor = request.extensions.get("lastEventId")
        self.asked.append(cursor)
        if self.broken is not None:
            raise self.broken
        place = from_cursor(cursor).sequence if cursor is not None else len(self.events)
        while True:
            async with self._more:
                while len(self.events) <= place:
                    await self._more.wait()
            happened = self.events[place]
            place += 1
            body = json.dumps({"data": {"shipmentChanged": {"number": place}}}).encode()
            yield Payload(body, to_cursor(Position("life", place)), happened)


def hook(receiver: Receiver, **more: Any) -> Hook:
    """A webhook to the receiver, from the beginning."""
    values: dict[str, Any] = {"cursor": to_cursor(Position("life", 0))} | more
    return Hook("h1", "partner", "ours", receiver.url, "subscription { x }", {}, 0.0, **values)


@asynccontextmanager
async def running(store: WebhookStore, feed: Feed, rule: Rule = QUICK, **more: Any) -> AsyncIterator[Courier]:
    """A worker that runs webhooks."""
    courier = Courier(
        store,
        feed,
        Sender(LOOPBACK, timeout=1),
        SECRETS,
        write_result,
        rule,
        held_seconds=0.6,
        look_seconds=0.05,
        **more,
    )
    async with courier.running():
        yield courier


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 what is waited for is in another process or thread
            await asyncio.sleep(0.01)


def numbers(receiver: Receiver) -> list[int]:
    """The numbers of the events that were taken, in order."""
    return [body["data"]["result"]["data"]["shipmentChanged"]["number"] for _, body in receiver.taken]


async def test_results_arrive_signed_once_and_in_order(store: WebhookStore, receiver: Receiver) -> None:
    """The independent library accepts every message; the body names event, subject and cursor."""
    feed = Feed()
    receiver.secrets = [SECRETS.of("h1", 1)]
    store.add(hook(receiver))
    async with running(store, feed):
        await feed.tell(*["ship:1"] * 20)
        await until(lambda: len(receiver.taken) == 20)
    assert numbers(receiver) == list(range(1, 21))
    assert len(receiver.came) == 20
    number, body = receiver.taken[0]
    assert number.startswith("msg_")
    assert body["type"] == "mfg.shipment.changed.v1"
    assert body["data"]["subject"] == "ship:1"
    assert body["data"]["event"] == feed.events[0].number


async def test_a_subject_keeps_its_order_and_holds_up_no_other(
    store: WebhookStore, receiver: Receiver
) -> None:
    """While one shipment's message fails, its later ones wait and another shipment's do not."""
    feed, failing = Feed(), [True]
    receiver.answer = lambda _, body: 500 if failing[0] and body["data"]["subject"] == "ship:1" else 204
    store.add(hook(receiver))
    async with running(store, feed, Rule((0.1,) * 200, rng=lambda: 0.0)):
        await feed.tell("ship:1", "ship:2", "ship:1", "ship:2", "ship:2")
        await until(lambda: len(receiver.taken) == 3)
        assert numbers(receiver) == [2, 4, 5]
        failing[0] = False
        await until(lambda: len(receiver.taken) == 5)
    assert numbers(receiver) == [2, 4, 5, 1, 3]


async def test_every_attempt_has_the_same_id(store: WebhookStore, receiver: Receiver) -> None:
    """So that a partner may recognise what it has already."""
    feed, attempts = Feed(), []

    def answer(number: str, _: Any) -> int:
        attempts.append(number)
        return 204 if len(attempts) == 3 else 503

    receiver.answer = answer
    store.add(hook(receiver))
    async with running(store, feed):
        await feed.tell("ship:1")
        await until(lambda: len(receiver.taken) == 1)
    assert len(set(attempts)) == 1
    [message] = store.messages("h1")
    assert (message.state, message.attempts) == (DeliveryState.DELIVERED, 3)


async def test_what_fails_too_often_is_given_up_and_can_be_sent_again(
    store: WebhookStore, receiver: Receiver
) -> None:
    """The next message of the subject goes on; redelivery sends the old one under its old id."""
    feed = Feed()
    receiver.answer = lambda _, body: (
        500 if body["data"]["result"]["data"]["shipmentChanged"]["number"] == 1 else 204
    )
    store.add(hook(receiver))
    async with running(store, feed):
        await feed.tell("ship:1", "ship:1")
        await until(lambda: numbers(receiver) == [2])
        [dead] = store.messages("h1", [DeliveryState.DEAD_LETTERED])
        assert dead.last_status == 500
        assert dead.attempts == 4
        receiver.answer = lambda _, __: 204
        assert [one.number for one in store.again("h1", [dead.number], 0.0)] == [dead.number]
        await until(lambda: numbers(receiver) == [2, 1])
    assert receiver.taken[-1][0] == dead.number


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(store: WebhookStore, receiver: Receiver, status: int) -> None:
    """Wherever they lead; they count as failures."""
    feed = Feed()
    receiver.answer, receiver.headers = lambda _, __: status, {"Location": receiver.url}
    store.add(hook(receiver))
    async with running(store, feed):
        await feed.tell("ship:1")
        await until(lambda: bool(store.messages("h1", [DeliveryState.DEAD_LETTERED])))
    assert len(receiver.came) == 4
    assert "redirects" in str(store.messages("h1")[0].last_reason)


async def test_a_receiver_that_is_gone_is_paused_at_once(store: WebhookStore, receiver: Receiver) -> None:
    """410 means that nobody wants it any more; the message waits for whoever resumes the webhook."""
    feed, told = Feed(), []
    receiver.answer = lambda _, __: 410
    store.add(hook(receiver))
    async with running(store, feed, paused=lambda hook, reason: told.append(reason)):
        await feed.tell("ship:1")
        await until(lambda: bool(told))
        receiver.answer = lambda _, __: 204
        await asyncio.sleep(0.3)
        assert receiver.taken == []
        store.change("h1", state=WebhookState.ACTIVE.value)
        await until(lambda: numbers(receiver) == [1])
    assert told == ["It answered 410 Gone."]


async def test_a_receiver_that_hangs_is_given_up_after_its_time(
    store: WebhookStore, receiver: Receiver
) -> None:
    """Every attempt is bounded."""
    feed = Feed()
    receiver.hanging = True
    store.add(hook(receiver))
    async with running(store, feed):
        await feed.tell("ship:1")
        await until(lambda: len(receiver.came) == 2)
        receiver.hanging = False
        await until(lambda: numbers(receiver) == [1])


async def test_a_receiver_that_is_down_for_long_is_paused_and_said_so(
    store: WebhookStore, receiver: Receiver
) -> None:
    """After so long of nothing but failures; what happens meanwhile is sent once it is resumed."""
    feed, told = Feed(), []
    receiver.answer = lambda _, __: 500
    store.add(hook(receiver))
    rule = Rule((0.05,) * 100, pause_after=0.4, rng=lambda: 0.0)
    async with running(store, feed, rule, paused=lambda hook, reason: told.append(hook.number)):
        await feed.tell("ship:1", "ship:2")
        await until(lambda: bool(told))
        kept = store.hook("h1")
        assert kept is not None
        assert kept.state is WebhookState.PAUSED
        assert "HTTP 500" in str(kept.reason)
        await feed.tell("ship:1")
        receiver.answer = lambda _, __: 204
        store.change("h1", state=WebhookState.ACTIVE.value, failing_since=None)
        await until(lambda: len(receiver.taken) == 3)
    assert [number for number in numbers(receiver) if number != 2] == [1, 3]


async def test_what_the_owner_says_is_not_overwritten_by_an_attempt_under_way(
    store: WebhookStore, receiver: Receiver
) -> None:
    """Paused while an attempt runs: that it then fails, or succeeds, does not wake the webhook up again."""
    before = hook(receiver)
    store.add(before)
    store.change("h1", state=WebhookState.PAUSED.value, reason="Its owner paused it.")
    store.settle(before, [], {"state": WebhookState.FAILING.value, "reason": "HTTP 500"})
    store.note(before, state=WebhookState.ACTIVE.value, reason=None)
    kept = store.hook("h1")
    assert kept is not None
    assert (kept.state, kept.reason) == (WebhookState.PAUSED, "Its owner paused it.")


async def test_a_wish_to_wait_is_granted(store: WebhookStore, receiver: Receiver) -> None:
    """Retry-After of a 429 or 503 puts off the next attempt."""
    feed = Feed()
    receiver.answer, receiver.headers = lambda _, __: 429, {"Retry-After": "3600"}
    store.add(hook(receiver))
    async with running(store, feed, clock=lambda: 1000.0):
        await feed.tell("ship:1")
        await until(lambda: bool(store.messages("h1", [DeliveryState.RETRYING])))
    assert store.messages("h1")[0].next_at == 4600.0


async def test_two_secrets_sign_while_a_rotation_lasts(store: WebhookStore, receiver: Receiver) -> None:
    """A partner that knows only the old one, and one that knows only the new one, both verify."""
    feed = Feed()
    receiver.secrets = [SECRETS.of("h1", 1), SECRETS.of("h1", 2)]
    store.add(replace(hook(receiver), generation=2, old_ends_at=4e9))
    async with running(store, feed):
        await feed.tell("ship:1")
        await until(lambda: len(receiver.taken) == 1)
        store.change("h1", old_ends_at=0.0)
        receiver.secrets = [SECRETS.of("h1", 2)]
        await feed.tell("ship:1")
        await until(lambda: len(receiver.taken) == 2)
    assert [len(signature.split()) for signature in receiver.signatures] == [2, 1]


async def test_a_worker_that_stops_is_followed_by_another_from_the_cursor(
    store: WebhookStore, url: str, receiver: Receiver
) -> None:
    """What happened between the two is sent by the second; nothing twice, nothing left out."""
    feed = Feed()
    store.add(hook(receiver))
    async with running(store, feed):
        await feed.tell("ship:1", "ship:2")
        await until(lambda: len(receiver.taken) == 2)
    await feed.tell("ship:1", "ship:2")
    second = WebhookStore(Database(url))
    second.open()
    async with running(second, feed):
        await until(lambda: len(receiver.taken) == 4)
    second.close()
    assert sorted(numbers(receiver)) == [1, 2, 3, 4]


async def test_two_workers_share_webhooks_and_send_nothing_twice(
    store: WebhookStore, url: str, receiver: Receiver
) -> None:
    """Each webhook is run by one of them at a time; when that one is cut off, the other takes over."""
    feed, other = Feed(), WebhookStore(Database(url))
    other.open()
    for number in ("h1", "h2", "h3", "h4"):
        store.add(replace(hook(receiver), number=number))
    async with running(store, feed), running(other, feed):
        await feed.tell(*[f"ship:{place % 3}" for place in range(10)])
        await until(lambda: len(receiver.taken) == 40)
        await asyncio.sleep(0.3)
    other.close()
    assert len(receiver.came) == 40
    assert len({number for number, _ in receiver.came}) == 40


async def test_a_subscription_that_cannot_begin_ends_the_webhook(
    store: WebhookStore, receiver: Receiver
) -> None:
    """And says why, instead of trying for ever."""
    feed = Feed()
    feed.broken = SubscriptionRefused([{"message": "Cannot query field 'x'."}])
    store.add(hook(receiver))
    async with running(store, feed):
        await until(lambda: (kept := store.hook("h1")) is not None and kept.state is WebhookState.ENDED)
    kept = store.hook("h1")
    assert kept is not None
    assert "Cannot query field" in str(kept.reason)


@pytest.mark.parametrize("code", ["TOO_MANY_SUBSCRIPTIONS", "EVENT_LOG_UNAVAILABLE", "SUBSCRIPTION_ENDED"])
async def test_a_refusal_that_passes_is_waited_for(
    store: WebhookStore, receiver: Receiver, code: str
) -> None:
    """It says nothing about the subscription: the gateway is full, is stopping, or has no log for a moment."""
    feed = Feed()
    feed.broken = SubscriptionRefused([_refused(code)])
    store.add(hook(receiver))
    async with running(store, feed):
        await until(lambda: len(feed.asked) >= 2)
        feed.broken = None
        await feed.tell("ship:1")
        await until(lambda: numbers(receiver) == [1])


async def test_events_that_were_lost_before_it_began_pause_the_webhook(
    store: WebhookStore, receiver: Receiver
) -> None:
    """That is a refusal too, but not one of the document."""
    feed = Feed()
    feed.broken = SubscriptionRefused([_refused("RESYNC_REQUIRED")])
    store.add(hook(receiver))
    async with running(store, feed):
        await until(lambda: (kept := store.hook("h1")) is not None and kept.state is WebhookState.PAUSED)


def _refused(code: str) -> dict[str, Any]:
    return {"message": "not now", "extensions": {"code": code, "retryAfterSeconds": 0.01}}


async def test_lost_events_pause_the_webhook_and_other_ends_do_not(
    store: WebhookStore, receiver: Receiver
) -> None:
    """A gap or a drain goes on from the cursor; events that the log let go of are said, not passed over."""
    feed = Feed()
    feed.broken = SubscriptionEnded("too slow", code="EVENTS_GAP", retry_after=0.01)
    store.add(hook(receiver))
    async with running(store, feed):
        await until(lambda: len(feed.asked) >= 3)
        feed.broken = None
        await feed.tell("ship:1")
        await until(lambda: numbers(receiver) == [1])
        feed.broken = SubscriptionEnded("gone", code="RESYNC_REQUIRED")
        store.change("h1", name="renamed")
        await until(lambda: (kept := store.hook("h1")) is not None and kept.state is WebhookState.PAUSED)
    assert set(feed.asked) <= {to_cursor(Position("life", 0)), to_cursor(Position("life", 1))}


async def test_what_ended_long_ago_is_forgotten(store: WebhookStore, receiver: Receiver) -> None:
    """Delivered messages sooner than those that were given up; those that wait never."""
    feed = Feed()
    store.add(hook(receiver))
    async with running(store, feed, clock=lambda: 1000.0):
        await feed.tell("ship:1")
        await until(lambda: bool(store.messages("h1", [DeliveryState.DELIVERED])))
    assert store.tidy(999.0, 0.0) == 0
    assert store.tidy(1001.0, 0.0) == 1
    assert store.messages("h1") == []
