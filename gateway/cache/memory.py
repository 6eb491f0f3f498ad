"""L1: entries in this process, the least recently used let go first. The one store that never waits."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

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
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._sizes = Sizes()
        # The least recently used first. An ordered dict by hand, because every cell of every answer comes by here: the
        # LRUCache of cachetools took most of the time of a cold answer.
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._bytes = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> float:
        """About how many bytes the entries take."""
        return self._bytes

    @property
    def keeps(self) -> bool:
        """Whether anything can be kept at all."""
        return self._max_entries > 0 and self._max_bytes > 0

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
        if not self._entries:
            return Column([ABSENT] * len(keys), 0, LATER, LATER)
        get, used, now = self._entries.get, self._entries.move_to_end, self._clock()
        epoch, valid = self.marks.epoch, self.marks.valid
        cells: list[Cell] = []
        oldest = oldest_absent = LATER
        hits = 0
        for key in keys:
            place = (shelf, key)
            entry = get(place)
            if entry is None:
                cells.append(ABSENT)
                continue
            used(place)
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
        place = (shelf, key)
        entry = self._entries.get(place)
        if entry is None:
            return None
        now = self._clock()
        if entry.until <= now or not self.valid(entry, now):
            self._drop(place)
            return None
        self._entries.move_to_end(place)
        return entry

    def keep(self, shelf: str, key: str, entry: Entry) -> None:
        """Keep an entry, unless a later one is here or it has been invalidated on its way."""
        self.keep_all(shelf, {key: entry})

    def keep_all(self, shelf: str, column: Mapping[str, Entry]) -> None:
        """The same for entries of one shelf, by key."""
        if not self.keeps:
            return
        entries, now, size_of = self._entries, self._clock(), self._sizes.of
        for key, entry in column.items():
            known = self.look(shelf, key) if (shelf, key) in entries else None
            if (known is not None and known.read_at > entry.read_at) or not self.valid(entry, now):
                continue
            size = size_of(entry)
            if size > self._max_bytes:
                continue
            if known is not None:
                self._drop((shelf, key))
            entry.size = size
            entries[shelf, key] = entry
            self._bytes += size
        while self._bytes > self._max_bytes or len(entries) > self._max_entries:
            self._bytes -= entries.popitem(last=False)[1].size
        if not entries:
            # No error of rounding outlives what it was made of.
            self._bytes = 0.0

    def _drop(self, place: Key) -> None:
        self._bytes -= self._entries.pop(place).size

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
