"""Writes through the demo's own configuration: the simulated plant really changes, whatever goes wrong on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from sources.plant.world.clock import START
from sources.plant.world.production import CREATED, IN_PROGRESS, ON_HOLD, RELEASED, Order
from tests.e2e.demo.conftest import Demo, settings_over
from tests.e2e.demo.plant import RunningPlant, running_plant
from tests.serving import serving

ANSWER = """{ outcome clientMutationId userErrors { code message path system sourceCode retryable }
  transaction { id state attempts writeToken steps { system { code } action state attempt sourceDocument error { code } } }
  productionOrder { status planning { plannedEnd quantity { value } provenance { version } }
    execution { good { value } } transactions { id state } } }"""
ACT = (
    "mutation($id: ID!, $options: WriteOptions!) { done: %s(input: {order: $id, options: $options}) "
    + ANSWER
    + "}"
)
REPORT = (
    """mutation($id: ID!, $good: Decimal!, $options: WriteOptions!) { done: reportOperation(input: {operation: $id,
  good: {value: $good, unit: "H87"}, at: "2026-11-23T06:10:00+01:00", options: $options}) """
    + ANSWER
    + "}"
)
MOVE = (
    """mutation($id: ID!, $end: DateTime!, $options: WriteOptions!) { done: rescheduleProductionOrder(
  input: {order: $id, plannedEnd: $end, options: $options}) """
    + ANSWER
    + "}"
)
WRITES = {"first_delay": 0.1, "longest_delay": 0.5, "settle": 0.2, "reconcile_after": 0.1, "lease": 1.0}


@pytest.fixture(scope="module")
def plant() -> Iterator[RunningPlant]:
    """A plant that is written to."""
    with running_plant() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(plant: RunningPlant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A gateway that keeps writes."""
    folder: Path = tmp_path_factory.mktemp("writes")
    app = create_app(
        settings_over(plant, database_url=f"sqlite:///{folder}/crossdock.db", writes=WRITES),
        now=lambda: START,
    )
    with serving(app) as url, httpx2.Client(timeout=30) as client:
        yield Demo(plant, url, client)


@pytest.fixture(autouse=True)
def _healthy(plant: RunningPlant) -> Iterator[None]:
    """The knobs of the systems that are written to are left as they were found."""
    yield
    for code in ("SAP_PRD", "MES_ZWO"):
        knob(plant, code, "")


def knob(plant: RunningPlant, code: str, trouble: str) -> None:
    """Let something become of the writes of a system."""
    url = f"http://127.0.0.1:{plant.ports[code]}/__knobs"
    httpx2.post(url, json={"write_trouble": trouble}, trust_env=False).raise_for_status()


def fresh(plant: RunningPlant, state: str, site: str, nth: int = 0) -> Order:
    """An order in a state."""
    found = [o for o in plant.world.orders.values() if o.state == state and o.plant == site]
    return found[nth]


def done(gateway: Demo, query: str, id: str, key: str, **variables: Any) -> dict[str, Any]:
    """What became of a write, waited for until it is applied."""
    options = {"idempotencyKey": key, "waitFor": "APPLIED", "timeoutMs": 4000, **variables.pop("options", {})}
    answer: dict[str, Any] = gateway.ask(query, id=id, options=options, **variables).data["done"]
    return answer


def order_id(order: Order) -> str:
    """Its id in the gateway."""
    return f"po:{order.plant}/{order.number}"


def test_a_release_really_releases(gateway: Demo, plant: RunningPlant) -> None:
    """The ERP's order is released, the answer shows it so, and the transaction is found by its id and at the order."""
    order = fresh(plant, CREATED, "1710")
    shown = "query($id: ID!) { productionOrder(id: $id) { status } }"
    assert gateway.ask(shown, id=order_id(order)).data["productionOrder"]["status"] == "CREATED"
    said = done(
        gateway, ACT % "releaseProductionOrder", order_id(order), "r1", options={"clientMutationId": "c"}
    )
    assert (said["outcome"], said["userErrors"], said["clientMutationId"]) == ("APPLIED", [], "c")
    assert order.state == RELEASED
    assert said["productionOrder"]["status"] == "RELEASED"
    assert gateway.ask(shown, id=order_id(order)).data["productionOrder"]["status"] == "RELEASED"
    transaction = said["transaction"]
    assert [step["system"]["code"] for step in transaction["steps"]] == ["SAP_PRD"] * 5
    assert transaction["id"] in [one["id"] for one in said["productionOrder"]["transactions"]]
    found = gateway.ask(
        "query($id: ID!) { node(id: $id) { id ... on IntegrationTransaction { kind } } }",
        id=transaction["id"],
    )
    assert found.data["node"] == {"id": transaction["id"], "kind": "releaseProductionOrder"}
    again = done(gateway, ACT % "releaseProductionOrder", order_id(order), "r2")
    assert [error["code"] for error in again["userErrors"]] == ["INVALID_STATE"]
    token = transaction["writeToken"]
    after = gateway.ask(
        "query($id: ID!, $token: String!) { productionOrder(id: $id, freshness: {afterWrite: $token, allowStale: false}) { status } }",
        id=order_id(order),
        token=token,
    )
    assert after.data["productionOrder"]["status"] == "RELEASED"


@pytest.mark.parametrize("trouble", ["429", "500", "500_after", "reset", "reset_after"])
def test_a_release_in_trouble_is_done_once(gateway: Demo, plant: RunningPlant, trouble: str) -> None:
    """It waits while the trouble lasts, and then it is done; the ERP did not see it twice."""
    order = fresh(plant, CREATED, "1710")
    knob(plant, "SAP_PRD", trouble)
    said = done(
        gateway,
        ACT % "releaseProductionOrder",
        order_id(order),
        f"t{trouble}",
        options={"waitFor": "ACCEPTED"},
    )
    assert said["outcome"] in ("ACCEPTED", "OUTCOME_UNKNOWN"), said
    knob(plant, "SAP_PRD", "")
    again = done(gateway, ACT % "releaseProductionOrder", order_id(order), f"t{trouble}")
    assert (again["outcome"], again["transaction"]["state"]) in (
        ("DUPLICATE", "APPLIED"),
        ("DUPLICATE", "RECONCILED"),
    )
    assert order.state == RELEASED


def test_the_vendors_refusal_is_a_refusal(gateway: Demo, plant: RunningPlant) -> None:
    """A 200 that says E in its body ends as FAILED with the vendor's number."""
    order = fresh(plant, CREATED, "1710")
    knob(plant, "SAP_PRD", "refuse")
    said = done(gateway, ACT % "releaseProductionOrder", order_id(order), "refused")
    assert (said["outcome"], said["transaction"]["state"]) == ("REJECTED", "FAILED")
    [error] = said["userErrors"]
    assert (error["code"], error["system"], error["sourceCode"]) == ("INVALID_STATE", "ERP", "017")
    assert order.state == CREATED


def test_another_plan_under_the_expected_version_only(gateway: Demo, plant: RunningPlant) -> None:
    """The ERP compares versions: the one that was read is taken, another is a conflict that names the present one."""
    order = fresh(plant, RELEASED, "1710")
    end = "2026-12-24T12:00:00Z"
    wrong = done(gateway, MOVE, order_id(order), "m1", end=end, options={"expectedVersion": 'W/"1"'})
    [error] = wrong["userErrors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["input", "options", "expectedVersion"])
    version = wrong["productionOrder"]["planning"]["provenance"]["version"]
    assert version in error["message"]
    right = done(gateway, MOVE, order_id(order), "m2", end=end, options={"expectedVersion": version})
    assert right["outcome"] == "APPLIED", right
    assert right["productionOrder"]["planning"]["plannedEnd"] == end


@pytest.mark.parametrize("trouble", ["", "500", "500_after", "reset_after"])
def test_a_report_reaches_the_shop_floor_once(gateway: Demo, plant: RunningPlant, trouble: str) -> None:
    """The MES keeps no keys, so it is asked under the reference before anything is sent again."""
    order = fresh(plant, IN_PROGRESS, "1720")
    operation = next(row for row in order.operations if row.status != "COMPLETED")
    before = len(operation.reports)
    knob(plant, "MES_ZWO", trouble)
    id = f"op:{order.plant}/{order.number}/{operation.number}"
    options = {"waitFor": "ACCEPTED" if trouble else "APPLIED"}
    done(gateway, REPORT, id, f"rep{trouble}", good="3", options=options)
    knob(plant, "MES_ZWO", "")
    for _ in range(5):
        said = done(gateway, REPORT, id, f"rep{trouble}", good="3")
        if said["transaction"]["state"] in ("APPLIED", "RECONCILED"):
            break
    assert said["transaction"]["state"] in ("APPLIED", "RECONCILED"), said
    assert [report.good for report in operation.reports[before:]] == [3]
    assert operation.reports[-1].id in {step["sourceDocument"] for step in said["transaction"]["steps"]}


def test_work_is_paused_and_resumed(gateway: Demo, plant: RunningPlant) -> None:
    """The MES stops and goes on; a plant whose MES takes no such write says so."""
    order = fresh(plant, IN_PROGRESS, "1720")
    assert done(gateway, ACT % "pauseProductionOrder", order_id(order), "p1")["outcome"] == "APPLIED"
    assert order.state == ON_HOLD
    assert done(gateway, ACT % "resumeProductionOrder", order_id(order), "p2")["outcome"] == "APPLIED"
    assert order.state == IN_PROGRESS
    other = fresh(plant, IN_PROGRESS, "1710")
    [error] = done(gateway, ACT % "pauseProductionOrder", order_id(other), "p3")["userErrors"]
    assert (error["code"], error["system"]) == ("NOT_MAPPED", "MES")
