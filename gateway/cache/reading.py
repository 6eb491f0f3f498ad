"""One read of one system behind the tiers: what is fresh enough is given, what is not is fetched, what cannot be
fetched is given all the same where that is allowed, and says so.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from gateway.cache.flights import Flight, Flights, Landed, Pair
from gateway.cache.leases import Leases
from gateway.cache.marks import passed
from gateway.cache.memory import Memory
from gateway.cache.policy import NEVER, Policy, Terms, terms_of
from gateway.cache.receipts import CellsReceipt, vouch
from gateway.cache.store import Entry, Shelf, Store
from schema.base import SourceOutcome
from schema.errors import (
    FreshnessNotMet,
    SourceError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import ABSENT, Batch, Bundle, Cell, Fetch, Need, Scope, Stale, Tally, Written

LENIENT = (SourceUnavailable, SourceTimeout, SourceThrottled)
"""Errors in which an older value helps. A refusal or a missing right is an answer, which no older value contradicts."""
QUIET = 1.0
"""Seconds without another attempt to read anew in the background, after one that failed."""

MOST_SCOPES = 1000
"""More scopes than these are not remembered at a time; naming their shelves anew costs little."""

Tags: TypeAlias = Callable[[type, str, Any], tuple[str, ...]]
"""What a cell of a class under a key speaks of."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """Where entries are kept: in this process and, where there is one, in a store shared by all workers."""

    memory: Memory
    store: Store | None = None
    clock: Callable[[], float] = time.time
    window: float = 0.001
    """Seconds that keys wait for others at most, while the system is being asked already."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is read: of which system, under which name, what classes it brings (``types``: as msgspec reads their cells)."""

    system: str
    read: str
    types: Mapping[type, Any]
    policies: Mapping[type, Policy]
    tags: Tags
    max_keys: int = 100
    timeout: float = 2.0
    shared: bool = True
    sound: Callable[[Any], bool] = lambda _: True
    """Whether a cell that is not None may be kept."""


@dataclass(slots=True)
class _Shelves:
    """The shelves of one scope; scopes are few and live as long as their rights."""

    by_class: dict[type, Shelf]
    lease: Shelf


