"""What an entry speaks of, as ids of the gateway: by these it is found again when something changes.

A tag is an id (``po:1710/1000040``), all of a kind (``po:*``), the lists of a kind (``po:#``), or a system
(``sys:SAP_PRD``). Entries carry them in full, so that every store only compares whole tags.
"""

from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Any

from schema.base import KEYS, NODES, PREFIXES, join_key, split_key
from schema.commerce import PurchaseOrder, SalesOrder, SalesOrderLine
from schema.equipment import WorkCenter
from schema.errors import RequestError
from schema.logistics import Shipment
from schema.material import Item, Location, Lot
from schema.production import ProductionOrder

REFERRED: dict[str, tuple[type, ...]] = {
    "order": (ProductionOrder, SalesOrder),
    "item": (Item,),
    "lot": (Lot,),
    "input": (Lot,),
    "output": (Lot,),
    "shipment": (Shipment,),
    "location": (Location,),
    "work_center": (WorkCenter,),
    "sales_line": (SalesOrderLine,),
}
"""Names of keys and the classes they may be of; which one, the number of their parts tells."""

LISTED = frozenset({"orders", "sales_lines"})
"""Attributes that hold whole keys of two parts, several of them."""

Reader = Callable[[Any], Iterable[str]]


@cache
def kind_of(cls: type, by: str) -> type | None:
    """The class that a key of this name is of: the own one for ``id``; None where the key is no object's."""
    if by == "id":
        return cls if cls in PREFIXES else None
    if by == "order" and cls.__module__ == PurchaseOrder.__module__:
        return SalesOrder if cls is SalesOrderLine else PurchaseOrder
    attributes = KEYS[cls][by]
    parts = 2 if attributes[0] in LISTED else len(attributes)
    return next((kind for kind in REFERRED.get(by, ()) if len(KEYS[kind]["id"]) == parts), None)


def tags_of(system: str, cls: type, by: str, key: str, rows: Iterable[Any]) -> tuple[str, ...]:
    """Everything that the rows under a key speak of."""
    found: dict[str, None] = {system_tag(system): None}
    kind = kind_of(cls, by)
    if kind is not None:
        _add(found, PREFIXES[kind], key)
    for row in rows:
        for prefix, read in _readers(row.__class__):
            for own in read(row):
                _add(found, prefix, own)
    return tuple(found)


def list_tags(classes: Iterable[type]) -> tuple[str, ...]:
    """What a page speaks of besides its rows: the lists of the kinds in it."""
    return tuple([f"{PREFIXES[cls]}:#" for cls in classes if cls in PREFIXES])


def system_tag(system: str) -> str:
    """The tag of everything that came from a system."""
    return f"sys:{system}"


def touched(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags to invalidate where these are said: an id also touches the lists of its kind. Raises RequestError."""
    found: dict[str, None] = {}
    for tag in tags:
        prefix, colon, key = tag.partition(":")
        kind = NODES.get(prefix)
        parts = len(KEYS[kind]["id"]) if kind is not None else 0
        if not colon or not key or kind is None or (key != "*" and len(split_key(key)) != parts):
            known = ", ".join(f"{name}:" for name in sorted(NODES))
            raise RequestError(
                f"tag: {tag[:60]!r} is neither an id of this gateway nor all of a kind.",
                hint=f"Write an id (po:1710/1000040), a kind (po:*) or a system (sys:CODE); kinds: {known}.",
            )
        found[tag] = None
        if prefix != "sys":
            found[f"{prefix}:#"] = None
    return tuple(found)


def _add(found: dict[str, None], prefix: str, key: str) -> None:
    found[f"{prefix}:{key}"] = None
    found[f"{prefix}:*"] = None


@cache
def _readers(cls: type) -> tuple[tuple[str, Reader], ...]:
    """Per registered key of a class that names an object: the prefix of its ids, and how a row tells it."""
    made = []
    for by, attributes in KEYS.get(cls, {}).items():
        kind = kind_of(cls, by)
        if kind is not None:
            made.append((PREFIXES[kind], _reader(attributes)))
    return tuple(made)


def _reader(attributes: tuple[str, ...]) -> Reader:
    if len(attributes) == 1:
        one = attrgetter(attributes[0])

        def read_one(row: Any) -> Iterable[str]:
            value = one(row)
            if value is None:
                return ()
            return value if isinstance(value, tuple) else (join_key(value),)

        return read_one
    many = attrgetter(*attributes)

    def read_many(row: Any) -> Iterable[str]:
        parts = many(row)
        return () if None in parts else (join_key(*parts),)

    return read_many
