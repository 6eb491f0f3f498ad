"""Functions of our own behind fields of the graph, asked without the layers that Strawberry has around every call.

What they are given is what Strawberry makes of a field's arguments, by its own functions. Where the arguments are
constants, or variables with plain values, it is made once for all operations that say the same.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLSchema, VariableNode, Visitor, visit
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values
from strawberry.types import Info
from strawberry.types.arguments import convert_arguments

from resolvers.execution.fragments import Levels

MOST_ARGUMENTS = 256
PLAIN = frozenset({str, int, bool, type(None), type(...)})
"""Values that are equal only where they are written alike: of one variable, that is, which has one type."""


class Asking:
    """A field of the graph and the function behind it, as one place of a document asks for it.

    ``direct`` takes the row, the info and the arguments (see ``types.Types.function``), which it does not change.
    """

    __slots__ = ("_field", "_kept", "_schema", "_variables", "direct", "levels")

    def __init__(
        self,
        schema: Any,
        field: Any,
        direct: Callable[..., Coroutine[Any, Any, Any]],
        nodes: Iterable[FieldNode],
    ) -> None:
        self.direct = direct
        self._schema, self._field = schema, field
        self._variables = _variables_of(next(iter(nodes)))
        self._kept: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.levels: Levels | None = None
        """Where its answers are kept, if they follow from its arguments and what is loaded."""

    @property
    def steady(self) -> bool:
        """Whether the function says that its result follows from its arguments and what it loads (``edges.steady``)."""
        return bool(vars(self.direct).get("steady"))

    def info(self, raw: Any) -> Any:
        """What a function is told about its place."""
        return Info(_raw_info=raw, _field=self._field)

    def place(self, executor: Executor[Any]) -> tuple[Any, ...] | None:
        """What tells the arguments of one operation from those of others; None where that is not told in short."""
        values = executor.variable_values.coerced
        key = tuple([values.get(name, Ellipsis) for name in self._variables])
        return key if PLAIN.issuperset(map(type, key)) else None

    def arguments(self, executor: Executor[Any], definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The arguments for the function. Raises GraphQLError as graphql-core does."""
        if not definition.args:
            return {}
        key = self.place(executor)
        if key is None:
            return self._converted(executor, definition, node)
        known = self._kept.get(key)
        if known is None:
            if len(self._kept) >= MOST_ARGUMENTS:
                self._kept.clear()
            known = self._kept[key] = self._converted(executor, definition, node)
        return known

    def _converted(
        self, executor: Executor[Any], definition: GraphQLField, node: FieldNode
    ) -> dict[str, Any]:
        given = get_argument_values(
            definition, node, executor.variable_values, None, executor.hide_suggestions
        )
        converter = self._schema.schema_converter
        return convert_arguments(given, self._field.arguments, converter.scalar_registry, self._schema.config)


def asking(schema: GraphQLSchema, definition: GraphQLField, nodes: Iterable[FieldNode]) -> Asking | None:
    """How to ask the function behind a field without detours; None where it is none of ours."""
    field = (definition.extensions or {}).get("strawberry-definition")
    if field is None or field.base_resolver is None or field.extensions:
        return None
    direct = getattr(field.base_resolver.wrapped_func, "direct", None)
    return None if direct is None else Asking(vars(schema)["_strawberry_schema"], field, direct, nodes)


def _variables_of(node: FieldNode) -> tuple[str, ...]:
    """The variables in the arguments of a field."""
    found: dict[str, None] = {}

    class Find(Visitor):
        def enter_variable(self, variable: VariableNode, *_: object) -> None:
            found[variable.name.value] = None

    for argument in node.arguments or ():
        visit(argument, Find())
    return tuple(found)
