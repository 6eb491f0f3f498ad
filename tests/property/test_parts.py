"""However an operation is divided, its parts put together say what it says as a whole.

Documents nobody would write are divided at random places by ``@defer`` and ``@stream`` and answered over systems that
misbehave. What a strict client has put together at the end is held against the same document without the directives,
over the same loaders. One thing differs by the draft's own design: a null where none may be stops at the part that it
is in, which then does not come, while in a whole answer it goes further up.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random
from typing import Any

import orjson
import pytest
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLList,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_nullable_type,
    parse,
    print_ast,
    visit,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.masking import present_all
from gateway.operations import Operations
from resolvers.context import Context
from resolvers.execution.incremental import Undivide, undivided
from resolvers.graph import graphql_schema
from schema.errors import CrossdockError
from tests.graph.fakes import EXECUTION, Fake, _untimed, context
from tests.graph.parts import Client, told
from tests.graph.plant import Systems, systems
from tests.property.test_executors import KEYS, ODD, USUAL, documents, is_valid, spoil

SCHEMA = graphql_schema()
SEEN: Counter[str] = Counter()
SOME = settings(USUAL, max_examples=80)


def cut(document: str, seed: int) -> str:
    """The document with ``@defer`` and ``@stream`` put in at random places."""
    info, labels, drawn = TypeInfo(SCHEMA), iter(range(1000)), Random(seed)

    class Cut(Visitor):
        def leave_field(self, node: FieldNode, *_: object) -> Any:
            streams = isinstance(get_nullable_type(info.get_type()), GraphQLList)
            if not streams or drawn.randrange(3):
                return None
            count = drawn.randrange(4)
            return replaced(node, f"@stream(initialCount: {count})")

        def leave_selection_set(self, node: SelectionSetNode, *_: object) -> Any:
            chosen = [drawn.randrange(4) == 0 for _ in node.selections]
            parts: list[SelectionNode] = [
                one for one, late in zip(node.selections, chosen, strict=True) if not late
            ]
            late = [one for one, late in zip(node.selections, chosen, strict=True) if late]
            label = f'(label: "{next(labels)}")' if drawn.randrange(2) else ""
            if late:
                parts.append(fragment(late, f"@defer{label}"))
            if late and "@stream" not in print_ast(node) and drawn.randrange(3) == 0:
                # What is asked for twice, at once and later or in two parts, is told once. A label stands once.
                again: Any = visit(node, Undivide())
                parts.append(fragment(drawn.sample(again.selections, len(again.selections)), "@defer"))
            return SelectionSetNode(selections=tuple(parts))

    made = visit(parse(document), TypeInfoVisitor(info, Cut()))
    return print_ast(made)


def fragment(selections: Any, directive: str) -> InlineFragmentNode:
    """An inline fragment of some selections that has a directive."""
    [operation] = parse(f"{{ ... {directive} {{ x }} }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    [node] = operation.selection_set.selections
    assert isinstance(node, InlineFragmentNode)
    return InlineFragmentNode(
        type_condition=None,
        directives=node.directives,
        selection_set=SelectionSetNode(selections=tuple(selections)),
    )


def replaced(node: FieldNode, directive: str) -> FieldNode:
    """The field with another directive."""
    [operation] = parse(f"{{ x {directive} }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    [other] = operation.selection_set.selections
    assert not isinstance(other, FragmentSpreadNode)
    return FieldNode(
        name=node.name,
        alias=node.alias,
        arguments=node.arguments,
        directives=(*(node.directives or ()), *(other.directives or ())),
        selection_set=node.selection_set,
    )


def make_odd(system: Fake, drawn: Random) -> None:
    """Of every other class of rows some attribute is not what it should be: more parts meet one."""
    for cls in sorted({type(row) for row in system.rows}, key=lambda cls: cls.__name__):
        names = [each.name for each in fields(cls) if each.name not in KEYS]
        if names and drawn.randrange(2):
            odd = {drawn.choice(names): drawn.choice(ODD)}
            system.rows = [replace(row, **odd) if type(row) is cls else row for row in system.rows]


async def compare(plant: Systems, document: str) -> None:
    """Answer it in parts, then as a whole over the same loaders, and hold one against the other."""
    ctx = context(*plant.all)
    try:
        client = await told(ctx, document)
    except CrossdockError:
        SEEN["refused"] += 1  # @fresh with an odd bound: before anything is executed
        return
    if not isinstance(client, Client):
        SEEN["not divided"] += 1
        return
    calls, flawed = list(ctx.calls), ctx.flawed
    ctx.forget_notes()
    data, errors, extensions = await whole(ctx, document)
    assert ctx.calls[: len(calls)] == calls
    SEEN["errors" if errors else "OK"] += 1
    if not client.failed:
        assert client.data == data
        assert ctx.calls == calls, "the whole asked for something that the parts had not"
        assert ordered(client.errors) == ordered(errors)
        assert by_place(_untimed(client.extensions)) == by_place(_untimed(extensions))
        assert ctx.flawed == flawed
        return
    SEEN["failed parts"] += 1
    nulls: list[list[Any]] = []
    covered(data, client.data, [], nulls)
    assert nulls, "a part failed, and the whole is complete"
    for error in client.failed:
        below = any(error["path"][: len(null)] == null for null in nulls)
        assert below or error in errors, (error, errors)


async def whole(ctx: Context, document: str) -> tuple[Any, list[Any], dict[str, Any]]:
    """Data, errors and extensions of the document without the directives, by graphql-core."""
    executed = await EXECUTION.execute(undivided(parse(document)), ctx, {})
    data = executed.data
    if isinstance(data, bytes):
        SEEN["by plan"] += 1
        data = orjson.loads(data)
    shown = present_all(executed.errors, "BAD_USER_INPUT", "test")
    return data, shown, Operations(SCHEMA).extensions(ctx) or {}


def ordered(errors: list[Any]) -> list[Any]:
    """Errors in an order of their own; a place in the document is another one in another document."""
    return sorted([{**error, "locations": None} for error in errors], key=repr)


def by_place(extensions: dict[str, Any]) -> dict[str, Any]:
    """What is said beside the data, its lists in an order of their own."""
    return {
        name: sorted(said, key=repr) if isinstance(said, list) else said for name, said in extensions.items()
    }


def covered(one: Any, parts: Any, path: list[Any], nulls: list[list[Any]]) -> None:
    """Where a whole answer is not null, the parts say the same; notes where it is and they are not."""
    if one is None:
        if parts is not None:
            nulls.append(path)
    elif isinstance(one, dict):
        assert one.keys() == parts.keys(), path
        for name in one:
            covered(one[name], parts[name], [*path, name], nulls)
    elif isinstance(one, list):
        assert len(one) == len(parts), path
        for index, each in enumerate(one):
            covered(each, parts[index], [*path, index], nulls)
    else:
        assert one == parts, path


@pytest.mark.timeout(300)
@SOME
@given(document=documents(), seed=st.integers(0, 1 << 32))
def test_the_parts_of_any_document_make_the_whole(document: str, seed: int) -> None:
    """Over systems as they should be."""
    divided = cut(document, seed)
    if is_valid(divided):
        asyncio.run(compare(systems(), divided))


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@SOME
@given(seed=st.integers(0, 1 << 32), data=st.data())
def test_the_parts_of_a_spoiled_answer_make_the_whole(seed: int, data: st.DataObject) -> None:
    """Nulls where none may be, values of other types, failing keys, systems that are down."""
    plant = systems()
    for system in plant.all:
        spoil(system, data)
        make_odd(system, Random(seed))
    divided = cut(data.draw(documents()), seed)
    if is_valid(divided):
        asyncio.run(compare(plant, divided))


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("late", "fails"),
    [
        ("number ... @defer { operations { number } }", False),
        ("number operations @stream(initialCount: 1) { number }", False),
        ("number operations @stream { number }", True),
        ("number ... @defer { operations @stream { number } }", True),
        ("number operations { ... @defer { number } }", True),
        ("number operations { ... @defer { status ... @defer { number } } }", True),
        ("... @defer { operations { status ... @defer { number } } }", True),
        ("operations { ... @defer { number status } ... @defer { status workCenter { code } } }", True),
        ("number planning { ... @defer { priority } quantity { value } }", False),
    ],
)
async def test_a_null_stops_at_its_part(late: str, fails: bool) -> None:
    """A part in which a null may not stay does not come; the others do, and say what the whole says elsewhere."""
    plant, before = systems(), SEEN["failed parts"]
    plant.erp.rows = [
        replace(row, number=None) if type(row).__name__ == "Operation" else row for row in plant.erp.rows
    ]
    await compare(plant, f"{{ productionOrders(first: 3) {{ nodes {{ {late} }} }} }}")
    assert (SEEN["failed parts"] > before) == fails


@pytest.fixture(autouse=True)
def cleared() -> Iterator[None]:
    """Where a null goes up, graphql-core lets go of functions it has not begun: no later test is to be told so."""
    yield
    gc.collect()


def test_most_documents_were_divided() -> None:
    """The comparison compares something: whole answers, errors, and parts that did not come."""
    assert SEEN["OK"] >= 60, SEEN
    assert SEEN["errors"] >= 10, SEEN
    assert SEEN["failed parts"] >= 4, SEEN
