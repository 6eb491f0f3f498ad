"""What a document may cost before anyone runs it.

The analysis is linear in the document: each fragment is measured once and its measure reused wherever it is
spread, so a chain of fragments that doubles thirty times is refused in microseconds. Only when the expanded size
is known to be small is the expanded tree walked, once, to bound the comparisons of the overlapping-fields rule,
which are quadratic in the fields that share a response path.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from resolvers.execution.incremental import NAMES
from schema.errors import RequestError


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Bounds of one document. Counts of fields and aliases are those after fragments are expanded."""

    max_length: int = 128 * 1024
    max_tokens: int = 8_000
    max_depth: int = 20
    max_fields: int = 3_000
    max_aliases: int = 300
    max_root_fields: int = 50
    max_fragments: int = 250
    max_overlaps: int = 30_000
    max_parts: int = 50
    introspection: bool = True


class DocumentRefused(RequestError):
    """The document is beyond a limit, or broken in a way that forbids measuring it."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class Measure:
    """Size of a selection set with its fragments expanded; ``nodes`` counts fields, spreads and inline fragments,
    ``parts`` the places that say @defer or @stream.
    """

    depth: int = 0
    nodes: int = 0
    fields: int = 0
    aliases: int = 0
    roots: int = 0
    parts: int = 0


@dataclass(slots=True)
class _Own:
    """A definition's own size, and the fragments it spreads with the depth they are spread at."""

    depth: int = 0
    nodes: int = 0
    fields: int = 0
    aliases: int = 0
    roots: int = 0
    parts: int = 0
    spreads: Counter[tuple[str, int]] | None = None


