"""A cache that tests tell what to do: it ages or withholds the rows of a class, vouches for others, and remembers calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schema.base import SourceOutcome
from schema.errors import FreshnessNotMet
from sources.base import (
    ABSENT,
    Batch,
    Bundle,
    Cell,
    Fetch,
    Listing,
    Need,
    Page,
    Peek,
    Query,
    Read,
    Scope,
    Search,
    Stale,
    Tally,
)
from sources.settings import SystemConfig

ARRIVED = 1_800_000_000.0
"""When the requests of these tests arrive, in seconds since the epoch."""


def relabelled(value: Any, reason: SourceOutcome) -> Any:
    """The rows with the reason for their age in their provenance, as a cache gives them."""
    if isinstance(value, list):
        return [relabelled(row, reason) for row in value]
    if getattr(value, "provenance", None) is None:
        return value
    return replace(value, provenance=replace(value.provenance, stale_reason=reason))


@dataclass
class Old:
    """How the rows of a class are too old. Where the need forbids older values they are withheld."""

    age: float = 90.0
    met: bool = False
    reason: SourceOutcome = SourceOutcome.UNAVAILABLE
    message: str = "The system is down; its last answer is given."
    retry_after: float | None = None

    def cell(self, cell: Cell, need: Need) -> Cell:
        """What is given in place of a fresh cell."""
        if not self.met and not need.allow_stale:
            return FreshnessNotMet(self.message, read_at=ARRIVED - self.age, reason=self.reason)
        return self.wrapped(relabelled(cell, self.reason))

    def wrapped(self, value: Any) -> Stale:
        """A value with what is said about its age."""
        return Stale(value, ARRIVED - self.age, self.reason, self.message, self.met, self.retry_after)


@dataclass
class FakeCache:
    """``old`` by system and class, ``pages`` by system; ``lasting`` is the lifetime it vouches for, with the age, by
    system ("" for the others). ``at_hand`` are the classes it has without waiting.
    """

    old: dict[tuple[str, type], Old] = field(default_factory=dict)
    pages: dict[str, Old] = field(default_factory=dict)
    lasting: dict[str, tuple[float, float]] = field(default_factory=dict)
    at_hand: dict[type, dict[str, Cell]] = field(default_factory=dict)
    calls: list[tuple[str, str, Batch]] = field(default_factory=list)
    queries: list[tuple[str, Query]] = field(default_factory=list)

    def read(self, config: SystemConfig, read: Read, fetch: Fetch) -> tuple[Fetch, Peek | None]:
        """The read, aged."""

        async def call(batch: Batch) -> Bundle:
            self.calls.append((config.code, read.name, batch))
            bundle = await fetch(batch)
            self._vouch(config.code, batch.tally)
            return {cls: self._aged(config.code, cls, cells, batch.need) for cls, cells in bundle.items()}

        def peek(cls: type, keys: Sequence[str], need: Need, scope: Scope, tally: Tally) -> list[Cell]:
            self._vouch(config.code, tally)
            return [self.at_hand.get(cls, {}).get(key, ABSENT) for key in keys]

        return call, peek if self.at_hand else None

    def search(self, config: SystemConfig, search: Search, fetch: Listing) -> Listing:
        """The list, aged."""

        async def call(query: Query) -> Page:
            self.queries.append((config.code, query))
            page = await fetch(query)
            self._vouch(config.code, query.tally)
            old = self.pages.get(config.code)
            if old is None:
                return page
            if not old.met and not query.need.allow_stale:
                raise FreshnessNotMet(old.message, read_at=ARRIVED - old.age, reason=old.reason)
            bundle = {c: [relabelled(x, old.reason) for x in cells] for c, cells in page.bundle.items()}
            return replace(page, bundle=bundle, stale=old.wrapped(None))

        return call

    def _aged(self, system: str, cls: type, cells: list[Cell], need: Need) -> list[Cell]:
        old = self.old.get((system, cls))
        return cells if old is None else [old.cell(cell, need) for cell in cells]

    def _vouch(self, system: str, tally: Tally) -> None:
        life = self.lasting.get(system, self.lasting.get(""))
        if life is not None:
            max_age, age = life
            tally.lasts(max_age, ARRIVED - age)

    def needs(self, system: str, read: str) -> list[Need]:
        """The needs with which a read was called."""
        return [batch.need for code, name, batch in self.calls if (code, name) == (system, read)]
