"""What an operation may ask of the systems, added up before it asks: the calls and the rows of every hop.

A hop is one read or list of one system. What is asked of it with the same keys is asked once, and at most ``max_keys``
keys go into one call. Further tiers are counted as if each of them were asked for every key. What nobody can know
beforehand is taken as ``ASSUMED``: how many rows a list inside an object has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import TypeAlias

from resolvers.context import Systems
from resolvers.costs import Cost, Price
from schema.base import Plant, SourceSystem, is_scoped
from sources.base import Lister, Provider, Providers

ASSUMED = 10
"""Rows that a list inside an object is taken to have."""
LOCAL = (Plant, SourceSystem)
"""Classes that the gateway itself knows."""

Scope: TypeAlias = tuple[str | None, str | None]
"""The root whose ``freshness`` counts and the @fresh that does: what is loaded for one is not shared with another."""


@dataclass(slots=True, eq=False)
class Keys:
    """Some keys that are not known yet: at most so many, of these plants where that is known. Two are never equal."""

    count: int
    plants: frozenset[str] | None = None


@dataclass(slots=True)
class Hop:
    """One read of one system and the fields that want it.

    ``cost`` is what it costs at most, ``usual`` the calls of it when every owner answers; ``fallback``: only asked where
    the owner is silent.
    """

    system: str
    read: str
    max_keys: int
    fallback: bool = True
    fields: list[str] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    usual: int = 0


@dataclass(slots=True)
class _Load:
    """A read asked for some keys, at a depth of the document. ``times``: for how many such sets of keys."""

    cls: type
    many: bool
    count: int
    times: int
    depth: int

    def cost(self, size: int) -> Cost:
        fan = ASSUMED if self.many else 1
        return Cost(self.times * ceil(self.count / size), self.times * self.count * fan)


class Ledger:
    """Takes down what is asked, and adds it up. ``selected`` are the classes that the whole document asks for."""

    def __init__(self, systems: Systems, selected: frozenset[type]) -> None:
        self._systems = systems
        self._selected = selected
        self._hops: dict[tuple[str, str], Hop] = {}
        self._brought: dict[tuple[str, str, Scope, Keys], list[tuple[int, frozenset[type]]]] = {}
        """What was asked of a hop for some keys: at which depth, and which classes came."""
        self._further: list[tuple[Hop, Scope, Keys, _Load]] = []
        self.unmapped: dict[str, None] = {}

    def load(
        self,
        cls: type,
        by: str,
        keys: Keys,
        path: str,
        *,
        scope: Scope,
        depth: int,
        count: int | None = None,
        times: int = 1,
    ) -> None:
        """Take down that rows are asked for by their keys: ``times`` sets of them, each of ``count`` where that differs."""
        if cls in LOCAL:
            return
        ways = self._ways(cls, by, keys)
        if not any(ways):
            self.unmapped[path] = None
        firsts = {(one.system, one.read.name): one for tiers in ways for one in (tiers[0] if tiers else ())}
        size = keys.count if count is None else count
        for provider in firsts.values():
            self._first(provider, scope, keys, path, _Load(cls, provider.part.many, size, times, depth))
        for tiers in ways:
            for tier in tiers[1:]:
                for provider in tier:
                    load = _Load(cls, provider.part.many, size, times, depth)
                    self._further.append((self._hop(provider, path), scope, keys, load))

    def listed(
        self, lister: Lister, keys: Keys, path: str, *, scope: Scope, further: bool, pages: int, size: int
    ) -> None:
        """Take down that pages of a list are asked for, whose rows have these keys."""
        search = lister.search
        hop = self._noted(lister.system, search.name, search.max_page, path)
        hop.cost += Cost(pages, pages * size)
        if further:
            return
        hop.fallback = False
        hop.usual += ceil(keys.count / size)
        if search.read is not None:
            brought = frozenset(part.type for part in search.parts) & self._selected
            place = (lister.system, search.read, scope, keys)
            self._brought.setdefault(place, []).append((0, brought | {search.parts[0].type}))

    def settled(self) -> list[Hop]:
        """All hops, in the order in which fields ask for them, added up."""
        asked: set[tuple[str, str, Scope, Keys, type]] = set()
        for hop, scope, keys, load in self._further:
            place = (hop.system, hop.read, scope, keys)
            known = self._brought.get(place, ())
            if any(depth <= load.depth and load.cls in classes for depth, classes in known):
                continue
            if (*place, load.cls) not in asked:
                asked.add((*place, load.cls))
                hop.cost += load.cost(hop.max_keys)
        self._further.clear()
        return list(self._hops.values())

    def _first(self, provider: Provider, scope: Scope, keys: Keys, path: str, load: _Load) -> None:
        hop = self._hop(provider, path)
        hop.fallback = False
        known = self._brought.setdefault((provider.system, provider.read.name, scope, keys), [])
        if any(load.cls in classes for _, classes in known):
            return
        cost = load.cost(hop.max_keys)
        hop.cost += cost
        hop.usual += cost.calls // load.times
        # What the same payload brings along for other fields is not asked for again.
        along = frozenset(part.type for part in provider.read.parts) & self._selected
        known.append((load.depth, along | {load.cls}))

    def _ways(self, cls: type, by: str, keys: Keys) -> list[Providers]:
        """Whom the keys may go to: for each of their plants, where these route themselves, the tiers of precedence."""
        plants = self._systems.plants if keys.plants is None else keys.plants
        if not plants or not is_scoped(cls, by):
            return [self._systems.tiers(cls, by)]
        ways = {}
        for plant in plants:
            tiers = self._systems.route(cls, by, f"{plant}/")
            ways[tuple([tuple([(one.system, one.read.name) for one in tier]) for tier in tiers])] = tiers
        return list(ways.values())

    def _hop(self, provider: Provider, path: str) -> Hop:
        return self._noted(provider.system, provider.read.name, provider.read.max_keys, path)

    def _noted(self, system: str, read: str, max_keys: int, path: str) -> Hop:
        hop = self._hops.setdefault((system, read), Hop(system, read, max_keys))
        if path not in hop.fields:
            hop.fields.append(path)
        return hop


def priced(hops: Iterable[Hop]) -> Price:
    """The price of some hops together."""
    systems: dict[str, Cost] = {}
    for hop in hops:
        systems[hop.system] = systems.get(hop.system, Cost()) + hop.cost
    return Price(sum(systems.values(), Cost()), systems)
