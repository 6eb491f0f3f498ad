"""Gateway ids: a prefix for the type and the canonical key. Opaque to clients, readable to operators."""

from typing import Any

from schema.base import KEYS, NODES, PREFIXES, key_reader, split_key
from schema.errors import BadId

_ENCODERS: dict[type, Any] = {}


def encode(row: Any) -> str:
    """The id of a row."""
    cls = type(row)
    known = _ENCODERS.get(cls)
    if known is None:
        known = _ENCODERS[cls] = (PREFIXES[cls], key_reader(KEYS[cls]["id"]))
    prefix, read = known
    return f"{prefix}:{read(row)}"


def decode(text: str, aliases: dict[str, str] | None = None, argument: str = "id") -> tuple[type, str]:
    """The class and the canonical key of an id; raises ``BadId`` naming the argument."""
    text = str(text)
    if aliases and text in aliases:
        text = aliases[text]
    prefix, colon, key = text.partition(":")
    cls = NODES.get(prefix)
    if cls is None or not colon or not key or len(text) > 512:
        known = ", ".join(f"{name}:…" for name in sorted(NODES)[:6])
        raise BadId(
            f"{argument}: {text[:60]!r} is not an id of this gateway.",
            hint=f"Pass an id as the gateway gave it out ({known} …).",
        )
    if len(split_key(key)) != len(KEYS[cls]["id"]):
        raise BadId(
            f"{argument}: {text[:60]!r} is not a complete id of a {cls.__name__}.", hint="Do not build ids."
        )
    return cls, key


def decode_as(text: str, cls: type, argument: str, aliases: dict[str, str] | None = None) -> str:
    """The canonical key of an id that must be of one class."""
    found, key = decode(text, aliases, argument)
    if found is not cls:
        raise BadId(
            f"{argument}: {str(text)[:60]!r} is the id of a {found.__name__}, not of a {cls.__name__}.",
            hint=f"Pass the id of a {cls.__name__}.",
        )
    return key
