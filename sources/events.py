"""The port for events: what an adapter makes of a message of its system. Pure: nothing is asked, nothing is kept.

A message either tells all that is to be known (a ``Fact``), or only that something about an object changed (a
``Hint``): then the object is read, and what happened is concluded from what it was before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from schema.base import KEYS, join_key


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came: its JSON, and its id where the envelope gives one.

    A CloudEvent is its structured form, whichever way it travelled: ``type``, ``source``, ``id`` and ``data`` are there.
    """

    body: Any
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """An object by the parts of its key, in our spelling as far as the adapter knows it; None: the message leaves it out."""

    cls: type
    parts: tuple[str | None, ...]

    @property
    def key(self) -> str | None:
        """The whole key; None where a part is left out."""
        known = [part for part in self.parts if part is not None]
        return join_key(*known) if len(known) == len(self.parts) else None

    def at(self, plant: str) -> str | None:
        """The whole key, where only the plant was left out; None where more was."""
        names = KEYS[self.cls]["id"]
        parts = [
            plant if part is None and name == "plant" else part
            for name, part in zip(names, self.parts, strict=True)
        ]
        known = [part for part in parts if part is not None]
        return join_key(*known) if len(known) == len(parts) else None


@dataclass(frozen=True, slots=True)
class Fact:
    """What a message says happened.

    ``type`` is the canonical event's. ``id`` is the system's own of it, ``parts`` its natural key beside the subject:
    what two messages must have in common to tell of the same. Times are instants as the system's clock had them.
    ``data`` are JSON values. ``correlation`` is what joins it with others, where the message says.
    """

    type: str
    subject: Named
    touches: tuple[Named, ...] = ()
    id: str | None = None
    parts: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    recorded_at: datetime | None = None
    version: str | None = None
    correlation: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hint:
    """Something about an object changed; rows of ``reads`` must be read to know what."""

    subject: Named
    reads: tuple[type, ...]
    occurred_at: datetime | None = None


Told: TypeAlias = Fact | Hint
