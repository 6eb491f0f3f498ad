"""One read of one system behind the tiers: what is fresh enough is given, what is not is fetched, what cannot be
fetched is given all the same where that is allowed, and says so.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.cache.flights import Catch, Flight, Flights, Landed, Pair
from gateway.cache.labels import shows, stale
from gateway.cache.leases import Leases
from gateway.cache.lull import Lull
from gateway.cache.memory import Memory
from gateway.cache.policy import NEVER, Policy, Terms, terms_of
from gateway.cache.shelves import Shelves
from gateway.cache.store import Entry, Shelf, Store, Tell
from schema.base import SourceOutcome
from schema.errors import (
    FreshnessNotMet,
    SourceError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import ABSENT, Batch, Bundle, Cell, Fetch, Need, Scope, Tally

LENIENT = (SourceUnavailable, SourceTimeout, SourceThrottled)
"""Errors in which an older value helps. A refusal or a missing right is an answer, which no older value contradicts."""
QUIET = 1.0
"""Seconds without another attempt to read anew in the background, after one that failed."""

_ENTRIES = {Entry}


@dataclass(frozen=True, slots=True)
class Tiers:
    """Where entries are kept: in this process and, where there is one, in a store shared by all workers."""

    memory: Memory
    store: Store | None = None
    clock: Callable[[], float] = time.time
    window: float = 0.001
    """Seconds that keys wait for others at most, while the system is being asked already; at 0 they never wait."""
    lull: Lull = field(default_factory=Lull)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is read: of which system, under which name, what classes it brings (``types``: as msgspec reads their cells).

    ``tags`` has for every class what its cells speak of.
    """

    system: str
    read: str
    types: Mapping[type, Any]
    policies: Mapping[type, Policy]
    tags: Mapping[type, Tell]
    max_keys: int = 100
    timeout: float = 2.0
    shared: bool = True
    sound: Callable[[Any], bool] | None = None
    """Whether a cell that is not None may be kept; None where all may."""


