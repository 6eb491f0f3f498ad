"""What sifts a list: filters as clients write them, tests of a row, tests of a page that may load."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from resolvers.context import Context
from resolvers.eager import together
from resolvers.edges import EXPOSED, Edge, Fact, follow
from resolvers.freshness import Loads
from resolvers.ids import decode_as
from resolvers.inputs import TimeWindow
from resolvers.loaders import Answer
from resolvers.paging import Doubts, Keep
from schema.base import KEYS, key_of, split_key
from schema.errors import RequestError
from sources.base import Filter


class Filters:
    """Collects the filters of a list, decoding ids."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.found: dict[str, Filter] = {}

    def ids(self, name: str, ids: Sequence[str] | None, cls: type) -> None:
        """A filter by ids of a class: by its number or code as rows hold it, or by the key where that has parts."""
        if ids is not None:
            keys = [decode_as(i, cls, f"filter.{name}", self.ctx.aliases) for i in ids]
            single = len(KEYS[cls]["id"]) == 1
            self.found[name] = tuple([split_key(key)[0] if single else key for key in keys])

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
                raise RequestError(
                    f"filter.{name}: from {window.start.isoformat()} is not before to {window.end.isoformat()}.",
                    hint="The end is not part of a window: let 'to' be later than 'from'.",
                )
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


def by_fact(loads: Loads, name: str, wanted: Sequence[Any] | None, doubts: Doubts) -> Keep | None:
    """Keep the rows whose computed fact is among the wanted values."""
    if wanted is None:
        return None

    async def keep(rows: Sequence[Any]) -> list[bool]:
        values = await together([fact_of(loads, row, name, doubts) for row in rows])
        return [value in wanted for value in values]

    return keep


async def fact_of(loads: Loads, row: Any, name: str, doubts: Doubts) -> Any:
    """A computed fact of a row; owners that could not be asked are noted."""
    table = EXPOSED[type(row)].fields
    fact = table[name]
    if not isinstance(fact, Fact):
        raise TypeError(f"{type(row).__name__}.{name} is not a fact.")
    edges = [table[need] for need in fact.needs]
    answers = await together([follow(edge, row, loads) for edge in edges if isinstance(edge, Edge)])
    for answer in answers:
        doubt(doubts, answer)
    given = dict(zip(fact.needs, answers, strict=True))
    if fact.moments:
        loads.loaders.unsteady()
    return fact.compute(row, **given, **loads.ctx.moments(fact.moments))


def doubt(doubts: Doubts, answer: Answer[Any]) -> None:
    """Note who could not be asked, where that leaves a question open, and who answered with an older value."""
    if not answer.known:
        doubts.failures.update(dict(answer.failures))
    doubts.age(answer.stale)


def by_group(
    loads: Loads, cls: type, by: str, test: Callable[[Any], bool] | None, doubts: Doubts
) -> Keep | None:
    """Keep the rows whose owner group passes a test; a group that nobody gave does not."""
    if test is None:
        return None

    async def keep(rows: Sequence[Any]) -> list[bool]:
        answers: list[Answer[Any]] = await loads.each(cls, [key_of(row) or "" for row in rows], by)
        for answer in answers:
            doubt(doubts, answer)
        return [answer.value is not None and test(answer.value) for answer in answers]

    return keep
