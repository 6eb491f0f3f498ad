"""Where a field stands in its document: the way to it from the root, and what is written there and beside it.

A trail is the way without the places in lists: for every step the type of the object and the response key. What a
document says along a trail is found once an operation, whatever the number of rows.
"""

from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
    is_abstract_type,
    is_object_type,
)

Step: TypeAlias = tuple[str | None, str]
Trail: TypeAlias = tuple[Step, ...]


def trail_of(path: Any) -> Trail:
    """The trail of a response path of graphql-core, from the root down."""
    steps: list[Step] = []
    while path is not None:
        if isinstance(path.key, str):
            steps.append((path.typename, path.key))
        path = path.prev
    return tuple(reversed(steps))


class Trails:
    """What one operation says along its trails, each found once."""

    def __init__(self, raw: GraphQLResolveInfo[Any]) -> None:
        self.operation = raw.operation
        self._schema, self._fragments, self._variables = raw.schema, raw.fragments, raw.variable_values
        self._known: dict[tuple[Trail, str | None], list[FieldNode]] = {}
        self._beside: dict[Trail, list[tuple[str, str]]] = {}
        self.memo: dict[Trail, Any] = {}
        """What others have found out about a trail."""

    def nodes(self, trail: Trail) -> list[FieldNode]:
        """The places in the document that one field of the answer is made of."""
        typename, key = trail[-1]
        return [node for node in self.selected(trail[:-1], typename) if response_key(node) == key]

    def selected(self, trail: Trail, typename: str | None) -> list[FieldNode]:
        """The fields selected on the objects of a type at a trail, fragments included."""
        known = self._known.get((trail, typename))
        if known is None:
            levels = (
                [node.selection_set for node in self.nodes(trail) if node.selection_set is not None]
                if trail
                else [self.operation.selection_set]
            )
            known = [node for level in levels for node in self._fields(level, typename)]
            self._known[trail, typename] = known
        return known

    def beside(self, path: Any) -> list[tuple[str, str]]:
        """The fields selected on the same object as one: response key, and name in the model's spelling."""
        trail = trail_of(path)
        known = self._beside.get(trail)
        if known is None:
            nodes = self.selected(trail[:-1], path.typename)
            found = [(response_key(node), snake(node.name.value)) for node in nodes]
            known = self._beside[trail] = list(dict.fromkeys(found))
        return known

    def directive(self, node: FieldNode, name: str) -> dict[str, Any] | None:
        """The arguments of a directive on a field; None where it is not there."""
        definition = self._schema.get_directive(name)
        return None if definition is None else get_directive_values(definition, node, self._variables)

    def _fields(self, level: SelectionSetNode, typename: str | None) -> list[FieldNode]:
        found: list[FieldNode] = []
        for node in level.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                found.append(node)
                continue
            inner: Any = node
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                inner = getattr(fragment, "definition", fragment)
            if self._applies(inner.type_condition, typename):
                found.extend(self._fields(inner.selection_set, typename))
        return found

    def _included(self, node: SelectionNode) -> bool:
        """Whether @skip and @include leave it in."""
        skip = get_directive_values(GraphQLSkipDirective, node, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self._variables)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def _applies(self, condition: Any, typename: str | None) -> bool:
        """Whether a fragment on a type is about objects of another."""
        if condition is None or typename is None or condition.name.value == typename:
            return True
        wider, kind = self._schema.get_type(condition.name.value), self._schema.get_type(typename)
        return is_abstract_type(wider) and is_object_type(kind) and self._schema.is_sub_type(wider, kind)


def camel(name: str) -> str:
    """The graph's spelling of a field."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    """The model's spelling of a field."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def response_key(node: FieldNode) -> str:
    """The name under which a field stands in the answer."""
    return (node.alias or node.name).value