class CachedRead:
    """One read with its tiers and its flights."""

    def __init__(self, subject: Subject, fetch: Fetch, tiers: Tiers) -> None:
        self.subject = subject
        self._fetch = fetch
        self._tiers = tiers
        self._memory, self._clock = tiers.memory, tiers.clock
        self._shelves = Shelves(f"{subject.system}/{subject.read}", subject.types)
        self._flights = Flights(
            subject.system,
            self._carry,
            max_keys=subject.max_keys,
            window=tiers.window,
            shared=subject.shared,
            clock=tiers.clock,
            valid=self._valid,
            lull=tiers.lull if tiers.window > 0 else None,
        )
        self._leases = Leases(tiers.store, subject.timeout) if tiers.store is not None else None
        self._quiet_until = 0.0

    def peek(self, cls: type, keys: Sequence[str], need: Need, scope: Scope, tally: Tally) -> list[Cell]:
        """What this process has at hand and is fresh enough, one cell a key; ABSENT where it has not."""
        if need.written is not None or not self._memory:
            # Whether an entry shows the write is seen one by one: not here.
            return [ABSENT] * len(keys)
        policy = self.subject.policies[cls]
        terms = terms_of(policy, need, self._clock())
        shelf = self._shelves.of(scope)[cls].name
        found = self._memory.column(shelf, keys, terms.fresh, terms.absent, tally.parts)
        tally.l1 += found.hits
        if found.oldest < NEVER:
            tally.lasts(policy.max_age, found.oldest)
        if found.oldest_absent < NEVER:
            tally.lasts(policy.negative_max_age, found.oldest_absent)
        return found.cells

    async def call(self, batch: Batch) -> Bundle:
        """One cell a key for every class wanted. Raises nothing: what failed is a cell."""
        terms = self._terms(batch)
        if not self._memory:
            missing: dict[type, Sequence[str]] = dict.fromkeys(batch.wants, batch.keys)
            catch = await self._fetched(missing, batch, terms)
            return {cls: self._column(cls, batch.keys, catch, batch, terms[cls]) for cls in batch.wants}
        bundle, missing = self._at_hand(batch, terms)
        if missing:
            catch = await self._fetched(missing, batch, terms)
            for cls, keys in missing.items():
                settled = iter(self._column(cls, keys, catch, batch, terms[cls]))
                bundle[cls] = [next(settled) if cell is ABSENT else cell for cell in bundle[cls]]
        return bundle

    def _terms(self, batch: Batch) -> dict[type, Terms]:
        now, policies = self._clock(), self.subject.policies
        made: dict[int, Terms] = {}
        found: dict[type, Terms] = {}
        for cls in batch.wants:
            policy = policies[cls]
            terms = made.get(id(policy))
            if terms is None:
                terms = made[id(policy)] = terms_of(policy, batch.need, now)
            found[cls] = terms
        return found

    async def _fetched(
        self, missing: Mapping[type, Sequence[str]], batch: Batch, terms: Mapping[type, Terms]
    ) -> Catch:
        written = batch.need.written
        if written is None:
            fresh = {cls: terms[cls].fresh for cls in missing}
        else:
            fresh = {cls: max(terms[cls].fresh, written.at) for cls in missing}
        catch = await self._flights.fetch(missing, fresh, batch.deadline, batch.lane, batch.scope)
        _count(batch.tally, catch)
        return catch

    def _column(self, cls: type, keys: Sequence[str], catch: Catch, batch: Batch, terms: Terms) -> list[Cell]:
        """The cells to give after a fetch."""
        landed, tally = catch.found[cls], batch.tally
        if batch.need.written is not None or {*map(type, landed)} != _ENTRIES:
            return [
                self._settled((cls, key), one, batch, terms) for key, one in zip(keys, landed, strict=True)
            ]
        entries: list[Any] = landed
        cells = [entry.cell for entry in entries]
        oldest = oldest_absent = NEVER
        for entry in entries:
            read_at = entry.read_at
            if entry.cell is None:
                oldest_absent = min(oldest_absent, read_at)
            elif read_at < oldest:
                oldest = read_at
        policy = self.subject.policies[cls]
        if oldest < NEVER:
            tally.lasts(policy.max_age, oldest)
        if oldest_absent < NEVER:
            tally.lasts(policy.negative_max_age, oldest_absent)
        if tally.parts is not None:
            tally.parts += entries
        return cells

    def adopt(self, keys: Sequence[str], bundle: Bundle, sent: float, scope: Scope) -> None:
        """Keep rows that came along with something else; those that failed are left out."""
        if not self._memory.keeps:
            return
        shelves = self._shelves.of(scope)
        for cls, column in bundle.items():
            if cls in self.subject.types:
                policy, tell = self.subject.policies[cls], self.subject.tags[cls]
                until = sent + policy.lifetime
                good = {
                    key: Entry(cell, sent, (), until, tell, key)
                    for key, cell in zip(keys, column, strict=True)
                    if cell is not None and not isinstance(cell, SourceError)
                }
                self._keep(shelves[cls], policy, good)

    def _at_hand(self, batch: Batch, terms: Mapping[type, Terms]) -> tuple[Bundle, dict[type, Sequence[str]]]:
        """The cells that need no fetch (ABSENT for the others), and the keys that do. What is given while it is old is
        read anew.
        """
        bundle: Bundle = {}
        missing: dict[type, Sequence[str]] = {}
        aging: dict[type, list[str]] = {}
        for cls in batch.wants:
            bundle[cls] = self._cells_at_hand(cls, batch, terms[cls], aging)
            rest = [key for key, cell in zip(batch.keys, bundle[cls], strict=True) if cell is ABSENT]
            if rest:
                missing[cls] = rest
        if aging:
            self._refresh(aging, batch.scope)
        return bundle, missing

    def _cells_at_hand(
        self, cls: type, batch: Batch, accepted: Terms, aging: dict[type, list[str]]
    ) -> list[Cell]:
        shelf, written, look = self._shelves.of(batch.scope)[cls].name, batch.need.written, self._memory.look
        cells: list[Cell] = []
        for key in batch.keys:
            entry = look(shelf, key)
            if entry is None or not shows(entry, written):
                cells.append(ABSENT)
            elif entry.read_at >= (accepted.absent if entry.cell is None else accepted.fresh):
                cells.append(self._vouched(cls, entry, batch.tally))
            elif entry.cell is not None and entry.read_at >= accepted.aging:
                cells.append(stale(entry, SourceOutcome.STALE, "It is being read anew."))
                aging.setdefault(cls, []).append(key)
            else:
                cells.append(ABSENT)
        batch.tally.l1 += len(cells) - cells.count(ABSENT)
        return cells

    def _settled(self, pair: Pair, landed: Landed, batch: Batch, terms: Terms) -> Cell:
        """The cell to give after a fetch: what it brought, or what is known from before."""
        if isinstance(landed, Entry):
            entry = landed
            if shows(entry, batch.need.written):
                return self._vouched(pair[0], entry, batch.tally)
            told = f"{self.subject.system} does not show the write yet."
            if batch.need.allow_stale:
                return stale(entry, SourceOutcome.STALE, told, met=False)
            return FreshnessNotMet(told, read_at=entry.read_at)
        error = landed
        older = self._memory.look(self._shelves.of(batch.scope)[pair[0]].name, pair[1])
        if older is None or older.cell is None or not isinstance(error, LENIENT):
            return error
        if older.read_at >= terms.last:
            met = older.read_at >= terms.met and shows(older, batch.need.written)
            return stale(older, error.outcome, str(error), met=met, retry_after=error.retry_after)
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

    def _refresh(self, wanted: Mapping[type, Sequence[str]], scope: Scope) -> None:
        """Read anew in the background, at most once for everyone."""
        now = self._clock()
        if now < self._quiet_until:
            return
        fresh = {cls: now - self.subject.policies[cls].max_age for cls in wanted}
        self._flights.refresh(wanted, fresh, self.subject.timeout, scope)

    def _valid(self, entry: Entry) -> bool:
        return self._memory.valid(entry, self._clock())

    async def _carry(self, flight: Flight) -> None:
        """Fill a flight: from the shared store what is fresh enough there, the rest from the system."""
        if self._tiers.store is None:
            keys = list(flight.keys)
        else:
            keys = list(dict.fromkeys([key for _, key in await self._from_store(flight)]))
        if not keys:
            flight.land()
            return
        if self._leases is None:
            await self._live(flight, keys)
            flight.land()
            return
        lease = self._shelves.lease(flight.scope)
        await self._leases.through(flight, lease, keys, self._live, self._from_store)
        flight.land()

    async def _from_store(self, flight: Flight, keys: Sequence[str] | None = None) -> list[Pair]:
        """Take what the shared store has; returns the pairs that it has not, or not fresh enough."""
        store = self._tiers.store
        pairs = [(cls, key) for cls in flight.wants for key in (keys if keys is not None else flight.keys)]
        if store is None:
            return pairs
        shelves = self._shelves.of(flight.scope)
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
                flight.landed.setdefault(pair[0], {})[pair[1]] = entry
                flight.shared.add(pair)
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
        shelves = self._shelves.of(flight.scope)
        for cls, column in bundle.items():
            good = self._landed(flight, cls, keys, column, sent)
            policy, shelf = self.subject.policies[cls], shelves[cls]
            self._keep(shelf, policy, good)
            if self._tiers.store is not None:
                kept += [
                    ((shelf, key), entry, self._lifetime(policy, entry.cell)) for key, entry in good.items()
                ]
        if self._tiers.store is not None and kept:
            if flight.whole:
                flight.land()
            await self._tiers.store.put(kept)

    def _landed(
        self, flight: Flight, cls: type, keys: Sequence[str], column: Sequence[Cell], sent: float
    ) -> dict[str, Entry]:
        """Take a column in; returns the entries that may be kept."""
        subject, landed = self.subject, flight.landed.setdefault(cls, {})
        policy, tell = subject.policies[cls], subject.tags[cls]
        until, absent = sent + policy.lifetime, sent + policy.negative_max_age
        if subject.sound is None and not any(issubclass(kind, SourceError) for kind in {*map(type, column)}):
            good = {
                key: Entry(cell, sent, (), absent if cell is None else until, tell, key)
                for key, cell in zip(keys, column, strict=True)
            }
        else:
            good = {}
            for key, cell in zip(keys, column, strict=True):
                if isinstance(cell, SourceError):
                    landed[key] = cell
                    flight.failed = True
                    self._quiet_until = sent + QUIET
                elif cell is None or subject.sound is None or subject.sound(cell):
                    good[key] = Entry(cell, sent, (), absent if cell is None else until, tell, key)
                else:
                    landed[key] = Entry(cell, sent)
        landed.update(good)
        if flight.shared:
            flight.shared.difference_update([(cls, key) for key in keys])
        return good

    def _keep(self, shelf: Shelf, policy: Policy, entries: Mapping[str, Entry]) -> None:
        """Keep what may be of use later, where this process keeps anything."""
        if not self._memory.keeps:
            return
        if policy.lifetime <= 0 or policy.negative_max_age <= 0:
            entries = {key: one for key, one in entries.items() if self._lifetime(policy, one.cell) > 0}
        self._memory.keep_all(shelf.name, entries)

    @staticmethod
    def _lifetime(policy: Policy, cell: Cell) -> float:
        return policy.negative_max_age if cell is None else policy.lifetime


def _count(tally: Tally, catch: Catch) -> None:
    tally.l2 += catch.shared
    for flight, ours in dict(catch.flights).items():
        if ours:
            tally.calls += flight.calls
        else:
            tally.shared += flight.calls > 0
