"""Who executes an operation, and that plans are as cheap and as forgetful as they should be."""

import gc
import weakref
from typing import Any

import pytest
from graphql import parse

from gateway.operations import Operations
from gateway.request import GraphQLRequest
from resolvers.context import Context
from resolvers.execution.fragments import Fragments, _all, _budget
from resolvers.execution.operation import Executed, PlanExecution
from resolvers.graph import graphql_schema
from schema.errors import SourceUnavailable
from sources.catalog import Catalog
from tests.graph.fakes import PLANTS, ask, context
from tests.graph.plant import number, systems

ORDER = f'productionOrder(id: "po:1710/{number(0)}")'


async def executed(document: str, ctx: Context | None = None, **variables: Any) -> Executed:
    """How a document is executed."""
    schema, parsed = graphql_schema(), parse(document)
    ctx = ctx or context(*systems().all)
    hooks = Operations(schema)
    hooks.begin(ctx, hooks.describe(parsed), GraphQLRequest(document, variables=variables))
    return await PlanExecution(schema).execute(parsed, ctx, variables)


@pytest.mark.parametrize(
    "document",
    [
        f"{{ {ORDER} {{ number status checkpoints {{ kind state }} sources {{ outcome }} }} }}",
        "{ productionOrders(first: 3) { nodes { id item { number } operations { status } } pageInfo { endCursor } } }",
        '{ node(id: "item:FG-0") { __typename id ... on Item { description } } }',
        f'{{ {ORDER} {{ execution @fresh(within: "1s") {{ good {{ value }} }} ...on ProductionOrder {{ number }} }} }}',
    ],
)
async def test_what_is_regular_is_executed_by_its_plan(document: str) -> None:
    """Edges, facts, functions, connections, interfaces, fragments and bounds."""
    found = await executed(document)
    assert found.reason is None
    assert isinstance(found.data, bytes)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{ __schema { queryType { name } } }", "__schema"),
        ("mutation { __typename }", "mutation"),
        (
            f"query({', '.join(f'$v{n}: Boolean!' for n in range(9))}) {{ {ORDER} {{ "
            + " ".join(f"f{n}: number @skip(if: $v{n})" for n in range(9))
            + " } }",
            "too many variables in @skip and @include",
        ),
    ],
)
async def test_what_has_no_plan_says_why(document: str, reason: str) -> None:
    """Introspection, mutations, and more switches than can be planned for."""
    found = await executed(document, None, **{f"v{n}": False for n in range(9)})
    assert found.reason == reason
    assert not found.errors


async def test_switches_choose_the_plan() -> None:
    """The same document with other values of @skip and @include selects other fields."""
    document = (
        f"query($a: Boolean!, $b: Boolean!) {{ {ORDER} {{ number @skip(if: $a) id @include(if: $b) }} }}"
    )
    for skip in (True, False):
        for include in (True, False):
            result = await ask(context(*systems().all), document, a=skip, b=include)
            assert result.data is not None
            assert set(result.data["productionOrder"]) == {
                *([] if skip else ["number"]),
                *(["id"] if include else []),
            }


async def test_an_outage_does_not_leave_the_plan() -> None:
    """A dead system costs its own part of the answer, not the speed of the rest."""
    plant = systems()
    plant.mes.fault = SourceUnavailable("down")
    found = await executed(
        f"{{ {ORDER} {{ number status execution {{ percentComplete }} sources {{ outcome }} }} }}",
        context(*plant.all),
    )
    assert found.reason is None


async def test_a_plan_does_not_keep_its_first_operation() -> None:
    """The context, its loaders and all they loaded go when the operation is over."""
    plans, parsed = PlanExecution(graphql_schema()), parse(f"{{ {ORDER} {{ number item {{ number }} }} }}")
    catalog = Catalog(systems().all, PLANTS)

    class Kept(Context):
        """A context that can be watched."""

        __slots__ = ("__weakref__",)

    ctx = Kept(catalog)
    assert (await plans.execute(parsed, ctx, {})).reason is None
    watched = weakref.ref(ctx)
    del ctx
    gc.collect()
    assert watched() is None


async def test_a_plan_that_is_let_go_is_gone_at_once() -> None:
    """Its functions and what they kept go with it, without the garbage collector."""
    plans, parsed = PlanExecution(graphql_schema()), parse(f"{{ {ORDER} {{ number item {{ number }} }} }}")
    gc.collect()
    gc.disable()
    try:
        before = len(_all)
        assert (await plans.execute(parsed, context(*systems().all), {})).reason is None
        assert len(_all) > before
        del plans
        assert len(_all) == before
    finally:
        gc.enable()


def test_what_is_kept_of_rows_is_bounded() -> None:
    """Where all that was written grows too large, all of it is let go, and counting starts anew."""
    one, other = Fragments(), Fragments()
    one.keep(object(), (b"x",), 1)
    before = _budget.used
    other.keep(object(), (b"x",), (64 << 20) + 1)
    assert not one.rows
    assert len(other.rows) == 1
    assert before < _budget.used <= (64 << 20) + 1000


async def test_rows_are_told_apart_by_what_they_are() -> None:
    """A row that comes again as another object is written anew."""
    plant = systems()
    plans, parsed = PlanExecution(graphql_schema()), parse('{ item(id: "item:FG-0") { description } }')
    first = await plans.execute(parsed, context(*plant.all), {})
    item = next(row for row in plant.erp.rows if getattr(row, "description", None) == "Pump")
    plant.erp.rows[plant.erp.rows.index(item)] = type(item)(item.number, "Pump 2", base_unit="H87")
    second = await plans.execute(parsed, context(*plant.all), {})
    assert first.data == b'{"item":{"description":"Pump"}}'
    assert second.data == b'{"item":{"description":"Pump 2"}}'
