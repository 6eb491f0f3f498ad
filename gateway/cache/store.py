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


Tell: TypeAlias = Callable[[str, Any], tuple[str, ...]]
"""What a cell of a column under a key speaks of."""


class Entry:
    """A cell that was read: a row, a list of rows, a page, or None (the system does not know the key).

    ``read_at`` is when the call that brought it was sent. ``until`` is when it has had its time, whatever is asked;
    ``checked`` up to which change of the marks this process has found it valid, ``size`` about how many bytes it takes
    while it is kept here. Two with the same cell, instant and tags
    are equal.
    """

    __slots__ = ("_key", "_tags", "_tell", "cell", "checked", "read_at", "size", "until")

    def __init__(
        self,
        cell: Any,
        read_at: float,
        tags: tuple[str, ...] = (),
        until: float = float("inf"),
        tell: Tell | None = None,
        key: str = "",
    ) -> None:
        """With ``tell`` the tags are worked out of the key and the cell when they are asked for the first time."""
        self.cell = cell
        self.read_at = read_at
        self.until = until
        self.checked = -1
        self.size = 0.0
        self._tags = tags
        self._tell = tell
        self._key = key

    @property
    def tags(self) -> tuple[str, ...]:
        """The ids of what it speaks of."""
        tell = self._tell
        if tell is not None:
            self._tags, self._tell = tell(self._key, self.cell), None
        return self._tags

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return (self.cell, self.read_at, self.tags) == (other.cell, other.read_at, other.tags)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Entry({self.cell!r}, {self.read_at!r}, {self.tags!r})"


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
