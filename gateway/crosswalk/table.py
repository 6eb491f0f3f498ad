"""The whole crosswalk in memory, both ways: what a lookup costs is a dictionary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from schema.base import KEYS, PREFIXES, split_key
from schema.matching import Entry
from sources.references import KINDS

Index: TypeAlias = dict[str, dict[str, Entry]]
"""Kind → key → entry."""


@dataclass(slots=True)
class Side:
    """The entries of one system, by our key and by its own."""

    ours: Index = field(default_factory=dict)
    theirs: Index = field(default_factory=dict)

    def of_ours(self, kind: str, key: str) -> Entry | None:
        """The entry of a key of ours."""
        return self.ours.get(kind, _NONE).get(key)

    def of_theirs(self, kind: str, key: str) -> Entry | None:
        """The entry of a key of the system."""
        return self.theirs.get(kind, _NONE).get(key)


_NONE: Mapping[str, Entry] = {}


@dataclass(slots=True)
class Table:
    """The entries of all systems. Never changed in place: a new one takes its place."""

    sides: dict[str, Side] = field(default_factory=dict)
    entries: frozenset[Entry] = frozenset()


def make_table(entries: Iterable[Entry]) -> Table:
    """The table of some entries; one whose keys cannot be keys of its kind is left out, as if it were not there."""
    kept = frozenset(entry for entry in entries if _usable(entry))
    sides: dict[str, Side] = {}
    for entry in kept:
        side = sides.setdefault(entry.system, Side())
        side.ours.setdefault(entry.kind, {})[entry.ours] = entry
        side.theirs.setdefault(entry.kind, {})[entry.theirs] = entry
    return Table(sides, kept)


def touched(old: Table, new: Table) -> frozenset[str]:
    """The gateway's ids of everything whose matching differs between two tables.

    A key of ours that looks like the system's is touched as well: it was another thing before, or is now.
    """
    changed = old.entries ^ new.entries
    return frozenset(
        f"{PREFIXES[KINDS[entry.kind]]}:{key}" for entry in changed for key in (entry.ours, entry.theirs)
    )


def _usable(entry: Entry) -> bool:
    """The command sees to it, but a table can be written to by other means."""
    size = len(KEYS[KINDS[entry.kind]]["id"]) if entry.kind in KINDS else 0
    return len(split_key(entry.ours)) == len(split_key(entry.theirs)) == size
