"""What an entry speaks of, as ids of the gateway: by these it is found again when something changes.

A tag is an id (``po:1710/1000040``), all of a kind (``po:*``), the lists of a kind (``po:#``), or a system
(``sys:SAP_PRD``). Entries carry them in full, so that every store only compares whole tags.
"""

from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Any

from schema.base import KEYS, NODES, PREFIXES, join_key, split_key
from schema.errors import RequestError
from sources.references import Reference, references, referred, within

Found = dict[str, None]
Tell = Callable[[Any, Found], None]
"""Adds what a row says."""


@cache
def kind_of(cls: type, by: str) -> type | None:
    """The class with ids that a key of this name is of: the own one for ``id``; None where the key is no object's."""
    kind = referred(cls, by)
    return kind if kind in PREFIXES else None


def tags_of(system: str, cls: type, by: str, key: str, rows: Iterable[Any]) -> tuple[str, ...]:
    """Everything that the rows under a key speak of, the key's own object and those inside its key included."""
    found: Found = {system_tag(system): None}
    for tell in _asked(cls, by):
        tell(key, found)
    for row in rows:
        for tell in _tells(row.__class__):
            tell(row, found)
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


@cache
def _asked(cls: type, by: str) -> tuple[Tell, ...]:
    """What a key says by itself: a lot's names its item too."""
    kind = kind_of(cls, by)
    if kind is None:
        return ()
    inner = [_part(PREFIXES[one], positions) for one, positions in within(kind) if one in PREFIXES]
    return (_whole(PREFIXES[kind]), *inner)


def _whole(prefix: str) -> Tell:
    begins, every = f"{prefix}:", f"{prefix}:*"

    def tell(key: str, found: Found) -> None:
        found[begins + key] = found[every] = None

    return tell


def _part(prefix: str, positions: tuple[int, ...]) -> Tell:
    begins, every = f"{prefix}:", f"{prefix}:*"

    def tell(key: str, found: Found) -> None:
        parts = key.split("/")
        found[begins + "/".join([parts[position] for position in positions])] = found[every] = None

    return tell


@cache
def _tells(cls: type) -> tuple[Tell, ...]:
    """Per reference of a class to something with an id: how a row tells it."""
    known = references(cls) if cls in KEYS else ()
    return tuple([_told(PREFIXES[one.kind], one) for one in known if one.kind in PREFIXES])


def _told(prefix: str, reference: Reference) -> Tell:
    if reference.whole:
        return _tell_keys(prefix, attrgetter(*reference.attributes))
    if reference.many:
        return _tell_parts(prefix, attrgetter(*reference.attributes))
    if len(reference.attributes) == 1:
        return _tell_one(prefix, attrgetter(*reference.attributes))
    return _tell_joined(prefix, attrgetter(*reference.attributes))


def _tell_one(prefix: str, read: Callable[[Any], Any]) -> Tell:
    begins, every = f"{prefix}:", f"{prefix}:*"

    def tell(row: Any, found: Found) -> None:
        value = read(row)
        if value is not None:
            found[begins + join_key(value)] = found[every] = None

    return tell


def _tell_joined(prefix: str, read: Callable[[Any], Any]) -> Tell:
    begins, every = f"{prefix}:", f"{prefix}:*"

    def tell(row: Any, found: Found) -> None:
        parts = read(row)
        if None not in parts:
            found[begins + join_key(*parts)] = found[every] = None

    return tell


def _tell_keys(prefix: str, read: Callable[[Any], Any]) -> Tell:
    """Keys that are joined already: one, or several."""
    begins, every = f"{prefix}:", f"{prefix}:*"

    def tell(row: Any, found: Found) -> None:
        keys = read(row)
        for key in (keys,) if isinstance(keys, str) else keys or ():
            found[begins + key] = found[every] = None

    return tell


def _tell_parts(prefix: str, read: Callable[[Any], Any]) -> Tell:
    """Keys that share all parts but the last."""
    begins, every = f"{prefix}:", f"{prefix}:*"

    def tell(row: Any, found: Found) -> None:
        *first, last = read(row)
        if None not in first:
            for part in last or ():
                found[begins + join_key(*first, part)] = found[every] = None

    return tell
