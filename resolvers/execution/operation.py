"""Who executes an operation: its plan, or graphql-core where it has none or something is not regular."""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.executor import Executor

from resolvers.context import Context
from resolvers.execution.plan import Planner, Selection, Unplanned
from resolvers.execution.run import Run

log = logging.getLogger("crossdock.execution")
MAX_COERCION_ERRORS = 10
MOST_PLANS = 1_000
MOST_SWITCHES = 8
"""More variables than these in @skip and @include have too many combinations to plan them all."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of an operation: the JSON of its data by the plan, or the reference's data and errors, and why."""

    data: bytes | dict[str, Any] | None
    errors: Sequence[GraphQLError] = ()
    reason: str | None = None
    """Why it was not executed by a plan; None where it was."""


@dataclass(slots=True)
class _Plan:
    operation: OperationDefinitionNode
    planner: Planner | None
    root: Selection | None
    reason: str | None = None


class ReferenceExecution:
    """Executes everything by graphql-core."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema

    async def execute(
        self,
        document: DocumentNode,
        context: object,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
        root: object = None,
        begun: Executor[Any] | None = None,
    ) -> Executed:
        """Execute an operation of a valid document. ``root`` is what a subscription tells of, ``begun`` the executor of
        its beginning, whose variables are coerced.
        """
        executor = (
            _executor(self._schema, document, context, variables, name, hide_suggestions, root)
            if begun is None
            else _again(begun, context, root)
        )
        if isinstance(executor, list):
            return Executed(None, executor, "the request is not valid")
        return await _reference(executor, "there are no plans for this schema")


class PlanExecution:
    """Executes the operations of one schema; its plans are kept, the least recently used let go first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._plans: OrderedDict[tuple[Any, ...], _Plan] = OrderedDict()
        self._switches: OrderedDict[int, tuple[DocumentNode, tuple[str, ...]]] = OrderedDict()

    async def execute(
        self,
        document: DocumentNode,
        context: Context,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
        root: object = None,
        begun: Executor[Any] | None = None,
    ) -> Executed:
        """Execute an operation of a valid document. ``root`` is what a subscription tells of, ``begun`` the executor of
        its beginning, whose variables are coerced.
        """
        executor = (
            _executor(self._schema, document, context, variables, name, hide_suggestions, root)
            if begun is None
            else _again(begun, context, root)
        )
        if isinstance(executor, list):
            return Executed(None, executor, "the request is not valid")
        plan = self._plan(document, executor)
        if plan.root is None or plan.planner is None:
            context.unplanned = plan.reason
            return await _reference(executor, plan.reason)
        try:
            return Executed(await Run(executor, plan.planner).root(plan.root))
        except (
            Exception
        ) as error:  # Whatever it is: the reference meets it again and says it where it belongs.
            reason = str(error) or type(error).__name__
            log.debug("an operation left its plan: %s", reason, exc_info=error)
        context.forget_notes()
        context.unplanned = reason
        return await _reference(executor, reason)

    def _plan(self, document: DocumentNode, executor: Executor[Any]) -> _Plan:
        operation = executor.operation
        names = self._switching(document)
        values = executor.variable_values.coerced
        key = (id(operation), *[values.get(name) for name in names[:MOST_SWITCHES]])
        plan = self._plans.get(key)
        if plan is not None and plan.operation is operation:
            self._plans.move_to_end(key)
            return plan
        plan = self._plans[key] = _planned(operation, executor, names)
        if len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        return plan

    def _switching(self, document: DocumentNode) -> tuple[str, ...]:
        """The variables that @skip and @include of a document depend on."""
        known = self._switches.get(id(document))
        if known is not None and known[0] is document:
            return known[1]
        found: dict[str, None] = {}

        class Find(Visitor):
            def enter_directive(self, node: DirectiveNode, *_: object) -> None:
                for argument in node.arguments or () if node.name.value in ("skip", "include") else ():
                    if isinstance(argument.value, VariableNode):
                        found[argument.value.name.value] = None

        visit(document, Find())
        self._switches[id(document)] = (document, tuple(found))
        if len(self._switches) > MOST_PLANS:
            self._switches.popitem(last=False)
        return tuple(found)


def _executor(
    schema: GraphQLSchema,
    document: DocumentNode,
    context: object,
    variables: Mapping[str, Any],
    name: str | None,
    hide_suggestions: bool,
    root: object = None,
) -> Executor[Any] | list[GraphQLError]:
    """Graphql-core's executor with coerced variables, or what is wrong with them."""
    return Executor.build(
        schema,
        document,
        root,
        context_value=context,
        raw_variable_values=dict(variables),
        operation_name=name,
        max_coercion_errors=MAX_COERCION_ERRORS,
        hide_suggestions=hide_suggestions,
    )


def _again(begun: Executor[Any], context: object, root: object) -> Executor[Any]:
    """The executor of a subscription's beginning, for one of its events."""
    executor = begun.build_per_event_executor(root)
    executor.context_value = context
    return executor


def _planned(operation: OperationDefinitionNode, executor: Executor[Any], names: tuple[str, ...]) -> _Plan:
    """The plan of an operation, or why it has none."""
    root = executor.schema.get_root_type(operation.operation)
    if operation.operation is OperationType.MUTATION or root is None:
        return _Plan(operation, None, None, operation.operation.value)
    if len(names) > MOST_SWITCHES:
        return _Plan(operation, None, None, "too many variables in @skip and @include")
    planner = Planner(executor)
    try:
        grouped, deferred, _ = collect_fields(
            executor.schema, executor.fragments, executor.variable_values, root, operation
        )
        if deferred:
            raise Unplanned("@defer")
        return _Plan(operation, planner, planner.selection(root, grouped, kept=False))
    except (Unplanned, GraphQLError, RecursionError) as error:
        return _Plan(operation, None, None, str(error) or type(error).__name__)


async def _reference(executor: Executor[Any], reason: str | None) -> Executed:
    running = executor.execute_operation()
    result = await running if executor.is_awaitable(running) else running
    if not isinstance(result, ExecutionResult):
        raise TypeError("an operation without @defer gave several payloads")
    return Executed(result.data, result.errors or (), reason)
