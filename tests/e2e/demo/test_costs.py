"""``extensions.cost`` over sockets: what was reckoned before, against the calls that the systems count."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from sources.plant.world.clock import START
from tests.e2e.demo.conftest import Demo, settings_over
from tests.e2e.demo.plant import RunningPlant
from tests.e2e.demo.test_operations import OPERATIONS
from tests.serving import serving

QUERIES = sorted(name for name, text in OPERATIONS.items() if text.startswith("query"))
PAGE = """query ($first: Int!) { productionOrders(first: $first) { nodes {
  number item { description } execution { good { value } } shipments { number } } } }"""


def cost(demo: Demo, query: str, **variables: Any) -> dict[str, Any]:
    """The cost of a query, asked now."""
    body = {"query": query, "variables": variables, "extensions": {"crossdock": {"cost": True}}}
    answer = demo.client.post(f"{demo.url}/graphql", json=body).json()
    found: dict[str, Any] = answer["extensions"]["cost"]
    return found


@pytest.fixture(scope="module")
def keeping(plant: RunningPlant) -> Iterator[Demo]:
    """A gateway that keeps what it reads, and whole answers."""
    app = create_app(settings_over(plant), now=lambda: START)
    with serving(app) as url, httpx2.Client(timeout=30) as client:
        yield Demo(plant, url, client)


@pytest.mark.parametrize("name", QUERIES)
def test_no_operation_asks_more_than_it_was_priced(demo: Demo, name: str) -> None:
    """In all, and of every system."""
    demo.plant.forget()
    found = cost(demo, OPERATIONS[name])
    requested = {one["system"]: one["calls"] for one in found["requested"]["systems"]}
    for one in found["actual"]["systems"]:
        assert one["calls"] <= requested[one["system"]], (name, found)
    assert found["actual"]["calls"] <= found["requested"]["calls"]


def test_a_page_says_the_calls_that_the_systems_count(demo: Demo) -> None:
    """Rows grow with the page, calls do not; those that were made are those that arrived."""
    found = {}
    for first in (5, 50):
        demo.plant.forget()
        found[first] = cost(demo, PAGE, first=first)
        assert found[first]["actual"]["calls"] == sum(demo.plant.count().values())
    assert found[50]["requested"]["calls"] == found[5]["requested"]["calls"]
    assert found[50]["requested"]["rows"] == 10 * found[5]["requested"]["rows"]


def test_what_is_kept_costs_nothing_again(keeping: Demo) -> None:
    """The price stays what it is; nothing is asked."""
    first, second = cost(keeping, PAGE, first=5), cost(keeping, PAGE, first=5)
    assert first["actual"]["calls"] > 0
    assert second["actual"]["calls"] == 0
    assert second["requested"] == first["requested"]
