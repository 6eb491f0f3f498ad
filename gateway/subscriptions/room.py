"""A room: all groups that watch one class of objects with the same rights. Each object is read once for all of them."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.events.log import Logged
from gateway.subscriptions.group import MOST_WAITING, Group, Teller, written_of
from gateway.subscriptions.index import Index, Shelf
from gateway.subscriptions.pipeline import Pipeline
from gateway.subscriptions.standing import MakeContext
from resolvers.loaders import Answer
from resolvers.subscriptions import Seen, attributes_of, keys_in
from schema.base import KEYS, split_key
from schema.material import Item

log = logging.getLogger("crossdock.subscriptions")


async def seen_of(
    make: MakeContext, subject: type, logged: Logged, keys: Sequence[str], selected: frozenset[type]
) -> list[Seen]:
    """The objects of an event, read live: no row is older than the event. An item is known by its key alone.

    ``selected`` are the classes that will be asked for next: what the same read brings of them comes along.
    """
    if subject is Item:
        return [Seen(key, Answer(Item(split_key(key)[0])), logged.event) for key in keys]
    context = make(written_of(logged, versioned=True))
    context.bounds.selected = selected
    answers = await context.loaders.load_set(subject, "id", list(keys), False)
    return [Seen(key, answer, logged.event) for key, answer in zip(keys, answers, strict=True)]


@dataclass(frozen=True, slots=True)
class _Read:
    logged: Logged
    seen: Sequence[tuple[Seen, Sequence[Shelf[Group]]]]


class Room:
    """``make`` gives contexts with the rights of the room."""

    def __init__(self, subject: type, make: MakeContext) -> None:
        self.subject, self._make = subject, make
        self._groups: dict[Hashable, Group] = {}
        self._index: Index[Group] = Index(KEYS[subject]["id"])
        self._selected: frozenset[type] = frozenset()
        self._pipeline: Pipeline[_Read] = Pipeline(self._share)

    def __bool__(self) -> bool:
        """Whether anybody is here."""
        return bool(self._groups)

    @property
    def groups(self) -> list[Group]:
        """All groups."""
        return list(self._groups.values())

    def group(self, likeness: Hashable, teller: Teller) -> Group:
        """The group of those who ask alike."""
        known = self._groups.get(likeness)
        if known is None:
            known = self._groups[likeness] = Group(likeness, teller, self)
            self._index.add(known)
            self._selected |= teller.asked.selected
        return known

    def forget(self, group: Group) -> None:
        """A group is empty."""
        if self._groups.get(group.likeness) is group:
            del self._groups[group.likeness]
            self._index.remove(group)

    def occur(self, logged: Logged) -> None:
        """Something happened: read what it is about, where that may concern somebody."""
        asked: dict[str, Sequence[Shelf[Group]]] = {}
        for key in keys_in(logged.event, self.subject):
            shelves = self._index.shelves(attributes_of(self.subject, key))
            if shelves:
                asked[key] = shelves
        if not asked:
            return
        if len(self._pipeline) >= MOST_WAITING:
            for group in self.groups:
                group.end("Events come faster than their objects can be read.", "EVENTS_GAP")
            return
        self._pipeline.submit(list(asked), lambda: self._read(logged, asked))

    async def _read(self, logged: Logged, asked: dict[str, Sequence[Shelf[Group]]]) -> _Read:
        try:
            seen = await seen_of(self._make, self.subject, logged, list(asked), self._selected)
        except Exception:
            log.exception("the objects of an event could not be read")
            for group in self.groups:
                group.end("A message could not be made.", "SUBSCRIPTION_ENDED")
            return _Read(logged, ())
        return _Read(logged, [(one, asked[one.key]) for one in seen])

    def _share(self, read: _Read) -> None:
        """Let every group know of the objects that may concern it."""
        concerned: dict[Group, list[Seen]] = {}
        for one, shelves in read.seen:
            if one.gone:
                continue
            row: Any = one.answer.value
            for shelf in shelves:
                for group in shelf.everyone() if row is None else shelf.fitting(row):
                    concerned.setdefault(group, []).append(one)
        for group, seen in concerned.items():
            group.occur(read.logged, seen)
