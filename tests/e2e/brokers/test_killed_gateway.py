"""A gateway that is killed between delivery and durability, or between durability and acknowledgement, loses nothing."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from gateway.events.sqlite import SqliteLog
from tests.broker_servers import KafkaServer, MqttServer, NatsServer
from tests.e2e.brokers.dying import WAYS
from tests.e2e.brokers.plant import Way, body, everything, in_order, publishing, subscribed

ORDERS = ["1", "2", "3"]
EXPECTED = [(order, version) for version in range(1, 21) for order in ORDERS]


async def lived(name: str, url: str, folder: Path, when: str, number: int) -> int:
    """The exit status of one life of the gateway."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.brokers.dying", name, url, str(folder), when, str(number)
    )
    return await asyncio.wait_for(process.wait(), 110)


async def through_deaths(name: str, url: str, way: Way, folder: Path) -> list[tuple[str, int]]:
    """What is in the log after a gateway died twice over a backlog, before and after it was durable, and then lived."""
    async with publishing(way) as publish:
        await subscribed(way, folder)
        for order, version in EXPECTED:
            await publish(order, body(order, version))
        for when, number in (("before", 2), ("after", 2)):
            assert await lived(name, url, folder, when, number) == -signal.SIGKILL
        assert await lived(name, url, folder, "never", 0) == 0
    log = SqliteLog(folder / "events.db")
    await log.open()
    try:
        return await everything(log)
    finally:
        await log.close()


@pytest.mark.parametrize("name", ["nats", "mqtt"])
async def test_nothing_is_lost_or_doubled_at_nats(name: str, tmp_path: Path) -> None:
    """By JetStream, and by the same server's MQTT; JetStream keeps the order of every subject too."""
    with NatsServer() as server:
        url = server.url if name == "nats" else server.mqtt_url
        found = await through_deaths(name, url, WAYS[name](url), tmp_path)
    assert sorted(found) == sorted(EXPECTED)
    assert in_order(found) or name == "mqtt"


async def test_nothing_is_lost_or_doubled_at_an_mqtt_5_broker(tmp_path: Path) -> None:
    """The session keeps what was not acknowledged, in its order."""
    with MqttServer() as server:
        found = await through_deaths("mqtt5", server.url, WAYS["mqtt5"](server.url), tmp_path)
    assert sorted(found) == sorted(EXPECTED)
    assert in_order(found)


@pytest.mark.timeout(300)
async def test_nothing_is_lost_or_doubled_at_kafka(tmp_path: Path) -> None:
    """The group goes on behind what was committed; every key's order is its partition's."""
    with KafkaServer() as server:
        found = await through_deaths("kafka", server.url, WAYS["kafka"](server.url), tmp_path)
    assert sorted(found) == sorted(EXPECTED)
    assert in_order(found)
