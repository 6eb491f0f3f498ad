"""What all runs of one operation have in common, and the variables that come again."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import DocumentNode
from graphql.execution.executor import Executor

from resolvers.execution.fragments import Values

LONGEST = 200
"""Characters of a text beyond which it is not remembered: what is kept of a request must not grow with it."""
PLAIN = frozenset({str, int, bool, type(None), type(...)})
"""Values that stand for themselves; where there is none, it is ``...``."""


def in_short(values: Sequence[Any]) -> bool:
    """Whether some values are plain and short, so that they may tell one request from others."""
    longest = max([len(value) for value in values if value.__class__ is str], default=0)
    return longest <= LONGEST and PLAIN.issuperset(map(type, values))


class Prepared:
    """One operation of a document: makes graphql-core's executors without looking through the document again.

    Variables with plain values are coerced once; what comes of it is not changed by anybody.
    """

    __slots__ = ("_common", "_known", "_names", "_options", "document")

    def __init__(self, document: DocumentNode, executor: Executor[Any]) -> None:
        # The executor itself would keep its operation's context alive.
        self.document = document
        self._common = executor.schema, executor.fragment_definitions, executor.fragments
        self._options = (
            executor.operation,
            executor.field_resolver,
            executor.type_resolver,
            executor.subscribe_field_resolver,
            executor.hide_suggestions,
        )
        definitions = executor.operation.variable_definitions or ()
        self._names = tuple([one.variable.name.value for one in definitions])
        self._known = Values()

    def coerced(self, variables: Mapping[str, Any]) -> Any | None:
        """The values of an operation's variables, if they were coerced before."""
        place = self._place(variables)
        return None if place is None else self._known.get(place)

    def keep(self, variables: Mapping[str, Any], coerced: Any) -> None:
        """Keep what came of some variables."""
        place = self._place(variables)
        if place is not None:
            self._known.keep(place, coerced)

    def executor(self, context: object, coerced: Any) -> Executor[Any]:
        """An executor for one run."""
        operation, resolver, kind, subscribe, hide = self._options
        return Executor(
            *self._common, None, context, operation, coerced, resolver, kind, subscribe, hide_suggestions=hide
        )

    def _place(self, variables: Mapping[str, Any]) -> tuple[Any, ...] | None:
        values = [variables.get(name, Ellipsis) for name in self._names]
        # 1 and true are equal, and are not the same.
        return (*values, *map(type, values)) if in_short(values) else None
