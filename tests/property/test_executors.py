"""Two executors, one semantics: documents nobody would write, over systems that misbehave, give the same answers.

``ask`` runs every document by its plan and by graphql-core over the same loaders and compares data, order, errors and
what is noted beside. Here the rows are spoiled as well: nulls where none may be, values of other types, failing keys.
"""

import asyncio
from collections import Counter
from dataclasses import fields, replace
from typing import Any

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
    validate,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from resolvers.graph import graphql_schema
from schema.errors import CrossdockError, MappingError, SourceThrottled, SourceUnavailable
from tests.graph.fakes import PLANNED, Fake, ask, context
from tests.graph.plant import Systems, number, systems

ROOTS = {
    f'productionOrder(id: "po:1710/{number(0)}")': "ProductionOrder",
    'productionOrder(id: "po:1710/nobody")': "ProductionOrder",
    "productionOrders(first: 4)": "ProductionOrderConnection",
    'shipment(id: "ship:S100")': "Shipment",
    "shipments(first: 3)": "ShipmentConnection",
    'lot(id: "lot:RM-1/L1")': "Lot",
    "lots(first: 3)": "LotConnection",
    'item(id: "item:RM-1")': "Item",
    'inventoryPositions(filter: {items: ["item:RM-1"]})': "InventoryPositionConnection",
    "movements(first: 5)": "InventoryMovementConnection",
    "qualityHolds(first: 3)": "QualityHoldConnection",
    f'nodes(ids: ["item:FG-0", "po:1710/{number(1)}", "lot:RM-1/L1", "hold:H1", "item:none"])': "Node",
    "productionOrders(first: 2, filter: {statuses: [RELEASED]}, freshness: {maxAgeSeconds: 60})": (
        "ProductionOrderConnection"
    ),
}
"""What is asked for, well formed; what is selected of it is drawn."""
SCHEMA = graphql_schema()
DEEPEST = 5
MOMENTARY = frozenset({"healthy", "circuit", "lagSeconds", "clockSkewMs", "lastContactAt", "lastGoodAt"})
"""Fields about this very moment, which is another one for the second executor."""


@st.composite
def selections(draw: st.DrawFn, name: str, depth: int = 0) -> str:
    """A selection of the fields of a type that need no arguments, down to a depth."""
    kind = SCHEMA.type_map[name]
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    fields = [
        each
        for each, field in kind.fields.items()
        if each not in MOMENTARY
        and not any(is_required_argument(argument) for argument in field.args.values())
        and (depth < DEEPEST or is_leaf_type(get_named_type(field.type)))
    ]
    chosen = draw(st.lists(st.sampled_from(["__typename", *fields]), min_size=1, max_size=6, unique=True))
    parts = [draw(_field(kind, each, depth)) for each in chosen]
    if isinstance(kind, GraphQLInterfaceType) and depth < DEEPEST:
        some = draw(st.sampled_from(["Item", "ProductionOrder", "Lot", "QualityHold"]))
        parts.append(f"... on {some} {draw(selections(some, depth + 1))}")
    return "{ " + " ".join(parts) + " }"


@st.composite
def _field(draw: st.DrawFn, kind: Any, name: str, depth: int) -> str:
    alias = f"{draw(st.sampled_from('abc'))}{depth}_{name}: " if draw(st.integers(0, 9)) == 0 else ""
    if name == "__typename":
        return alias + name
    fresh = ' @fresh(within: "1m")' if draw(st.integers(0, 19)) == 0 else ""
    skip = f" @skip(if: {draw(st.sampled_from(['true', 'false']))})" if draw(st.integers(0, 19)) == 0 else ""
    inner = get_named_type(kind.fields[name].type)
    below = "" if is_leaf_type(inner) else " " + draw(selections(inner.name, depth + 1))
    return f"{alias}{name}{fresh}{skip}{below}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A query of one to three roots."""
    roots = draw(st.lists(st.sampled_from(sorted(ROOTS)), min_size=1, max_size=3, unique=True))
    return (
        "{ "
        + " ".join([f"r{n}: {root} {draw(selections(ROOTS[root]))}" for n, root in enumerate(roots)])
        + " }"
    )


