"""A plant at a broker: who publishes, who consumes, and what must be in the log afterwards."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import nats
import orjson
from aiokafka import AIOKafkaProducer
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.brokers.running import Brokers
from gateway.brokers.settings import BrokerConfig
from gateway.events.log import EventLog, Position
from sources.rest.config import RestConfig
from tests.broker_servers import KafkaServer, MqttServer, NatsServer
from tests.unit.gateway.events.house import MES, House, house, state

PATIENCE = 60.0
STREAM, SUBJECTS = "PLANT", ["plant.>"]
Server = NatsServer | MqttServer | KafkaServer


def told(order: str, version: int, **more: Any) -> dict[str, Any]:
    """The MES says that an order is released; of the next version each time."""
    return {**state(order, "RELEASED", version).body, **more}


@dataclass(frozen=True)
class Way:
    """One kind of broker, as the tests use it."""

    name: str
    config: dict[str, Any]
    use: dict[str, Any]

    def brokers(self) -> dict[str, BrokerConfig]:
        """The table [brokers]."""
        return {"plant": BrokerConfig.model_validate(self.config)}

    def systems(self, **more: Any) -> dict[str, RestConfig]:
        """The systems that subscribe."""
        return {"MES": RestConfig.model_validate({**MES, "broker": {"name": "plant", **self.use, **more}})}


def jetstream(url: str) -> Way:
    """NATS; what was not acknowledged comes again after a second."""
    use = {"topics": SUBJECTS, "stream": STREAM, "ack_seconds": 1}
    return Way("nats", {"type": "nats", "url": url}, use)


def mqtt(url: str, protocol: str = "3.1.1") -> Way:
    """MQTT."""
    return Way("mqtt", {"type": "mqtt", "url": url, "protocol": protocol}, {"topics": ["plant/#"]})


def kafka(url: str) -> Way:
    """Kafka."""
    return Way("kafka", {"type": "kafka", "url": url}, {"topics": ["plant"]})


Sent = Mapping[str, Any]
Publish = Callable[..., Any]


@asynccontextmanager
async def publishing(way: Way) -> AsyncIterator[Publish]:
    """``await publish(subject, body, headers)``: returns when the broker has it."""
    (broker,) = way.brokers().values()
    ((host, port),) = broker.addresses()
    if way.name == "nats":
        client = await nats.connect(f"nats://{host}:{port}", allow_reconnect=False, error_cb=_silent)
        try:
            stream = client.jetstream()
            await stream.add_stream(name=STREAM, subjects=SUBJECTS)

            async def by_nats(subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
                await stream.publish(f"plant.{subject}", body, headers=headers)

            yield by_nats
        finally:
            await client.close()
    elif way.name == "mqtt":
        five = broker.protocol == "5"
        version = aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311
        async with aiomqtt.Client(host, port, protocol=version) as publisher:

            async def by_mqtt(subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
                properties = _properties(headers) if five and headers else None
                await publisher.publish(f"plant/{subject}", body, qos=1, properties=properties)

            yield by_mqtt
    else:
        producer = AIOKafkaProducer(bootstrap_servers=f"{host}:{port}")
        await producer.start()
        try:

            async def by_kafka(subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
                given = [(name, value.encode()) for name, value in (headers or {}).items()]
                await producer.send_and_wait("plant", body, key=subject.encode(), headers=given)

            yield by_kafka
        finally:
            await producer.stop()


async def _silent(error: Exception) -> None:
    """The test sees what becomes of it."""


def _properties(headers: dict[str, str]) -> Properties:
    found = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    given = dict(headers)
    if (content := given.pop("content-type", None)) is not None:
        found.ContentType = content
    if given:
        found.UserProperty = list(given.items())
    return found


def body(order: str, version: int) -> bytes:
    """One message."""
    return orjson.dumps(told(order, version))


@asynccontextmanager
async def consuming(
    way: Way, folder: Path, events: EventLog | None = None, mes: dict[str, Any] | None = None, **use: Any
) -> AsyncIterator[House]:
    """A gateway without HTTP that consumes."""
    async with house(events, mes=mes) as running:
        brokers = Brokers(way.brokers(), way.systems(**use), running.intake, folder)
        async with brokers.running():
            yield running


async def heard(events: EventLog, many: int, patience: float = PATIENCE) -> list[tuple[str, int]]:
    """Order and version of everything in the log, once there is so much of it, and a moment later (for what is too much)."""
    end = asyncio.get_running_loop().time() + patience
    while (await events.head()).sequence < many and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    return await everything(events)


async def everything(events: EventLog) -> list[tuple[str, int]]:
    """Order and version of everything in the log, in its order."""
    head = await events.head()
    found = await events.read(Position(head.epoch, 0), 100_000)
    return [(one.event.subject.rpartition("/")[2], int(one.event.version or 0)) for one in found]


def in_order(found: Sequence[tuple[str, int]]) -> bool:
    """Whether the versions of every order come as they were published."""
    last: dict[str, int] = {}
    for order, version in found:
        if version <= last.get(order, 0):
            return False
        last[order] = version
    return True


async def subscribed(way: Way, folder: Path) -> None:
    """Let the broker know us: what is published from now on waits for us."""
    async with consuming(way, folder):
        await asyncio.sleep(1.0 if way.name == "mqtt" else 0.1)
