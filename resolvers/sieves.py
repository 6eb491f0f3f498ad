"""What sifts a list: filters as clients write them, tests of a row, tests of a page that may load."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from resolvers.context import Context
from resolvers.edges import EXPOSED, Edge, Fact, follow
from resolvers.ids import decode_as
from resolvers.inputs import Freshness, TimeWindow
from resolvers.loaders import Answer
from resolvers.paging import Keep
from schema.base import key_of
from schema.errors import RequestError
from sources.base import Filter


class Filters:
    """Collects the filters of a list, decoding ids."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.found: dict[str, Filter] = {}

    def ids(self, name: str, ids: Sequence[str] | None, cls: type) -> None:
        """A filter by ids of a class; a plant's or party's key is its code."""
        if ids is not None:
            self.found[name] = tuple([decode_as(i, cls, f"filter.{name}", self.ctx.aliases) for i in ids])

    def values(self, name: str, values: Sequence[Any] | None) -> None:
        """A filter by values."""
        if values is not None:
            self.found[name] = tuple([str(value) for value in values])

    def text(self, name: str, value: str | datetime | None) -> None:
        """A filter by a text or a lower bound in time."""
        if value is not None:
            self.found[name] = value

    def window(self, name: str, window: TimeWindow | None) -> None:
        """A filter by two bounds: ``<name>_from`` and ``<name>_to``."""
        if window is not None:
            if window.start >= window.end:
                raise RequestError(f"filter.{name}: 'from' must be before 'to'.")
            self.found[f"{name}_from"] = window.start
            self.found[f"{name}_to"] = window.end


def among(name: str) -> Callable[[Any, Any], bool]:
    """A test that an attribute is one of some values."""
    return lambda row, values: getattr(row, name) in values


def contains(name: str) -> Callable[[Any, Any], bool]:
    """A test that an attribute contains a text, whatever its case."""
    return lambda row, text: str(text).lower() in getattr(row, name).lower()


def combined(*tests: Keep | None) -> Keep | None:
    """All of some tests on a page, one after the other."""
    active = [test for test in tests if test is not None]
    if not active:
        return None

    async def keep(rows: Sequence[Any]) -> list[bool]:
        kept = [True] * len(rows)
        for test in active:
            places = [place for place, keeping in enumerate(kept) if keeping]
            answers = await test([rows[place] for place in places])
            for place, answer in zip(places, answers, strict=True):
                kept[place] = answer
        return kept

    return keep


def by_fact(ctx: Context, name: str, wanted: Sequence[Any] | None) -> Keep | None:
    """Keep the rows whose computed fact is among the wanted values."""
    if wanted is None:
        return None

    async def keep(rows: Sequence[Any]) -> list[bool]:
        return [value in wanted for value in await asyncio.gather(*[fact_of(ctx, row, name) for row in rows])]

    return keep


async def fact_of(ctx: Context, row: Any, name: str) -> Any:
    """A computed fact of a row."""
    table = EXPOSED[type(row)].fields
    fact = table[name]
    if not isinstance(fact, Fact):
        raise TypeError(f"{type(row).__name__}.{name} is not a fact.")
    edges = [table[need] for need in fact.needs]
    answers = await asyncio.gather(
        *[follow(edge, row, ctx.loaders) for edge in edges if isinstance(edge, Edge)]
    )
    given = dict(zip(fact.needs, answers, strict=True))
    return fact.compute(row, **given, **({"now": ctx.now} if fact.wants_now else {}))


def by_group(ctx: Context, cls: type, by: str, test: Callable[[Any], bool], active: bool) -> Keep | None:
    """Keep the rows whose owner group passes a test; a group that nobody gave does not."""
    if not active:
        return None

    async def keep(rows: Sequence[Any]) -> list[bool]:
        answers: list[Answer[Any]] = await ctx.loaders.each(cls, [key_of(row) or "" for row in rows], by)
        return [answer.value is not None and test(answer.value) for answer in answers]

    return keep


def bounded(ctx: Context, freshness: Freshness | None) -> None:
    """Apply a client's own bounds to the operation."""
    if freshness is None:
        return
    if freshness.deadline_ms is not None:
        if freshness.deadline_ms < 1:
            raise RequestError(f"freshness.deadlineMs: {freshness.deadline_ms} must be at least 1.")
        ctx.hurry(freshness.deadline_ms)
    if freshness.max_age_seconds is not None:
        if freshness.max_age_seconds < 0:
            raise RequestError(f"freshness.maxAgeSeconds: {freshness.max_age_seconds} must not be negative.")
        ctx.max_age_seconds = freshness.max_age_seconds
