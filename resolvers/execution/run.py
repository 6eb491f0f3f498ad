"""One operation by its plan: level by level, a column at a time, awaiting nothing that is at hand.

A level is a list of rows of one type. Every field that is not written with its row is a column: loaded, computed or
asked for all rows at once, and completed in turn. Columns of a level that have to wait do so together.
"""

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from datetime import datetime
from functools import partial
from inspect import iscoroutine
from operator import attrgetter
from typing import Any, TypeAlias

from graphql import GraphQLAbstractType, GraphQLObjectType, GraphQLResolveInfo, is_abstract_type
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

from resolvers.context import Context
from resolvers.eager import Started, together
from resolvers.edges import Edge
from resolvers.execution.following import Level, follow_all, follow_keys
from resolvers.execution.fragments import Levels
from resolvers.execution.plan import Kind, Planned, Planner, Selection
from resolvers.execution.writing import Irregular
from resolvers.freshness import loaders_along
from resolvers.loaders import Answer, Loaders
from schema.errors import FreshnessNotMet, SourceNotMapped

NULL = b"null"
Column = list[bytes]
Making: TypeAlias = Callable[[], Coroutine[Any, Any, Column]]


class Run:
    """One run of a plan. ``executor`` is the reference's own, with the operation's variables and context."""

    def __init__(self, executor: Executor[Any], planner: Planner) -> None:
        self._executor = executor
        self._planner = planner
        self._context: Context = executor.context_value
        self._moments: Mapping[str, datetime] = self._context.moments(("now", "arrived"))

    async def root(self, selection: Selection) -> bytes:
        """The JSON of the operation's data. Raises ``Irregular``, or whatever went wrong in a function."""
        [data] = await self._objects(selection, [self._executor.root_value], None)
        if self._context.unmet:
            raise Irregular("a bound was not met")
        return data

    async def _objects(self, selection: Selection, rows: Sequence[Any], path: Path | None) -> Column:
        cls = selection.cls
        if cls is not None and rows and set(map(type, rows)) != {cls}:
            raise Irregular(f"another object in place of {cls.__name__}")
        if not selection.columns:
            return selection.build(rows, self._moments)
        if selection.levels is None or not rows or self._context.fresh:
            return await self._level(selection, rows, path)
        place, make = (id(rows[0]), len(rows)), partial(self._level, selection, rows, path)
        return await self._again(selection.levels, place, rows, self._below(path), make)

    async def _again(
        self, levels: Levels, place: Hashable, rows: Sequence[Any], loaders: Loaders, make: Making
    ) -> Column:
        """The JSON of some rows: what is kept of them over the same cells, or made anew, and kept if it comes again."""
        whole = levels.find(place, rows)
        if whole is not None and await whole.holds(loaders, self._context):
            return whole.data
        if whole is None and not levels.expected(place):
            return await make()
        above = loaders.given
        given = loaders.given = [] if above is None else above
        start = len(given)
        try:
            begun = Started(make())
        finally:
            loaders.given = above
        if begun.done:
            # It needed no waiting: nobody else's loading is among what was given.
            levels.keep(place, rows, begun.value, given[start:], self._context)
        return await begun

    async def _level(self, selection: Selection, rows: Sequence[Any], path: Path | None) -> Column:
        """The JSON of rows, column by column."""
        level = Level(rows)
        columns = await together([self._column(one, selection, level, path) for one in selection.columns])
        return selection.build(rows, self._moments, *columns)

    async def _column(
        self, planned: Planned, selection: Selection, level: Level, above: Path | None
    ) -> Column:
        path = Path(above, planned.key, selection.kind.name)
        if planned.kind is Kind.EDGE and planned.edge is not None:
            return await self._edge(planned, planned.edge, level, path)
        if planned.kind is Kind.FACT:
            return await self._completed(planned, await self._facts(planned, level, path), path)
        if planned.kind is Kind.PLAIN:
            read = planned.read or attrgetter(planned.attribute)
            return await self._completed(planned, [read(row) for row in level.rows], path)
        levels = planned.asking.levels if planned.asking is not None else None
        make = partial(self._opaque, planned, level.rows, path)
        if planned.asking is None or levels is None or self._context.fresh:
            return await make()
        place = planned.asking.place(self._executor)
        given = planned.asking.arguments(self._executor, planned.definition, planned.nodes[0])
        if place is None or given.get("freshness") is not None:
            return await make()
        return await self._again(levels, place, level.rows, self._context.loaders, make)

    async def _opaque(self, planned: Planned, rows: Sequence[Any], path: Path) -> Column:
        return await self._completed(planned, await self._asked(planned, rows, path), path)

    async def _edge(self, planned: Planned, edge: Edge, level: Level, path: Path) -> Column:
        """What an edge leads to. Where the key alone decides, each key is completed once, whoever has it."""
        loaders = self._loaders(planned, path)
        if edge.each is not None or edge.match is not None:
            answers = self._heard(await follow_all(edge, level, loaders))
            return await self._completed(planned, [answer.value for answer in answers], path)
        followed = await follow_keys(edge, level, loaders)
        if followed.answers is not None:
            self._heard(followed.answers)
        done = await self._completed(planned, followed.values, path)
        written: dict[str | None, bytes] = dict(zip(followed.distinct, done, strict=True))
        if len(followed.keys) > len(written) and None in followed.keys:
            [written[None]] = await self._completed(planned, [[] if edge.many else None], path)
        return [written[key] for key in followed.keys]

    async def _facts(self, planned: Planned, level: Level, path: Path) -> list[Any]:
        loaders = self._loaders(planned, path)
        needs = await together([follow_all(edge, level, loaders) for edge in planned.needs])
        for answers in needs:
            self._heard(answers)
        if planned.compute is None:
            raise Irregular(planned.key)
        return planned.compute(level.rows, self._moments, *needs)

    async def _asked(self, planned: Planned, rows: Sequence[Any], path: Path) -> list[Any]:
        """The values of a function of its own, row by row, all at once."""
        executor, node = self._executor, planned.nodes[0]
        info = self._info(planned, path)
        if planned.asking is not None:
            ask, told = planned.asking.direct, planned.asking.info(info)
            given = planned.asking.arguments(executor, planned.definition, node)
            return await together([ask(row, told, given) for row in rows])
        arguments: dict[str, Any] = {}
        if planned.definition.args:
            arguments = get_argument_values(
                planned.definition, node, executor.variable_values, None, executor.hide_suggestions
            )
        resolve = self._resolver(planned)
        return await self._had([resolve(row, info, **arguments) for row in rows])

    def _resolver(self, planned: Planned) -> Callable[..., Any]:
        """The function of a field."""
        resolve = planned.definition.resolve
        if resolve is None:
            raise Irregular(f"nothing resolves {planned.key}")
        return resolve

    async def _had(self, values: list[Any]) -> list[Any]:
        """The values, those that have to be awaited awaited at once."""
        is_awaitable = self._executor.is_awaitable
        places = [place for place, value in enumerate(values) if is_awaitable(value)]
        if places:
            # Where one fails at once the others are closed, which a coroutine inside another would not be.
            had = await together(
                [value if iscoroutine(value) else _later(value) for value in map(values.__getitem__, places)]
            )
            for place, value in zip(places, had, strict=True):
                values[place] = value
        return values

    async def _completed(self, planned: Planned, values: Sequence[Any], path: Path) -> Column:
        """The JSON of a column's values."""
        if planned.leaf is not None:
            return planned.leaf(values)
        if planned.many:
            return await self._lists(planned, values, path)
        distinct = {id(value): value for value in values if value is not None}
        if len(distinct) < len(values) and not planned.nullable and any(value is None for value in values):
            raise Irregular(f"null in place of {planned.key}")
        done = await self._rows(planned, list(distinct.values()), path)
        written = dict(zip(distinct, done, strict=True))
        return [NULL if value is None else written[id(value)] for value in values]

    async def _lists(self, planned: Planned, values: Sequence[Any], path: Path) -> Column:
        flat: dict[int, Any] = {}
        for value in values:
            if value is None:
                if not planned.nullable:
                    raise Irregular(f"null in place of {planned.key}")
                continue
            if value.__class__ is not list and value.__class__ is not tuple:
                raise Irregular(f"{planned.key} is no list")
            for row in value:
                flat[id(row)] = row
        if id(None) in flat and not planned.item_nullable:
            raise Irregular(f"null in a list of {planned.key}")
        flat.pop(id(None), None)
        done = await self._rows(planned, list(flat.values()), path)
        written = dict(zip(flat, done, strict=True))
        written[id(None)] = NULL
        return [
            NULL if value is None else b"[" + b",".join([written[id(row)] for row in value]) + b"]"
            for value in values
        ]

    async def _rows(self, planned: Planned, rows: list[Any], path: Path) -> Column:
        """The JSON of objects, each by what is selected of its own type."""
        if not rows:
            return []
        named = planned.named
        if isinstance(named, GraphQLObjectType):
            return await self._objects(self._planner.inside(planned, named), rows, path)
        if not is_abstract_type(named):
            raise Irregular(named.name)
        places: dict[type, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(row.__class__, []).append(place)
        levels = [(self._possible(planned, named, cls), some) for cls, some in places.items()]
        return await self._apart(levels, rows, path)

    async def _apart(
        self, levels: Sequence[tuple[Selection, list[int]]], rows: Sequence[Any], path: Path
    ) -> Column:
        """The JSON of rows of several types: what is selected of each, and the places of its rows."""
        columns = await together(
            [self._objects(one, [rows[place] for place in some], path) for one, some in levels]
        )
        written: list[bytes] = [NULL] * len(rows)
        for (_, some), column in zip(levels, columns, strict=True):
            for place, data in zip(some, column, strict=True):
                written[place] = data
        return written

    def _possible(self, planned: Planned, abstract: GraphQLAbstractType, cls: type) -> Selection:
        """What is selected of a class of rows where an interface or a union stands."""
        kind = self._executor.schema.get_type(cls.__name__)
        if not isinstance(kind, GraphQLObjectType) or not self._executor.schema.is_sub_type(abstract, kind):
            raise Irregular(f"{cls.__name__} in place of {abstract.name}")
        selection = self._planner.inside(planned, kind)
        if selection.cls is not cls:
            raise Irregular(f"{cls.__name__} is no row")
        return selection

    def _heard(self, answers: list[Answer[Any]]) -> list[Answer[Any]]:
        """Note what is missing or old; where a path would have to say so, the reference does."""
        for answer in answers:
            if answer.stale or answer.failures:
                self._flawed(answer)
        return answers

    def _flawed(self, answer: Answer[Any]) -> None:
        errors = [error for _, error in answer.failures]
        if any(not stale.met for _, stale in answer.stale) or any(
            isinstance(error, FreshnessNotMet) for error in errors
        ):
            raise Irregular("a bound was not met")
        if answer.stale or any(not isinstance(error, SourceNotMapped) for error in errors):
            self._context.flawed = True

    def _below(self, path: Path | None) -> Loaders:
        """The loaders for the root that a path is below, where no @fresh says otherwise."""
        asked = self._context.asked
        while asked and path is not None and path.prev is not None:
            path = path.prev
        loaders = self._context.loaders
        return loaders if path is None or not asked else asked.get(str(path.key), loaders)

    def _loaders(self, planned: Planned, path: Path) -> Loaders:
        """The loaders for the need of a place."""
        context = self._context
        return loaders_along(context, self._info(planned, path)) if context.fresh else self._below(path)

    def _info(self, planned: Planned, path: Path) -> GraphQLResolveInfo[Any]:
        # Its path has no places in lists: one for all rows. It tells functions where they stand, not which row it is.
        return self._executor.build_resolve_info(planned.definition, planned.nodes, planned.parent, path)


async def _later(value: Any) -> Any:
    return await value
