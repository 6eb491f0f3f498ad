"""A pytest plugin for tests of others: what graphql-core is to execute, the plan executor executes where it has a plan.

It takes the place of graphql-core's ``Executor.execute_operation``, so that ``execute``, ``execute_sync``, ``graphql``
and whatever else leads there needs no change in the tests. How every operation went is counted, and written where
``CROSSDOCK_TALLY`` says.
"""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Sequence
from inspect import isawaitable
from pathlib import Path
from typing import Any

import orjson
import pytest
from graphql import ExecutionResult, GraphQLSchema, OperationType
from graphql.execution.executor import Executor

from resolvers.eager import Started
from resolvers.execution.generic import GenericExecution
from resolvers.execution.plan import Unplanned

REFERENCE = Executor.execute_operation
PLANS: dict[int, tuple[GraphQLSchema, GenericExecution]] = {}
ENDS: Counter[str] = Counter()
"""How operations ended; see ``execute_operation``."""
WHY: Counter[str] = Counter()
OUTSIDE: Counter[str] = Counter()
"""The tests by their outcome, and those left out."""


def execute_operation(executor: Executor[Any], serially: bool | None = None) -> Any:
    """Execute an operation: at once where nothing has to be awaited, otherwise as an awaitable.

    Counted as ``plan``; as ``errors`` where the plan was left and the reference found what is wrong; as ``irregular``
    where it was left and nothing was wrong; as ``unplanned``; and as ``no query``.
    """
    if executor.operation.operation is not OperationType.QUERY or serially is not None:
        ENDS["no query"] += 1
        return REFERENCE(executor, serially)
    _, plans = PLANS.setdefault(id(executor.schema), (executor.schema, GenericExecution(executor.schema)))
    started = Started(_planned(plans, executor))
    if not started.done:
        return _awaited(started, executor)
    return started.value if isinstance(started.value, ExecutionResult) else _again(executor, started.value)


async def _awaited(started: Awaitable[ExecutionResult | str], executor: Executor[Any]) -> Any:
    result = await started
    if isinstance(result, ExecutionResult):
        return result
    again = _again(executor, result)
    return await again if isawaitable(again) else again


async def _planned(plans: GenericExecution, executor: Executor[Any]) -> ExecutionResult | str:
    """The answer by the plan, or why the reference has to give it."""
    try:
        data = orjson.loads(await plans.data(executor))
    except Unplanned as error:
        return f"unplanned: {error}"
    except Exception as error:  # as PlanExecution does: the reference meets it again
        return f"{type(error).__name__}: {str(error)[:70]}"
    ENDS["plan"] += 1
    return ExecutionResult(data, None)


def _again(executor: Executor[Any], reason: str) -> Any:
    """The answer of the reference; how it ended is counted once it is known."""
    result = REFERENCE(executor)
    if isawaitable(result):
        return _later(result, reason)
    return _counted(result, reason)


async def _later(result: Awaitable[Any], reason: str) -> Any:
    return _counted(await result, reason)


def _counted(result: Any, reason: str) -> Any:
    end = "errors" if isinstance(result, ExecutionResult) and result.errors else "irregular"
    end = "unplanned" if reason.startswith("unplanned") else end
    ENDS[end] += 1
    WHY[f"{end}: {reason.removeprefix('unplanned: ')}"] += 1
    return result


Executor.execute_operation = execute_operation  # type: ignore[assignment, method-assign]


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what was left out: a name that is no more would leave out nothing."""
    OUTSIDE["left out"] += len(items)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the tests."""
    if report.when == "call" or report.outcome == "failed":
        OUTSIDE[report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how the operations went."""
    terminalreporter.write_line(f"operations: {dict(ENDS.most_common())}")
    for reason, times in WHY.most_common(30):
        terminalreporter.write_line(f"{times:6} {reason}")
    if tally := os.environ.get("CROSSDOCK_TALLY"):
        Path(tally).write_text(json.dumps(ENDS | OUTSIDE))
