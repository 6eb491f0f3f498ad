"""What a document asks for, before anything is loaded: the classes it needs, so that one payload is fetched once."""

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
}
"""Fields about this very moment or this very client."""


def is_momentary(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """Whether some field is only true now, or answered by nothing but the reason why: such an answer is not kept."""
    info = TypeInfo(schema)
    absent = {cls.__name__: exposed.absent for cls, exposed in EXPOSED.items()}
    found: list[str] = []

    class Collect(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            parent, name = info.get_parent_type(), node.name.value
            if parent is None:
                return
            if name in MOMENTARY.get(parent.name, ()) or snake(name) in absent.get(parent.name, ()):
                found.append(name)

    visit(document, TypeInfoVisitor(info, Collect()))
    return bool(found)


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
