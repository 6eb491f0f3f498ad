"""The executor alone: one process, no HTTP, everything it needs already in L1. CPU per answer, in bytes ready to send.

``executor`` is what the gateway runs: whatever ``gateway/engine.py`` executes with is measured, there is nothing to
swap when that changes; ``gateway/app.py`` and ``benchmarks.gateway.inside`` make the engine alike. It is held against the same schema, resolvers and L1 through Strawberry's own ``execute``
(graphql-core) with its caches of parsing and validation on, and, for information, against bare graphql-core on a
document parsed and validated before.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import replace
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import uvloop
from graphql import parse, specified_directives
from graphql.execution.executor import Executor
from starlette.requests import Request
from strawberry.extensions import ParserCache, ValidationCache

from benchmarks import plant, queries
from benchmarks.gateway import WARM, Inside, inside, write_config
from benchmarks.load import Variables
from benchmarks.processes import PlantServer
from benchmarks.report import Effort, Row
from gateway.http import GraphQLRequest, to_json
from resolvers.graph import build_schema

Answering: TypeAlias = Callable[[Variables], Awaitable[bytes]]
"""Variables to the bytes of an answer, for one query."""

WORK: Sequence[tuple[str, str, list[Variables], float]] = (
    (
        "page of 50 orders, data in L1",
        queries.PAGE,
        [{"first": 50, "search": page} for page in plant.PAGES[:4]],
        40,
    ),
    (
        "single order with everything, data in L1",
        queries.SINGLE,
        [{"id": plant.id_of(place)} for place in range(100)],
        8,
    ),
    ("500 rows x 40 leaves, data in L1", queries.ANALYTICS, [{"first": 500, "search": "A"}], 40),
)
"""What is asked, and how many times less CPU than graphql-core it must take."""


def executor(gateway: Inside, query: str) -> Answering:
    """As the gateway answers: the engine, from the request to bytes."""
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": []}

    async def silent() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def answer(variables: Variables) -> bytes:
        http = Request(dict(scope), silent)
        made = (await gateway.engine.execute(GraphQLRequest(query, variables=variables), http)).result
        return made if isinstance(made, bytes) else to_json(made)

    return answer


def through_strawberry(gateway: Inside, query: str) -> Answering:
    """Strawberry's pipeline over graphql-core, with its caches.

    The directive @fresh is read off the document beforehand; the middleware by which Strawberry would look for it at
    every field is left out, as it would only slow the other side down. So is the support of @defer and @stream.
    """
    schema = copy(build_schema())
    schema.config = replace(schema.config, enable_experimental_incremental_execution=False)
    schema._schema = copy(schema._schema)
    schema._schema.directives = specified_directives
    schema.extensions = (ParserCache, ValidationCache)
    schema.directives = ()
    described = gateway.operations.describe(parse(query))
    request = GraphQLRequest(query)

    async def answer(variables: Variables) -> bytes:
        context = gateway.context()
        gateway.operations.begin(context, described, request)
        result = await schema.execute(query, variable_values=variables, context_value=context)
        return orjson.dumps({"data": result.data})

    return answer


def bare_core(gateway: Inside, query: str) -> Answering:
    """graphql-core's executor on a document that was parsed and validated before."""
    schema, document = build_schema()._schema, parse(query)
    described = gateway.operations.describe(document)
    request = GraphQLRequest(query)

    async def answer(variables: Variables) -> bytes:
        context = gateway.context()
        gateway.operations.begin(context, described, request)
        executor = Executor.build(
            schema, document, context_value=context, raw_variable_values=dict(variables)
        )
        assert isinstance(executor, Executor)
        running = executor.execute_operation()
        result: Any = await running if isawaitable(running) else running
        return orjson.dumps({"data": result.data})

    return answer


async def _spent(answer: Answering, asked: Sequence[Variables], seconds: float) -> float:
    """CPU seconds an answer."""
    began, done = time.process_time(), 0
    while done == 0 or time.process_time() - began < seconds:
        await answer(asked[done % len(asked)])
        done += 1
    return (time.process_time() - began) / done


async def _measured(config: Path, effort: Effort) -> list[Row]:
    rows = []
    async with inside(config) as gateway:
        for work, query, asked, target in WORK:
            ways = [make(gateway, query) for make in (executor, through_strawberry, bare_core)]
            for variables in asked:
                answers = [orjson.loads(await answer(variables)) for answer in ways]
                # A part that could not be had would be told in "errors" or "extensions".
                if any(answer != answers[0] for answer in answers) or answers[0].keys() != {"data"}:
                    raise SystemExit(f"{work}: the executors do not agree")
            gc.collect()
            gc.freeze()
            rounds = [
                [await _spent(answer, asked, effort.seconds) for answer in ways] for _ in range(effort.rounds)
            ]
            ratio = statistics.median(other / ours for ours, other, _ in rounds)
            ours, other, bare = (statistics.median(each) * 1000 for each in zip(*rounds, strict=True))
            rows.append(
                Row(
                    work,
                    "graphql-core through Strawberry, caches on",
                    f"{ratio:.1f}x less CPU",
                    f">= {target:g}x",
                    ratio >= target,
                    f"{ours:.2f} ms against {other:.2f} ms; bare graphql-core {bare:.2f} ms",
                )
            )
    return rows


def measure(server: PlantServer, folder: Path, effort: Effort) -> list[Row]:
    """The three rows of the executor."""
    return uvloop.run(_measured(write_config(folder, server.url, WARM), effort))
