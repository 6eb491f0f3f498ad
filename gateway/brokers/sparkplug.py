"""Sparkplug B: what nodes and devices say, as JSON that the tables of events can read.

A message in JSON, one for each payload (several where a metric comes more than once in it, in their order)::

    {"kind": "DDATA", "group": "P1", "node": "CELL4", "device": "PRESS", "seq": 7, "at": "2026-03-02T08:00:00.120Z",
     "metrics": {"Order/State": "RUNNING", "Good": 120}, "times": {"Good": "2026-03-02T08:00:00.100Z"}}

Metrics that come by alias get their names from the birth of their node. A number with a fraction is text, so that none
of it is lost; whole numbers are numbers; times are ISO 8601; bytes are base64; what is null is null. ``historical``
names metrics that were kept back while the node was away. ``NDEATH`` and ``DDEATH`` have no metrics.

Payloads of a node are numbered from 0 to 255 and round again. Where one is missing, a note is parked, and the node is
asked for its birth where that is allowed, so that names and values are whole again; so too where a name is not known,
as after a start of the gateway.
"""

import math
import struct
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import DecodeError

from gateway.brokers.link import Desk
from gateway.brokers.tahu import Payload
from gateway.events.sorting import UNREADABLE
from sources.events import Message

NAMESPACE = "spBv1.0"
KINDS = frozenset({"NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"})
IGNORED = frozenset({"NCMD", "DCMD", "STATE"})
"""What other hosts say; nothing that happened."""
SEQUENCE_GAP, UNKNOWN_ALIAS = "SEQUENCE_GAP", "UNKNOWN_ALIAS"
REBIRTH = "Node Control/Rebirth"
AGAIN = timedelta(seconds=30)
"""A node is not asked for its birth again before this time is over."""
MOST_NODES = 10_000
"""Nodes whose names are kept; a birth beyond that lets the one go that was born first."""
BOOLEAN, DATE_TIME = 11, 13
SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
"""Data types of signed whole numbers and their bits; they travel as unsigned ones."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be published."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class _Node:
    """What is known of a node: the next number, and the names and types of its metrics by device and alias or name."""

    seq: int | None = None
    born: bool = False
    names: dict[tuple[str, int], str] = field(default_factory=dict)
    types: dict[tuple[str, str], int] = field(default_factory=dict)
    last: tuple[int, int] | None = None
    asked: datetime | None = None


def _now() -> datetime:
    return datetime.now(UTC)


class Host:
    """What one subscription knows of the nodes that it hears of."""

    def __init__(self, desk: Desk, rebirth: bool, now: Callable[[], datetime] = _now) -> None:
        self._desk, self._rebirth, self._now = desk, rebirth, now
        self._nodes: dict[str, _Node] = {}

    async def take(self, topic: str, body: bytes, retained: bool = False) -> Command | None:
        """Take a payload in; it is durable when this returns. What is then to be said to the node, if anything."""
        place = _place(topic)
        if place is None or (retained and place.kind != "STATE"):
            await self._desk.refuse(
                Message(topic[:200]), f"{UNREADABLE}: no topic of a node or device, or retained"
            )
            return None
        if place.kind in IGNORED:
            return None
        try:
            payload = Payload.FromString(body)
        except DecodeError as error:
            text = b64encode(body[:65_536]).decode()
            await self._desk.refuse(Message({**place.said(), "body": text}), f"{UNREADABLE}: {error}")
            return None
        node = self._nodes.get(place.whole) or self._born(place.whole)
        missed = _follow(node, place, payload)
        if missed is None:
            return None
        messages, unknown = _told(node, place, payload)
        notes = [SEQUENCE_GAP + missed] if missed else []
        notes += [f"{UNKNOWN_ALIAS}: {sorted(unknown)[:10]} of {place.whole}"] if unknown else []
        await self._desk.told(messages)
        for note in notes:
            await self._desk.refuse(
                Message({**place.said(), "seq": payload.seq}, _id(place, payload, note)), note
            )
        return self._asked(node, place) if notes else None

    def _born(self, name: str) -> _Node:
        if len(self._nodes) >= MOST_NODES:
            del self._nodes[next(iter(self._nodes))]
        node = self._nodes[name] = _Node()
        return node

    def _asked(self, node: _Node, place: "Place") -> Command | None:
        now = self._now()
        if not self._rebirth or (node.asked is not None and now - node.asked < AGAIN):
            return None
        node.asked = now
        command = Payload(timestamp=int(now.timestamp() * 1000))
        command.metrics.add(name=REBIRTH, datatype=BOOLEAN, boolean_value=True)
        return Command(f"{NAMESPACE}/{place.group}/NCMD/{place.node}", command.SerializeToString())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payload came from."""

    group: str
    kind: str
    node: str
    device: str = ""

    @property
    def whole(self) -> str:
        """The node among all."""
        return f"{self.group}/{self.node}"

    def said(self) -> dict[str, Any]:
        """As JSON."""
        found = {"kind": self.kind, "group": self.group, "node": self.node}
        return {**found, "device": self.device} if self.device else found


