"""Plans for any schema: whatever object stands somewhere is a row, and every field is asked for column by column.

Our own schema never comes this way. It is how the planner, the levels and the generated functions are held against
tests that others wrote for the reference: they know nothing of our rows, edges and contexts.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

from graphql import DocumentNode, GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.executor import Executor
from graphql.pyutils import Path, Undefined, is_iterable

from resolvers.execution.operation import PlanExecution
from resolvers.execution.plan import Planned, Planner, Selection, Unplanned
from resolvers.execution.run import Column, Run
from resolvers.execution.writing import Irregular


class GenericPlanner(Planner):
    """Plans without rows of ours: a type may be called as one of our classes, and is another."""

    def __init__(self, executor: Executor[Any]) -> None:
        super().__init__(executor)
        self._classes = {}

    def _source(self, planned: Planned, cls: type | None, name: str) -> None:
        if name == "__typename":
            super()._source(planned, cls, name)


class GenericExecution(PlanExecution):
    """Executes the queries of any schema by their plans, where they have one."""

    planner = GenericPlanner

    async def data(self, executor: Executor[Any]) -> bytes:
        """The JSON of an operation's data.

        Raises ``Unplanned`` before anything ran where there is no plan, and anything else where the plan was left:
        then the reference has to execute the operation, and calls again what was called.
        """
        if executor.abort_signal is not None or executor.hooks is not None:
            raise Unplanned("an abort signal or hooks")
        if _ways_of_its_own(type(executor)):
            raise Unplanned("an executor with ways of its own")
        fragments = executor.fragment_definitions.values()
        plan = self._plan(DocumentNode(definitions=(executor.operation, *fragments)), executor)
        if plan.root is None or plan.planner is None:
            raise Unplanned(plan.reason)
        return await GenericRun(executor, plan.planner).root(plan.root)


class GenericRun(Run):
    """One run of such a plan; its context is the client's and means nothing here."""

    def __init__(self, executor: Executor[Any], planner: Planner) -> None:
        self._executor = executor
        self._planner = planner
        self._moments = {}

    async def root(self, selection: Selection) -> bytes:
        """The JSON of the operation's data."""
        [data] = await self._objects(selection, [self._executor.root_value], None)
        return data

    def _resolver(self, planned: Planned) -> Callable[..., Any]:
        resolve = planned.definition.resolve or self._executor.field_resolver
        middleware = self._executor.middleware_manager
        return resolve if middleware is None else middleware.get_field_resolver(resolve)

    async def _asked(self, planned: Planned, rows: Sequence[Any], path: Path) -> list[Any]:
        values = await super()._asked(planned, rows, path)
        return [_usual(planned, value) for value in values]

    async def _had(self, values: list[Any]) -> list[Any]:
        """The values; where some have to be awaited, whoever runs this is told so first, as the reference tells it."""
        if any(map(self._executor.is_awaitable, values)):
            await asyncio.sleep(0)
        return await super()._had(values)

    async def _rows(self, planned: Planned, rows: list[Any], path: Path) -> Column:
        """The JSON of objects, by the types that the schema's own functions find for them."""
        if any(_is_odd(row) or self._executor.is_awaitable(row) for row in rows):
            raise Irregular(f"an odd object in {planned.key}")
        info = self._info(planned, path)
        kinds = await self._kinds(planned, rows, info)
        tests = [
            kind.is_type_of(row, info)
            for kind, row in zip(kinds, rows, strict=True)
            if kind.is_type_of is not None
        ]
        if not all(await self._had(tests)):
            raise Irregular(f"an object of another type in {planned.key}")
        places: dict[str, list[int]] = {}
        for place, kind in enumerate(kinds):
            places.setdefault(kind.name, []).append(place)
        levels = [(self._planner.inside(planned, kinds[some[0]]), some) for some in places.values()]
        return await self._apart(levels, rows, path)

    async def _kinds(
        self, planned: Planned, rows: Sequence[Any], info: GraphQLResolveInfo[Any]
    ) -> list[GraphQLObjectType]:
        named: Any = planned.named
        if isinstance(named, GraphQLObjectType):
            return [named] * len(rows)
        executor = self._executor
        resolve = named.resolve_type or executor.type_resolver
        names = await self._had([resolve(row, info, named) for row in rows])
        details: Any = planned.details
        return [
            executor.ensure_valid_runtime_type(name, named, details, info, row)
            for name, row in zip(names, rows, strict=True)
        ]


def _ways_of_its_own(kind: type[Executor[Any]]) -> bool:
    """Whether an executor is somebody's own and does more than tell functions in its own words where they stand."""
    own = [
        cls for cls in kind.__mro__ if issubclass(cls, Executor) and not cls.__module__.startswith("graphql.")
    ]
    names = {name for cls in own for name in vars(cls) if not name.startswith("__")}
    return any(hasattr(Executor, name) for name in names - {"build_resolve_info"})


def _usual(planned: Planned, value: Any) -> Any:
    """The value of a field in the shape in which the levels know it; raises what was given instead of raised."""
    if isinstance(value, Exception):
        raise value
    if value is None or value is Undefined:
        return None
    # What can be gone through only once is left as it is: the reference may have to.
    if planned.many and not isinstance(value, list | tuple) and is_iterable(value):
        return list(value) if isinstance(value, Collection) else value
    return value


def _is_odd(row: Any) -> bool:
    return row is Undefined or isinstance(row, Exception)
