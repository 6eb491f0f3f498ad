"""An edge followed from all rows of a level at once: one load for all their keys. What ``edges.follow`` does for a row."""

from collections.abc import Sequence
from typing import Any

from resolvers.edges import Edge, edge_keys, edge_reader, from_several, matching, stubbed
from resolvers.loaders import Answer, Loaders

NOWHERE: Answer[Any] = Answer(None)
"""A row whose key is not known leads to nothing."""


async def follow_keys(
    edge: Edge, rows: Sequence[Any], loaders: Loaders
) -> tuple[list[str | None], list[str], list[Answer[Any]]]:
    """The key of every row, the distinct keys (those not known left out), and the answer of each of these."""
    keys = list(map(edge_reader(edge), rows))
    distinct = [key for key in dict.fromkeys(keys) if key is not None]
    answers = await loaders.load_set(edge.target, edge.by, distinct, edge.reads_many)
    if edge.stub:
        answers = [
            stubbed(edge, key, answer) if answer.value is None else answer
            for key, answer in zip(distinct, answers, strict=True)
        ]
    return keys, distinct, answers


async def follow_all(edge: Edge, rows: Sequence[Any], loaders: Loaders) -> list[Answer[Any]]:
    """The answer of every row. Rows with the same key may share one."""
    if edge.each is not None:
        return await _follow_each(edge, rows, loaders)
    keys, distinct, answers = await follow_keys(edge, rows, loaders)
    found: dict[str | None, Answer[Any]] = dict(zip(distinct, answers, strict=True))
    found[None] = Answer([]) if edge.many else NOWHERE
    if edge.match is None:
        return [found[key] for key in keys]
    match = edge.match
    return [
        found[key] if key is None else matching(edge, match, row, found[key])
        for key, row in zip(keys, rows, strict=True)
    ]


async def _follow_each(edge: Edge, rows: Sequence[Any], loaders: Loaders) -> list[Answer[Any]]:
    keys = [edge_keys(edge, row) for row in rows]
    distinct = list(dict.fromkeys([key for some in keys for key in some]))
    answers = await loaders.load_set(edge.target, edge.by, distinct, False)
    found = dict(zip(distinct, answers, strict=True))
    return [from_several(edge, some, [found[key] for key in some]) for some in keys]
