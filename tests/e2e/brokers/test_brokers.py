"""What systems publish at brokers is in the log, once each and in order, whatever ends in the middle of it."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from structlog.testing import capture_logs

from gateway.events.log import EventLogDown
from gateway.events.sqlite import SqliteLog
from tests.broker_servers import KafkaServer, MqttServer, NatsServer
from tests.e2e.brokers.plant import (
    STREAM,
    Way,
    body,
    consuming,
    everything,
    heard,
    in_order,
    jetstream,
    kafka,
    mqtt,
    publishing,
    subscribed,
    told,
)

ORDERS = ["1", "2", "3"]
EXPECTED = [(order, version) for version in range(1, 41) for order in ORDERS]


@pytest.fixture(params=["nats", "mqtt", "mqtt5", "kafka"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Each kind of broker, running."""
    if request.param in ("nats", "mqtt"):
        with NatsServer() as server:
            yield jetstream(server.url) if request.param == "nats" else mqtt(server.mqtt_url)
    elif request.param == "mqtt5":
        with MqttServer() as five:
            yield mqtt(five.url, "5")
    else:
        with KafkaServer() as broker:
            yield kafka(broker.url)


async def published(way: Way, expected: list[tuple[str, int]] = EXPECTED) -> None:
    """Publish, each order's versions in their order."""
    async with publishing(way) as publish:
        for order, version in expected:
            await publish(order, body(order, version))


async def prepared(way: Way, folder: Path) -> None:
    """The stream is there, and the broker knows us."""
    async with publishing(way):
        pass
    await subscribed(way, folder)


async def test_everything_is_told_once_and_in_order(way: Way, tmp_path: Path) -> None:
    """A backlog, and what comes while we listen."""
    await prepared(way, tmp_path)
    await published(way, EXPECTED[:60])
    async with consuming(way, tmp_path, in_flight=7) as running:
        await published(way, EXPECTED[60:])
        found = await heard(running.events, len(EXPECTED))
        assert sorted(found) == sorted(EXPECTED)
        assert in_order(found)
    async with consuming(way, tmp_path) as running:
        await published(way, [("9", 1)])
        assert await heard(running.events, 1) == [("9", 1)], "what was acknowledged does not come again"


async def test_a_message_that_nobody_can_read_is_parked_and_holds_up_nothing(
    way: Way, tmp_path: Path
) -> None:
    """Not JSON, too large, no object, of no known kind: all are parked, and the rest is told."""
    await prepared(way, tmp_path)
    async with publishing(way) as publish, consuming(way, tmp_path, max_body_bytes=1024) as running:
        for bad in (b"\xff{", b'{"x": "' + b"x" * 2000 + b'"}', b"7", b'{"what": "nothing"}'):
            await publish("1", bad)
        await publish("1", body("1", 1))
        assert await heard(running.events, 1) == [("1", 1)]
        reasons = sorted(one.reason.partition(":")[0] for one in await running.events.parked("MES"))
        assert reasons == ["UNKNOWN_KIND", "UNREADABLE", "UNREADABLE", "UNREADABLE"]


class Shut(SqliteLog):
    """A log that takes nothing for some tries."""

    refusals = 3

    async def append(self, events: Any) -> Any:
        """Refuses first."""
        if self.refusals:
            self.refusals -= 1
            raise EventLogDown("it is away")
        return await super().append(events)


async def test_nothing_is_acknowledged_while_the_log_takes_nothing(way: Way, tmp_path: Path) -> None:
    """What came waits, in its order, and is told when the log is back."""
    await prepared(way, tmp_path)
    await published(way, EXPECTED[:9])
    with capture_logs() as logs:
        async with consuming(way, tmp_path, Shut(), in_flight=2) as running:
            found = await heard(running.events, 9)
    assert (sorted(found), in_order(found)) == (sorted(EXPECTED[:9]), True)
    waits = [one["event"] for one in logs if "wait" in one["event"]]
    assert waits == ["messages of a broker wait for the event log"], "said once"


