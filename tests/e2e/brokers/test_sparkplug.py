"""Sparkplug B at a real MQTT broker: births, data by alias, a gap, a rebirth, a death."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.brokers.tahu import Payload
from gateway.events.sorting import unpacked
from tests.broker_servers import HOST, MqttServer, NatsServer
from tests.e2e.brokers.plant import Way, consuming, heard, mqtt

START = 1_772_438_400_000
"""2026-03-02T08:00:00Z in milliseconds."""
TABLE: dict[str, Any] = {
    "state": {
        "match": {"kind": "DDATA"},
        "type": "mfg.production-order.changed.v1",
        "subject": {"type": "ProductionOrder", "number": "metrics.Order/Number"},
        "occurred_at": "at",
        "version": "metrics.Order/Version",
        "data": {"status": "metrics.Order/State"},
    }
}
STRING, INT32, BOOLEAN = 12, 3, 11
NUMBER, VERSION, STATE = 1, 2, 3


def payload(seq: int | None, *metrics: dict[str, Any], at: int = 0) -> bytes:
    """A payload; ``at`` is seconds after the start."""
    found = Payload(timestamp=START + at * 1000)
    if seq is not None:
        found.seq = seq
    for metric in metrics:
        found.metrics.add(**metric)
    raw: bytes = found.SerializeToString()
    return raw


NODE_BIRTH = payload(0, {"name": "Node Control/Rebirth", "datatype": BOOLEAN, "boolean_value": False})
DEVICE_BIRTH = payload(
    1,
    {"name": "Order/Number", "alias": NUMBER, "datatype": STRING, "string_value": "0"},
    {"name": "Order/Version", "alias": VERSION, "datatype": INT32, "int_value": 0},
    {"name": "Order/State", "alias": STATE, "datatype": STRING, "string_value": "CREATED"},
)


def data(seq: int, version: int) -> bytes:
    """An order's state, by alias alone."""
    return payload(
        seq,
        {"alias": NUMBER, "string_value": "7"},
        {"alias": VERSION, "int_value": version},
        {"alias": STATE, "string_value": "RELEASED"},
        at=version,
    )


@pytest.fixture(params=["3.1.1", "5"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """A broker of each version."""
    if request.param == "5":
        with MqttServer() as five:
            yield sparkplug(five.url, "5")
    else:
        with NatsServer() as server:
            yield sparkplug(server.mqtt_url, "3.1.1")


def sparkplug(url: str, protocol: str) -> Way:
    """The MES as a group of nodes."""
    return Way("mqtt", mqtt(url, protocol).config, {"topics": ["spBv1.0/P1/#"], "format": "sparkplug"})


@asynccontextmanager
async def node(way: Way) -> AsyncIterator[aiomqtt.Client]:
    """An edge node that listens to its commands."""
    (broker,) = way.brokers().values()
    ((_, port),) = broker.addresses()
    version = aiomqtt.ProtocolVersion.V5 if broker.protocol == "5" else aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(HOST, port, protocol=version) as client:
        await client.subscribe("spBv1.0/P1/NCMD/CELL", 0)
        yield client


async def command(client: aiomqtt.Client) -> dict[str, bool]:
    """The next command that the node gets."""
    message = await asyncio.wait_for(anext(client.messages), 10)
    found = Payload.FromString(message.payload)
    return {metric.name: metric.boolean_value for metric in found.metrics}


async def say(client: aiomqtt.Client, kind: str, raw: bytes) -> None:
    """Publish as nodes do, QoS 0; the gateway's subscription would take QoS 1."""
    topic = f"spBv1.0/P1/{kind}/CELL" + ("/PRESS" if kind.startswith("D") else "")
    await client.publish(topic, raw, qos=0)


async def test_births_name_what_data_says_and_a_gap_asks_for_a_birth(way: Way, tmp_path: Path) -> None:
    """Data by alias becomes events; after a gap the node is asked, a note is parked, and what came is told."""
    async with consuming(way, tmp_path, mes=TABLE) as running, node(way) as client:
        await asyncio.sleep(1)
        await say(client, "NBIRTH", NODE_BIRTH)
        await say(client, "DBIRTH", DEVICE_BIRTH)
        await say(client, "DDATA", data(2, 1))
        await say(client, "DDATA", data(2, 1))
        await say(client, "DDATA", data(3, 2))
        await say(client, "DDATA", data(6, 3))
        assert await heard(running.events, 3) == [("7", 1), ("7", 2), ("7", 3)]
        assert await command(client) == {"Node Control/Rebirth": True}
        notes = [one for one in await running.events.parked("MES") if one.reason.startswith("SEQUENCE_GAP")]
        assert [one.reason for one in notes] == ["SEQUENCE_GAP: of P1/CELL came 6 where 4 was expected"]
        await say(client, "NBIRTH", NODE_BIRTH)
        await say(client, "DBIRTH", DEVICE_BIRTH)
        await say(client, "DDATA", data(2, 4))
        assert await heard(running.events, 4) == [("7", 1), ("7", 2), ("7", 3), ("7", 4)]
        kinds = [unpacked(one.body).body["kind"] for one in await running.events.parked("MES")]
        assert kinds.count("DDATA") == 1, "the note alone"


async def test_a_gateway_that_did_not_hear_the_birth_asks_for_it(way: Way, tmp_path: Path) -> None:
    """Data whose aliases nobody named is no event; once the node is born again it is."""
    async with consuming(way, tmp_path, mes=TABLE) as running, node(way) as client:
        await asyncio.sleep(1)
        await say(client, "DDATA", data(9, 1))
        assert await command(client) == {"Node Control/Rebirth": True}
        await say(client, "NBIRTH", NODE_BIRTH)
        await say(client, "DBIRTH", DEVICE_BIRTH)
        await say(client, "DDATA", data(2, 2))
        assert await heard(running.events, 1) == [("7", 2)]
        reasons = {one.reason.partition(":")[0] for one in await running.events.parked("MES")}
        assert {"SEQUENCE_GAP", "UNKNOWN_ALIAS"} <= reasons


async def test_where_it_is_not_allowed_no_node_is_asked(way: Way, tmp_path: Path) -> None:
    """The note is parked all the same."""
    async with consuming(way, tmp_path, mes=TABLE, rebirth=False) as running, node(way) as client:
        await asyncio.sleep(1)
        await say(client, "DDATA", data(9, 1))
        async with asyncio.timeout(10):
            while not await running.events.parked("MES"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(client.messages), 0.5)
