"""What operations are priced at: hop by hop as many calls as they make, and more where more may be needed."""

from typing import Any

import pytest
from graphql import parse

from gateway.cost import Prices, cost_of
from gateway.operations import hops_of
from resolvers.costs import Cost
from resolvers.explain import Explanation, explain
from resolvers.graph import graphql_schema
from resolvers.ledger import ASSUMED
from sources.catalog import Catalog
from tests.graph.fakes import PLANTS, context, data, hops
from tests.graph.plant import number, systems
from tests.graph.test_budgets import CARD, HOPS

ORDER = f'productionOrder(id: "po:1710/{number(0)}")'
CATALOG = Catalog(systems().all, PLANTS)
ALONE = [
    f"{{ {ORDER} {{ number item {{ description }} operations {{ number actual {{ good {{ value }} }} }} }} }}",
    f"{{ {ORDER} {{ planning {{ priority }} posting {{ received {{ value }} }} holds {{ number }} }} }}",
    f"{{ a: {ORDER} {{ item {{ number }} }} b: {ORDER} {{ item {{ number }} number }} }}",
    '{ lot(id: "lot:RM-1/L1") { master { supplierLot } balances { onHand { value } } holds { number } } }',
    "{ shipments(first: 3) { nodes { status warehouse { confirmedAt } transport { trackingNumber } } } }",
    "{ lots(first: 5) { edges { cursor node { master { supplierLot } } } } }",
    '{ item(number: "FG-0") { description baseUnit } }',
    '{ node(id: "item:FG-0") { id ... on Item { description } ... on Lot { holds { number } } } }',
    "{ sourceSystems { code } viewer { scopes } }",
]
"""Operations over owners that have nobody behind them."""


def price(document: str, **variables: Any) -> Explanation:
    """What a document is priced at over the plant."""
    return explain(graphql_schema(), CATALOG, parse(document), variables)


@pytest.mark.parametrize("document", ALONE)
async def test_where_nobody_stands_behind_the_owners_the_price_is_what_is_asked(document: str) -> None:
    """Call by call, system by system."""
    ctx = context(*systems().all)
    found = price(document)
    await data(ctx, document)
    asked = {(hop.system, hop.read): hop.usual for hop in found.hops if hop.usual}
    made = hops(ctx)
    assert {hop: made.count(hop) for hop in made} == asked
    assert found.calls == len(made)
    # The MES knows orders too: it would be asked for the order itself.
    assert found.price.cost.calls == found.calls + (ORDER in document)


async def test_further_tiers_are_the_worst_case() -> None:
    """The shop floor may have to be asked for the order as well; a page of a list costs more where it may be asked."""
    one = price(f"{{ {ORDER} {{ {CARD} }} }}")
    assert (one.calls, one.price.cost.calls) == (len(HOPS), len(HOPS) + 1)
    [floor] = [hop for hop in one.hops if (hop.system, hop.read) == ("MES", "orders")]
    assert (floor.usual, floor.cost.calls) == (1, 2)


def test_page_sizes_give_the_rows_and_the_calls() -> None:
    """By variables, by defaults and literally; a read of ten keys takes ten calls for a hundred."""
    document = "query($n: Int = 7) { productionOrders(first: $n) { nodes { execution { good { value } } } } }"
    rows = {n: price(document, n=n).price.cost.rows for n in (1, 60)}
    assert rows[60] == 60 * rows[1]
    assert price(document).price == price(document, n=7).price
    literal = "{ productionOrders(first: 7) { nodes { execution { good { value } } } } }"
    assert price(literal).price == price(document).price
    plant = systems()
    plant.mes.specs = [spec.__class__(spec.name, spec.parts, max_keys=10) for spec in plant.mes.specs]
    small = explain(graphql_schema(), Catalog(plant.all, PLANTS), parse(document), {"n": 100})
    [floor] = [hop for hop in small.hops if (hop.system, hop.read) == ("MES", "orders")]
    assert floor.usual == 10


