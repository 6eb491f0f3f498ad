"""What Sparkplug payloads say, value by value, and what is known of a node."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.brokers.desk import nothing
from gateway.brokers.link import Delivery
from gateway.brokers.sparkplug import MOST_NODES, Host
from gateway.brokers.tahu import Payload
from sources.events import Message

AT = 1_772_438_400_120


class Desk:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refused: list[str] = []

    async def take(
        self, deliveries: Sequence[Delivery], alive: Callable[[], Awaitable[None]] = nothing
    ) -> None:
        """Nothing raw comes here."""
        raise AssertionError(deliveries)

    async def told(self, messages: Sequence[Message]) -> None:
        """What was understood."""
        self.messages += messages

    async def refuse(self, message: Message, reason: str) -> None:
        """What was not."""
        self.refused.append(reason)


def payload(seq: int, *metrics: dict[str, Any], at: int = AT) -> bytes:
    """A payload with these metrics."""
    found = Payload(timestamp=at, seq=seq)
    for metric in metrics:
        found.metrics.add(**metric)
    raw: bytes = found.SerializeToString()
    return raw


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ({"datatype": 1, "int_value": 0xFF}, -1),
        ({"datatype": 2, "int_value": 0xFFFE}, -2),
        ({"datatype": 3, "int_value": 0xFFFFFFFF}, -1),
        ({"datatype": 3, "int_value": 5}, 5),
        ({"datatype": 4, "long_value": 2**64 - 3}, -3),
        ({"datatype": 7, "int_value": 2**32 - 1}, 2**32 - 1),
        ({"datatype": 8, "long_value": 2**64 - 1}, 2**64 - 1),
        ({"datatype": 9, "float_value": 0.1}, "0.1"),
        ({"datatype": 10, "double_value": 0.1}, "0.1"),
        ({"datatype": 10, "double_value": float("nan")}, None),
        ({"datatype": 11, "boolean_value": False}, False),
        ({"datatype": 12, "string_value": "ä"}, "ä"),
        ({"datatype": 13, "long_value": AT}, "2026-03-02T08:00:00.120Z"),
        ({"datatype": 13, "long_value": 2**63}, None),
        ({"datatype": 17, "bytes_value": b"\x00\x01"}, "AAE="),
        ({"datatype": 12, "is_null": True}, None),
        ({"datatype": 12}, None),
    ],
)
async def test_values(metric: dict[str, Any], expected: Any) -> None:
    """Signed numbers travel as unsigned ones, fractions stay as they were written, times are ISO 8601."""
    desk = Desk()
    await Host(desk, rebirth=False).take("spBv1.0/G/NBIRTH/N", payload(0, {"name": "m", **metric}))
    assert desk.messages[0].body["metrics"] == {"m": expected}


async def test_tables_and_templates() -> None:
    """A data set is a list of rows, a template an object."""
    found = Payload(timestamp=AT, seq=0)
    table = found.metrics.add(name="t", datatype=16).dataset_value
    table.columns.extend(["lot", "qty"])
    table.types.extend([12, 3])
    row = table.rows.add()
    row.elements.add(string_value="L1")
    row.elements.add(int_value=2**32 - 4)
    found.metrics.add(name="u", datatype=19).template_value.metrics.add(name="x", datatype=3, int_value=3)
    desk = Desk()
    await Host(desk, rebirth=False).take("spBv1.0/G/NBIRTH/N", found.SerializeToString())
    assert desk.messages[0].body["metrics"] == {"t": [{"lot": "L1", "qty": -4}], "u": {"x": 3}}


async def test_the_whole_message() -> None:
    """Types and names come from the birth; what comes more than once is told one after the other."""
    desk = Desk()
    host = Host(desk, rebirth=True)
    birth = {"name": "Count", "alias": 4, "datatype": 3, "int_value": 0}
    assert await host.take("spBv1.0/G/NBIRTH/N", payload(0, birth)) is None
    old = {"alias": 4, "int_value": 2**32 - 1, "timestamp": AT - 1000, "is_historical": True}
    assert await host.take("spBv1.0/G/NDATA/N", payload(1, old, {"alias": 4, "int_value": 2})) is None
    first, second = (message.body for message in desk.messages[1:])
    assert first == {
        "kind": "NDATA",
        "group": "G",
        "node": "N",
        "seq": 1,
        "at": "2026-03-02T08:00:00.120Z",
        "metrics": {"Count": -1},
        "times": {"Count": "2026-03-02T07:59:59.120Z"},
        "historical": ["Count"],
    }
    assert (second["metrics"], second["times"]) == ({"Count": 2}, {})
    assert len({message.id for message in desk.messages}) == 3


async def test_the_sequence_goes_round_and_a_death_ends_it() -> None:
    """After 255 comes 0. After a death a node that speaks without a birth has a gap."""
    desk = Desk()
    host = Host(desk, rebirth=True)
    await host.take("spBv1.0/G/NBIRTH/N", payload(0))
    for seq in [*range(1, 256), 0, 1]:
        assert await host.take("spBv1.0/G/NDATA/N", payload(seq, at=AT + seq)) is None
    assert await host.take("spBv1.0/G/NDEATH/N", payload(0)) is None
    assert desk.refused == []
    command = await host.take("spBv1.0/G/NDATA/N", payload(2))
    assert command is not None
    assert command.topic == "spBv1.0/G/NCMD/N"
    assert desk.refused == ["SEQUENCE_GAP: G/N speaks, and its birth was not heard"]
    assert desk.messages[-2].body["kind"] == "NDEATH"


async def test_a_node_is_not_asked_again_and_again() -> None:
    """Thirty seconds later it is."""
    moment = [datetime(2026, 3, 2, tzinfo=UTC)]
    host = Host(Desk(), rebirth=True, now=lambda: moment[0])
    assert await host.take("spBv1.0/G/NDATA/N", payload(5)) is not None
    assert await host.take("spBv1.0/G/NDATA/N", payload(9)) is None
    moment[0] += timedelta(seconds=31)
    assert await host.take("spBv1.0/G/NDATA/N", payload(20)) is not None


@pytest.mark.parametrize(
    "topic", ["a/b", "spBv1.0/G/NDATA", "spBv1.0/G/NDATA/N/D", "spBv1.0/G/XDATA/N", "spBv1.0/G/DDATA/N"]
)
async def test_other_topics_are_parked(topic: str) -> None:
    """They are nobody's."""
    desk = Desk()
    await Host(desk, rebirth=True).take(topic, payload(0))
    assert [reason.partition(":")[0] for reason in desk.refused] == ["UNREADABLE"]


