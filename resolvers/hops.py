"""A hop: one read of one system during one operation, what it costs, and the bounds that all hops of it share."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import is_
from typing import NamedTuple

from schema.errors import SourceError, SourceUnavailable
from sources.base import (
    ABSENT,
    WHATEVER,
    Batch,
    Cell,
    Lane,
    Lifetime,
    Need,
    Page,
    Peek,
    Provider,
    Receipt,
    Scope,
    Stale,
    Tally,
)


@dataclass(slots=True)
class Call:
    """What was asked of one read in one go, for budgets and reports: so many keys, in so many seconds.

    The tally says what it cost and for how long it holds; it changes no more.
    """

    system: str
    read: str
    keys: int
    seconds: float
    tally: Tally

    @property
    def tightest(self) -> Lifetime | None:
        """The lifetime that ends first of what came, None where nobody vouches for it."""
        return self.tally.tightest


class Given(NamedTuple):
    """Cells as a provider gave them (None: the gateway itself), of one class and in the order of their keys.

    ``receipt`` holds a receipt for them once they were looked up again.
    """

    provider: Provider | None
    cls: type
    keys: Sequence[str]
    cells: Sequence[Cell]
    receipt: list[Receipt]


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

    __slots__ = ("_bounds", "_inflight", "_memo", "_need", "_next", "_place", "_provider", "_tasks")

    def __init__(self, provider: Provider, bounds: Bounds, need: Need = WHATEVER) -> None:
        self._provider = provider
        self._place = provider.system, provider.read.name
        self._bounds = bounds
        self._need = need
        self._memo: dict[type, dict[str, Cell]] = {}
        self._inflight: dict[type, dict[str, asyncio.Future[None]]] = {}
        self._next: tuple[dict[str, None], set[type], asyncio.Future[None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def cells(self, cls: type, keys: Sequence[str]) -> list[Cell]:
        """One cell a key, in order. Keys asked in the same turn of the loop share one call."""
        memo = self._memo.setdefault(cls, {})
        missing = [key for key in keys if key not in memo]
        if missing and self._provider.peek is not None:
            missing = self._at_hand(self._provider.peek, cls, missing, memo)
        if missing:
            flying = self._inflight.get(cls, {})
            waits = {flying[key]: None for key in missing if key in flying}
            unasked = [key for key in missing if key not in flying] if waits else missing
            if unasked:
                waits[self._enqueue(cls, unasked)] = None
            for wait in waits:
                await asyncio.shield(wait)
        return list(map(memo.__getitem__, keys))

    def _at_hand(
        self,
        peek: Peek,
        cls: type,
        keys: Sequence[str],
        memo: dict[str, Cell],
        receipts: list[Receipt] | None = None,
    ) -> list[str]:
        """Take what needs no waiting; returns the keys that do."""
        bounds, tally, began = self._bounds, self._bounds.tally(self._need), time.perf_counter()
        tally.receipts = receipts
        cells = peek(cls, keys, self._need, bounds.scope, tally)
        missing: list[str] = []
        if ABSENT.__class__ in set(map(type, cells)):
            for key, cell in zip(keys, cells, strict=True):
                if cell is ABSENT:
                    missing.append(key)
                else:
                    memo[key] = cell
        else:
            memo.update(zip(keys, cells, strict=True))
        if len(missing) < len(keys):
            found = len(keys) - len(missing)
            tally.l1 = tally.l1 or found
            system, read = self._place
            bounds.calls.append(Call(system, read, found, time.perf_counter() - began, tally))
        return missing

    def at_hand(self, cls: type, key: str) -> Cell:
        """The cell of a key where it needs no waiting; ABSENT otherwise."""
        memo = self._memo.setdefault(cls, {})
        if key not in memo and self._provider.peek is not None:
            self._at_hand(self._provider.peek, cls, [key], memo)
        return memo.get(key, ABSENT)

    def column(self, cls: type, keys: Sequence[str]) -> list[Cell] | None:
        """The cells of some keys where all are at hand; None otherwise."""
        memo = self._memo.get(cls)
        if memo is None:
            memo = self._memo[cls] = {}
        missing = [key for key in keys if key not in memo] if memo else keys
        if missing:
            peek = self._provider.peek
            if peek is None or self._at_hand(peek, cls, missing, memo):
                return None
        return list(map(memo.__getitem__, keys))

    def again(self, given: Given) -> bool:
        """Whether the very same cells are at hand for the same keys."""
        _, cls, keys, cells, receipt = given
        memo = self._memo.get(cls)
        if memo or self._provider.peek is None:
            # What this operation has loaded already holds for all of it.
            now = self.column(cls, keys)
            return now is not None and all(map(is_, now, cells))
        memo, bounds, began = self._memo.setdefault(cls, {}), self._bounds, time.perf_counter()
        tally = bounds.tally(self._need)
        if receipt and receipt[0](self._need, bounds.scope, tally):
            memo.update(zip(keys, cells, strict=True))
            bounds.calls.append(Call(*self._place, len(keys), time.perf_counter() - began, tally))
            return True
        receipt.clear()
        missing = self._at_hand(self._provider.peek, cls, keys, memo, receipt)
        same = not missing and all(map(is_, map(memo.__getitem__, keys), cells))
        if not same:
            receipt.clear()  # It is for others.
        return same

    def known(self, cls: type, keys: Sequence[str]) -> dict[str, Cell]:
        """The cells of those keys that were answered already."""
        memo = self._memo.get(cls, {})
        return {key: memo[key] for key in keys if key in memo}

    def prime(self, page: Page) -> None:
        """Remember rows that a search brought along; what an older page brought is as old as the page."""
        for cls, cells in page.bundle.items():
            memo = self._memo.setdefault(cls, {})
            if page.stale is None and not any(
                issubclass(kind, SourceError) for kind in set(map(type, cells))
            ):
                for key, cell in zip(page.keys, cells, strict=True):
                    memo.setdefault(key, cell)
                continue
            for key, cell in zip(page.keys, cells, strict=True):
                if isinstance(cell, SourceError):
                    continue
                aged = page.stale is not None and not isinstance(cell, Stale)
                memo.setdefault(key, replace(page.stale, value=cell) if aged and page.stale else cell)

    def _enqueue(self, cls: type, some: Sequence[str]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = ({}, set(), loop.create_future())
            loop.call_soon(self._flush)
        keys, wants, done = self._next
        keys.update(dict.fromkeys(some))
        wants.add(cls)
        self._inflight.setdefault(cls, {}).update(dict.fromkeys(some, done))
        return done

    def _flush(self) -> None:
        if self._next is None:
            return
        keys, asked, done = self._next
        self._next = None
        # What the same payload brings along for other fields is on its way too: they wait instead of asking again.
        wants = frozenset(asked | (self._provider.read.types & self._bounds.selected))
        for cls in wants:
            known, flying = self._memo.setdefault(cls, {}), self._inflight.setdefault(cls, {})
            for key in keys:
                if key not in known:
                    flying.setdefault(key, done)
        task = asyncio.get_running_loop().create_task(self._fetch(tuple(keys), wants, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, keys: tuple[str, ...], wants: frozenset[type], done: asyncio.Future[None]) -> None:
        size = self._provider.read.max_keys
        chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
        try:
            if len(chunks) == 1:
                await self._chunk(keys, wants)
            else:
                await asyncio.gather(*[self._chunk(chunk, wants) for chunk in chunks])
        finally:
            for cls in wants:
                memo, flying = self._memo[cls], self._inflight.pop(cls, {})
                silent = [key for key in keys if key not in memo]
                if silent:
                    error = SourceUnavailable(f"{self._provider.system} gave no answer for this key.")
                    memo.update(dict.fromkeys(silent, error))
                others = {key: flight for key, flight in flying.items() if flight is not done}
                if others:
                    self._inflight[cls] = others
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
            system, read = self._place
            bounds.calls.append(Call(system, read, len(keys), time.perf_counter() - began, tally))
        for cls, cells in bundle.items():
            memo = self._memo.setdefault(cls, {})
            if not any(issubclass(kind, SourceError) for kind in set(map(type, cells))):
                memo.update(zip(keys, cells, strict=True))
                continue
            for key, cell in zip(keys, cells, strict=True):
                if isinstance(cell, SourceError):
                    memo.setdefault(key, cell)
                else:
                    memo[key] = cell
