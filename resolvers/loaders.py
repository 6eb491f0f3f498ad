"""Loading: from (class, key) to an answer, in batches, once per operation.

Two layers. A *hop* is one read of one system: everything asked of it in the same turn of the loop becomes one call,
whatever classes are wanted, because one payload serves several. Above it an aiodataloader per (class, by) collects the
keys of single loads; whole sets of keys go the same way at once. Nothing here raises for source trouble: a failure
is part of the answer.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import is_
from types import NoneType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from aiodataloader import DataLoader

from resolvers.eager import together
from resolvers.hops import Bounds, Hop
from schema.base import is_scoped, join_key
from schema.errors import SourceError, SourceNotMapped
from sources.base import (
    WHATEVER,
    Cell,
    Lister,
    Need,
    Page,
    Provider,
    Providers,
    Query,
    Stale,
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


class Given(NamedTuple):
    """Cells as a provider gave them (None: the gateway itself), of one class and in the order of their keys."""

    provider: Provider | None
    cls: type
    keys: Sequence[str]
    cells: Sequence[Cell]


class Listed(NamedTuple):
    """A page as a system gave it for a query."""

    lister: Lister
    query: Query
    page: Page


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
        self._found: dict[int, Hop] = {}
        self._primed: dict[tuple[str, str], list[Page]] = {}
        self._single: dict[tuple[type, str, bool], DataLoader[str, Answer[Any]]] = {}
        self._answers: dict[tuple[type, str, bool], dict[str, Answer[Any]]] = {}
        self.given: list[Given | Listed | None] | None = None
        """All cells and pages that were given, while somebody listens. None among them: something that is not to be given
        again: an older value, an error, or what ``unsteady`` says."""

    def hop(self, provider: Provider) -> Hop:
        """The hop of a provider, shared by all classes its read delivers."""
        hop = self._found.get(id(provider))
        if hop is None:
            place = (provider.system, provider.read.name)
            hop = self._hops.get(place)
            if hop is None:
                hop = self._hops[place] = Hop(provider, self._bounds, self.need)
                for page in self._primed.get(place, ()):
                    hop.prime(page)
            # The catalog holds its providers for longer than any operation lasts.
            self._found[id(provider)] = hop
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
        known = self._known(cls, by, key, False)
        if known is None:
            return await asyncio.shield(self._loader(cls, by, False).load(key))
        if self.given is not None:
            self._tell(self.given, cls, by, [key])
        return known

    async def many(self, cls: type[T], key: str, by: str) -> Answer[list[T]]:
        """The rows of a key."""
        known = self._known(cls, by, key, True)
        if known is None:
            return await asyncio.shield(self._loader(cls, by, True).load(key))
        if self.given is not None:
            self._tell(self.given, cls, by, [key])
        return known

    def unsteady(self) -> None:
        """What is made now depends on more than what is loaded: on the moment, or on what may change without a word."""
        if self.given is not None:
            self.given.append(None)

    async def each(self, cls: type[T], keys: Iterable[str], by: str = "id") -> list[Answer[T]]:
        """The row of every key."""
        return await self.load_set(cls, by, list(keys), False)

    async def load_set(self, cls: type, by: str, keys: Sequence[str], many: bool) -> list[Answer[Any]]:
        """One answer a key, in order. What was answered once is not put together again."""
        place = (cls, by, many)
        answers = self._answers.get(place)
        if answers is None:
            answers = self._answers[place] = {}
        missing = [key for key in keys if key not in answers]
        if missing:
            await self._answer(cls, by, missing, many, answers)
        if self.given is not None and keys:
            self._tell(self.given, cls, by, keys)
        return [answers[key] for key in keys]

    def column(self, cls: type, by: str, keys: Sequence[str], many: bool) -> list[Any] | None:
        """The values of some keys, in order, where that needs no waiting and no more is to be said; None otherwise.

        That is so where one system owns them all and they are at hand. A key that it does not know has no value where
        nobody else could be asked.
        """
        if not keys:
            return []
        local = self._local.get(cls)
        if local is not None:
            return self._told(None, cls, keys, list(map(local, keys)))
        tiers = self._route(cls, by, keys[0])
        if not tiers or len(tiers[0]) != 1 or (is_scoped(cls, by) and not _same_plant(keys)):
            return None
        cells = self.hop(tiers[0][0]).column(cls, keys)
        if cells is None or not _allowed(list if many else cls, len(tiers) == 1).issuperset(map(type, cells)):
            return None
        return self._told(tiers[0][0], cls, keys, cells)

    def gives(self, given: Given) -> bool:
        """Whether the very same cells are given for the same keys, without waiting."""
        provider, cls, keys, cells = given
        if provider is None:
            now: list[Cell] | None = list(map(self._local[cls], keys))
        else:
            now = self.hop(provider).column(cls, keys)
        if now is None or not all(map(is_, now, cells)):
            return False
        if self.given is not None:
            self.given.append(given)
        return True

    def _told(
        self, provider: Provider | None, cls: type, keys: Sequence[str], cells: list[Cell]
    ) -> list[Cell]:
        if self.given is not None:
            self.given.append(Given(provider, cls, keys, cells))
        return cells

    def _tell(self, given: list[Given | Listed | None], cls: type, by: str, keys: Sequence[str]) -> None:
        """Tell the cells behind answers that were put together from several systems, or found missing in some."""
        local = self._local.get(cls)
        if local is not None:
            given.append(Given(None, cls, keys, list(map(local, keys))))
            return
        groups: dict[int, tuple[Providers, list[str]]] = {}
        for key, tiers in zip(keys, self._routes(cls, by, keys), strict=True):
            groups.setdefault(id(tiers), (tiers, []))[1].append(key)
        for tiers, some in groups.values():
            for provider in [provider for tier in tiers for provider in tier]:
                known = self.hop(provider).known(cls, some)
                sound = not any(isinstance(cell, Stale | SourceError) for cell in known.values())
                given.append(Given(provider, cls, list(known), list(known.values())) if sound else None)

    def _known(self, cls: type, by: str, key: str, many: bool) -> Answer[Any] | None:
        """The answer where it needs no waiting and no second thought: one owner, and its value at hand."""
        answers = self._answers.setdefault((cls, by, many), {})
        answer = answers.get(key)
        if answer is not None or cls in self._local:
            return answer
        tiers = self._route(cls, by, key)
        if not tiers or len(tiers[0]) != 1:
            return None
        [provider] = tiers[0]
        cell = self.hop(provider).at_hand(cls, key)
        if cell.__class__ is not (list if many else cls):
            return None
        answer = answers[key] = Answer(cell, (provider.system,))
        return answer

    async def _answer(
        self, cls: type, by: str, keys: Sequence[str], many: bool, answers: dict[str, Answer[Any]]
    ) -> None:
        local = self._local.get(cls)
        if local is not None:
            answers.update({key: Answer(local(key)) for key in keys})
            return
        groups: dict[int, tuple[Providers, dict[str, None]]] = {}
        for key, tiers in zip(keys, self._routes(cls, by, keys), strict=True):
            group = groups.get(id(tiers))
            if group is None:
                group = groups[id(tiers)] = (tiers, {})
            group[1][key] = None
        loads = [self._through(tiers, cls, by, list(group), many) for tiers, group in groups.values()]
        for part in await together(loads):
            answers.update(part)

    def _routes(self, cls: type, by: str, keys: Sequence[str]) -> list[Providers]:
        """Whom to ask for each key: its plant decides, where it begins with one."""
        if not is_scoped(cls, by):
            return [self._route(cls, by, keys[0])] * len(keys)
        known: dict[str, Providers] = {}
        found = []
        for key in keys:
            plant = key[: key.find("/")]
            tiers = known.get(plant)
            if tiers is None:
                tiers = known[plant] = self._route(cls, by, key)
            found.append(tiers)
        return found

    async def _through(
        self, tiers: Providers, cls: type, by: str, keys: list[str], many: bool
    ) -> dict[str, Answer[Any]]:
        if not tiers:
            error = SourceNotMapped(f"No connected system provides {cls.__name__} by {by} for this plant.")
            return {key: Answer(None, (), (("GATEWAY", error),)) for key in keys}
        answers: dict[str, Answer[Any]] = {}
        usual = list if many else cls
        pending = keys
        for tier in tiers:
            columns = await together([self.hop(provider).cells(cls, pending) for provider in tier])
            alone = len(tier) == 1 and tier is tiers[0]
            for provider, column in zip(tier, columns, strict=True):
                systems = (provider.system,)
                for key, cell in zip(pending, column, strict=True):
                    if alone and cell.__class__ is usual:
                        answers[key] = Answer(cell, systems)
                        continue
                    answer = answers.get(key)
                    if answer is None:
                        answer = answers[key] = Answer(None)
                    _merge(answer, provider.system, cell, many)
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


def _same_plant(keys: Sequence[str]) -> bool:
    # What stands between two texts of the same beginning has that beginning too.
    first = keys[0]
    prefix = first[: first.find("/") + 1]
    return min(keys).startswith(prefix) and max(keys).startswith(prefix)


@cache
def _allowed(kind: type, absent: bool) -> frozenset[type]:
    return frozenset({kind, NoneType} if absent else {kind})


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
