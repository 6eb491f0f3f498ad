"""The bytes of rows that come again: a row out of a cache is the same object at every request, and is written once.

Bounded for the whole process: where all that is kept grows too large, all of it is let go.
"""

from typing import Any
from weakref import WeakSet

MOST_BYTES = 64 << 20
ROW_BYTES = 600
"""About what a row takes that nobody else holds any more."""


class Fragments:
    """What one selection has written of its rows: the row (so that its place in memory is its own) and the bytes."""

    __slots__ = ("__weakref__", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Any, Any]] = {}
        _all.add(self)

    def keep(self, row: Any, data: Any, size: int) -> tuple[Any, Any]:
        """Keep the bytes of a row, and give back what is kept."""
        _budget.spend(size + ROW_BYTES)
        kept = self.rows[id(row)] = (row, data)
        return kept


class _Budget:
    def __init__(self) -> None:
        self.used = 0

    def spend(self, size: int) -> None:
        self.used += size
        if self.used > MOST_BYTES:
            for fragments in list(_all):
                fragments.rows.clear()
            self.used = size


_all: WeakSet[Fragments] = WeakSet()
_budget = _Budget()