async def test_cloud_events_in_both_modes(way: Way, tmp_path: Path) -> None:
    """Structured wherever it may be; binary where a message has headers. One message twice is one event."""
    await prepared(way, tmp_path)
    attributes = {"specversion": "1.0", "id": "e1", "source": "urn:mes", "type": "state"}
    table = {"state": {**MES_TABLE, "match": {"type": "state"}}}
    prefix = {"nats": "ce-", "kafka": "ce_", "mqtt": ""}[way.name]
    binary = {prefix + name: value for name, value in attributes.items()} | {
        "content-type": "application/json"
    }
    structured = orjson.dumps({**attributes, "id": "e2", "data": told("2", 2)})
    headers = {"content-type": "application/cloudevents+json"}
    has_headers = way.name != "mqtt" or way.config["protocol"] == "5"
    async with publishing(way) as publish, consuming(way, tmp_path, mes=table) as running:
        await publish("2", structured, headers if has_headers else None)
        if has_headers:
            await publish("1", body("1", 1), binary)
            await publish("1", body("1", 1), binary)
        found = await heard(running.events, 1 + has_headers)
        # Of Kafka's partitions none waits for another.
        assert sorted(found) == [*([("1", 1)] if has_headers else []), ("2", 2)]
        assert await running.events.parked("MES") == []
        head = await running.events.head()
        assert head.sequence == 1 + has_headers


MES_TABLE: dict[str, Any] = {
    "type": "mfg.production-order.changed.v1",
    "subject": {"type": "ProductionOrder", "number": "data.order"},
    "occurred_at": "data.at",
    "version": "data.version",
    "data": {"status": "data.status"},
}


async def test_of_two_processes_one_consumes_and_the_other_takes_over(way: Way, tmp_path: Path) -> None:
    """Both are told nothing twice: the second has nothing until the first has ended."""
    await prepared(way, tmp_path)
    first = consuming(way, tmp_path)
    working = await first.__aenter__()
    async with consuming(way, tmp_path) as waiting:
        try:
            await published(way, EXPECTED[:6])
            assert sorted(await heard(working.events, 6)) == sorted(EXPECTED[:6])
            assert await everything(waiting.events) == []
        finally:
            await first.__aexit__(None, None, None)
        await published(way, EXPECTED[6:9])
        assert sorted(await heard(waiting.events, 3)) == sorted(EXPECTED[6:9])


async def test_a_killed_broker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """NATS is killed (kill -9) again and again while messages are published and consumed, by JetStream and by MQTT."""
    with NatsServer() as server:
        for way in (jetstream(server.url), mqtt(server.mqtt_url)):
            await prepared(way, tmp_path)
            with capture_logs() as logs:
                async with consuming(way, tmp_path, in_flight=5) as running:
                    task = asyncio.create_task(stubborn(way))
                    for _ in range(3):
                        await asyncio.sleep(0.4)
                        await asyncio.to_thread(server.kill)
                        await asyncio.sleep(0.2)
                        await asyncio.to_thread(server.start)
                    await task
                    found = await heard(running.events, len(EXPECTED))
            assert sorted(found) == sorted(EXPECTED), way.name
            if way.name == "nats":
                assert in_order(found)
            said = [one["event"] for one in logs if one["event"].startswith("a broker is")]
            assert said[0] == "a broker is connected"
            assert all(one != other for one, other in pairwise(said)), said
            assert said[-1] == "a broker is connected"


async def stubborn(way: Way) -> None:
    """Publish everything, each again until the broker has it: it may then have it twice, and the log must not."""
    left = list(EXPECTED)
    while left:
        try:
            async with asyncio.timeout(5), publishing(way) as publish:
                while left:
                    await publish(left[0][0], body(*left[0]))
                    left.pop(0)
                    await asyncio.sleep(0.01)
        except Exception:
            await asyncio.sleep(0.05)


async def test_jetstream_has_nothing_left_to_acknowledge(tmp_path: Path) -> None:
    """Every message is acknowledged by itself, and the consumer is the system's own."""
    with NatsServer() as server:
        way = jetstream(server.url)
        await prepared(way, tmp_path)
        async with consuming(way, tmp_path) as running:
            await published(way, EXPECTED[:30])
            await heard(running.events, 30)
        client = await nats.connect(server.url)
        info = await client.jetstream().consumer_info(STREAM, "crossdock-MES")
        await client.close()
    assert (info.num_ack_pending, info.num_pending) == (0, 0)
    assert info.ack_floor is not None
    assert info.ack_floor.stream_seq == 30
