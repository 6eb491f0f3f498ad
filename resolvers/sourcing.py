"""``sources``: who was asked for what stands beside it, and who could not answer, why and since when."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
)
from strawberry.types import Info

from resolvers.context import Context
from resolvers.edges import EXPOSED, Edge, Fact, Function, follow
from resolvers.loaders import Answer
from schema.base import SourceOutcome, SourceStatus
from schema.errors import SourceError


async def sources(row: Any, info: Info) -> list[SourceStatus]:
    """How the systems answered for the groups selected beside this field; for the owner groups where none is."""
    ctx: Context = info.context
    exposed = EXPOSED[type(row)]
    beside = selected_beside(info)
    needed = needed_edges(type(row), beside) or {name: [name] for name in exposed.owners}
    edges = [exposed.fields[name] for name in needed]
    answers = await asyncio.gather(*[follow(e, row, ctx.loaders) for e in edges if isinstance(e, Edge)])
    found: dict[tuple[str, str], SourceStatus] = {}
    for edge, answer in zip(edges, answers, strict=True):
        for status in statuses(ctx, edge.name, answer, needed[edge.name]):
            found.setdefault((status.system, status.group), status)
    found.update(_later(exposed.cls, beside))
    return list(found.values())


def statuses(
    ctx: Context, group: str, answer: Answer[Any], fields: Sequence[str] | None = None
) -> list[SourceStatus]:
    """What an answer says about the systems behind it; ``fields`` are those it costs (the group's own)."""
    affected = tuple([camel(field) for field in fields or (group,)])
    failed = dict(answer.failures)
    found = []
    for system in (*answer.systems, *[code for code in failed if code not in answer.systems]):
        error = failed.get(system)
        if error is not None:
            found.append(failure(ctx, system, camel(group), error, affected))
        elif answer.value is None:
            found.append(
                SourceStatus(system, camel(group), SourceOutcome.NOT_FOUND, "The system does not know it.")
            )
        else:
            found.append(SourceStatus(system, camel(group), SourceOutcome.OK))
    return found


def failure(
    ctx: Context, system: str, group: str, error: SourceError, fields: tuple[str, ...] = ()
) -> SourceStatus:
    """The status of a system that failed."""
    wait = None if error.retry_after is None else int(error.retry_after + 0.999)
    return SourceStatus(
        system, group, error.outcome, str(error), wait, fields, ctx.systems.last_good_at(system)
    )


def needed_edges(cls: type, names: Iterable[str]) -> dict[str, list[str]]:
    """The edges behind some fields of a class, each with the fields that want it."""
    table = EXPOSED[cls].fields
    needed: dict[str, list[str]] = {}
    for name in names:
        attached = table.get(name)
        if isinstance(attached, Edge):
            needed.setdefault(name, []).append(name)
        elif isinstance(attached, Fact | Function):
            for need in attached.needs:
                needed.setdefault(need, []).append(name)
    return needed


def _later(cls: type, names: Sequence[str]) -> dict[tuple[str, str], SourceStatus]:
    exposed = EXPOSED[cls]
    return {
        ("GATEWAY", camel(name)): SourceStatus(
            "GATEWAY", camel(name), SourceOutcome.NOT_MAPPED, exposed.absent[name], None, (camel(name),)
        )
        for name in names
        if name in exposed.absent
    }


def camel(name: str) -> str:
    """The graph's spelling of a field."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    """The model's spelling of a field."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def selected_beside(info: Info) -> list[str]:
    """The fields selected on the same object, in the model's spelling, fragments included."""
    raw = info._raw_info
    trail: list[str] = []
    path: Any = raw.path.prev
    while path is not None:
        if isinstance(path.key, str):
            trail.append(path.key)
        path = path.prev
    ctx: Context = info.context
    place = ("beside", id(raw.operation), tuple(trail))
    known = ctx.memo.get(place)
    if known is None:
        levels = [raw.operation.selection_set]
        for key in reversed(trail):
            levels = _below(levels, key, raw.fragments, raw.variable_values)
        fields = [node for level in levels for node in _fields(level, raw.fragments, raw.variable_values)]
        known = ctx.memo[place] = list(dict.fromkeys(snake(node.name.value) for node in fields))
    return list(known)


def _below(
    levels: Sequence[SelectionSetNode],
    key: str,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Any,
) -> list[SelectionSetNode]:
    found = []
    for level in levels:
        for node in _fields(level, fragments, variables):
            if (node.alias or node.name).value == key and node.selection_set is not None:
                found.append(node.selection_set)
    return found


def _included(node: SelectionNode, variables: Any) -> bool:
    """Whether @skip and @include leave it in."""
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return not (skip and skip["if"]) and not (include and not include["if"])


def _fields(
    level: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], variables: Any
) -> list[FieldNode]:
    found: list[FieldNode] = []
    for node in level.selections:
        if not _included(node, variables):
            continue
        if isinstance(node, FieldNode):
            found.append(node)
        elif isinstance(node, FragmentSpreadNode):
            fragment = fragments[node.name.value]
            found.extend(
                _fields(getattr(fragment, "definition", fragment).selection_set, fragments, variables)
            )
        else:
            found.extend(_fields(node.selection_set, fragments, variables))  # type: ignore[attr-defined]
    return found
