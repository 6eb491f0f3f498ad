"""NATS JetStream: a durable pull consumer with explicit acknowledgement. One batch is under way at a time.

What a process that died had not acknowledged is given again only after ``ack_seconds``, and newer messages would come
first: so a new life waits for that time, if there is anything of that kind. Order is kept that way.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as Nothing
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo
from nats.js.errors import NotFoundError

from gateway.brokers.link import BrokerDown, Delivery, Link, headers_with_type

FETCH = 1.0
"""Seconds a fetch waits for a message; how long it takes at most to see that the server is gone."""
NOT_STARTED = 0.5
"""Seconds beyond ``ack_seconds`` until the server's own timer has come round."""

_quiet = logging.getLogger("crossdock.brokers.nats")


async def consume(link: Link) -> None:
    """Until it is cancelled. Raises BrokerDown."""
    try:
        client = await _connected(link)
        try:
            await _consumed(client, link)
        finally:
            await client.close()
    except (Error, OSError, TimeoutError) as error:
        raise BrokerDown(f"{type(error).__name__}: {error}") from error


async def _connected(link: Link) -> Client:
    broker = link.subscription.broker
    scheme = "tls" if broker.secure else "nats"
    options: dict[str, Any] = {}
    if broker.secure:
        options["tls"] = broker.tls.context()
    if link.token is not None:
        options["token"] = link.token
    if broker.username is not None:
        options |= {"user": broker.username, "password": link.password}

    async def noted(error: Exception) -> None:
        _quiet.debug("%s: %s", type(error).__name__, error)

    return await nats.connect(
        [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host, port in broker.addresses()],
        name=link.subscription.durable,
        allow_reconnect=False,
        connect_timeout=5,
        ping_interval=20,
        error_cb=noted,
        **options,
    )


async def _consumed(client: Client, link: Link) -> None:
    use, durable = link.subscription.use, link.subscription.durable
    stream = use.stream or ""
    jetstream = client.jetstream()
    info = await _consumer(jetstream, link)
    if info.num_ack_pending:
        await asyncio.sleep(use.ack_seconds + NOT_STARTED)
    pulling = await jetstream.pull_subscribe_bind(durable=durable, stream=stream)
    link.up()
    while True:
        try:
            messages = await pulling.fetch(use.in_flight, FETCH)
        except Nothing:
            if not client.is_connected:
                raise BrokerDown("the connection was lost") from None
            continue
        await _handed(messages, link)


async def _consumer(jetstream: JetStreamContext, link: Link) -> ConsumerInfo:
    """The consumer as it is at the server, made or changed where it is not what the settings say."""
    use, durable = link.subscription.use, link.subscription.durable
    stream = use.stream or ""
    wanted = ConsumerConfig(
        durable_name=durable,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=use.ack_seconds,
        max_deliver=-1,
        max_ack_pending=use.in_flight,
        filter_subjects=list(use.topics),
    )
    try:
        info: ConsumerInfo = await jetstream.consumer_info(stream, durable)
    except NotFoundError:
        return await jetstream.add_consumer(stream, wanted)
    had = info.config
    subjects = had.filter_subjects or ([had.filter_subject] if had.filter_subject else [])
    if (sorted(subjects), had.ack_wait, had.max_ack_pending) != (
        sorted(use.topics),
        use.ack_seconds,
        use.in_flight,
    ):
        info = await jetstream.add_consumer(stream, wanted)
    return info


async def _handed(messages: Sequence[Msg], link: Link) -> None:
    async def alive() -> None:
        for one in messages:
            await one.in_progress()

    await link.desk.take([_delivery(one) for one in messages], alive)
    for one in messages:
        await one.ack()


def _delivery(message: Msg) -> Delivery:
    given = dict(message.headers or {})
    place = message.metadata.sequence.stream
    id = given.get("Nats-Msg-Id") or f"{message.metadata.stream}:{place}"
    return Delivery(message.subject, message.data, headers_with_type(given), id)
