"""What a document selects, read leniently: with variables that may not be known yet, and by the runtime type.

What depends on a variable without a value is taken as selected, and an argument by it as not given.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    value_from_ast_untyped,
)
from graphql.pyutils import Undefined

from resolvers.trail import response_key

Groups = dict[str, list[FieldNode]]
"""Fields of the answer by their names in it, each with its places in the document."""


class Selected:
    """One operation of a document with the values of its variables, as they came."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        nodes = document.definitions
        self._fragments = {
            node.name.value: node for node in nodes if isinstance(node, FragmentDefinitionNode)
        }
        operations = [node for node in nodes if isinstance(node, OperationDefinitionNode)]
        named = [node for node in operations if node.name is not None and node.name.value == name]
        self.operation = (named or operations)[0]
        defaults = {
            each.variable.name.value: value_from_ast_untyped(each.default_value)
            for each in self.operation.variable_definitions or ()
            if each.default_value is not None
        }
        self._variables = {**defaults, **variables}

    def groups(self, kind: GraphQLObjectType, sets: Iterable[SelectionSetNode | None]) -> Groups:
        """The fields that some selection sets ask of objects of one type."""
        found: Groups = {}
        seen: set[str] = set()
        for each in sets:
            if each is not None:
                self._collect(kind, each, found, seen)
        return found

    def arguments(self, definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The arguments of a field that are given and not null, with the defaults of the schema."""
        given = {name: argument.default_value for name, argument in definition.args.items()}
        for argument in node.arguments or ():
            value = value_from_ast_untyped(argument.value, self._variables)
            if value is not Undefined:
                given[argument.name.value] = value
        return {name: value for name, value in given.items() if value is not None and value is not Undefined}

    def _collect(
        self, kind: GraphQLObjectType, level: SelectionSetNode, found: Groups, seen: set[str]
    ) -> None:
        for node in level.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(response_key(node), []).append(node)
                continue
            inner: Any = node
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in seen:
                    continue
                seen.add(name)
                inner = self._fragments[name]
            if self._applies(inner.type_condition, kind):
                self._collect(kind, inner.selection_set, found, seen)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name in ("skip", "include"):
                said = {
                    one.name.value: value_from_ast_untyped(one.value, self._variables)
                    for one in directive.arguments or ()
                }
                if said.get("if") is (name == "skip"):
                    return False
        return True

    def _applies(self, condition: NamedTypeNode | None, kind: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == kind.name:
            return True
        wider = self._schema.get_type(condition.name.value)
        return isinstance(wider, GraphQLAbstractType) and self._schema.is_sub_type(wider, kind)
