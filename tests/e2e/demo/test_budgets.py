"""What questions cost: calls to the systems, as the systems count them."""

import pytest

from tests.e2e.demo.conftest import Demo
from tests.e2e.demo.test_operations import OPERATIONS

PAGE = """query ($first: Int!) { productionOrders(filter: {plants: ["p1"]}, first: $first) { nodes {
  number item { number description } execution { good { value } } operations { number status }
  outputs { number } shipments { number } } } }"""
MOST = {
    "F1_OrderCard": 12,
    "F2_DispatchList": 10,
    "F4_Consumption": 5,
    "F5_LotCard": 10,
    "F6_CustomerCall": 12,
    "F8_AfterMyWrite": 4,
    "F9_Timeline": 2,
    "P3_WhatIsOnThisPallet": 8,
    "P9_SupplierCommitments": 4,
    "P10_CatchUpAfterOutage": 6,
}


def test_a_page_of_fifty_orders_costs_five_calls(demo: Demo) -> None:
    """Orders with item, execution, operations, lots and shipments: as many calls as hops."""
    demo.plant.forget()
    nodes = demo.ask(PAGE, first=50).data["productionOrders"]["nodes"]
    counts = demo.plant.count()
    assert len(nodes) == 50
    assert all(node["item"]["number"] and node["operations"] for node in nodes)
    assert sum(bool(node["shipments"]) for node in nodes) > 25
    assert sum(counts.values()) == 5, counts


def test_more_rows_cost_no_more_calls(demo: Demo) -> None:
    """Five rows and a hundred cost the same."""
    costs = []
    for first in (5, 100):
        demo.plant.forget()
        assert len(demo.ask(PAGE, first=first).data["productionOrders"]["nodes"]) == first
        costs.append(sum(demo.plant.count().values()))
    assert costs[0] == costs[1]


@pytest.mark.parametrize(("name", "most"), MOST.items())
def test_operations_stay_in_their_budget(demo: Demo, name: str, most: int) -> None:
    """No operation asks more often than its hops need."""
    demo.plant.forget()
    assert demo.ask(OPERATIONS[name]).data
    counts = demo.plant.count()
    assert sum(counts.values()) <= most, counts
