"""Writes: where nobody takes them each is refused honestly and touches nothing."""

import time
from collections.abc import Sequence

from resolvers.context import Actor
from resolvers.mutations import NO_WRITES, Submitted, Wanted
from schema.integration import IntegrationTransaction, TransactionState, TransactionStep, WriteOutcome
from sources.base import Written
from tests.graph.fakes import NOW, context, data, hops
from tests.graph.plant import PLANT, number, systems

REPORT = """mutation F10_Report { reportOperation(input: {operation: "op1", good: {value: "48", unit: "H87"},
  scrap: {value: "2", unit: "H87"}, outputLot: "L2409-07", at: "2026-11-23T06:10:00+01:00",
  options: {idempotencyKey: "7b1e2c", clientMutationId: "c-1", waitFor: APPLIED, timeoutMs: 4000}})
  { clientMutationId outcome userErrors { code message path system sourceCode retryable }
    transaction { correlationId state writeToken } productionOrder { status execution { good { value } } } } }"""


async def test_a_report_is_refused_and_touches_nothing() -> None:
    """A report of an operation is REJECTED with NOT_MAPPED, and no system is asked anything."""
    plant = systems()
    ctx = context(*plant.all)
    found = (await data(ctx, REPORT))["reportOperation"]
    assert found["outcome"] == "REJECTED"
    assert found["clientMutationId"] == "c-1"
    assert (found["transaction"], found["productionOrder"]) == (None, None)
    [error] = found["userErrors"]
    assert error == {
        "code": "NOT_MAPPED",
        "message": NO_WRITES,
        "path": None,
        "system": "MES",
        "sourceCode": None,
        "retryable": False,
    }
    assert hops(ctx) == []
    assert not any(system.asked or system.paged for system in plant.all)


class Kept:
    """Whoever keeps writes: answers as it is told, and remembers what it was asked."""

    def __init__(self, submitted: Submitted) -> None:
        self.submitted = submitted
        self.wanted: list[Wanted] = []
        self.asked: list[list[str]] = []

    async def submit(self, actor: Actor, wanted: Wanted, deadline: float) -> Submitted:
        """The answer it was given."""
        self.wanted.append(wanted)
        return self.submitted

    async def of_subjects(self, targets: Sequence[str]) -> dict[str, list[IntegrationTransaction]]:
        """One write on every object."""
        self.asked.append(list(targets))
        return {target: [transaction(target[-2:])] for target in targets}

    async def transaction(self, number: str) -> IntegrationTransaction | None:
        """It knows one."""
        return transaction("7") if number == "7" else None


def transaction(number: str) -> IntegrationTransaction:
    """A write that was applied in the ERP."""
    step = TransactionStep("ERP", "releaseProductionOrder", TransactionState.APPLIED, 1, NOW, "D1")
    return IntegrationTransaction(
        number,
        "c1",
        "releaseProductionOrder",
        TransactionState.APPLIED,
        1,
        NOW,
        steps=(step,),
        write_token="wt_x",
    )


async def test_a_write_is_handed_on_in_the_words_of_the_model() -> None:
    """Id, values and options arrive as given; what is read back is read as after the write."""
    plant = systems()
    at = time.time() + 5
    written = Written(at, frozenset({f"po:{PLANT}/{number(1)}"}), "ERP", "v2", "v1")
    kept = Kept(Submitted(WriteOutcome.APPLIED, (), transaction("7"), written))
    ctx = context(*plant.all, writes=kept)
    document = """mutation($id: ID!) { rescheduleProductionOrder(input: {order: $id, plannedEnd: "2026-12-24T12:00:00+01:00",
      quantity: {value: "12.50", unit: "H87"}, options: {idempotencyKey: "k", expectedVersion: "v1", waitFor: APPLIED,
      timeoutMs: 1500, dryRun: true}}) { outcome transaction { id steps { system { code } } } productionOrder { number } } }"""
    found = (await data(ctx, document, id=f"po:{PLANT}/{number(1)}"))["rescheduleProductionOrder"]
    assert found["outcome"] == "APPLIED"
    assert found["transaction"]["id"] == "tx:7"
    assert found["productionOrder"] == {"number": number(1)}
    [wanted] = kept.wanted
    assert wanted == Wanted(
        "reschedule_production_order",
        f"po:{PLANT}/{number(1)}",
        {"planned_end": "2026-12-24T12:00:00+01:00", "quantity": {"value": "12.50", "unit": "H87"}},
        "k",
        "v1",
        True,
        TransactionState.APPLIED,
        1.5,
    )
    assert ctx.asked["rescheduleProductionOrder"].need.written == written


async def test_the_id_of_another_thing_is_refused_before_anything_is_asked() -> None:
    """An id that is none, or of another class, is INVALID_INPUT with its path."""
    plant = systems()
    kept = Kept(Submitted(WriteOutcome.APPLIED))
    document = """mutation($id: ID!) { releaseProductionOrder(input: {order: $id, options: {idempotencyKey: "k"}})
      { outcome userErrors { code path } productionOrder { number } } }"""
    for id in ("nonsense", "item:1"):
        found = (await data(context(*plant.all, writes=kept), document, id=id))["releaseProductionOrder"]
        assert found == {
            "outcome": "REJECTED",
            "userErrors": [{"code": "INVALID_INPUT", "path": ["input", "order"]}],
            "productionOrder": None,
        }
    assert kept.wanted == []


async def test_the_writes_of_many_orders_are_asked_for_at_once() -> None:
    """By the plan and by the reference; such an answer is never given again."""
    plant = systems()
    kept = Kept(Submitted(WriteOutcome.APPLIED))
    ctx = context(*plant.all, writes=kept)
    found = await data(ctx, "{ productionOrders(first: 5) { nodes { id transactions { id state } } } }")
    nodes = found["productionOrders"]["nodes"]
    assert [node["transactions"][0]["id"] for node in nodes] == [f"tx:{node['id'][-2:]}" for node in nodes]
    assert len({tuple(asked) for asked in kept.asked}) == 1
    assert len(kept.asked[0]) == 5
    assert ctx.momentary
    assert not ctx.bounds.collects


async def test_a_write_is_a_node() -> None:
    """Found by its id alone and among others; one that is not kept is null."""
    plant = systems()
    ctx = context(*plant.all, writes=Kept(Submitted(WriteOutcome.APPLIED)))
    order = f"po:{PLANT}/{number(1)}"
    document = """query($ids: [ID!]!) { node(id: "tx:7") { id ... on IntegrationTransaction { kind state } }
      nodes(ids: $ids) { id } }"""
    found = await data(ctx, document, ids=["tx:8", order, "tx:7"])
    assert found["node"] == {"id": "tx:7", "kind": "releaseProductionOrder", "state": "APPLIED"}
    assert found["nodes"] == [None, {"id": order}, {"id": "tx:7"}]
