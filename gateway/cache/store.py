"""What is kept, where, and what every store of it can do. Memory and Redis are two stores with one contract.

Instants are seconds since the epoch by this machine's clock; a store that shares with other machines translates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from sources.base import Written


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the cells of one class from one read of one system stand, for one scope of rights.

    ``name`` tells it from all others in all processes; ``type`` is the type of a cell, as msgspec reads it back.
    """

    name: str
    type: Any = field(compare=False)


Place: TypeAlias = tuple[Shelf, str]
"""A shelf and the canonical key of a cell on it."""


@dataclass(slots=True)
class Entry:
    """A cell that was read: a row, a list of rows, a page, or None (the system does not know the key).

    ``read_at`` is when the call that brought it was sent. ``tags`` are the ids of what it speaks of.
    """

    cell: Any
    read_at: float
    tags: tuple[str, ...] = ()
    until: float = field(default=float("inf"), compare=False)
    """When it has had its time, whatever is asked."""
    checked: int = field(default=-1, compare=False)
    """Up to which change of the marks this process has found it valid."""
    gone: bool = field(default=False, compare=False)
    """Whether L1 has let it go because it had had its time, or has another one in its place."""


@dataclass(frozen=True, slots=True)
class Invalidation:
    """Whatever speaks of these ids and was read at or before ``at`` is not to be given any more.

    Without tags it speaks of everything: a store that cannot prove that it heard all (its Redis was away, was emptied or
    is another one) says so of what was read up to now.

    With ``written``, what was read later counts only once the owner's version has passed the write.
    """

    tags: tuple[str, ...]
    at: float
    written: Written | None = None


Heard: TypeAlias = Callable[[Invalidation], None]


class Store(Protocol):
    """A place for entries. No method raises because the store cannot be reached: it then holds nothing."""

    async def open(self) -> None:
        """Get ready; must not fail because the store is down."""
        ...

    async def close(self) -> None:
        """Give back connections and tasks."""
        ...

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """One entry a place, None where there is none or it was invalidated. One round trip for all."""
        ...

    async def put(self, entries: Sequence[tuple[Place, Entry, float]]) -> None:
        """Keep entries, each for so many seconds at most from when it was read."""
        ...

    async def invalidate(self, invalidation: Invalidation) -> None:
        """Let go of what speaks of its tags, here and for everyone who shares the store."""
        ...

    async def claim(self, places: Sequence[Place], seconds: float) -> list[float | None]:
        """Ask to be the one who reads these: None where we are, else since when another one is. Ends by itself."""
        ...

    async def release(self, places: Sequence[Place]) -> None:
        """Give claims back: the reading is over, well or badly. Claims of others stay."""
        ...