async def test_what_is_no_payload_is_parked() -> None:
    """And the node goes on."""
    desk = Desk()
    host = Host(desk, rebirth=True)
    await host.take("spBv1.0/G/NBIRTH/N", payload(0))
    await host.take("spBv1.0/G/NDATA/N", b"\xff\xff\xff")
    await host.take("spBv1.0/G/NDATA/N", payload(1))
    assert [reason.partition(":")[0] for reason in desk.refused] == ["UNREADABLE"]


async def test_what_other_hosts_say_is_no_event() -> None:
    """Commands and states of hosts are left alone."""
    desk = Desk()
    for topic in ("spBv1.0/STATE/scada", "spBv1.0/G/NCMD/N", "spBv1.0/G/DCMD/N/D"):
        await Host(desk, rebirth=True).take(topic, b"{}")
    assert (desk.messages, desk.refused) == ([], [])


async def test_the_names_of_many_nodes_are_bounded() -> None:
    """The one that was heard of first is forgotten first; it is asked for its birth when it speaks again."""
    desk = Desk()
    host = Host(desk, rebirth=True)
    for number in range(MOST_NODES + 1):
        await host.take(f"spBv1.0/G/NBIRTH/{number}", payload(0))
    assert await host.take("spBv1.0/G/NDATA/1", payload(1)) is None
    assert await host.take("spBv1.0/G/NDATA/0", payload(1)) is not None
