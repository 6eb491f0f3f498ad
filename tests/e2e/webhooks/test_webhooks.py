"""Webhooks of the whole program: made by mutation, told by the event log, delivered over real HTTP."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.webhooks.gateway import Erp, configured, erp, running, until
from tests.postgres_server import PostgresServer
from tests.receiver import Receiver, receiving
from tests.redis_server import RedisServer


@pytest.fixture
async def system() -> AsyncIterator[Erp]:
    """The ERP."""
    async with erp() as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The partner's server."""
    async with receiving() as made:
        yield made


async def test_the_partners_own_document_is_answered_and_signed(
    tmp_path: Path, system: Erp, receiver: Receiver
) -> None:
    """Nothing of before is sent; an event is, with the order as its owner knows it; not that the past is told."""
    system.status |= {"1": "RELEASED", "2": "RELEASED"}
    file = configured(tmp_path, system)
    async with running(tmp_path / "out.txt", file) as gateway:
        await gateway.tell("1", "RELEASED", 1)
        webhook = await gateway.create(receiver.url, variables={"plants": ["plant:P1"]})
        receiver.secrets.append(webhook["secret"])
        system.status["2"] = "COMPLETED"
        event = await gateway.tell("2", "COMPLETED", 2)
        await until(lambda: bool(receiver.taken))
        assert (await gateway.shown())["state"] == "ACTIVE"
    [(number, body)] = receiver.taken
    assert number.startswith("msg_")
    assert body["type"] == "mfg.production-order.changed.v1"
    assert (body["data"]["event"], body["data"]["subject"]) == (event, "po:P1/2")
    told = body["data"]["result"]["data"]["productionOrderChanged"]
    assert (told["event"]["cloudEventType"], told["kind"]) == (body["type"], "LIVE")
    assert told["order"] == {"number": "2", "status": "COMPLETED"}
    assert told["cursor"] == body["data"]["cursor"]


async def test_a_gateway_that_is_killed_delivers_what_it_kept(
    tmp_path: Path, system: Erp, receiver: Receiver
) -> None:
    """Under the same id; and what happened while there was no webhook running is told as well, once."""
    system.status |= {"1": "RELEASED", "2": "RELEASED"}
    file = configured(tmp_path, system)
    receiver.hanging = True
    async with running(tmp_path / "one.txt", file) as gateway:
        webhook = await gateway.create(receiver.url)
        receiver.secrets.append(webhook["secret"])
        first = await gateway.tell("1", "RELEASED", 1)
        await until(lambda: bool(receiver.came))
        await asyncio.to_thread(gateway.program.stop, signal.SIGKILL)
    assert receiver.taken == []
    [(id, _)] = receiver.came[:1]
    receiver.hanging = False
    async with running(tmp_path / "two.txt", file) as gateway:
        # The dead one holds the webhook for some seconds more.
        second = await gateway.tell("2", "RELEASED", 1)
        await until(lambda: len(receiver.taken) == 2)
        await asyncio.sleep(1.5)
        messages = await gateway.deliveries(webhook["number"])
    assert [(number, body["data"]["event"]) for number, body in receiver.taken[:1]] == [(id, first)]
    assert [body["data"]["event"] for _, body in receiver.taken] == [first, second]
    assert [message["state"] for message in messages] == ["DELIVERED", "DELIVERED"]


async def test_what_fails_is_tried_again_and_said(tmp_path: Path, system: Erp, receiver: Receiver) -> None:
    """An error or a redirect (which nobody follows): the webhook is failing, and active again after a success."""
    system.status["1"] = "RELEASED"
    async with receiving() as other, running(tmp_path / "out.txt", configured(tmp_path, system)) as gateway:
        other.headers = {"location": receiver.url}
        partners, numbers = {500: receiver, 307: other}, {}
        for status, partner in partners.items():
            partner.answer = _once(partner, status)
            numbers[status] = (await gateway.create(partner.url))["number"]
        await gateway.tell("1", "RELEASED", 1)
        await until(lambda: all(len(partner.came) == 1 for partner in partners.values()))
        await asyncio.sleep(0.5)
        for status, number in numbers.items():
            [message] = await gateway.deliveries(number)
            assert (message["state"], message["attempts"], message["lastStatus"]) == ("RETRYING", 1, status)
        assert await gateway.states() == ["FAILING", "FAILING"]
        await until(lambda: all(partner.taken for partner in partners.values()))
        await asyncio.sleep(0.5)
        assert await gateway.states() == ["ACTIVE", "ACTIVE"]
    for partner in partners.values():
        assert len({number for number, _ in partner.came}) == 1


def _once(partner: Receiver, status: int) -> Callable[[str, dict[str, Any]], int]:
    """Answers with a status once, then with success."""
    return lambda _id, _body: status if len(partner.came) == 1 else 204


async def test_a_receiver_that_hangs_or_is_gone_is_said(
    tmp_path: Path, system: Erp, receiver: Receiver
) -> None:
    """One is given up after its time; after 410 the webhook is paused until its owner resumes it."""
    system.status["1"] = "RELEASED"
    receiver.hanging = True
    async with running(tmp_path / "out.txt", configured(tmp_path, system)) as gateway:
        webhook = await gateway.create(receiver.url)
        await gateway.tell("1", "RELEASED", 1)
        await until(lambda: len(receiver.came) == 1)
        await asyncio.sleep(2.5)
        [message] = await gateway.deliveries(webhook["number"])
        assert message["lastReason"] == "no answer within 2 s"
        receiver.hanging, receiver.answer = False, lambda _id, _body: 410
        await until(lambda: len(receiver.came) == 2)
        await asyncio.sleep(0.5)
        shown = await gateway.shown()
        assert (shown["state"], shown["reason"], shown["waiting"]) == ("PAUSED", "It answered 410 Gone.", 1)
        receiver.answer = lambda _id, _body: 204
        resume = "mutation($w: ID!) { webhookSubscriptionResume(input: {webhook: $w}) { webhook { state } } }"
        await gateway.ask(resume, w=webhook["number"])
        await until(lambda: bool(receiver.taken))


async def test_two_workers_share_redis_and_postgres(
    tmp_path: Path, system: Erp, receiver: Receiver, postgres: PostgresServer
) -> None:
    """Whichever takes an event in, it is delivered once; when all stop in order, the next go on at once."""
    system.status |= {str(number): "RELEASED" for number in range(1, 13)}
    with RedisServer() as redis:
        file = configured(
            tmp_path, system, redis_url=redis.url, database_url=postgres.database(), workers=2, events={}
        )
        async with running(tmp_path / "one.txt", file) as gateway:
            webhook = await gateway.create(receiver.url)
            receiver.secrets.append(webhook["secret"])
            events = [await gateway.tell(str(number), "RELEASED", 1) for number in range(1, 9)]
            await until(lambda: len(receiver.taken) == 8)
            assert await asyncio.to_thread(gateway.program.stop) == 0
        async with running(tmp_path / "two.txt", file) as gateway:
            events += [await gateway.tell(str(number), "RELEASED", 1) for number in range(9, 13)]
            await until(lambda: len(receiver.taken) == 12, 12)
            assert (await gateway.shown())["state"] == "ACTIVE"
    assert sorted(body["data"]["event"] for _, body in receiver.came) == sorted(events)
