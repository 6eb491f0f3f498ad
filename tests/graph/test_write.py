"""Writes: where nobody takes them each is refused honestly and touches nothing."""

from resolvers.mutations import NO_WRITES
from tests.graph.fakes import context, data, hops
from tests.graph.plant import systems

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