def check_document(document: DocumentNode, limits: DocumentLimits) -> None:
    """Raises DocumentRefused unless every operation, and all of them together, are within the limits."""
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = _fragments(document)
    # Validation compares every fragment spread at one place with every other.
    _at_most(len(fragments), limits.max_fragments, "TOO_MANY_FRAGMENTS", "fragments")
    measures = measure_fragments(fragments)
    sizes = [_expand(_own(operation.selection_set), measures) for operation in operations]
    for size in sizes:
        _at_most(size.depth, limits.max_depth, "QUERY_TOO_DEEP", "levels")
        _at_most(size.aliases, limits.max_aliases, "TOO_MANY_ALIASES", "aliases, fragments expanded")
        _at_most(size.roots, limits.max_root_fields, "TOO_MANY_ROOT_FIELDS", "root fields")
        # Each makes a part of its own for every row that it stands below.
        _at_most(size.parts, limits.max_parts, "TOO_MANY_PARTS", "@defer and @stream, fragments expanded")
    _at_most(sum(s.fields for s in sizes), limits.max_fields, "QUERY_TOO_LARGE", "fields, fragments expanded")
    # Spreads and inline fragments without a field inside cost walking too.
    _at_most(sum(s.nodes for s in sizes), 4 * limits.max_fields, "QUERY_TOO_LARGE", "selections")
    _refuse_unused(operations, fragments)
    overlaps = sum(_overlaps(operation.selection_set, fragments) for operation in operations)
    _at_most(overlaps, limits.max_overlaps, "QUERY_TOO_LARGE", "comparisons of fields with one response name")


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    found: dict[str, FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            if (name := definition.name.value) in found:
                raise _invalid(f"There are two fragments named {_shown(name)}.", "Rename one of them.")
            found[name] = definition
    return found


def measure_fragments(fragments: dict[str, FragmentDefinitionNode]) -> dict[str, Measure]:
    """Each fragment's size, computed once, without recursion; a cycle is refused by name."""
    own = {name: _own(fragment.selection_set) for name, fragment in fragments.items()}
    done: dict[str, Measure] = {}
    for start in own:
        path: dict[str, Iterator[str]] = {} if start in done else {start: _names(own[start])}
        while path:
            name = next(reversed(path))
            inner = next((n for n in path[name] if n in own and n not in done), None)
            if inner is None:
                del path[name]
                done[name] = _expand(own[name], done)
            elif inner in path:
                raise _invalid(f"The fragment {_shown(inner)} spreads itself.", "Break the cycle.")
            else:
                path[inner] = _names(own[inner])
    return done


def _names(own: _Own) -> Iterator[str]:
    return iter([name for name, _ in own.spreads or ()])


def _own(selection_set: SelectionSetNode) -> _Own:
    """Walks one definition, not entering fragments; depth 1 is its own first level of fields."""
    own = _Own(spreads=Counter())
    stack = [(selection_set, 1)]
    while stack:
        selections, depth = stack.pop()
        for node in selections.selections:
            own.nodes += 1
            own.parts += any(directive.name.value in NAMES for directive in node.directives or ())
            if isinstance(node, FieldNode):
                own.fields += 1
                own.depth = max(own.depth, depth)
                own.aliases += node.alias is not None
                own.roots += depth == 1
                if node.selection_set:
                    stack.append((node.selection_set, depth + 1))
            elif isinstance(node, InlineFragmentNode):
                stack.append((node.selection_set, depth))
            elif isinstance(node, FragmentSpreadNode) and own.spreads is not None:
                own.spreads[node.name.value, depth] += 1
    return own


def _expand(own: _Own, measures: dict[str, Measure]) -> Measure:
    depth, nodes, fields, aliases, roots = own.depth, own.nodes, own.fields, own.aliases, own.roots
    parts = own.parts
    for (name, at), times in (own.spreads or Counter()).items():
        inner = measures.get(name, Measure())
        depth = max(depth, at - 1 + inner.depth)
        nodes += times * inner.nodes
        fields += times * inner.fields
        aliases += times * inner.aliases
        parts += times * inner.parts
        roots += times * inner.roots if at == 1 else 0
    return Measure(depth, nodes, fields, aliases, roots, parts)


def _at_most(found: int, limit: int, code: str, noun: str) -> None:
    if found > limit:
        shown = str(found) if found < 10**9 else "more than a billion"
        hint = "Ask for less, or in several requests."
        raise DocumentRefused(code, f"The document has {shown} {noun}; at most {limit} are answered.", hint)


def _refuse_unused(
    operations: list[OperationDefinitionNode], fragments: dict[str, FragmentDefinitionNode]
) -> None:
    """A fragment that no operation reaches is invalid anyway; refused here, as validation would walk it uncounted."""
    todo = [operation.selection_set for operation in operations]
    seen: set[str] = set()
    while todo:
        for name in _names(_own(todo.pop())):
            if name in fragments and name not in seen:
                seen.add(name)
                todo.append(fragments[name].selection_set)
    for name in fragments:
        if name not in seen:
            raise _invalid(f"The fragment {_shown(name)} is never used.", "Remove it, or spread it.")


def _invalid(message: str, hint: str) -> DocumentRefused:
    return DocumentRefused("GRAPHQL_VALIDATION_FAILED", message, hint)


def _overlaps(root: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> int:
    """Pairs of fields that answer under the same path: what the overlapping-fields rule compares."""
    pairs = 0
    level: list[list[SelectionSetNode]] = [[root]]
    while level:
        below: list[list[SelectionSetNode]] = []
        for group in level:
            named: dict[str, list[FieldNode]] = {}
            for selected in group:
                for node in _fields(selected, fragments):
                    named.setdefault((node.alias or node.name).value, []).append(node)
            pairs += sum(len(same) * (len(same) - 1) // 2 for same in named.values())
            nested = ([n.selection_set for n in same if n.selection_set] for same in named.values())
            below.extend(sets for sets in nested if sets)
        level = below
    return pairs


def _fields(
    selection_set: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    """The fields of one level with fragments opened; only called on what is known to be small and free of cycles."""
    stack = [selection_set]
    while stack:
        for node in stack.pop().selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                stack.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
                stack.append(fragments[node.name.value].selection_set)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:57] + "...")
