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
from resolvers.execution.incremental import Ahead, Parts, PartsExecutor, in_parts
from resolvers.execution.plan import Planner, Selection, Unplanned
from resolvers.execution.run import Run

log = logging.getLogger("crossdock.execution")
MAX_COERCION_ERRORS = 10
MOST_PLANS = 1_000
IN_PARTS = "in parts"
"""Why an operation that is answered in parts is not executed by its plan alone."""
MOST_SWITCHES = 8
"""More variables than these in @skip and @include have too many combinations to plan them all."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of an operation: the JSON of its data by the plan, or the reference's data and errors, and why."""

    data: bytes | dict[str, Any] | None
    errors: Sequence[GraphQLError] = ()
    reason: str | None = None
    """Why it was not executed by a plan; None where it was."""


@dataclass(frozen=True, slots=True)
class Divided:
    """A valid document with ``@defer`` or ``@stream`` in it, and the same without them.

    ``streams``: whether ``@stream`` counts; not every client knows what to do with it.
    """

    document: DocumentNode
    whole: DocumentNode
    streams: bool = True


@dataclass(slots=True)
class Plan:
    """The plan of one operation, or why it has none."""

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
    ) -> Executed:
        """Execute an operation of a valid document."""
        executor = _executor(self._schema, document, context, variables, name, hide_suggestions)
        if isinstance(executor, list):
            return Executed(None, executor, "the request is not valid")
        return await _reference(executor, "there are no plans for this schema")

    async def execute_in_parts(
        self,
        divided: Divided,
        context: object,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
    ) -> Executed | Parts:
        """Execute a query up to its first part; to its end where nothing is put off with these variables."""
        executor = _parts_executor(self._schema, divided, context, variables, name, hide_suggestions)
        if executor is None:
            return await self.execute(
                divided.whole, context, variables, name, hide_suggestions=hide_suggestions
            )
        return _told(await in_parts(executor, None))


class PlanExecution:
    """Executes the operations of one schema; its plans are kept, the least recently used let go first."""

    planner: type[Planner] = Planner

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self._switches: OrderedDict[int, tuple[DocumentNode, tuple[str, ...]]] = OrderedDict()

    async def execute(
        self,
        document: DocumentNode,
        context: Context,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
    ) -> Executed:
        """Execute an operation of a valid document."""
        executor = _executor(self._schema, document, context, variables, name, hide_suggestions)
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

    def plans(self) -> list[Plan]:
        """The plans that are kept."""
        return list(self._plans.values())

    async def execute_in_parts(
        self,
        divided: Divided,
        context: Context,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
    ) -> Executed | Parts:
        """Execute a query up to its first part; to its end where nothing is put off with these variables."""
        executor = _parts_executor(self._schema, divided, context, variables, name, hide_suggestions)
        if executor is None:
            return await self.execute(
                divided.whole, context, variables, name, hide_suggestions=hide_suggestions
            )
        context.unplanned = IN_PARTS
        return _told(await in_parts(executor, self._ahead(divided.whole, context, variables, name)))

    def _ahead(
        self, whole: DocumentNode, context: Context, variables: Mapping[str, Any], name: str | None
    ) -> Ahead | None:
        """A run of the whole operation's plan that only loads; None where it has no plan."""
        executor = _executor(self._schema, whole, context.ahead(), variables, name, True)
        if isinstance(executor, list):
            return None
        plan = self._plan(whole, executor)
        if plan.root is None or plan.planner is None:
            return None
        return Ahead(Run(executor, plan.planner).root(plan.root))

    def _plan(self, document: DocumentNode, executor: Executor[Any]) -> Plan:
        operation = executor.operation
        names = self._switching(document)
        values = executor.variable_values.coerced
        key = (id(operation), *[values.get(name) for name in names[:MOST_SWITCHES]])
        plan = self._plans.get(key)
        if plan is not None and plan.operation is operation:
            self._plans.move_to_end(key)
            return plan
        plan = self._plans[key] = _planned(operation, executor, names, self.planner)
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
) -> Executor[Any] | list[GraphQLError]:
    """Graphql-core's executor with coerced variables, or what is wrong with them."""
    return Executor.build(
        schema,
        document,
        context_value=context,
        raw_variable_values=dict(variables),
        operation_name=name,
        max_coercion_errors=MAX_COERCION_ERRORS,
        hide_suggestions=hide_suggestions,
    )


def _parts_executor(
    schema: GraphQLSchema,
    divided: Divided,
    context: object,
    variables: Mapping[str, Any],
    name: str | None,
    hide_suggestions: bool,
) -> PartsExecutor | None:
    """The executor of an operation in parts; None where it is to be executed as a whole."""
    executor = PartsExecutor.build(
        schema,
        divided.document,
        context_value=context,
        raw_variable_values=dict(variables),
        operation_name=name,
        max_coercion_errors=MAX_COERCION_ERRORS,
        # A part begins with its field, so that what all parts load at one level is asked together.
        enable_early_execution=True,
        hide_suggestions=hide_suggestions,
        streaming=divided.streams,
    )
    return executor if isinstance(executor, PartsExecutor) and executor.divides() else None


def _told(result: ExecutionResult | Parts) -> Executed | Parts:
    return result if isinstance(result, Parts) else Executed(result.data, result.errors or (), IN_PARTS)


def _planned(
    operation: OperationDefinitionNode, executor: Executor[Any], names: tuple[str, ...], plans: type[Planner]
) -> Plan:
    """The plan of an operation, or why it has none."""
    root = executor.schema.query_type
    if operation.operation is not OperationType.QUERY or root is None:
        return Plan(operation, None, None, operation.operation.value)
    if len(names) > MOST_SWITCHES:
        return Plan(operation, None, None, "too many variables in @skip and @include")
    planner = plans(executor)
    try:
        grouped, deferred, _ = collect_fields(
            executor.schema, executor.fragments, executor.variable_values, root, operation
        )
        if deferred:
            raise Unplanned("@defer")
        return Plan(operation, planner, planner.selection(root, grouped, kept=False))
    except (Unplanned, GraphQLError, RecursionError) as error:
        return Plan(operation, None, None, str(error) or type(error).__name__)


async def _reference(executor: Executor[Any], reason: str | None) -> Executed:
    running = executor.execute_operation()
    result = await running if executor.is_awaitable(running) else running
    if not isinstance(result, ExecutionResult):
        raise TypeError("an operation without @defer gave several payloads")
    return Executed(result.data, result.errors or (), reason)
