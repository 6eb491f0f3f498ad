"""What is said of an entry when it is given: that it shows a write, or that it is old. Pure."""

from dataclasses import replace
from typing import Any

from gateway.cache.marks import passed
from gateway.cache.store import Entry
from schema.base import SourceOutcome
from sources.base import Stale, Written


def shows(entry: Entry, written: Written | None) -> bool:
    """Whether an entry is not older than a write to what it speaks of."""
    if written is None or written.tags.isdisjoint(entry.tags):
        return True
    return passed(entry, written)


def stale(
    entry: Entry,
    reason: SourceOutcome,
    message: str,
    *,
    met: bool = True,
    retry_after: float | None = None,
) -> Stale:
    """An older value with its label, on a copy: others are given the same row without it."""
    cell = entry.cell
    value = [labelled(row, reason) for row in cell] if isinstance(cell, list) else labelled(cell, reason)
    return Stale(value, entry.read_at, reason, message, met, retry_after)


def labelled(row: Any, reason: SourceOutcome) -> Any:
    """A copy of a row whose provenance says why it is given although it is old."""
    provenance = getattr(row, "provenance", None)
    if provenance is None:
        return row
    return replace(row, provenance=replace(provenance, stale_reason=reason))