def _place(topic: str) -> Place | None:
    parts = topic.split("/")
    if parts[0] != NAMESPACE or not all(parts):
        return None
    if len(parts) == 3 and parts[1] == "STATE":
        return Place("", "STATE", parts[2])
    if not 4 <= len(parts) <= 5 or parts[2] not in KINDS | IGNORED:
        return None
    if (len(parts) == 5) != parts[2].startswith("D"):
        return None
    return Place(parts[1], *parts[2:])


def _follow(node: _Node, place: Place, payload: Any) -> str | None:
    """What was missed before a payload, "" for nothing; None where the payload itself was here already."""
    if place.kind == "NDEATH":
        node.seq, node.born, node.last = None, False, None
        return ""
    mark = (payload.seq, payload.timestamp)
    if node.last == mark:
        return None
    expected = node.seq
    node.last, node.seq = mark, (payload.seq + 1) % 256
    if place.kind == "NBIRTH":
        node.names.clear()
        node.types.clear()
        node.born, node.asked = True, None
        return ""
    if expected is None:
        return f": {place.whole} speaks, and its birth was not heard"
    if payload.seq != expected:
        return f": of {place.whole} came {payload.seq} where {expected} was expected"
    return ""


def _told(node: _Node, place: Place, payload: Any) -> tuple[list[Message], set[int]]:
    """The messages that a payload tells, and the aliases that no birth named."""
    at = payload.timestamp if payload.HasField("timestamp") else None
    unknown: set[int] = set()
    found: list[dict[str, Any]] = [{}]
    times: list[dict[str, Any]] = [{}]
    historical: list[list[str]] = [[]]
    for name, metric in _named(node, place, payload, unknown):
        if name in found[-1]:
            found.append({})
            times.append({})
            historical.append([])
        kind = metric.datatype or node.types.get((place.device, name), 0)
        found[-1][name] = _value(metric, kind)
        if metric.HasField("timestamp"):
            times[-1][name] = _time(metric.timestamp)
        if metric.is_historical:
            historical[-1].append(name)
    shared = {**place.said(), "at": None if at is None else _time(at)}
    if place.kind != "NDEATH":
        shared["seq"] = payload.seq
    return [
        Message(
            {**shared, "metrics": metrics, "times": when, **({"historical": late} if late else {})},
            _id(place, payload, str(number)),
        )
        for number, (metrics, when, late) in enumerate(zip(found, times, historical, strict=True))
        if metrics or not unknown
    ], unknown


def _named(node: _Node, place: Place, payload: Any, unknown: set[int]) -> Iterator[tuple[str, Any]]:
    """The metrics by name; a birth also says which names and types the later ones will have."""
    birth = place.kind in ("NBIRTH", "DBIRTH")
    for metric in payload.metrics:
        name = metric.name
        if birth and name:
            node.types[place.device, name] = metric.datatype
            if metric.HasField("alias"):
                # An alias is one metric's in the whole node, its devices included.
                node.names["", metric.alias] = name
        if not name:
            known = node.names.get(("", metric.alias)) if metric.HasField("alias") else None
            if known is None:
                unknown.add(metric.alias)
                continue
            name = known
        yield name, metric


def _value(metric: Any, kind: int) -> Any:
    field_name = metric.WhichOneof("value")
    if metric.is_null or field_name is None:
        return None
    value = getattr(metric, field_name)
    if field_name == "dataset_value":
        return [_row(value.columns, value.types, row) for row in value.rows]
    if field_name == "template_value":
        return {one.name: _value(one, one.datatype) for one in value.metrics}
    if field_name == "bytes_value":
        return b64encode(value).decode()
    return _scalar(field_name, value, kind)


def _row(columns: Iterable[str], types: Iterable[int], row: Any) -> Mapping[str, Any]:
    found = {}
    for name, kind, cell in zip(columns, types, row.elements, strict=False):
        field_name = cell.WhichOneof("value")
        found[name] = None if field_name is None else _scalar(field_name, getattr(cell, field_name), kind)
    return found


def _scalar(field_name: str, value: Any, kind: int) -> Any:
    if field_name in ("float_value", "double_value"):
        if not math.isfinite(value):
            return None
        return _shortest(value) if field_name == "float_value" else repr(value)
    if field_name in ("int_value", "long_value"):
        if kind == DATE_TIME:
            return _time(value)
        bits = SIGNED.get(kind)
        if bits is not None:
            value &= (1 << bits) - 1
            return value - (1 << bits) if value >> (bits - 1) else value
    return value


def _shortest(value: float) -> str:
    """The shortest text that is this 32 bit number and no other: 0.1, not 0.10000000149011612."""
    exact = struct.pack("f", value)
    for digits in range(6, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == exact:
            return repr(float(text))
    return repr(value)


def _time(milliseconds: int) -> str | None:
    try:
        at = EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _id(place: Place, payload: Any, part: str) -> str:
    """The same whenever this payload comes again."""
    return f"{place.whole}/{place.device} {place.kind} {payload.timestamp} {payload.seq} {part}"