def test_lists_inside_objects_are_taken_to_have_some_rows() -> None:
    """Ten materials an order: so many components are asked for."""
    found = price("{ productionOrders(first: 30) { nodes { materials { component { description } } } } }")
    [items] = [hop for hop in found.hops if hop.read == "items"]
    assert items.cost == Cost(ASSUMED * 30 // 100, ASSUMED * 30)


def test_what_is_left_out_costs_nothing() -> None:
    """@skip and @include by their variables, and as if selected while these are not known; fragments and aliases."""
    document = f"""query($off: Boolean!) {{ {ORDER} {{ ...More x: item {{ number }} y: item {{ description }} }} }}
      fragment More on ProductionOrder {{ holds @skip(if: $off) {{ number }} ... @include(if: $off) {{ plant {{ code }} }} }}"""
    with_holds, without = price(document, off=False), price(document, off=True)
    assert {hop.system for hop in with_holds.hops} - {hop.system for hop in without.hops} == {"QMS"}
    assert price(document).price == with_holds.price
    assert [hop.cost.calls for hop in without.hops if hop.read == "items"] == [1]


def test_ids_tell_which_of_the_types_of_an_interface_are_asked() -> None:
    """Where they are known; where not, whatever may stand there is counted."""
    document = (
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Item { description } ... on Shipment { number } } }"
    )
    items = price(document, ids=["item:FG-0", "item:FG-1"])
    assert [(hop.system, hop.read, hop.cost) for hop in items.hops] == [("ERP", "items", Cost(1, 2))]
    both = price(document, ids=["item:FG-0", "ship:S100"])
    assert {hop.read for hop in both.hops} == {"items", "shipments"}
    assert {hop.read for hop in price(document).hops} > {"items", "shipments", "orders", "lots"}


def test_a_filter_that_looks_at_pages_may_need_many() -> None:
    """What a system cannot filter is looked for in up to ten pages of a hundred."""
    pushed = price('{ productionOrders(first: 5, filter: {plants: ["plant:1710"]}) { nodes { number } } }')
    sifted = price("{ productionOrders(first: 5, filter: {statuses: [RELEASED]}) { nodes { number } } }")
    assert [hop.cost for hop in pushed.hops if hop.read == "orders_list" and hop.system == "ERP"] == [
        Cost(1, 5)
    ]
    assert [hop.cost for hop in sifted.hops if hop.read == "orders_list" and hop.system == "ERP"] == [
        Cost(10, 1000)
    ]


def test_fresh_values_are_loaded_apart() -> None:
    """What a @fresh asks for is not shared with what goes without."""
    document = f"{{ {ORDER} {{ planning {{ priority }} execution %s {{ good {{ value }} }} status }} }}"
    plain, fresh = price(document % ""), price(document % '@fresh(within: "1s")')
    assert fresh.calls == plain.calls + 1


def test_a_price_is_reckoned_once_for_requests_that_are_alike() -> None:
    """Other keys of the same kind share it; another page size, class or plant does not, nor another configuration."""
    document = "query($n: Int, $id: ID!) { lots(first: $n) { nodes { number } } node(id: $id) { id } }"
    prices = Prices(graphql_schema(), parse(document))

    def of(**variables: Any) -> Any:
        return prices.of(CATALOG, None, variables, {"mine": "item:A"})

    one = of(n=5, id="item:A")
    assert of(n=5, id="item:B") is one
    assert of(n=5, id="mine") is one
    assert of(n=6, id="item:A") is not one
    assert of(n=5, id="lot:A/B") is not one
    other = prices.of(Catalog(systems().all[:1], PLANTS), None, {"n": 5, "id": "item:A"}, {})
    assert other is not one
    for size in range(200):
        of(n=size, id="item:A")
    assert len(prices._kept) == 64


@pytest.mark.parametrize(
    "value", [None, "x", -1, 10**30, 1.5, True, [], {}, {"a": [{"b": "c"}]}, ["item:A", 7, None], "po:"]
)
def test_no_value_breaks_a_price(value: Any) -> None:
    """What the graph will refuse is priced as if it were not there."""
    nested: Any = value
    for _ in range(500):
        nested = {"plants": nested}
    document = """query($n: Int!, $f: ProductionOrderFilter, $ids: [ID!]!, $key: ExternalKeyInput!) {
      productionOrders(first: $n, filter: $f) { nodes { number } } nodes(ids: $ids) { id } resolveKey(key: $key) { id } }"""
    prices = Prices(graphql_schema(), parse(document))
    for given in (value, nested):
        found = prices.of(CATALOG, None, dict.fromkeys(("n", "f", "ids", "key"), given), {})
        assert found.cost.calls > 0


async def test_what_is_said_is_what_is_explained_and_what_was_asked() -> None:
    """The extension and ``crossdock explain`` have one source; the calls are those of the trace."""
    document = f"{{ {ORDER} {{ {CARD} }} }}"
    ctx = context(*systems().all)
    await data(ctx, document)
    found = price(document)
    said = cost_of(found.price, hops_of(ctx))
    assert said["requested"]["calls"] == sum(hop.cost.calls for hop in found.hops)
    assert said["requested"]["systems"] == [
        {"system": system, "calls": cost.calls, "rows": cost.rows}
        for system, cost in found.price.systems.items()
    ]
    assert said["actual"]["calls"] == len(hops(ctx)) == sum(one["calls"] for one in said["actual"]["systems"])
    assert f"At most {found.price.cost.calls} calls and {found.price.cost.rows} rows" in "\n".join(
        found.lines()
    )