KEYS = frozenset(
    {"plant", "number", "order", "item", "lot", "code", "shipment", "system", "document", "orders"}
)
"""Attributes by which the fakes find their rows."""
ODD: tuple[Any, ...] = (None, "odd", 7, 1.5, True, [], ("x", None), b"bytes", object())
ERRORS = (SourceUnavailable("down"), SourceThrottled("slow down", retry_after=2.0), MappingError("odd"))
SEEN: Counter[str] = Counter()

USUAL = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


async def both(plant: Systems, document: str) -> None:
    """Run a document both ways over a plant, and remember how it went."""
    try:
        result = await ask(context(*plant.all), document)
    except CrossdockError:
        SEEN["refused"] += 1  # @fresh with an odd bound: before anything is executed
        return
    SEEN["errors" if result.errors else "OK"] += 1


def is_valid(document: str) -> bool:
    """Whether our own validation lets a document pass; drawing knows nothing of overlapping fields."""
    return not validate(SCHEMA, parse(document))


@pytest.mark.timeout(300)
@USUAL
@given(document=documents())
def test_any_document_means_the_same_to_both(document: str) -> None:
    """Over systems as they should be."""
    if is_valid(document):
        asyncio.run(both(systems(), document))


@pytest.mark.timeout(300)
@USUAL
@given(document=documents(), data=st.data())
def test_spoiled_rows_mean_the_same_to_both(document: str, data: st.DataObject) -> None:
    """Some classes of rows have an attribute that is not what it should be, some keys fail, a system may be down."""
    if not is_valid(document):
        return
    plant = systems()
    for system in plant.all:
        spoil(system, data)
    asyncio.run(both(plant, document))


def spoil(system: Fake, data: st.DataObject) -> None:
    """Make a system misbehave."""
    if data.draw(st.integers(0, 9)) == 0:
        system.fault = data.draw(st.sampled_from(ERRORS))
    for key in (f"1710/{number(0)}", "FG-0", "S100"):
        if data.draw(st.integers(0, 5)) == 0:
            system.cell_faults[key] = data.draw(st.sampled_from(ERRORS))
    classes = sorted({type(row) for row in system.rows}, key=lambda cls: cls.__name__)
    for cls in data.draw(st.lists(st.sampled_from(classes), max_size=3, unique=True)):
        names = [each.name for each in fields(cls) if each.name not in KEYS]
        if names:
            odd = {data.draw(st.sampled_from(names)): data.draw(st.sampled_from(ODD))}
            system.rows = [replace(row, **odd) if type(row) is cls else row for row in system.rows]


@pytest.mark.parametrize(
    "document",
    [
        f'{{ productionOrder(id: "po:1710/{number(0)}") {{ number planning {{ quantity {{ value }} }} }} }}',
        "{ productionOrders(first: 5) { nodes { number item { description } operations { number } } } }",
    ],
)
async def test_a_null_where_none_may_be_is_said_as_the_reference_says_it(document: str) -> None:
    """Errors, paths and what they null are graphql-core's own: the plan gives way."""
    plant = systems()
    plant.erp.rows = [
        replace(row, quantity=None) if type(row).__name__ == "OrderPlanning" else row
        for row in plant.erp.rows
    ]
    plant.erp.rows = [
        replace(row, number=None) if type(row).__name__ == "Operation" else row for row in plant.erp.rows
    ]
    result = await ask(context(*plant.all), document)
    assert result.errors
    assert all(error.path for error in result.errors)


def test_most_documents_are_executed_by_their_plan() -> None:
    """The comparison compares something: the plans did most of the work, and documents were answered."""
    assert PLANNED[None] >= 60, PLANNED.most_common(9)
    assert SEEN["OK"] >= 60, SEEN
    assert SEEN["errors"] >= 3, SEEN
