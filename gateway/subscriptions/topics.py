"""What a request watches: the topic that its root field gives, for one context."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    Visitor,
    create_source_event_stream,
    visit,
)
from graphql.execution.executor import Executor
from graphql.language import VariableDefinitionNode, VariableNode

from gateway.answers import canonical
from gateway.documents import Document
from gateway.engine import SchemaEngine
from gateway.operations import Described
from gateway.request import GraphQLRequest
from gateway.subscribing import LAST_EVENT_ID
from resolvers.context import Context
from resolvers.execution.operation import MAX_COERCION_ERRORS
from resolvers.subscriptions import Topic
from schema.errors import RequestError


class NoTopic(Exception):
    """The request watches nothing; ``errors`` say why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("no topic")
        self.errors = errors


@dataclass(slots=True)
class Asked:
    """A subscription as it was asked for, ready to be executed again and again once its topic is known."""

    engine: SchemaEngine
    document: Document
    operation: OperationDefinitionNode
    request: GraphQLRequest
    _begun: Executor[Any] | None = None

    @property
    def name(self) -> str | None:
        """The name of the operation."""
        return self.operation.name.value if self.operation.name else None

    @property
    def selected(self) -> frozenset[type]:
        """The classes that the document loads."""
        described = self.document.described
        return described.selected if isinstance(described, Described) else frozenset()

    @property
    def likeness(self) -> tuple[Any, ...]:
        """Equal for those who ask the same: document, operation, and variables but for where they go on."""
        variables = dict(self.request.variables)
        name = _cursor_variable(self.document.ast, self.operation)
        if name is not None:
            variables.pop(name, None)
        return self.document.sha256, self.name, canonical(variables)

    async def topic(self, context: Context) -> Topic:
        """What is watched, bound to a context. Raises NoTopic, or CrossdockError for what the arguments say."""
        engine = self.engine
        self.begin(context)
        executor = Executor.build(
            engine.schema,
            self.document.ast,
            context_value=context,
            raw_variable_values=dict(self.request.variables),
            operation_name=self.name,
            max_coercion_errors=MAX_COERCION_ERRORS,
            hide_suggestions=not engine.documents.limits.introspection,
        )
        if isinstance(executor, list):
            raise NoTopic(executor)
        # Kept without the context: it would hold on to all that was loaded.
        self._begun = executor.build_per_event_executor(None)
        self._begun.context_value = None
        found: Any = create_source_event_stream(executor)
        stream = await found if executor.is_awaitable(found) else found
        if isinstance(stream, ExecutionResult):
            raise NoTopic(list(stream.errors or ()))
        async with aclosing(cast("AsyncGenerator[Topic, None]", stream)) as topics:
            topic = await anext(topics)
        last = _last_seen(self.request)
        return topic if last is None else replace(topic, after=last)

    def begin(self, context: Context) -> None:
        """Tell a context what the document is about, before anything is loaded."""
        if self.engine.hooks is not None:
            self.engine.hooks.begin(context, self.document.described, self.request)

    async def tell(self, context: Context, change: Any) -> bytes:
        """The JSON of one message."""
        if self._begun is None:
            raise RuntimeError("the topic is asked for first")
        begun = self._begun
        return await self.engine.tell(self.document, self.operation, context, self.request, change, begun)


def _last_seen(request: GraphQLRequest) -> str | None:
    """The cursor that the client saw last, where its transport says so. Raises RequestError."""
    last = request.extensions.get(LAST_EVENT_ID)
    if last is None or isinstance(last, str):
        return last or None
    raise RequestError(f"extensions.{LAST_EVENT_ID} must be a cursor, a string.")


def _cursor_variable(document: DocumentNode, operation: OperationDefinitionNode) -> str | None:
    """The variable that says where to go on, where it says nothing else."""
    uses: list[str] = []

    class Count(Visitor):
        def enter_variable_definition(self, _node: VariableDefinitionNode, *_: object) -> Any:
            return self.SKIP

        def enter_variable(self, node: VariableNode, *_: object) -> None:
            uses.append(node.name.value)

    visit(document, Count())
    for field in operation.selection_set.selections:
        for argument in getattr(field, "arguments", None) or ():
            value = argument.value
            if argument.name.value == "after" and isinstance(value, VariableNode):
                name = value.name.value
                return name if uses.count(name) == 1 else None
    return None
