"""Loading: from (class, key) to an answer, in batches, once per operation.

Two layers. A *hop* is one read of one system: everything asked of it in the same turn of the loop becomes one call,
whatever classes are wanted, because one payload serves several. Above it an aiodataloader per (class, by) collects the
keys of single loads; whole sets of keys go the same way at once. Nothing here raises for source trouble: a failure
is part of the answer.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from aiodataloader import DataLoader

from schema.base import join_key
from schema.errors import SourceError, SourceNotMapped, SourceUnavailable
from sources.base import (
    ABSENT,
    WHATEVER,
    Batch,
    Cell,
    Lane,
    Lifetime,
    Lister,
    Need,
    Page,
    Peek,
    Provider,
    Providers,
    Scope,
    Stale,
    Tally,
)

T = TypeVar("T")


@dataclass(slots=True)
class Answer(Generic[T]):
    """What the systems said about one key: the value, who was asked, and who failed and why."""

    value: T | None
    systems: tuple[str, ...] = ()
    failures: tuple[tuple[str, SourceError], ...] = ()
    stale: tuple[tuple[str, Stale], ...] = ()
    """Which systems' part of the value is older than it should be, and why."""

    @property
    def known(self) -> bool:
        """Whether the absence of a value means that there is none (and not that nobody could say)."""
        return self.value is not None or not self.failures


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked of one read in one go, for budgets and reports: so many keys, so many calls to the system.

    ``l1`` and ``l2`` are the cells found in the tiers of the cache; ``shared`` calls were other operations' as well.
    ``tightest`` is the lifetime that ends first of what came, None where nobody vouches for it. ``parts`` are the
    entries of the cache that it came from, where somebody collects them.
    """

    system: str
    read: str
    keys: int
    milliseconds: float
    upstream: int = 1
    l1: int = 0
    l2: int = 0
    shared: int = 0
    tightest: Lifetime | None = None
    parts: list[Any] | None = None

    @classmethod
    def tallied(cls, system: str, read: str, keys: int, began: float, tally: Tally) -> "Call":
        """The call that began at a ``time.perf_counter()`` instant and is over now."""
        spent = (time.perf_counter() - began) * 1000
        counts = (tally.calls, tally.l1, tally.l2, tally.shared)
        return cls(system, read, keys, spent, *counts, tally.tightest, tally.parts)


@dataclass(slots=True)
class Bounds:
    """What every call of an operation carries: how long, for whom, and which classes the document asks for."""

    deadline: float
    scope: Scope
    selected: frozenset[type]
    lane: Lane = Lane.APP
    calls: list[Call] = field(default_factory=list)
    collects: bool = False
    """Whether the calls are to tell which entries of the cache the answer is made of."""

    def tally(self, need: Need) -> Tally:
        """A new tally for a call with this need."""
        return Tally(within=need.within, parts=[] if self.collects else None)


class Hop:
    """One read of one system during one operation."""

    def __init__(self, provider: Provider, bounds: Bounds, need: Need = WHATEVER) -> None:
        self._provider = provider
        self._bounds = bounds
        self._need = need
        self._types = frozenset(part.type for part in provider.read.parts)
        self._memo: dict[type, dict[str, Cell]] = {}
        self._inflight: dict[tuple[type, str], asyncio.Future[None]] = {}
        self._next: tuple[dict[str, None], set[type], asyncio.Future[None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def cells(self, cls: type, keys: Sequence[str]) -> list[Cell]:
        """One cell a key, in order. Keys asked in the same turn of the loop share one call."""
        memo = self._memo.setdefault(cls, {})
        missing = [key for key in keys if key not in memo]
        if missing and self._provider.peek is not None:
            missing = self._at_hand(self._provider.peek, cls, missing, memo)
        if missing:
            waits = dict.fromkeys(
                [self._inflight.get((cls, key)) or self._enqueue(cls, key) for key in missing]
            )
            for wait in waits:
                await asyncio.shield(wait)
        return [memo[key] for key in keys]

    def _at_hand(self, peek: Peek, cls: type, keys: list[str], memo: dict[str, Cell]) -> list[str]:
        """Take what needs no waiting; returns the keys that do."""
        bounds, tally, began = self._bounds, self._bounds.tally(self._need), time.perf_counter()
        missing = []
        for key, cell in zip(keys, peek(cls, keys, self._need, bounds.scope, tally), strict=True):
            if cell is ABSENT:
                missing.append(key)
            else:
                memo[key] = cell
        if len(missing) < len(keys):
            found = len(keys) - len(missing)
            tally.l1 = tally.l1 or found
            system, read = self._provider.system, self._provider.read.name
            bounds.calls.append(Call.tallied(system, read, found, began, tally))
        return missing

    def prime(self, page: Page) -> None:
        """Remember rows that a search brought along; what an older page brought is as old as the page."""
        for cls, cells in page.bundle.items():
            memo = self._memo.setdefault(cls, {})
            for key, cell in zip(page.keys, cells, strict=True):
                if isinstance(cell, SourceError):
                    continue
                aged = page.stale is not None and not isinstance(cell, Stale)
                memo.setdefault(key, replace(page.stale, value=cell) if aged and page.stale else cell)

    def _enqueue(self, cls: type, key: str) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = ({}, set(), loop.create_future())
            loop.call_soon(self._flush)
        keys, wants, done = self._next
        keys[key] = None
        wants.add(cls)
        self._inflight[cls, key] = done
        return done

    def _flush(self) -> None:
        if self._next is None:
            return
        keys, asked, done = self._next
        self._next = None
        # What the same payload brings along for other fields is on its way too: they wait instead of asking again.
        wants = frozenset(asked | (self._types & self._bounds.selected))
        for cls in wants:
            known = self._memo.setdefault(cls, {})
            for key in keys:
                if key not in known:
                    self._inflight.setdefault((cls, key), done)
        task = asyncio.get_running_loop().create_task(self._fetch(tuple(keys), wants, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, keys: tuple[str, ...], wants: frozenset[type], done: asyncio.Future[None]) -> None:
        size = self._provider.read.max_keys
        chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
        try:
            await asyncio.gather(*[self._chunk(chunk, wants) for chunk in chunks])
        finally:
            for cls in wants:
                memo = self._memo[cls]
                for key in keys:
                    memo.setdefault(
                        key, SourceUnavailable(f"{self._provider.system} gave no answer for this key.")
                    )
                    if self._inflight.get((cls, key)) is done:
                        del self._inflight[cls, key]
            if not done.done():
                done.set_result(None)

    async def _chunk(self, keys: tuple[str, ...], wants: frozenset[type]) -> None:
        bounds, tally = self._bounds, self._bounds.tally(self._need)
        batch = Batch(keys, wants, bounds.deadline, bounds.scope, bounds.lane, self._need, tally)
        began = time.perf_counter()
        try:
            bundle = await self._provider.call(batch)
        except SourceError as error:
            bundle = {cls: [error] * len(keys) for cls in wants}
        finally:
            system, read = self._provider.system, self._provider.read.name
            bounds.calls.append(Call.tallied(system, read, len(keys), began, tally))
        for cls, cells in bundle.items():
            memo = self._memo.setdefault(cls, {})
            for key, cell in zip(keys, cells, strict=True):
                if isinstance(cell, SourceError):
                    memo.setdefault(key, cell)
                else:
                    memo[key] = cell


class Loading(Protocol):
    """What loads: the loaders themselves, or a view of them."""

    async def one(self, cls: type[T], key: str, by: str = "id") -> Answer[T]:
        """The row of a key."""
        ...

    async def many(self, cls: type[T], key: str, by: str) -> Answer[list[T]]:
        """The rows of a key."""
        ...

    async def each(self, cls: type[T], keys: Iterable[str], by: str = "id") -> list[Answer[T]]:
        """The row of every key."""
        ...


class Loaders:
    """All loading of one operation for one need. Made inside the running loop, thrown away with the operation."""

    def __init__(self, route: Any, local: dict[type, Any], bounds: Bounds, need: Need = WHATEVER) -> None:
        self._route = route
        self._local = local
        self._bounds = bounds
        self.need = need
        self._hops: dict[tuple[str, str], Hop] = {}
        self._primed: dict[tuple[str, str], list[Page]] = {}
        self._single: dict[tuple[type, str, bool], DataLoader[str, Answer[Any]]] = {}

    def hop(self, provider: Provider) -> Hop:
        """The hop of a provider, shared by all classes its read delivers."""
        place = (provider.system, provider.read.name)
        hop = self._hops.get(place)
        if hop is None:
            hop = self._hops[place] = Hop(provider, self._bounds, self.need)
            for page in self._primed.get(place, ()):
                hop.prime(page)
        return hop

    def prime(self, lister: Lister, page: Page) -> None:
        """Keep the rows of a search under the read it names; hops made later start from them."""
        if lister.search.read is not None:
            place = (lister.system, lister.search.read)
            self._primed.setdefault(place, []).append(page)
            if place in self._hops:
                self._hops[place].prime(page)

    async def one(self, cls: type[T], key: str, by: str = "id") -> Answer[T]:
        """The row of a key."""
        return await asyncio.shield(self._loader(cls, by, False).load(key))

    async def many(self, cls: type[T], key: str, by: str) -> Answer[list[T]]:
        """The rows of a key."""
        return await asyncio.shield(self._loader(cls, by, True).load(key))

    async def each(self, cls: type[T], keys: Iterable[str], by: str = "id") -> list[Answer[T]]:
        """The row of every key."""
        return await self.load_set(cls, by, list(keys), False)

    async def load_set(self, cls: type, by: str, keys: Sequence[str], many: bool) -> list[Answer[Any]]:
        """One answer a key, in order."""
        local = self._local.get(cls)
        if local is not None:
            return [Answer(local(key)) for key in keys]
        groups: dict[int, tuple[Providers, dict[str, None]]] = {}
        for key in keys:
            tiers = self._route(cls, by, key)
            groups.setdefault(id(tiers), (tiers, {}))[1][key] = None
        loads = [self._through(tiers, cls, by, list(group), many) for tiers, group in groups.values()]
        found: dict[str, Answer[Any]] = {}
        for part in [await loads[0]] if len(loads) == 1 else await asyncio.gather(*loads):
            found.update(part)
        return [found[key] for key in keys]

    async def _through(
        self, tiers: Providers, cls: type, by: str, keys: list[str], many: bool
    ) -> dict[str, Answer[Any]]:
        if not tiers:
            error = SourceNotMapped(f"No connected system provides {cls.__name__} by {by} for this plant.")
            return {key: Answer(None, (), (("GATEWAY", error),)) for key in keys}
        answers = {key: Answer[Any](None) for key in keys}
        pending = keys
        for tier in tiers:
            asked = [self.hop(provider).cells(cls, pending) for provider in tier]
            columns = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
            for provider, column in zip(tier, columns, strict=True):
                for key, cell in zip(pending, column, strict=True):
                    _merge(answers[key], provider.system, cell, many)
            pending = [key for key in pending if answers[key].value is None]
            if not pending:
                break
        return answers

    def _loader(self, cls: type, by: str, many: bool) -> DataLoader[str, Answer[Any]]:
        place = (cls, by, many)
        loader = self._single.get(place)
        if loader is None:
            loader = self._single[place] = DataLoader(partial(self._batch, cls, by, many))
        return loader

    async def _batch(self, cls: type, by: str, many: bool, keys: list[str]) -> list[Answer[Any]]:
        return await self.load_set(cls, by, keys, many)


def _merge(answer: Answer[Any], system: str, cell: Cell, many: bool) -> None:
    answer.systems += (system,)
    if isinstance(cell, Stale):
        answer.stale += ((system, cell),)
        cell = cell.value
    if isinstance(cell, SourceError):
        answer.failures += ((system, cell),)
    elif many and cell is not None:  # None: the system does not know what the list would belong to
        answer.value = [*(answer.value or ()), *cell]
    elif answer.value is None:
        answer.value = cell


def older(one: Stale | None, other: Stale) -> Stale:
    """The worse of two: the one that misses the request's need, or else the one read earlier."""
    return other if one is None or (other.met, other.read_at) < (one.met, one.read_at) else one


def stub(cls: type[T], key: dict[str, str]) -> T:
    """An object known by its key alone, where its owner does not answer or does not know it."""
    return cls(**key)


def joined(parts: Sequence[str | None]) -> str | None:
    """A key of parts, or None where one is missing."""
    return None if None in parts else join_key(*[part for part in parts if part is not None])
