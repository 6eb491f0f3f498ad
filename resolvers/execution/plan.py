"""Plans: what an operation selects, with everything that does not depend on its rows found out beforehand.

A plan is made from the schema, the tables of edges and facts, and the operation as graphql-core collects its fields. It
holds for all runs in which @skip and @include decide alike. What it cannot express raises ``Unplanned``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import collect_subfields
from graphql.execution.executor import Executor

from resolvers.edges import EXPOSED, Edge, Fact
from resolvers.execution.asking import Asking, asking
from resolvers.execution.fragments import Levels
from resolvers.execution.writing import Builder, LeafWriter, build_rows, compute_rows, leaf_writer
from resolvers.ids import encode
from resolvers.trail import snake
from schema.base import KEYS, PREFIXES, SourceSystem

Details = Sequence[Any]


class Unplanned(Exception):
    """The operation asks for something that only the reference implementation does."""


class Kind(Enum):
    """How the values of a field are had."""

    PLAIN = "plain"
    """An attribute of the row, or a function of the row alone."""
    EDGE = "edge"
    FACT = "fact"
    OPAQUE = "opaque"
    """A function of its own, asked row by row."""


@dataclass(slots=True, eq=False)
class Planned:
    """One field of a selection. ``nodes`` are its places in the document, ``read`` gives a plain value of a row."""

    key: str
    kind: Kind
    definition: GraphQLField
    parent: GraphQLObjectType
    nodes: list[FieldNode]
    details: Details
    named: GraphQLNamedType
    nullable: bool
    many: bool
    item_nullable: bool
    attribute: str = ""
    read: Callable[..., Any] | None = None
    moments: tuple[str, ...] = ()
    edge: Edge | None = None
    asking: Asking | None = None
    """How to ask the function of an opaque field, where it is one of ours."""
    compute: Callable[..., list[Any]] | None = None
    """A fact for all rows: ``(rows, moments, *answers)``."""
    needs: tuple[Edge, ...] = ()
    leaf: LeafWriter | None = None
    inside: "dict[str, Selection]" = field(default_factory=dict)
    """What is selected of the objects that it leads to, by their type."""
    inline: bool = False
    """Whether the value is written with the row, without a column of its own."""


@dataclass(slots=True, eq=False)
class Selection:
    """What is selected of objects of one type. ``columns`` are the fields that are completed apart, in order."""

    kind: GraphQLObjectType
    cls: type | None
    fields: list[Planned]
    columns: list[Planned]
    moments: tuple[str, ...]
    kept: bool
    """Whether its rows may come again as the same objects, so that their bytes are worth keeping."""
    build: Builder
    steady: bool
    """Whether its JSON follows from its rows and from what its edges lead to, and from nothing else."""
    levels: Levels | None
    """Where its levels are kept: None where they do not come again, or are no more than their rows."""


class Planner:
    """Plans the selections of one operation. ``executor`` knows the schema, the fragments and the variables."""

    def __init__(self, executor: Executor[Any]) -> None:
        # A plan outlives its first operation: the executor itself would keep that one's context and loaders alive.
        self._schema: GraphQLSchema = executor.schema
        self._fragments = executor.fragments
        self._variables = executor.variable_values
        self._operation = executor.operation
        self._hide_suggestions = executor.hide_suggestions
        self._classes = {cls.__name__: cls for cls in EXPOSED}

    def selection(
        self, kind: GraphQLObjectType, grouped: Mapping[str, Details], *, kept: bool = True
    ) -> Selection:
        """The plan of the fields collected for one type of objects."""
        cls = self._classes.get(kind.name)
        fields = [self._field(kind, cls, key, details) for key, details in grouped.items()]
        moments = tuple(dict.fromkeys(name for one in fields for name in _moments(one)))
        columns = [one for one in fields if not one.inline]
        keeps = kept and cls in KEYS and not moments
        steady = not moments and all(_is_steady(one) for one in columns)
        build, levels = build_rows(fields, moments, keeps), Levels() if keeps and steady and columns else None
        return Selection(kind, cls, fields, columns, moments, keeps, build, steady, levels)

    def inside(self, planned: Planned, kind: GraphQLObjectType) -> Selection:
        """What a field selects of objects of one type; planned when such an object first comes."""
        known = planned.inside.get(kind.name)
        if known is None:
            grouped, deferred, _ = collect_subfields(
                self._schema,
                self._fragments,
                self._variables,
                self._operation,
                kind,
                list(planned.details),
                self._hide_suggestions,
            )
            if deferred:
                raise Unplanned("@defer")
            kept = planned.kind is not Kind.FACT
            known = planned.inside[kind.name] = self.selection(kind, grouped, kept=kept)
        return known

    def _field(self, parent: GraphQLObjectType, cls: type | None, key: str, details: Details) -> Planned:
        node: FieldNode = details[0].node
        name = node.name.value
        definition = self._schema.get_field(parent, name)
        if definition is None or (name.startswith("__") and name != "__typename"):
            raise Unplanned(name)
        if any(one.fragment_variable_values or one.defer_usage for one in details):
            raise Unplanned("fragment variables or @defer")
        for each in details:
            if any(directive.name.value == "stream" for directive in each.node.directives or ()):
                raise Unplanned("@stream")
        planned = _typed(parent, key, definition, details)
        self._source(planned, cls, name)
        if is_leaf_type(planned.named):
            planned.leaf = leaf_writer(planned.definition.type)
        elif not is_abstract_type(planned.named):
            self.inside(planned, planned.named)  # type: ignore[arg-type]
        planned.inline = planned.kind is Kind.PLAIN and self._is_inline(planned)
        asked = planned.asking
        if (
            asked is not None
            and asked.steady
            and parent is self._schema.query_type
            and _is_steady_below(planned)
        ):
            asked.levels = Levels()
        return planned

    def _is_inline(self, planned: Planned) -> bool:
        if planned.leaf is not None:
            return True
        inner = planned.inside.get(planned.named.name)
        return inner is not None and not inner.columns and inner.cls not in PREFIXES

    def _source(self, planned: Planned, cls: type | None, name: str) -> None:
        """Find out where the values of a field come from."""
        attached = EXPOSED[cls].fields.get(snake(name)) if cls is not None else None
        if name == "__typename":
            planned.kind, planned.read = Kind.PLAIN, _constant(planned.parent.name)
        elif name == "id" and cls in PREFIXES:
            planned.kind, planned.read = Kind.PLAIN, encode
        elif isinstance(attached, Edge):
            planned.kind, planned.edge = Kind.EDGE, attached
        elif isinstance(attached, Fact):
            self._fact(planned, cls, attached)
        elif attached is None and (attribute := _attribute(planned.definition)):
            planned.kind, planned.attribute = Kind.PLAIN, attribute
        else:
            planned.asking = asking(self._schema, planned.definition, planned.nodes)

    @staticmethod
    def _fact(planned: Planned, cls: Any, fact: Fact) -> None:
        planned.moments = fact.moments
        if not fact.needs:
            planned.kind, planned.read = Kind.PLAIN, fact.compute
            return
        table = EXPOSED[cls].fields
        planned.kind, planned.compute = Kind.FACT, compute_rows(fact.compute, fact.needs, fact.moments)
        planned.needs = tuple([edge for need in fact.needs if isinstance(edge := table[need], Edge)])


def _is_steady(planned: Planned) -> bool:
    """Whether a column is the same whenever its rows, and the cells they lead to, are the same."""
    if planned.kind is Kind.OPAQUE or planned.moments:
        return False
    if any(edge.target is SourceSystem for edge in (planned.edge, *planned.needs) if edge is not None):
        return False  # How a system is changes by itself.
    return _is_steady_below(planned)


def _is_steady_below(planned: Planned) -> bool:
    inner = planned.inside.get(planned.named.name)
    return planned.leaf is not None or (inner is not None and inner.steady)


def _typed(parent: GraphQLObjectType, key: str, definition: GraphQLField, details: Details) -> Planned:
    """A field with what its type says; lists of lists are left to the reference."""
    kind: Any = definition.type
    nullable = not isinstance(kind, GraphQLNonNull)
    kind = kind if nullable else kind.of_type
    many, item_nullable = isinstance(kind, GraphQLList), True
    if many:
        kind = kind.of_type
        item_nullable = not isinstance(kind, GraphQLNonNull)
        kind = kind if item_nullable else kind.of_type
    if isinstance(kind, GraphQLList):
        raise Unplanned("a list of lists")
    nodes = [one.node for one in details]
    return Planned(key, Kind.OPAQUE, definition, parent, nodes, details, kind, nullable, many, item_nullable)


def _attribute(definition: GraphQLField) -> str | None:
    """The attribute that a field without a resolver of its own reads; None for a function."""
    found = (definition.extensions or {}).get("strawberry-definition")
    if found is None or found.base_resolver is not None or definition.args:
        return None
    name: str = found.python_name
    return name


def _constant(value: str) -> Callable[[Any], str]:
    return lambda _: value


def _moments(planned: Planned) -> tuple[str, ...]:
    """The moments that the value of a field written with its row depends on."""
    if planned.kind is not Kind.PLAIN or not planned.inline:
        return ()
    inner = planned.inside.get(planned.named.name)
    return planned.moments + (inner.moments if inner is not None else ())
