"""A real Tryton server behind the whole gateway: one question in GraphQL, one joined answer."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.config import Settings
from sources.tryton.config import TrytonConfig
from sources.tryton.demo import TrytonServer
from tests.e2e.tryton.conftest import settings
from tests.serving import serving

pytestmark = pytest.mark.timeout(600)
QUERY = """
{
  productionOrders(first: 50) {
    nodes {
      number
      status
      planning { quantity { value unit } provenance { system { code } } }
      posting { received { value } fullyPosted }
      operations { number description status workCenter { code } }
      materials { component { number description } required { value unit } issuedErp { value } }
      outputs { number balances { location { code } onHand { value } } }
      inspections { decisionCode }
      shipments { number status shipTo { name } lines { item { number } lots { number } } }
      item { description baseUnit bom { lines { component { number } } } }
      sources { group outcome message }
    }
  }
}
"""


@pytest.fixture(scope="module")
def gateway(tryton: TrytonServer) -> Iterator[str]:
    """The gateway over nothing but Tryton."""
    plants: Any = {"KAS": {"name": "Plant Kassel", "time_zone": "Europe/Berlin"}}
    system = TrytonConfig.model_validate(settings(tryton, "rest"))
    made = Settings(plants=plants, systems={"ERP": system}, deadline_ms=30_000)
    with serving(create_app(made)) as url:
        yield url


async def test_orders_of_a_real_erp(gateway: str) -> None:
    """Orders, their books, stock, inspections and shipments come out of Tryton as one canonical answer."""
    async with httpx2.AsyncClient(timeout=60) as client:
        answer = (await client.post(f"{gateway}/graphql", json={"query": QUERY})).json()
    assert "errors" not in answer, answer["errors"]
    orders = {node["number"]: node for node in answer["data"]["productionOrders"]["nodes"]}
    pump = next(
        o for o in orders.values() if o["item"]["description"] == "Pump HP 80 1.1 kW" and o["shipments"]
    )
    assert pump["status"] == "COMPLETED"
    assert pump["planning"]["provenance"]["system"]["code"] == "ERP"
    assert pump["posting"]["received"]["value"] == pump["planning"]["quantity"]["value"]
    assert [one["status"] for one in pump["operations"]] == ["CLOSED"] * 3
    assert {one["component"]["number"] for one in pump["materials"]} == {
        "SA-HYD-080",
        "PC-MOT-11",
        "RM-PAINT",
    }
    made = {lot["number"] for lot in pump["outputs"]}
    shipped = {lot["number"] for s in pump["shipments"] for line in s["lines"] for lot in line["lots"]}
    assert made <= shipped
    assert {s["shipTo"]["name"] for s in pump["shipments"]} >= {"Wasserwerk Fulda"}
    troubles = [s for o in orders.values() for s in o["sources"] if s["outcome"] not in ("OK", "NOT_MAPPED")]
    assert troubles == []
