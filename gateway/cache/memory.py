"""L1: entries in this process, the least recently used let go first. The one store that never waits."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from cachetools import LRUCache

from gateway.cache.marks import Marks
from gateway.cache.sizes import Sizes
from gateway.cache.store import Entry, Invalidation, Place
from sources.base import ABSENT, Cell

Key = tuple[str, str]
LATER = float("inf")


class Column(NamedTuple):
    """What a look brought: the cells, how many were found, and when the oldest value and the oldest absence were read."""

    cells: list[Cell]
    hits: int
    oldest: float
    oldest_absent: float


class Memory:
    """A store in this process, bounded in entries and in bytes (estimated, see ``Sizes``).

    ``clock`` gives seconds since the epoch. ``column`` is the way of the loaders: no waiting, no copies.
    """

    def __init__(
        self, max_entries: int = 100_000, max_bytes: int = 256_000_000, clock: Callable[[], float] = time.time
    ) -> None:
        self.marks = Marks()
        self._clock = clock
        self._max_entries = max_entries
        self._sizes = Sizes()
        self._entries: LRUCache[Key, Entry] = LRUCache(max_bytes, getsizeof=self._sizes.of)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> float:
        """About how many bytes the entries take."""
        return float(self._entries.currsize)

    def column(
        self,
        shelf: str,
        keys: Sequence[str],
        fresh: float,
        absent: float,
        given: list[Entry] | None = None,
    ) -> Column:
        """The cells of one shelf that were read at or after ``fresh`` (``absent`` for None); ABSENT for the others.

        ``given`` takes their entries, where somebody wants to know them.
        """
        entries, epoch, valid, now = self._entries, self.marks.epoch, self.marks.valid, self._clock()
        cells: list[Cell] = []
        oldest = oldest_absent = LATER
        hits = 0
        for key in keys:
            try:
                entry = entries[shelf, key]
            except KeyError:
                cells.append(ABSENT)
                continue
            cell, read_at = entry.cell, entry.read_at
            if read_at < (absent if cell is None else fresh) or (
                entry.checked != epoch and not valid(entry, now)
            ):
                cells.append(ABSENT)
                continue
            cells.append(cell)
            hits += 1
            if given is not None:
                given.append(entry)
            if cell is None:
                oldest_absent = min(oldest_absent, read_at)
            elif read_at < oldest:
                oldest = read_at
        return Column(cells, hits, oldest, oldest_absent)

    def valid(self, entry: Entry, now: float) -> bool:
        """Whether nothing that an entry speaks of has changed, as far as is known here; asked again it costs nothing."""
        return entry.checked == self.marks.epoch or self.marks.valid(entry, now)

    def look(self, shelf: str, key: str) -> Entry | None:
        """The entry of a place, whatever its age; None where there is none or it was invalidated."""
        try:
            entry = self._entries[shelf, key]
        except KeyError:
            return None
        now = self._clock()
        if entry.until <= now or not self.valid(entry, now):
            del self._entries[shelf, key]
            entry.gone = True
            return None
        return entry

    def keep(self, shelf: str, key: str, entry: Entry) -> None:
        """Keep an entry, unless a later one is here or it has been invalidated on its way."""
        known = self.look(shelf, key)
        if (known is not None and known.read_at > entry.read_at) or not self.valid(entry, self._clock()):
            return
        if known is not None and known is not entry:
            known.gone = True
        with suppress(ValueError):  # It alone is larger than all that may be kept.
            self._entries[shelf, key] = entry
        while len(self._entries) > self._max_entries:
            self._entries.popitem()

    async def open(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to give back."""

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """One entry a place, None where there is none, it has had its time or it was invalidated."""
        return [self.look(shelf.name, key) for shelf, key in places]

    async def put(self, entries: Sequence[tuple[Place, Entry, float]]) -> None:
        """Keep entries, each for so many seconds at most from when it was read."""
        for (shelf, key), entry, seconds in entries:
            entry.until = entry.read_at + seconds
            self.keep(shelf.name, key, entry)

    async def invalidate(self, invalidation: Invalidation) -> None:
        """Let go of what speaks of its tags."""
        self.marks.note(invalidation)

    async def claim(self, places: Sequence[Place], seconds: float) -> list[float | None]:
        """In one process the flights see to it that nobody reads twice: always ours."""
        return [None] * len(places)

    async def release(self, places: Sequence[Place]) -> None:
        """Nothing to give back."""
