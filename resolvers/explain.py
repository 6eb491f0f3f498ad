"""What an operation will cost, before it runs: its hops, system by system.

A hop is one read or list of one system. Everything a document asks of it with the same keys is one upstream call for
every ``max_keys`` keys. Fallback systems are asked only where the owner fails or does not know a key.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    print_ast,
)
from graphql.type import GraphQLNonNull

from resolvers.context import Systems
from resolvers.costs import Price
from resolvers.edges import EXPOSED, Edge, Function
from resolvers.ledger import ASSUMED, Hop, Keys, Ledger, Scope, priced
from resolvers.rooted import Rooted, reduced, rooted
from resolvers.selecting import Selected
from resolvers.selection import selected_types
from resolvers.sourcing import needed_edges, sources
from resolvers.trail import snake
from resolvers.within import NAME
from schema.base import KEYS


@dataclass(slots=True)
class Explanation:
    """The hops of an operation, in the order in which its fields ask for them, and what nobody provides."""

    hops: list[Hop]
    unmapped: list[str]

    @property
    def calls(self) -> int:
        """Upstream calls when every owner answers and lists are filled by their first pages."""
        return sum(hop.usual for hop in self.hops)

    @property
    def price(self) -> Price:
        """What the operation costs at most."""
        return priced(self.hops)

    def lines(self) -> Iterator[str]:
        """The explanation for a terminal."""
        width = max([len(f"{hop.system}.{hop.read}") for hop in self.hops], default=0)
        for hop in self.hops:
            note = "only if the owner is silent" if hop.fallback else f"1 call per {hop.max_keys} keys"
            most = f"at most {hop.cost.calls}"
            yield f"{f'{hop.system}.{hop.read}':<{width}}  {note:<27}  {most:<11}  {', '.join(hop.fields)}"
        for path in self.unmapped:
            yield f"{'nobody':<{width}}  {'no connected system':<40}  {path}"
        cost = self.price.cost
        yield f"{self.calls} upstream calls when every owner answers."
        yield f"At most {cost.calls} calls and {cost.rows} rows; a list inside an object is taken to have {ASSUMED}."


def explain(
    schema: GraphQLSchema,
    systems: Systems,
    document: DocumentNode,
    variables: Mapping[str, Any] | None = None,
    name: str | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Explanation:
    """The hops of an operation of a valid document, the first where none is named."""
    ledger = Ledger(systems, selected_types(schema, document))
    values = reduced(dict(variables or {}), systems, aliases or {})
    walk = _Walk(schema, systems, ledger, Selected(schema, document, name, values), aliases or {})
    walk.operation()
    return Explanation(ledger.settled(), list(ledger.unmapped))


@dataclass(slots=True, eq=False)
class Level:
    """The rows at one place of the document: how many at most, and the keys that are the same for all who read them.

    ``page`` are the rows of a connection; ``fan`` is how many rows a list of values at this place has.
    """

    rows: int = 1
    depth: int = 0
    keys: dict[tuple[str, ...], Keys] = field(default_factory=dict)
    plants: frozenset[str] | None = None
    page: "Level | None" = None
    fan: int = ASSUMED
    below: dict[str, "Level"] = field(default_factory=dict)
    """What its fields lead to: two aliases of an edge lead to the same rows."""

    def key(self, edge: Edge) -> Keys:
        """The keys by which an edge leads on from these rows."""
        attributes = edge.key if edge.each is None else ("*", edge.each, *edge.key)
        known = self.keys.get(attributes)
        if known is None:
            fan = 1 if edge.each is None else ASSUMED
            plants = self.plants if edge.key[:1] == ("plant",) else None
            known = self.keys[attributes] = Keys(self.rows * fan, plants)
        return known


class _Walk:
    """Goes through an operation and has the ledger take down what its fields load."""

    def __init__(
        self,
        schema: GraphQLSchema,
        systems: Systems,
        ledger: Ledger,
        selected: Selected,
        aliases: Mapping[str, str],
    ) -> None:
        self._schema, self._systems, self._ledger = schema, systems, ledger
        self._selected, self._aliases = selected, aliases
        self._classes = {cls.__name__: cls for cls in EXPOSED}
        self._rooted: dict[tuple[str, ...], Rooted] = {}
        self._levels: dict[Keys, Level] = {}

    def operation(self) -> None:
        """Take down what the whole operation loads."""
        operation = self._selected.operation
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            return
        asks = operation.operation is OperationType.QUERY
        for key, nodes in self._selected.groups(root, [operation.selection_set]).items():
            definition = self._schema.get_field(root, nodes[0].name.value)
            if definition is None or is_leaf_type(get_named_type(definition.type)):
                continue
            arguments = self._selected.arguments(definition, nodes[0])
            scope = (key if "freshness" in arguments else None, _bound(nodes))
            if asks:
                # Roots that say the same ask for the same keys.
                said = (nodes[0].name.value, *sorted(map(print_ast, nodes[0].arguments or ())))
                found = self._rooted.get(said) or rooted(
                    self._systems, said[0], definition, arguments, self._aliases
                )
                self._rooted[said] = found
                self._root(found, nodes, scope, nodes[0].name.value, get_named_type(definition.type))
            else:
                self._inside(get_named_type(definition.type), nodes, Level(), scope, nodes[0].name.value)

    def _root(self, found: Rooted, nodes: list[FieldNode], scope: Scope, path: str, named: Any) -> None:
        rows = self._levels.setdefault(found.keys, Level(found.rows, 1, plants=found.plants))
        for load in found.loads:
            self._ledger.load(load.cls, load.by, load.keys, path, scope=scope, depth=0, times=load.times)
        for lister in found.listed:
            self._ledger.listed(
                lister.lister,
                found.keys,
                path,
                scope=scope,
                further=lister.further,
                pages=lister.pages,
                size=lister.size,
            )
        for one in found.found:
            keys = {KEYS[one.cls][one.by]: one.keys}
            level = self._levels.setdefault(one.keys, Level(one.keys.count, 1, keys, one.keys.plants))
            self._ledger.load(one.cls, one.by, one.keys, path, scope=scope, depth=0)
            kind = self._schema.get_type(one.cls.__name__)
            if isinstance(kind, GraphQLObjectType):
                self._kind(kind, nodes, level, scope, path)
        if found.cls is not None:
            rows.keys[KEYS[found.cls]["id"]] = found.keys
            for name in found.sifts:
                self._attached(
                    rows, found.cls, name, f"{path}({name})", scope, times=found.pages, count=found.page_rows
                )
        if not found.found:
            outer = Level(1, 1, page=rows, fan=found.rows)
            self._inside(named, nodes, outer, scope, path)

    def _inside(self, named: Any, nodes: list[FieldNode], level: Level, scope: Scope, path: str) -> None:
        """What is selected of objects of a type, or of every type that may stand there."""
        kinds: Iterable[Any] = [named]
        if is_abstract_type(named):
            kinds = self._schema.get_possible_types(named)
        for kind in kinds:
            if isinstance(kind, GraphQLObjectType):
                self._kind(kind, nodes, level, scope, path)

    def _kind(
        self, kind: GraphQLObjectType, nodes: list[FieldNode], level: Level, scope: Scope, path: str
    ) -> None:
        groups = self._selected.groups(kind, [node.selection_set for node in nodes])
        beside = [snake(some[0].name.value) for some in groups.values()]
        for some in groups.values():
            self._field(kind, some, level, scope, f"{path}.{some[0].name.value}", beside)

    def _field(
        self,
        kind: GraphQLObjectType,
        nodes: list[FieldNode],
        level: Level,
        scope: Scope,
        path: str,
        beside: list[str],
    ) -> None:
        name = snake(nodes[0].name.value)
        definition = self._schema.get_field(kind, nodes[0].name.value)
        if definition is None:
            return
        bound = _bound(nodes)
        scope = scope if bound is None else (scope[0], bound)
        cls = self._classes.get(kind.name)
        if cls is not None:
            attached = EXPOSED[cls].fields.get(name)
            names = [name]
            if isinstance(attached, Function) and attached.resolve is sources:
                # It tells of what the fields beside it load, and loads for itself where there are none.
                names = [] if needed_edges(cls, beside) else list(EXPOSED[cls].owners)
            for each in names:
                self._attached(level, cls, each, path, scope)
        named = get_named_type(definition.type)
        if not is_leaf_type(named):
            self._inside(named, nodes, self._below(level, kind, name, definition, nodes), scope, path)

    def _below(self, level: Level, kind: Any, name: str, definition: Any, nodes: list[FieldNode]) -> Level:
        """The level that a field leads to."""
        if level.page is not None and (name == "nodes" or (name == "node" and kind.name.endswith("Edge"))):
            return level.page
        if level.page is not None and name == "edges":
            return level
        first = self._selected.arguments(definition, nodes[0]).get("first")
        place = f"{name} {first}"
        known = level.below.get(place)
        if known is not None:
            return known
        cls = self._classes.get(kind.name)
        attached = EXPOSED[cls].fields.get(name) if cls is not None else None
        depth = level.depth + 1
        if isinstance(attached, Edge):
            keys = level.key(attached)
            by = KEYS[attached.target].get(attached.by, ()) if attached.target in KEYS else ()
            rows = (
                keys.count * ASSUMED if attached.many else max(keys.count, level.rows * bool(attached.match))
            )
            plants = keys.plants if by[:1] == ("plant",) else None
            made = Level(rows, depth, {by: keys}, plants)
        else:
            many = level.fan if _is_list(definition) else 1
            made = Level(level.rows * many, depth)
            if get_named_type(definition.type).name.endswith("Connection"):
                size = first if isinstance(first, int) else ASSUMED
                made.page = Level(level.rows * size, depth)
            elif attached is None:
                made.plants = level.plants
        level.below[place] = made
        return made

    def _attached(
        self,
        level: Level,
        cls: type,
        name: str,
        path: str,
        scope: Scope,
        *,
        times: int = 1,
        count: int | None = None,
    ) -> None:
        """Take down what a field loads; ``times`` for pages of ``count`` rows that a filter looks at."""
        table = EXPOSED[cls].fields
        attached = table.get(name)
        if attached is None:
            return
        needs = [attached] if isinstance(attached, Edge) else [table[need] for need in attached.needs]
        for edge in needs:
            if isinstance(edge, Edge):
                self._ledger.load(
                    edge.target,
                    edge.by,
                    level.key(edge),
                    path,
                    scope=scope,
                    depth=level.depth,
                    count=count,
                    times=times,
                )
        if isinstance(attached, Function):
            rows = (level.rows if count is None else count) * (ASSUMED if attached.needs else 1)
            for target, by in attached.loads:
                place = f"{name} {target.__name__} {by}"
                keys = level.below.setdefault(place, Level(keys={(): Keys(rows)})).keys[()]
                self._ledger.load(target, by, keys, path, scope=scope, depth=level.depth + 1, times=times)


def _is_list(definition: Any) -> bool:
    kind = definition.type
    return is_list_type(kind.of_type if isinstance(kind, GraphQLNonNull) else kind)


def _bound(nodes: list[FieldNode]) -> str | None:
    """What the @fresh of a field says, in the words of the document."""
    said = [print_ast(one) for node in nodes for one in node.directives or () if one.name.value == NAME]
    return " ".join(sorted(set(said))) or None
