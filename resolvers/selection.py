"""What a document asks for, before anything is loaded: the classes it needs, so that one payload is fetched once."""

from typing import TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    visit,
)

from resolvers.edges import EXPOSED, Edge, Exposed, Fact, Function
from resolvers.trail import snake


def selected_types(schema: GraphQLSchema, document: DocumentNode) -> frozenset[type]:
    """Every class that some field of the document loads, facts and their needs included."""
    by_name = {cls.__name__: exposed for cls, exposed in EXPOSED.items()}
    classes = {cls.__name__: cls for cls in EXPOSED}
    info = TypeInfo(schema)
    found: set[type] = set()

    class Collect(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            parent = info.get_parent_type()
            exposed = by_name.get(parent.name) if parent is not None else None
            if exposed is not None:
                found.update(loaded_by(exposed, snake(node.name.value)))
            result = info.get_type()
            named = get_named_type(result) if result is not None else None
            if named is not None and named.name in classes:
                found.add(classes[named.name])

    visit(document, TypeInfoVisitor(info, Collect()))
    return frozenset(found)


MOMENTARY = {
    "SourceSystem": {"healthy", "circuit", "lagSeconds", "clockSkewMs", "lastContactAt"},
    "Query": {"viewer", "sourceSystems"},
    "ProductionOrder": {"timeline"},
}
"""Fields about this very moment or this very client."""


Fields: TypeAlias = frozenset[tuple[str, str]]
"""Fields of a document, each with the type that it belongs to."""


def fields_of(schema: GraphQLSchema, document: DocumentNode) -> Fields:
    """Every field that a document asks for."""
    info = TypeInfo(schema)
    found: set[tuple[str, str]] = set()

    class Collect(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            parent = info.get_parent_type()
            if parent is not None:
                found.add((parent.name, node.name.value))

    visit(document, TypeInfoVisitor(info, Collect()))
    return frozenset(found)


def is_momentary(fields: Fields) -> bool:
    """Whether some field is only true now, or answered by nothing but the reason why: such an answer is not kept."""
    absent = {cls.__name__: exposed.absent for cls, exposed in EXPOSED.items()}
    return any(
        name in MOMENTARY.get(parent, ()) or snake(name) in absent.get(parent, ()) for parent, name in fields
    )


def is_dated(fields: Fields) -> bool:
    """Whether some field counts from the arrival of the request (``ageSeconds``, ``mode``), or tells of the schema: the
    same words would be wrong, or are no answer, for the next request.
    """
    exposed = {cls.__name__: one.fields for cls, one in EXPOSED.items()}
    attached = [(name, exposed.get(parent, {}).get(snake(name))) for parent, name in fields]
    return any(
        name in ("__schema", "__type") or (isinstance(one, Fact) and "arrived" in one.moments)
        for name, one in attached
    )


def loaded_by(exposed: Exposed, name: str) -> set[type]:
    """The classes that one field of a class loads."""
    attached = exposed.fields.get(name)
    if isinstance(attached, Edge):
        return {attached.target}
    if isinstance(attached, Fact | Function):
        edges = [exposed.fields[need] for need in attached.needs]
        found = {edge.target for edge in edges if isinstance(edge, Edge)}
        return found | ({cls for cls, _ in attached.loads} if isinstance(attached, Function) else set())
    return set()
