"""Kafka: a consumer group, offsets committed only when what came is durable. The order of a partition is kept."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from gateway.brokers.link import BrokerDown, Delivery, Link, headers_with_type

FETCH_MS = 1000
PROBE = 5.0
"""Seconds of silence after which the broker is asked whether it is there: the client itself would wait for ever."""

ANSWER = 5.0
"""Seconds that it may take to say so."""
STOP = 5.0
"""Seconds for leaving the group."""
# It reports every try. What is worth knowing is said once, by what keeps the subscription up.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


async def consume(link: Link) -> None:
    """Until it is cancelled. Raises BrokerDown."""
    consumer = _consumer(link)
    try:
        await consumer.start()
        link.up()
        await _consumed(consumer, link)
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerDown(f"{type(error).__name__}: {error}") from error
    finally:
        await _left(consumer)


async def _left(consumer: AIOKafkaConsumer) -> None:
    """Leave the group. To a broker that is away there is no good-bye, and no waiting for it."""
    leaving = asyncio.ensure_future(consumer.stop())
    done, _ = await asyncio.wait([leaving], timeout=STOP)
    if not done:
        leaving.cancel()
        return
    error = None if leaving.cancelled() else leaving.exception()
    if error is not None and not isinstance(error, KafkaError):
        raise error


async def _consumed(consumer: AIOKafkaConsumer, link: Link) -> None:
    broker, most = link.subscription.broker, link.subscription.use.in_flight
    heard = time.monotonic()
    while True:
        fetching = asyncio.ensure_future(consumer.getmany(timeout_ms=FETCH_MS, max_records=most))
        try:
            # Without a coordinator it waits longer than it was told to.
            while not (await asyncio.wait([fetching], timeout=PROBE))[0]:
                await _there(broker.addresses())
            found = await fetching
        finally:
            fetching.cancel()
        records = [record for part in found.values() for record in part]
        if records:
            await link.desk.take([_delivery(record) for record in records])
            await consumer.commit({part: many[-1].offset + 1 for part, many in found.items() if many})
            heard = time.monotonic()
        elif time.monotonic() - heard > PROBE:
            await _there(broker.addresses())
            heard = time.monotonic()


async def _there(addresses: Sequence[tuple[str, int]]) -> None:
    """Raises BrokerDown where none of the servers takes a connection."""
    reason = ""
    for host, port in addresses:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), ANSWER)
        except (OSError, TimeoutError) as error:
            reason = f"{type(error).__name__}: {error}"
            continue
        writer.close()
        return
    raise BrokerDown(reason)


def _consumer(link: Link) -> AIOKafkaConsumer:
    subscription = link.subscription
    broker = subscription.broker
    named = broker.username is not None
    options: dict[str, Any] = {}
    if broker.secure:
        options["ssl_context"] = broker.tls.context()
    if named:
        options |= {
            "sasl_mechanism": broker.sasl,
            "sasl_plain_username": broker.username,
            "sasl_plain_password": link.password,
        }
    protocol = {
        (False, False): "PLAINTEXT",
        (False, True): "SASL_PLAINTEXT",
        (True, False): "SSL",
        (True, True): "SASL_SSL",
    }
    return AIOKafkaConsumer(
        *subscription.use.topics,
        bootstrap_servers=[f"{host}:{port}" for host, port in broker.addresses()],
        client_id=subscription.durable,
        group_id=subscription.durable,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        security_protocol=protocol[broker.secure, named],
        **options,
    )


def _delivery(record: ConsumerRecord[bytes, bytes]) -> Delivery:
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    id = f"{record.topic}:{record.partition}:{record.offset}"
    return Delivery(record.topic, record.value or b"", headers_with_type(headers), id)
