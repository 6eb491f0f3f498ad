"""Who waits for changes of what: subscriptions say it, and systems that do not tell by themselves are asked for it.

::

    watch = interest.watch(ids=["po:1720/1000066"])       # some objects
    watch = interest.watch(kinds=[ProductionOrder])       # all of a kind
    ...
    watch.close()
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from schema.base import NODES


class Watch(Protocol):
    """A wish to hear of changes, until it is closed."""

    def close(self) -> None:
        """Nobody waits any more; closing twice is closing once."""
        ...


class Interest(Protocol):
    """Where those who wait say what for."""

    def watch(self, ids: Iterable[str] = (), kinds: Iterable[type] = ()) -> Watch:
        """Wait for changes of some objects, by their ids, and of all objects of some kinds (classes with ids)."""
        ...


@dataclass(eq=False, slots=True)
class _Watch:
    interests: "Interests"
    ids: frozenset[str]
    kinds: frozenset[type]

    def close(self) -> None:
        self.interests.forget(self)


@dataclass(slots=True)
class Interests:
    """All that is waited for in this process. For the running loop only."""

    _watches: set[_Watch] = field(default_factory=set)
    _ids: Counter[str] = field(default_factory=Counter)
    _kinds: Counter[type] = field(default_factory=Counter)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def watch(self, ids: Iterable[str] = (), kinds: Iterable[type] = ()) -> Watch:
        """Count one more who waits. An id of no kind is nobody's and counts for nothing."""
        made = _Watch(self, frozenset(ids), frozenset(kinds))
        self._watches.add(made)
        self._ids.update(made.ids)
        self._kinds.update(made.kinds)
        for listener in self._listeners:
            listener()
        return made

    def forget(self, watch: _Watch) -> None:
        """Count one less."""
        if watch in self._watches:
            self._watches.discard(watch)
            self._ids -= Counter(watch.ids)
            self._kinds -= Counter(watch.kinds)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this whenever somebody begins to wait; it must be cheap and raise nothing."""
        self._listeners.append(listener)

    def strength(self, kinds: Collection[type]) -> int:
        """How many wishes concern objects of these kinds."""
        whole = sum(self._kinds[kind] for kind in kinds)
        return whole + sum(count for id, count in self._ids.items() if kind_of(id) in kinds)


def kind_of(id: str) -> type | None:
    """The class that an id is of."""
    return NODES.get(id.partition(":")[0])
