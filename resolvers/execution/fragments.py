"""The bytes of rows that come again: a row out of a cache is the same object at every request, and is written once.

Bounded for the whole process: where all that is kept grows too large, all of it is let go.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from operator import is_
from typing import Any
from weakref import WeakSet

from resolvers.loaders import Given, Loaders

MOST_BYTES = 64 << 20
ROW_BYTES = 600
"""About what a row takes that nobody else holds any more."""
MOST_LEVELS = 1_000
"""More levels of one selection than these are not told apart at a time."""


class _Kept(ABC):
    """Something that is let go when all that is kept grows too large."""

    __slots__ = ("__weakref__",)

    def __init__(self) -> None:
        _all.add(self)

    @abstractmethod
    def clear(self) -> None:
        """Let go of everything."""


class Fragments(_Kept):
    """What one selection has written of its rows: the row (so that its place in memory is its own) and the bytes."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, tuple[Any, Any]] = {}

    def keep(self, row: Any, data: Any, size: int) -> tuple[Any, Any]:
        """Keep the bytes of a row, and give back what is kept."""
        _budget.spend(size + ROW_BYTES)
        kept = self.rows[id(row)] = (row, data)
        return kept

    def clear(self) -> None:
        """Let go of everything."""
        self.rows.clear()


class Whole:
    """The JSON of the rows of a level with all that is below them, and the cells that it was made of, in their order."""

    __slots__ = ("_given", "_systems", "data", "rows")

    def __init__(self, rows: list[Any], data: list[bytes], given: Sequence[Given], systems: object) -> None:
        self.rows, self.data = rows, data
        self._given = given
        self._systems = systems

    def holds(self, loaders: Loaders, systems: object) -> bool:
        """Whether it would be made of the very same cells now.

        All of them are loaded as for an answer that is put together anew, so that everything said of them is said.
        """
        return self._systems is systems and all(map(loaders.gives, self._given))


class Levels(_Kept):
    """The levels of one selection that come again: of the very same rows, over the very same cells.

    A level is kept when it comes for the second time: what is read for one request only never does.
    """

    __slots__ = ("_kept", "_seen")

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[int, int], Whole] = {}
        self._seen: dict[tuple[int, int], None] = {}

    def find(self, rows: Sequence[Any]) -> Whole | None:
        """What is kept of these rows."""
        whole = self._kept.get((id(rows[0]), len(rows)))
        return whole if whole is not None and all(map(is_, whole.rows, rows)) else None

    def expected(self, rows: Sequence[Any]) -> bool:
        """Whether such rows were here before. They are, from now on."""
        place = (id(rows[0]), len(rows))
        if place in self._seen:
            return True
        if len(self._seen) >= MOST_LEVELS:
            self._seen.clear()
            self._kept.clear()
        self._seen[place] = None
        return False

    def keep(
        self, rows: Sequence[Any], data: list[bytes], given: Sequence[Given | None], systems: object
    ) -> None:
        """Keep a level that needed no waiting, unless something went into it that is not to be given again."""
        if None not in given:
            # Facts and edges beside each other read the same: it is looked at once.
            once = {(id(one.provider), one.cls, *one.keys): one for one in given if one is not None}
            told = list(once.values())
            cells = len(rows) + sum([len(one.keys) for one in told])
            _budget.spend(sum(map(len, data)) + ROW_BYTES * cells)
            self._kept[id(rows[0]), len(rows)] = Whole(list(rows), data, told, systems)

    def clear(self) -> None:
        """Let go of everything."""
        self._seen.clear()
        self._kept.clear()


class _Budget:
    def __init__(self) -> None:
        self.used = 0

    def spend(self, size: int) -> None:
        self.used += size
        if self.used > MOST_BYTES:
            for kept in list(_all):
                kept.clear()
            self.used = size


_all: WeakSet[_Kept] = WeakSet()
_budget = _Budget()
