"""Entries as bytes: MessagePack of the canonical classes, each row an array of its fields in their order.

A row without the names of its fields has less than half the bytes of one with them and is read as fast. What the
arrays mean stands in the classes alone, so bytes are only read by who has the same classes: the ``fingerprint`` of a
type, a digest of all fields and enum members below it, is part of the place where its cells are kept.

Instants come back in UTC, as the model holds them. Whatever does not decode counts as not there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

from gateway.cache.store import Entry

FORMAT: TypeAlias = Literal[1]
"""Stands first in the bytes of every entry; another number is another layout."""
UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError)
UNWRITABLE = (*UNREADABLE, OverflowError)
"""A text that is no Unicode, a number of more than 64 bits."""

_encode = msgspec.msgpack.Encoder().encode
Way: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A type as it travels, and the ways there and back; without ways a value travels as it is. None is left alone."""

    shape: Any
    pack: Way | None = None
    unpack: Way | None = None


class Codec:
    """Cells of one type, with the instant they were read and the tags, to bytes and back."""

    def __init__(self, type: Any) -> None:
        mirror = mirrored(type)
        self.fingerprint = fingerprint(type)
        self._pack = mirror.pack or _same
        self._unpack = mirror.unpack or _same
        shape: Any = mirror.shape
        layout: Any = tuple[FORMAT, int, tuple[str, ...], shape]
        self._decode: Way = msgspec.msgpack.Decoder(layout).decode

    def data(self, entry: Entry, read_at: int) -> bytes:
        """An entry as bytes; ``read_at`` in microseconds of the store's time."""
        return _encode((1, read_at, entry.tags, self._pack(entry.cell)))

    def entries(self, found: Sequence[bytes | None], shift: float) -> list[Entry | None]:
        """What was found, read; ``shift`` seconds are taken off the store's time. None where it cannot be read."""
        decode, unpack = self._decode, self._unpack
        try:
            read = [None if data is None else decode(data) for data in found]
            return [
                None if each is None else Entry(unpack(each[3]), each[1] * 1e-6 - shift, each[2])
                for each in read
            ]
        except UNREADABLE:
            if len(found) == 1:
                return [None]
            return [self.entries([data], shift)[0] for data in found]


@cache
def codec(type: Any) -> Codec:
    """The codec of a type, made once."""
    return Codec(type)


def _same(value: Any) -> Any:
    return value


@cache
def mirrored(type: Any) -> Mirror:
    """How values of a type travel. What holds no dataclass travels as msgspec has it."""
    origin, args = get_origin(type), get_args(type)
    if origin is Annotated:
        return mirrored(args[0])
    if origin in (Union, UnionType):
        return _either(type, args)
    if origin is list or (origin is tuple and args[1:] == (...,)):
        return _many(type, origin, args[0])
    if origin is dict and mirrored(args[1]).pack is not None:
        return _mapping(args[0], mirrored(args[1]))
    return _row(type) if _positional(type) else Mirror(type)


def _positional(type: Any) -> bool:
    """Whether it is a dataclass that can be made from its fields in their order."""
    return (
        isinstance(type, _TYPE) and is_dataclass(type) and all(f.init and not f.kw_only for f in fields(type))
    )


_TYPE = type


def _either(type: Any, args: Sequence[Any]) -> Mirror:
    several = [arg for arg in args if arg is not NoneType]
    inner = mirrored(several[0])
    if len(several) > 1 or inner.pack is None:
        return Mirror(type)
    return Mirror(Union[inner.shape, None] if NoneType in args else inner.shape, inner.pack, inner.unpack)  # noqa: UP007


def _many(type: Any, origin: Any, arg: Any) -> Mirror:
    inner = mirrored(arg)
    if inner.pack is None or inner.unpack is None:
        return Mirror(type)
    there, back = inner.pack, inner.unpack
    shape: Any = inner.shape
    shapes: Any = list[shape]

    def pack(values: Any) -> Any:
        return None if values is None else [there(value) for value in values]

    def unpack(values: Any) -> Any:
        return None if values is None else origin([back(value) for value in values])

    return Mirror(shapes, pack, unpack)


def _mapping(key: Any, inner: Mirror) -> Mirror:
    there, back = inner.pack or _same, inner.unpack or _same
    shape: Any = inner.shape
    shapes: Any = dict[key, shape]

    def pack(values: Any) -> Any:
        return None if values is None else {name: there(value) for name, value in values.items()}

    def unpack(values: Any) -> Any:
        return None if values is None else {name: back(value) for name, value in values.items()}

    return Mirror(shapes, pack, unpack)


def _row(type: Any) -> Mirror:
    names = [field.name for field in fields(type)]
    hints = get_type_hints(type)
    parts = [mirrored(hints[name]) for name in names]
    packs = [(place, part.pack) for place, part in enumerate(parts) if part.pack is not None]
    unpacks = [(place, part.unpack) for place, part in enumerate(parts) if part.unpack is not None]
    read = _reader(names)

    def pack(row: Any) -> Any:
        if row is None or not packs:
            return row if row is None else read(row)
        values = list(read(row))
        for place, there in packs:
            values[place] = there(values[place])
        return values

    def unpack(values: Any) -> Any:
        if values is None:
            return None
        if unpacks:
            values = list(values)
            for place, back in unpacks:
                values[place] = back(values[place])
        return type(*values)

    return Mirror(tuple[tuple(part.shape for part in parts)] if parts else tuple[()], pack, unpack)  # type: ignore[misc]


def _reader(names: Sequence[str]) -> Callable[[Any], Iterable[Any]]:
    """All fields of a row in their order; ``attrgetter`` of one name or none gives no tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: [getattr(row, name) for name in names]


def fingerprint(type: Any) -> str:
    """A digest of a type with everything below it: names, order and types of fields, members of enums."""
    return blake2b(_described(type).encode(), digest_size=5).hexdigest()


def _described(type: Any) -> str:
    if get_origin(type) is Annotated:
        return _described(get_args(type)[0])
    if args := get_args(type):
        return f"{get_origin(type)}[{', '.join(map(_described, args))}]"
    if isinstance(type, _TYPE) and issubclass(type, Enum):
        return f"{type.__qualname__}({', '.join(str(member.value) for member in type)})"
    if isinstance(type, _TYPE) and is_dataclass(type):
        hints = get_type_hints(type)
        inner = ", ".join(f"{field.name}: {_described(hints[field.name])}" for field in fields(type))
        return f"{type.__qualname__}({inner})"
    return repr(type)
