"""MQTT 3.1.1 and 5: a persistent session, QoS 1, and PUBACK only when what came is durable.

With version 5 the broker holds back what is more than ``in_flight``; with 3.1.1 its own bound of unacknowledged messages
counts. User properties are headers: a CloudEvent in binary mode has its attributes there, as the binding says.
"""

from collections.abc import Sequence
from typing import Any, Self

import aiomqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.brokers.link import BrokerDown, Delivery, Link, headers_with_type
from gateway.brokers.sparkplug import Host

MOST_WAITING = 100_000
"""Messages that wait for us in the process; more than a broker may leave unacknowledged (65,535)."""
REFUSED = 128
"""Reason codes of a SUBACK from here on say no."""
CLOUD_EVENT = frozenset({"specversion", "id", "source", "type"})


class _Acknowledging(aiomqtt.Client):
    """aiomqtt, but for PUBACK, which it sends before anybody saw the message. The client below it can leave that to us."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._client.manual_ack_set(True)

    async def __aenter__(self) -> Self:
        """Connect; a socket to a broker that said no is not left open."""
        try:
            return await super().__aenter__()
        except BaseException:
            if (opened := self._client.socket()) is not None:
                opened.close()
            raise

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Say that a message is ours now."""
        code = self._client.ack(message.mid, message.qos)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerDown(f"an acknowledgement could not be sent: {code.name}")


async def consume(link: Link) -> None:
    """Until it is cancelled. Raises BrokerDown."""
    use = link.subscription.use
    host = Host(link.desk, use.rebirth) if use.format == "sparkplug" else None
    try:
        async with _client(link) as client:
            granted = await client.subscribe([(topic, 1) for topic in use.topics])
            refused = [
                topic for topic, code in zip(use.topics, granted, strict=False) if _number(code) >= REFUSED
            ]
            if refused:
                raise BrokerDown(f"it does not let us subscribe to {', '.join(refused)}")
            link.up()
            async for first in client.messages:
                await _handed(client, link, host, [first, *await _more(client, use.in_flight - 1)])
    except (aiomqtt.MqttError, OSError) as error:
        raise BrokerDown(str(error)) from error


async def _more(client: aiomqtt.Client, most: int) -> list[aiomqtt.Message]:
    """What is there already, without waiting."""
    messages = client.messages
    return [await anext(messages) for _ in range(min(most, len(messages)))]


async def _handed(
    client: _Acknowledging, link: Link, host: Host | None, messages: Sequence[aiomqtt.Message]
) -> None:
    if host is None:
        await link.desk.take([_delivery(one) for one in messages])
    else:
        for one in messages:
            command = await host.take(str(one.topic), one.payload, retained=one.retain)
            if command is not None:
                await client.publish(command.topic, command.payload, qos=0)
    for one in messages:
        if one.qos:
            client.acknowledge(one)


def _client(link: Link) -> _Acknowledging:
    subscription = link.subscription
    broker = subscription.broker
    ((host, port),) = broker.addresses()
    options: dict[str, Any] = {"clean_session": False}
    if broker.protocol == "5":
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = broker.session_seconds
        properties.ReceiveMaximum = subscription.use.in_flight
        options = {
            "protocol": aiomqtt.ProtocolVersion.V5,
            "clean_start": False,
            "properties": properties,
        }
    return _Acknowledging(
        host,
        port,
        username=broker.username,
        password=link.password,
        identifier=subscription.durable,
        tls_context=broker.tls.context() if broker.secure else None,
        max_queued_incoming_messages=MOST_WAITING,
        timeout=10,
        keepalive=20,
        **options,
    )


def _delivery(message: aiomqtt.Message) -> Delivery:
    found: dict[str, str] = {}
    properties = message.properties
    if properties is not None:
        found = {name.lower(): value for name, value in getattr(properties, "UserProperty", [])}
        if found.keys() >= CLOUD_EVENT:
            # The binding writes attributes without a prefix; HTTP, which is read here, with one.
            found = {f"ce-{name}": value for name, value in found.items()}
        if (content := getattr(properties, "ContentType", None)) is not None:
            found["content-type"] = content
    return Delivery(str(message.topic), message.payload, headers_with_type(found))


def _number(code: Any) -> int:
    number: int = getattr(code, "value", code)
    return number
