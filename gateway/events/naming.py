"""From what a message names to ids of the gateway, and from a fact to an event. Pure but for the crosswalk's table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.events.contracts import CONTRACTS
from schema.base import KEYS, NODES, PREFIXES, join_key, split_key
from schema.errors import SourceNotMapped
from schema.events import Event, fact_of
from schema.logistics import Shipment
from schema.production import ProductionOrder
from sources.events import Fact, Named
from sources.references import within

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "po": ("plant", "order"),
    "op": ("plant", "order", "operation"),
    "rep": ("plant", "order", ""),
    "item": ("item",),
    "lot": ("item", "lot"),
    "ship": ("shipment",),
    "trk": ("shipment", ""),
    "hold": ("hold",),
    "mov": ("", "document"),
}
"""Prefix of an id → the fields of an event's data that the parts of its key are."""
_COURSES = tuple(f"{PREFIXES[cls]}:" for cls in (ProductionOrder, Shipment))
"""What a course of events is about, the most telling first."""


class Keys(Protocol):
    """What is known of keys that the systems and we name differently."""

    def ours(self, system: str, kind: type, theirs: str) -> str | None:
        """Our key for a system's; None where it looks like one of ours that the system calls differently."""
        ...


def id_of(cls: type, key: str) -> str:
    """The id of an object."""
    return f"{PREFIXES[cls]}:{key}"


def with_inner(ids: Iterable[str]) -> tuple[str, ...]:
    """These ids and those of what their keys have inside: an operation's has its order's."""
    found: dict[str, None] = {}
    for id in ids:
        found[id] = None
        prefix, _, key = id.partition(":")
        parts = split_key(key)
        for inner, positions in within(NODES[prefix]):
            if inner in PREFIXES and len(parts) > positions[-1]:
                found[id_of(inner, join_key(*[parts[i] for i in positions]))] = None
    return tuple(found)


def our_id(keys: Keys, system: str, named: Named) -> str:
    """The id of what a message names in full. Raises SourceNotMapped."""
    key = named.key
    ours = None if key is None else keys.ours(system, named.cls, key)
    if ours is None or len(split_key(ours)) != len(KEYS[named.cls]["id"]) or not all(split_key(ours)):
        shown = "/".join(part or "?" for part in named.parts)
        raise SourceNotMapped(
            f"{system} names {named.cls.__name__} {shown[:80]!r}, which is not known to be a key of ours",
            hint="See crossdock crosswalk unmatched.",
        )
    return id_of(named.cls, ours)


def to_event(keys: Keys, system: str, fact: Fact, received_at: datetime) -> Event:
    """The event that a fact is. Raises SourceNotMapped where a key of it is nobody's."""
    subject = our_id(keys, system, fact.subject)
    touches = with_inner([subject, *[our_id(keys, system, named) for named in fact.touches]])
    occurred_at = fact.occurred_at or fact.recorded_at or received_at
    told = [fact.version] if fact.version else [fact.occurred_at.isoformat()] if fact.occurred_at else []
    parts = fact.parts or tuple(told)
    # A fact without any mark of its own is one with its message.
    natural = fact_of(system, fact.type, (subject, *parts)) if parts else ""
    id = fact.id or natural
    if not id:
        raise SourceNotMapped(
            f"{system} tells {fact.type} without id, version or time, so it could not be told from another one",
            hint="Map id, fact, version or occurred_at.",
        )
    return Event(
        type=fact.type,
        source=system,
        id=id,
        subject=subject,
        fact=natural or fact_of(system, fact.type, (subject, id)),
        occurred_at=occurred_at,
        recorded_at=fact.recorded_at or occurred_at,
        received_at=received_at,
        touches=touches,
        correlation_id=fact.correlation or course_of(touches),
        data=filled(fact.type, fact.data, touches),
        version=fact.version,
    )


def course_of(touches: Sequence[str]) -> str:
    """What joins an event with others where nothing was said: its order, else its shipment, else its subject."""
    for prefix in _COURSES:
        for id in touches:
            if id.startswith(prefix):
                return id
    return touches[0]


def filled(type: str, data: Mapping[str, Any], touches: Sequence[str]) -> dict[str, Any]:
    """The data with what the ids say already, as far as the contract of the type has room for it."""
    contract = CONTRACTS.get(type)
    if contract is None:
        return dict(data)
    room = contract.data.__struct_encode_fields__
    found = {name: value for name, value in _said(touches) if name in room}
    if "target" in room and len(touches) > 1:
        found["target"] = touches[1]
    if "object" in room:
        found["object"] = touches[0]
    return {**found, **data}


def _said(touches: Sequence[str]) -> Iterator[tuple[str, str]]:
    known: set[str] = set()
    for id in touches:
        prefix, _, key = id.partition(":")
        for name, part in zip(_FIELDS.get(prefix, ()), split_key(key), strict=False):
            if name and name not in known:
                known.add(name)
                yield name, part
