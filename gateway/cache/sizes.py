"""About how many bytes an entry takes. Measuring a row in full costs more than reading it, so rows are sampled."""

import sys
from dataclasses import fields, is_dataclass
from typing import Any

from gateway.cache.store import Entry

OVERHEAD = 400
"""An entry itself, its tags, its key and its place in the order."""
EVERY = 64
"""One row of so many is measured."""


class Sizes:
    """Sizes of entries from the running mean of the sizes of their rows, by class."""

    def __init__(self) -> None:
        self._seen: dict[type, int] = {}
        self._mean: dict[type, float] = {}

    def of(self, entry: Entry) -> float:
        """Bytes of an entry, estimated."""
        cell = entry.cell
        if cell is None:
            return OVERHEAD
        if not isinstance(cell, list):
            return OVERHEAD + self._row(cell)
        return OVERHEAD + 8 * len(cell) + (self._row(cell[0]) * len(cell) if cell else 0)

    def _row(self, row: Any) -> float:
        cls = type(row)
        seen = self._seen.get(cls, 0)
        self._seen[cls] = seen + 1
        if seen % EVERY == 0:
            size, mean = measured(row), self._mean.get(cls)
            self._mean[cls] = size if mean is None else mean + (size - mean) / 8
        return self._mean[cls]


def measured(value: Any) -> int:
    """Bytes of a value and all it holds; what is shared is counted each time."""
    size = sys.getsizeof(value)
    if isinstance(value, list | tuple):
        return size + sum(measured(inner) for inner in value)
    if isinstance(value, dict):
        return size + sum(measured(key) + measured(inner) for key, inner in value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return size + sum(measured(getattr(value, part.name)) for part in fields(value))
    return size
