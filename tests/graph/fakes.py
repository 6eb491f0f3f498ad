"""A small plant made of fake sources, spoken to through the port: rows by class, each read counted, faults on demand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from inspect import isawaitable
from types import MappingProxyType
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLError, parse, validate
from graphql.execution import experimental_execute_incrementally as execute

from gateway.operations import Operations
from gateway.request import GraphQLRequest
from resolvers.context import Context
from resolvers.execution.operation import PlanExecution
from resolvers.graph import graphql_schema
from schema.base import Plant, Provenance, Quantity, SystemKind, keys_of
from schema.errors import SourceError
from sources.base import Batch, Bundle, Layer, Page, Part, Query, Read, Search, Source
from sources.catalog import Catalog
from sources.settings import SystemConfig

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
PLANTS = (Plant("1710", "Kassel", "Europe/Berlin"), Plant("1720", "Zwolle", "Europe/Amsterdam"))


def said(system: str, key: str | None = None) -> Provenance:
    """Where a row of a system comes from."""
    return Provenance(system, NOW, key)


def pieces(amount: str, unit: str = "H87") -> Quantity:
    """A quantity as a system sends it."""
    return Quantity(amount, unit, unit)


@dataclass(frozen=True)
class Spec:
    """A read of a fake system (its parts), and whether its first part can be listed, by which filters."""

    name: str
    parts: tuple[Part, ...]
    listed: bool = False
    filters: frozenset[str] = frozenset()
    max_keys: int = 100
    max_page: int = 100
    total: bool = True


class Fake(Source):
    """A system with rows in memory. ``fault`` is raised by every call; ``asked`` and ``paged`` record the calls."""

    def __init__(
        self,
        code: str,
        kind: SystemKind,
        specs: Sequence[Spec],
        rows: Sequence[Any],
        plants: Sequence[str] = (),
        keys: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        table = {"code": code, "adapter": "rest", "kind": kind, "plants": tuple(plants), "keys": dict(keys)}
        super().__init__(SystemConfig.model_validate({**table, "retries": 0}))
        self.specs, self.rows = list(specs), list(rows)
        self.fault: SourceError | None = None
        self.cell_faults: dict[str, SourceError] = {}
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.paged: list[Query] = []

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def ping(self) -> None:
        """Answer unless down."""
        if self.fault is not None:
            raise self.fault

    def reads(self) -> Sequence[Read]:
        """One read a spec."""
        return [Read(s.name, s.parts, partial(self._read, s), s.max_keys) for s in self.specs]

    def searches(self) -> Sequence[Search]:
        """One search for each spec that lists."""
        return [
            Search(f"{s.name}_list", s.parts, partial(self._list, s), s.filters, s.max_page, s.name)
            for s in self.specs
            if s.listed
        ]

    async def _read(self, spec: Spec, batch: Batch) -> Bundle:
        self.asked.append((spec.name, batch.keys))
        if self.fault is not None:
            raise self.fault
        return {
            p.type: [self._cell(p, key) for key in batch.keys] for p in spec.parts if p.type in batch.wants
        }

    async def _list(self, spec: Spec, query: Query) -> Page:
        self.paged.append(query)
        if self.fault is not None:
            raise self.fault
        first = spec.parts[0]
        rows = [r for r in self.rows if type(r) is first.type and _fits(r, query.filters)]
        start = int(query.cursor or 0)
        found = rows[start : start + query.first]
        keys = [keys_of(row, first.by)[0] for row in found]
        bundle: Bundle = {first.type: list(found)}
        for part in spec.parts[1:]:
            if part.type in query.wants:
                bundle[part.type] = [self._cell(part, key) for key in keys]
        end = start + len(found)
        return Page(keys, bundle, str(end) if end < len(rows) else None, len(rows) if spec.total else None)

    def _cell(self, part: Part, key: str) -> Any:
        if key in self.cell_faults:
            return self.cell_faults[key]
        found = [row for row in self.rows if type(row) is part.type and key in keys_of(row, part.by)]
        return found if part.many else (found[0] if found else None)


FIELD = {"plants": "plant", "items": "item", "numbers": "number", "carriers": "carrier"}


def _fits(row: Any, filters: Mapping[str, Any]) -> bool:
    return all(
        getattr(row, FIELD[name]) in values for name, values in filters.items() if isinstance(values, tuple)
    )


def context(*sources: Source, layers: Sequence[Layer] = (), **settings: Any) -> Context:
    """The context of one operation over some systems, with layers around their guards."""
    return Context(Catalog(sources, PLANTS, layers=layers), **settings)


EXECUTION = PlanExecution(graphql_schema())
PLANNED: Counter[str | None] = Counter()
"""How often operations were executed by their plan (None), and why others were not."""


@lru_cache(64)
def valid(document: str) -> DocumentNode:
    """A valid document; the same for the same text, so that it keeps its plan."""
    parsed = parse(document)
    assert validate(graphql_schema(), parsed) == []
    return parsed


async def ask(ctx: Context, document: str, **variables: Any) -> ExecutionResult:
    """Run a document as the engine does; it must be valid. Both executors must say the same."""
    schema, parsed = graphql_schema(), valid(document)
    hooks = Operations(schema)
    hooks.begin(ctx, hooks.describe(parsed), GraphQLRequest(document, variables=variables))
    executed = await EXECUTION.execute(parsed, ctx, variables)
    PLANNED[executed.reason] += 1
    given = orjson.loads(executed.data) if isinstance(executed.data, bytes) else executed.data
    result = ExecutionResult(given, list(executed.errors) or None, hooks.extensions(ctx))
    if executed.reason != "mutation":
        await _compare(ctx, parsed, variables, result, by_plan=executed.reason is None)
    return result


async def _compare(
    ctx: Context,
    parsed: DocumentNode,
    variables: dict[str, Any],
    planned: ExecutionResult,
    *,
    by_plan: bool,
) -> None:
    """The reference executor says the same over the same loaders: data, order, errors, and what is noted beside."""
    schema, calls, flawed = graphql_schema(), list(ctx.calls), ctx.flawed
    ctx.forget_notes()
    running = execute(schema, parsed, context_value=ctx, variable_values=variables)
    reference = await running if isawaitable(running) else running
    assert isinstance(reference, ExecutionResult)
    reference.extensions = Operations(schema).extensions(ctx)
    assert orjson.dumps(planned.data) == orjson.dumps(reference.data), (planned.data, reference.data)
    assert _told(planned) == _told(reference), (planned.errors, reference.errors)
    assert ctx.flawed == flawed
    # Without a plan the reference ran twice; where it gave up early, the second run may come further.
    assert ctx.calls == calls or not by_plan, "the reference asked for something that the plan had not"
    # What was noted belongs to the answer that is given.
    notes = _untimed(planned.extensions), _untimed(reference.extensions)
    assert notes[0] == notes[1], notes


def _told(result: ExecutionResult) -> list[Any]:
    return sorted([(error.message, error.path, code_of(error)) for error in result.errors or []], key=repr)


def _untimed(said: Any) -> Any:
    """What is said beside the data, without what only holds for a moment."""
    if isinstance(said, list):
        return [_untimed(each) for each in said]
    if not isinstance(said, dict):
        return said
    return {name: _untimed(inner) for name, inner in said.items() if name not in ("crossdock", "lastGoodAt")}


async def data(ctx: Context, document: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer without errors."""
    result = await ask(ctx, document, **variables)
    assert result.errors is None, result.errors
    assert result.data is not None
    return dict(result.data)


def code_of(error: GraphQLError) -> str:
    """The public code of an error."""
    return str(getattr(error.original_error, "code", None) or (error.extensions or {}).get("code"))


def hops(ctx: Context) -> list[tuple[str, str]]:
    """The upstream calls made: system and read."""
    return sorted((call.system, call.read) for call in ctx.calls)