class CachedRead:
    """One read with its tiers and its flights."""

    def __init__(self, subject: Subject, fetch: Fetch, tiers: Tiers) -> None:
        self.subject = subject
        self._fetch = fetch
        self._tiers = tiers
        self._memory, self._clock = tiers.memory, tiers.clock
        self._scopes: dict[Scope, _Shelves] = {}
        self._flights = Flights(
            subject.system,
            self._carry,
            max_keys=subject.max_keys,
            window=tiers.window,
            shared=subject.shared,
            clock=tiers.clock,
            valid=self._valid,
        )
        self._leases = Leases(tiers.store, subject.timeout) if tiers.store is not None else None
        self._quiet_until = 0.0

    def peek(self, cls: type, keys: Sequence[str], need: Need, scope: Scope, tally: Tally) -> list[Cell]:
        """What this process has at hand and is fresh enough, one cell a key; ABSENT where it has not."""
        if need.written is not None:
            # Whether an entry shows the write is seen one by one: not here.
            return [ABSENT] * len(keys)
        policy = self.subject.policies[cls]
        terms = terms_of(policy, need, self._clock())
        shelf = self._shelf(cls, scope).name
        given: list[Entry] | None = None if tally.parts is None and tally.receipts is None else []
        found = self._memory.column(shelf, keys, terms.fresh, terms.absent, given)
        vouch(tally, policy, found)
        if given is not None and tally.parts is not None:
            tally.parts.extend(given)
        if given is not None and tally.receipts is not None and found.hits == len(keys):
            tally.receipts.append(CellsReceipt(self._memory, self._clock, policy, scope, given, found).good)
        return found.cells

    async def call(self, batch: Batch) -> Bundle:
        """One cell a key for every class wanted. Raises nothing: what failed is a cell."""
        now = self._clock()
        terms = {cls: terms_of(self.subject.policies[cls], batch.need, now) for cls in batch.wants}
        cells, missing, aging = self._at_hand(batch, terms)
        if aging:
            self._refresh(aging, batch.scope, now)
        if missing:
            written = batch.need.written
            fresh = {
                cls: t.fresh if written is None else max(t.fresh, written.at) for cls, t in terms.items()
            }
            found, flights = await self._flights.fetch(
                missing, fresh, batch.deadline, batch.lane, batch.scope
            )
            _count(batch.tally, found.values(), flights)
            for pair in missing:
                cells[pair] = self._settled(pair, found[pair], batch, terms[pair[0]])
        return {cls: [cells[cls, key] for key in batch.keys] for cls in batch.wants}

    def adopt(self, keys: Sequence[str], bundle: Bundle, sent: float, scope: Scope) -> None:
        """Keep rows that came along with something else; those that failed are left out."""
        for cls, column in bundle.items():
            if cls in self.subject.types:
                for key, cell in zip(keys, column, strict=True):
                    if cell is not None and not isinstance(cell, SourceError):
                        self._kept(self._shelf(cls, scope), (cls, key), cell, sent)

    def _at_hand(
        self, batch: Batch, terms: Mapping[type, Terms]
    ) -> tuple[dict[Pair, Cell], list[Pair], list[Pair]]:
        """The cells that need no fetch, the pairs that do, and those that are given while they are read anew."""
        cells: dict[Pair, Cell] = {}
        missing: list[Pair] = []
        aging: list[Pair] = []
        written = batch.need.written
        for cls in batch.wants:
            shelf, accepted = self._shelf(cls, batch.scope).name, terms[cls]
            for key in batch.keys:
                entry = self._memory.look(shelf, key)
                if entry is None or not _shows(entry, written):
                    missing.append((cls, key))
                elif entry.read_at >= (accepted.absent if entry.cell is None else accepted.fresh):
                    cells[cls, key] = self._vouched(cls, entry, batch.tally)
                    batch.tally.l1 += 1
                elif entry.cell is not None and entry.read_at >= accepted.aging:
                    cells[cls, key] = _stale(entry, SourceOutcome.STALE, "It is being read anew.")
                    batch.tally.l1 += 1
                    aging.append((cls, key))
                else:
                    missing.append((cls, key))
        return cells, missing, aging

    def _settled(self, pair: Pair, landed: Landed, batch: Batch, terms: Terms) -> Cell:
        """The cell to give after a fetch: what it brought, or what is known from before."""
        entry = landed.entry
        if entry is not None:
            if _shows(entry, batch.need.written):
                return self._vouched(pair[0], entry, batch.tally)
            told = f"{self.subject.system} does not show the write yet."
            if batch.need.allow_stale:
                return _stale(entry, SourceOutcome.STALE, told, met=False)
            return FreshnessNotMet(told, read_at=entry.read_at)
        error = landed.error or SourceUnavailable(f"{self.subject.system} gave no answer for this key.")
        older = self._memory.look(self._shelf(pair[0], batch.scope).name, pair[1])
        if older is None or older.cell is None or not isinstance(error, LENIENT):
            return error
        if older.read_at >= terms.last:
            met = older.read_at >= terms.met and _shows(older, batch.need.written)
            return _stale(older, error.outcome, str(error), met=met, retry_after=error.retry_after)
        if terms.explicit:
            age = max(0.0, self._clock() - older.read_at)
            return FreshnessNotMet(
                f"What is known is {age:.0f} s old, and {error}",
                retry_after=error.retry_after,
                read_at=older.read_at,
                reason=error.outcome,
            )
        return error

    def _vouched(self, cls: type, entry: Entry, tally: Tally) -> Cell:
        """The cell of an entry, with the time that it may be used for."""
        policy, cell = self.subject.policies[cls], entry.cell
        tally.lasts(policy.negative_max_age if cell is None else policy.max_age, entry.read_at)
        if tally.parts is not None:
            tally.parts.append(entry)
        return cell

    def _refresh(self, pairs: Sequence[Pair], scope: Scope, now: float) -> None:
        """Read anew in the background, at most once for everyone."""
        if now < self._quiet_until:
            return
        fresh = {cls: now - self.subject.policies[cls].max_age for cls, _ in pairs}
        self._flights.refresh(pairs, fresh, self.subject.timeout, scope)

    def _valid(self, entry: Entry) -> bool:
        return self._memory.valid(entry, self._clock())

    async def _carry(self, flight: Flight) -> None:
        """Fill a flight: from the shared store what is fresh enough there, the rest from the system."""
        missing = await self._from_store(flight) if self._tiers.store is not None else flight.pairs
        if not missing:
            flight.land()
            return
        keys = list(dict.fromkeys([key for _, key in missing]))
        if self._leases is None:
            await self._live(flight, keys)
            flight.land()
            return
        lease = self._shelves(flight.scope).lease
        await self._leases.through(flight, lease, keys, self._live, self._from_store)
        flight.land()

    async def _from_store(self, flight: Flight, keys: Sequence[str] | None = None) -> list[Pair]:
        """Take what the shared store has; returns the pairs that it has not, or not fresh enough."""
        store = self._tiers.store
        pairs = [(cls, key) for cls in flight.wants for key in (keys if keys is not None else flight.keys)]
        if store is None:
            return pairs
        shelves = self._shelves(flight.scope).by_class
        places = [(shelves[cls], key) for cls, key in pairs]
        missing: list[Pair] = []
        now = self._clock()
        for pair, place, entry in zip(pairs, places, await store.get(places), strict=True):
            if entry is None or not self._memory.valid(entry, now):
                missing.append(pair)
                continue
            policy = self.subject.policies[pair[0]]
            entry.until = entry.read_at + self._lifetime(policy, entry.cell)
            self._memory.keep(place[0].name, place[1], entry)
            oldest = flight.fresh.get(pair[0], NEVER)
            if entry.cell is None:
                oldest = max(oldest, now - policy.negative_max_age)
            if entry.read_at >= oldest:
                flight.landed[pair] = Landed(entry, shared=True)
            else:
                missing.append(pair)
        return missing

    async def _live(self, flight: Flight, keys: Sequence[str]) -> None:
        """Ask the system; what it says is kept here, and in the shared store once those who wait have it."""
        batch = Batch(tuple(keys), frozenset(flight.wants), flight.deadline, flight.scope, flight.lane)
        sent = self._clock()
        try:
            bundle = await self._fetch(batch)
        except SourceError as error:
            bundle = {cls: [error] * len(keys) for cls in flight.wants}
        flight.calls += batch.tally.calls
        kept: list[tuple[tuple[Shelf, str], Entry, float]] = []
        shelves = self._shelves(flight.scope).by_class
        for cls, column in bundle.items():
            for key, cell in zip(keys, column, strict=True):
                if isinstance(cell, SourceError):
                    flight.landed[cls, key] = Landed(error=cell)
                    self._quiet_until = sent + QUIET
                elif cell is None or self.subject.sound(cell):
                    kept.append(self._kept(shelves[cls], (cls, key), cell, sent))
                    flight.landed[cls, key] = Landed(kept[-1][1])
                else:
                    flight.landed[cls, key] = Landed(Entry(cell, sent))
        if self._tiers.store is not None and kept:
            if all(pair in flight.landed for pair in flight.pairs):
                flight.land()
            await self._tiers.store.put(kept)

    def _kept(
        self, shelf: Shelf, pair: Pair, cell: Cell, sent: float
    ) -> tuple[tuple[Shelf, str], Entry, float]:
        cls, key = pair
        lifetime = self._lifetime(self.subject.policies[cls], cell)
        entry = Entry(cell, sent, self.subject.tags(cls, key, cell), sent + lifetime)
        if lifetime > 0:
            self._memory.keep(shelf.name, key, entry)
        return (shelf, key), entry, lifetime

    @staticmethod
    def _lifetime(policy: Policy, cell: Cell) -> float:
        return policy.negative_max_age if cell is None else policy.lifetime

    def _shelf(self, cls: type, scope: Scope) -> Shelf:
        return self._shelves(scope).by_class[cls]

    def _shelves(self, scope: Scope) -> _Shelves:
        known = self._scopes.get(scope)
        if known is None:
            subject = self.subject
            if len(self._scopes) >= MOST_SCOPES:
                self._scopes.clear()
            place = f"{subject.system}/{subject.read}/{_text(scope)}"
            known = self._scopes[scope] = _Shelves(
                {cls: Shelf(f"{place}/{cls.__name__}", kind) for cls, kind in subject.types.items()},
                Shelf(place, None),
            )
        return known


def _shows(entry: Entry, written: Written | None) -> bool:
    """Whether an entry is not older than a write to what it speaks of."""
    if written is None or written.tags.isdisjoint(entry.tags):
        return True
    return passed(entry, written)


def _stale(
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


def _count(tally: Tally, found: Iterable[Landed], flights: Iterable[tuple[Flight, bool]]) -> None:
    tally.l2 += sum(landed.shared for landed in found)
    for flight, ours in dict(flights).items():
        if ours:
            tally.calls += flight.calls
        else:
            tally.shared += flight.calls > 0


def _text(scope: Scope) -> str:
    """A scope as part of a name: the same for the same rights, in every process."""

    def listed(values: frozenset[str] | None) -> str:
        return "*" if values is None else ",".join(sorted(value.replace(",", "%2C") for value in values))

    return f"{listed(scope.plants)};{listed(scope.parties)}"
