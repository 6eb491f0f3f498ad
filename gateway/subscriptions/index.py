"""Finding the groups that an object may concern, without asking each: by what its key says, then by its row."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar


class Faceted(Protocol, Hashable):
    """What is found: the attributes it narrows, each with the values that pass."""

    @property
    def facets(self) -> Mapping[str, frozenset[str]]:
        """Attributes, the most selective first."""
        ...


G = TypeVar("G", bound=Faceted)


class Shelf(Generic[G]):
    """Those whose keys are alike, by one attribute of the row each, and those who take any."""

    def __init__(self) -> None:
        self._any: dict[G, None] = {}
        self._by: dict[str, dict[str, dict[G, None]]] = {}

    def __bool__(self) -> bool:
        """Whether anybody is here."""
        return bool(self._any or self._by)

    def put(self, one: G, attribute: str | None) -> None:
        """Take one in."""
        if attribute is None:
            self._any[one] = None
            return
        values = self._by.setdefault(attribute, {})
        for value in one.facets[attribute]:
            values.setdefault(value, {})[one] = None

    def take(self, one: G, attribute: str | None) -> None:
        """Take one out."""
        if attribute is None:
            del self._any[one]
            return
        values = self._by[attribute]
        for value in one.facets[attribute]:
            del values[value][one]
            if not values[value]:
                del values[value]
        if not values:
            del self._by[attribute]

    def fitting(self, row: Any) -> Iterator[G]:
        """Those whom a row may concern."""
        yield from self._any
        for attribute, values in self._by.items():
            yield from values.get(getattr(row, attribute), ())

    def everyone(self) -> Iterator[G]:
        """Those whom a row may concern of which nothing but the key is known."""
        seen = dict(self._any)
        for values in self._by.values():
            for some in values.values():
                seen.update(some)
        yield from seen


class Index(Generic[G]):
    """All of a room. ``keyed`` are the attributes that a key tells."""

    def __init__(self, keyed: tuple[str, ...]) -> None:
        self._keyed = keyed
        self._any: Shelf[G] = Shelf()
        self._by: dict[str, dict[str, Shelf[G]]] = {}

    def add(self, one: G) -> None:
        """Take one in; who takes no value at all is never found."""
        if not all(one.facets.values()):
            return
        by_key, by_row = self._attributes(one)
        if by_key is None:
            self._any.put(one, by_row)
            return
        shelves = self._by.setdefault(by_key, {})
        for value in one.facets[by_key]:
            shelves.setdefault(value, Shelf()).put(one, by_row)

    def remove(self, one: G) -> None:
        """Take one out."""
        if not all(one.facets.values()):
            return
        by_key, by_row = self._attributes(one)
        if by_key is None:
            self._any.take(one, by_row)
            return
        shelves = self._by[by_key]
        for value in one.facets[by_key]:
            shelves[value].take(one, by_row)
            if not shelves[value]:
                del shelves[value]

    def shelves(self, key: Mapping[str, str]) -> list[Shelf[G]]:
        """Where those are whom an object of this key may concern."""
        found = [self._any] if self._any else []
        for attribute, shelves in self._by.items():
            shelf = shelves.get(key[attribute])
            if shelf is not None:
                found.append(shelf)
        return found

    def _attributes(self, one: G) -> tuple[str | None, str | None]:
        names = list(one.facets)
        by_key = next((name for name in names if name in self._keyed), None)
        return by_key, next((name for name in names if name not in self._keyed), None)
