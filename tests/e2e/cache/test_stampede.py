"""Many who want the same, or the like, at the same time: the systems are asked once, or in batches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cache.gateways import ask_at_once, gateway_over, programs_over
from tests.e2e.demo.plant import RunningPlant
from tests.redis_server import RedisServer

REQUESTS = 1000
COLD = """{ productionOrder(id: "po:1710/1000040") {
    number execution { percentComplete } sources { system { code } outcome } } }"""
LONG = {"types": {"*": {"max_age": 300, "stale_while_revalidate": 0}}}
"""Longer than a test: whatever is asked twice was asked for want of sharing."""
HOPS = 5
CARD = """{ productionOrder(id: "po:%s") { number item { description } execution { percentComplete }
    outputs { number } inspections { number } shipments { number } } }"""
COALESCED = 1.5
"""Most upstream calls a query, where each alone makes one a hop."""


@pytest.fixture
def slow(plant: RunningPlant) -> Iterator[RunningPlant]:
    """The plant with an MES and an ERP that take their time, so that everyone is there before they answer."""
    for code in ("MES_KAS", "SAP_PRD"):
        plant.turn(code, latency_ms=1000)
    plant.forget()
    yield plant
    for code in ("MES_KAS", "SAP_PRD"):
        plant.heal(code)


def stampede(plant: RunningPlant, folder: Path, **settings: object) -> dict[str, int]:
    """A thousand requests for one order that nobody knows yet, at two gateways: what the systems were asked."""
    with programs_over(plant, folder, 2, cache=LONG, **settings) as urls:
        for url in urls:
            assert ask_at_once([url], ["{ __typename }"])
        plant.forget()
        answers = ask_at_once(urls, [COLD] * REQUESTS)
        shown = {str(answer["data"]) for answer in answers}
        assert len(shown) == 1
        assert "UNAVAILABLE" not in shown.pop()
        return plant.count()


def test_a_cold_key_costs_a_cluster_one_call(slow: RunningPlant, tmp_path: Path, redis: RedisServer) -> None:
    """With Redis, 1,000 concurrent requests at two processes are one call to each system that is asked."""
    assert stampede(slow, tmp_path, redis_url=redis.url) == {"SAP_PRD": 1, "MES_KAS": 1}


def test_a_cold_key_costs_a_process_one_call(slow: RunningPlant, tmp_path: Path) -> None:
    """Without Redis they are one call a process."""
    assert stampede(slow, tmp_path) == {"SAP_PRD": 2, "MES_KAS": 2}


def test_many_single_questions_travel_together(plant: RunningPlant) -> None:
    """32 concurrent queries for 32 different orders, nothing known before: the calls of each hop are batches."""
    orders = [f"{one.plant}/{one.number}" for one in plant.world.orders.values() if one.plant == "1710"]
    with gateway_over(plant, cache={"max_entries": 0}) as gateway:
        gateway.ask(CARD % orders[40])
        plant.forget()
        gateway.ask(CARD % orders[41])
        alone = sum(plant.count().values())
        assert alone >= HOPS
        plant.forget()
        answers = ask_at_once([gateway.url], [CARD % order for order in orders[:32]])
        assert all(answer["data"]["productionOrder"]["execution"] for answer in answers)
        each = sum(plant.count().values()) / 32
    print(f"one query alone: {alone} upstream calls; 32 at once: {each:.2f} a query")
    assert each <= COALESCED
