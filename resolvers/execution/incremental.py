"""An operation part by part: what ``@defer`` and ``@stream`` put off follows when the rest is told.

graphql-core's incremental executor decides which field belongs to which part and completes it: its own code, not a third
semantics. The loading is the plan's. A run of the undivided operation goes ahead over the same loaders and asks the
systems level by level, so an operation in parts makes the calls that it makes as a whole, and every one of them begins
as early as it can. Where the operation has no plan, or the run leaves it, the parts load for themselves.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from typing import Any

from graphql import (
    DirectiveLocation,
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDeferDirective,
    GraphQLDirective,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLSkipDirective,
    GraphQLStreamDirective,
    GraphQLString,
    SelectionNode,
    Visitor,
    get_directive_values,
    visit,
)
from graphql.execution import (
    InitialIncrementalExecutionResult,
    SubsequentIncrementalExecutionResult,
)
from graphql.execution.incremental.incremental_executor import IncrementalExecutor
from graphql.execution.incremental.stream_item_queue import StreamItemQueue
from graphql.language import REMOVE

from resolvers.eager import Started
from resolvers.words import DIRECTIVES

log = logging.getLogger("crossdock.execution")


def _argument(name: str, kind: Any, default: Any = None) -> GraphQLArgument:
    more = {} if default is None else {"default_value": default}
    return GraphQLArgument(kind, description=DIRECTIVES[name], **more)


DEFER = GraphQLDirective(
    GraphQLDeferDirective.name,
    [DirectiveLocation.FRAGMENT_SPREAD, DirectiveLocation.INLINE_FRAGMENT],
    {
        "if": _argument("defer.if", GraphQLNonNull(GraphQLBoolean), True),
        "label": _argument("label", GraphQLString),
    },
    description=DIRECTIVES["defer"],
)
STREAM = GraphQLDirective(
    GraphQLStreamDirective.name,
    [DirectiveLocation.FIELD],
    {
        "if": _argument("stream.if", GraphQLNonNull(GraphQLBoolean), True),
        "label": _argument("label", GraphQLString),
        "initialCount": _argument("stream.initialCount", GraphQLInt, 0),
    },
    description=DIRECTIVES["stream"],
)
NAMES = frozenset({DEFER.name, STREAM.name})


def undivided(document: DocumentNode) -> DocumentNode:
    """The document without ``@defer`` and ``@stream``; the same object where it has none."""
    undone: DocumentNode = visit(document, Undivide())
    return undone


class Undivide(Visitor):
    """Takes the directives out of a document, or of a part of it."""

    def enter_directive(self, node: DirectiveNode, *_: object) -> Any:
        """Leave out what divides."""
        return REMOVE if node.name.value in NAMES else None


def _noting(is_awaitable: Any, made: set[Coroutine[Any, Any, Any]]) -> Any:
    """The same question, which graphql-core asks of all that a function gives; the coroutines are noted."""

    def noting(value: Any) -> bool:
        found: bool = is_awaitable(value)
        if found and iscoroutine(value):
            made.add(value)
        return found

    return noting


class PartsExecutor(IncrementalExecutor):
    """Graphql-core's incremental executor, which remembers what it has to stop. ``streaming``: whether @stream counts."""

    def __init__(self, *args: Any, streaming: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.streaming = streaming
        # Executors of parts are shallow copies: all of them share the list.
        self.queues: list[StreamItemQueue] = []
        self.made: set[Coroutine[Any, Any, Any]] = set()
        self.is_awaitable = _noting(self.is_awaitable, self.made)

    def build_stream_item_queue(self, *args: Any, **kwargs: Any) -> StreamItemQueue:
        """The queue of a streamed list."""
        queue = super().build_stream_item_queue(*args, **kwargs)
        self.queues.append(queue)
        return queue

    def get_stream_usage(self, field_details_list: Any, path: Any) -> Any:
        """How a list is streamed; None where it is not."""
        return super().get_stream_usage(field_details_list, path) if self.streaming else None

    def divides(self) -> bool:
        """Whether some ``@defer`` or ``@stream`` is in force with the variables of this request."""
        dividing = (GraphQLDeferDirective, GraphQLStreamDirective)[: 1 + self.streaming]
        todo, seen = [self.operation.selection_set], set[str]()
        while todo:
            for node in todo.pop().selections:
                if not self._included(node):
                    continue
                if any(self._says(node, directive) for directive in dividing):
                    return True
                inner: Any = node
                if isinstance(node, FragmentSpreadNode):
                    if node.name.value in seen:
                        continue
                    seen.add(node.name.value)
                    inner = self.fragment_definitions[node.name.value]
                if inner.selection_set is not None:
                    todo.append(inner.selection_set)
        return False

    def _included(self, node: SelectionNode) -> bool:
        include = self._says(node, GraphQLIncludeDirective, absent=True)
        return include and not self._says(node, GraphQLSkipDirective)

    def _says(self, node: SelectionNode, directive: GraphQLDirective, *, absent: bool = False) -> bool:
        """What a directive's ``if`` says. A value that is none counts as true: execution will say what is wrong."""
        try:
            values = get_directive_values(directive, node, self.variable_values)
        except GraphQLError:
            return True
        return absent if values is None else bool(values["if"])

    async def stop(self) -> None:
        """End what still runs, and wait until it has ended."""
        await self.cancel_incremental_work()
        stopping = [ending for queue in self.queues if (ending := queue.abort()) is not None]
        await asyncio.gather(*stopping, return_exceptions=True)
        # A task that is cancelled before it begins drops what it was to await.
        for coroutine in self.made:
            if getcoroutinestate(coroutine) == CORO_CREATED:
                coroutine.close()


class Ahead:
    """A run that goes ahead, for what it loads: what it makes of it nobody reads. It never raises."""

    def __init__(self, run: Coroutine[Any, Any, object]) -> None:
        self._task: asyncio.Task[None] | None = None
        # It is ahead from the first call on: the parts begin when it waits.
        begun = Started(_unread(run))
        if not begun.done:
            self._task = asyncio.get_running_loop().create_task(_ended(begun))

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            # A task that never ran would not end what it was made for.
            await asyncio.sleep(0)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _unread(run: Coroutine[Any, Any, object]) -> None:
    try:
        await run
    except Exception as error:  # The parts meet it again and say it where it belongs.
        log.debug("what goes ahead has left its plan", exc_info=error)


async def _ended(begun: Started[None]) -> None:
    await begun


class Parts:
    """An answer in parts: the ``initial`` one, and the ``later`` ones as they come, of which the last says so (``has_next``).

    Must be closed, read to its end or not.
    """

    def __init__(
        self,
        initial: InitialIncrementalExecutionResult,
        later: AsyncGenerator[SubsequentIncrementalExecutionResult, None],
        executor: PartsExecutor,
        ahead: Ahead | None,
    ) -> None:
        self.initial, self.later = initial, later
        self._executor, self._ahead = executor, ahead

    async def close(self) -> None:
        """End what is still under way for this answer alone; loads that others share go on."""
        await self.later.aclose()
        await stop(self._executor, self._ahead)


async def in_parts(executor: PartsExecutor, ahead: Ahead | None) -> ExecutionResult | Parts:
    """Execute an operation up to its first part; the whole result where nothing was put off after all."""
    try:
        running = executor.execute_operation()
        result: Any = await running if executor.is_awaitable(running) else running
    except BaseException:
        await stop(executor, ahead)
        raise
    if isinstance(result, ExecutionResult):
        await stop(executor, ahead)
        return result
    return Parts(result.initial_result, result.subsequent_results, executor, ahead)


async def stop(executor: PartsExecutor, ahead: Ahead | None) -> None:
    """End what was begun for an answer."""
    await executor.stop()
    if ahead is not None:
        await ahead.stop()
