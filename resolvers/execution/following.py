"""An edge followed from all rows of a level at once: one load for all their keys. What ``edges.follow`` does for a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import NoneType
from typing import Any

from resolvers.edges import Edge, edge_keys, edge_reader, from_several, stubbed
from resolvers.loaders import Answer, Loaders

NOWHERE: Answer[Any] = Answer(None)
"""A row whose key is not known leads to nothing."""


class Level:
    """The rows of a level; keys that several edges have in common are read off them once."""

    __slots__ = ("_keys", "answers", "rows")

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows
        self.answers: dict[tuple[int, int], list[Answer[Any]]] = {}
        """What was followed already, by edge and loaders: facts and edges of a level ask for the same."""
        self._keys: dict[tuple[str, ...], tuple[list[str | None], list[str]]] = {}

    def keys(self, edge: Edge) -> tuple[list[str | None], list[str]]:
        """The key of every row, and the distinct ones, those left out that are not known."""
        known = self._keys.get(edge.key)
        if known is None:
            keys = list(map(edge_reader(edge), self.rows))
            distinct = [key for key in dict.fromkeys(keys) if key is not None]
            known = self._keys[edge.key] = (keys, distinct)
        return known


@dataclass(slots=True)
class Followed:
    """An edge followed from some rows: the key of every row, the distinct keys, and the value of each of these.

    ``answers`` say more about the values; None where there is no more to say.
    """

    keys: list[str | None]
    distinct: list[str]
    values: Sequence[Any]
    answers: list[Answer[Any]] | None = None


async def follow_keys(edge: Edge, level: Level, loaders: Loaders) -> Followed:
    """What an edge leads to where the key alone decides; keys that are not known are left out."""
    keys, distinct = level.keys(edge)
    values = loaders.column(edge.target, edge.by, distinct, edge.reads_many)
    if values is not None and not (edge.stub and NoneType in map(type, values)):
        return Followed(keys, distinct, values)
    answers = await loaders.load_set(edge.target, edge.by, distinct, edge.reads_many)
    if edge.stub:
        answers = [
            stubbed(edge, key, answer) if answer.value is None else answer
            for key, answer in zip(distinct, answers, strict=True)
        ]
    return Followed(keys, distinct, [answer.value for answer in answers], answers)


async def follow_all(edge: Edge, level: Level, loaders: Loaders) -> list[Answer[Any]]:
    """The answer of every row. Rows with the same key may share one."""
    place = (id(edge), id(loaders))
    known = level.answers.get(place)
    if known is None:
        known = level.answers[place] = await _followed(edge, level, loaders)
    return known


async def _followed(edge: Edge, level: Level, loaders: Loaders) -> list[Answer[Any]]:
    if edge.each is not None:
        return await _follow_each(edge, level.rows, loaders)
    followed = await follow_keys(edge, level, loaders)
    answers = followed.answers
    if answers is None:
        answers = [Answer(value) for value in followed.values]
    found: dict[str | None, Answer[Any]] = dict(zip(followed.distinct, answers, strict=True))
    found[None] = Answer([]) if edge.many else NOWHERE
    if edge.match is None:
        return [found[key] for key in followed.keys]
    return _matched(edge, edge.match, level.rows, followed.keys, found)


def _matched(
    edge: Edge,
    match: Mapping[str, str],
    rows: Sequence[Any],
    keys: Sequence[str | None],
    found: Mapping[str | None, Answer[Any]],
) -> list[Answer[Any]]:
    """Of the many rows of a key, those that match each row: sorted once a key, then looked up."""
    ours, theirs = attrgetter(*match.values()), attrgetter(*match)
    sorted_: dict[str, dict[Any, list[Any]]] = {}
    answers = []
    for row, key in zip(rows, keys, strict=True):
        answer = found[key]
        if key is not None and answer.value is not None:
            groups = sorted_.get(key)
            if groups is None:
                groups = sorted_[key] = {}
                for one in answer.value:
                    groups.setdefault(theirs(one), []).append(one)
            some = groups.get(ours(row), [])
            value = some if edge.many else (some[0] if some else None)
            answer = Answer(value, answer.systems, answer.failures, answer.stale)
        answers.append(answer)
    return answers


async def _follow_each(edge: Edge, rows: Sequence[Any], loaders: Loaders) -> list[Answer[Any]]:
    keys = [edge_keys(edge, row) for row in rows]
    distinct = list(dict.fromkeys([key for some in keys for key in some]))
    answers = await loaders.load_set(edge.target, edge.by, distinct, False)
    found = dict(zip(distinct, answers, strict=True))
    return [from_several(edge, some, [found[key] for key in some]) for some in keys]
