"""Events in the graph: one by its id, with subject and cause, and the timeline of an order in causal order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from graphql import parse

from gateway.events.log import EventLogDown, Logged, Position
from gateway.events.showing import LoggedEvents
from gateway.events.sqlite import SqliteLog
from resolvers.context import Context
from resolvers.explain import explain
from resolvers.graph import graphql_schema
from resolvers.timelines import MOST_EVENTS, business_event, causal
from schema.events import Event
from tests.graph.fakes import NOW, context, data
from tests.graph.plant import PLANT, number, systems
from tests.subscribing import happened

FIRST = f"po:{PLANT}/{number(0)}"
TIMELINE = """query($id: ID!, $n: Int = 100, $a: String) { productionOrder(id: $id) { timeline(first: $n, after: $a) {
  partial totalCount sources { outcome message }
  pageInfo { hasNextPage endCursor }
  nodes { id cloudEventType late correlationId causedBy { id } subject { id } provenance { system { code } sourceKey } } } } }"""


@asynccontextmanager
async def logged(*events: Event) -> AsyncIterator[Any]:
    """A context over a plant and a log with these events."""
    log = SqliteLog()
    await log.open()
    await log.append(events)

    def make() -> Context:
        return context(*systems().all, events=LoggedEvents(log))

    try:
        yield make
    finally:
        await log.close()


async def timeline(ctx: Context, **variables: Any) -> Any:
    """The timeline of the first order."""
    return (await data(ctx, TIMELINE, id=FIRST, **variables))["productionOrder"]["timeline"]


async def test_a_timeline_is_in_causal_order() -> None:
    """A clock that is ahead puts nothing after what came later, and no effect comes before its cause."""
    later, ahead = NOW + timedelta(minutes=5), NOW + timedelta(minutes=9)
    released = happened(1, FIRST, "mfg.production-order.released.v1", at=later)
    # The MES's clock is ahead: it says 06:09 and is heard of at 06:06.
    ended = happened(2, FIRST, "mfg.operation.completed.v1", source="MES", at=ahead, touches=[FIRST])
    ended = Event(
        ended.type,
        ended.source,
        ended.id,
        ended.subject,
        ended.fact,
        ahead,
        ahead,
        NOW + timedelta(minutes=6),
        (FIRST,),
        "c",
    )
    after = happened(3, FIRST, at=NOW + timedelta(minutes=7))
    # Its clock is behind: it says that it happened before its cause did.
    effect = happened(4, FIRST, "mfg.material.issued.v1", source="WMS", at=NOW, cause=after.number)
    late = happened(5, FIRST, at=NOW + timedelta(minutes=1), late=True)
    async with logged(released, ended, after, effect, late) as make:
        found = await timeline(make())
        assert [node["id"].removeprefix("evt:") for node in found["nodes"]] == [
            event.number for event in (late, released, ended, after, effect)
        ]
        assert (found["partial"], found["totalCount"]) == (False, 5)
        assert found["nodes"][0]["late"] is True
        assert found["nodes"][4]["causedBy"] == {"id": f"evt:{after.number}"}
        assert found["nodes"][4]["subject"] == {"id": FIRST}
        assert found["nodes"][1]["provenance"] == {"system": {"code": "ERP"}, "sourceKey": "m-1"}


async def test_a_timeline_has_pages() -> None:
    """The second begins where the first ended."""
    async with logged(*[happened(n, FIRST, at=NOW + timedelta(seconds=n)) for n in range(5)]) as make:
        first = await timeline(make(), n=3)
        rest = await timeline(make(), n=3, a=first["pageInfo"]["endCursor"])
        assert (len(first["nodes"]), len(rest["nodes"])) == (3, 2)
        assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
        assert len({node["id"] for node in first["nodes"] + rest["nodes"]}) == 5


async def test_an_event_is_a_node() -> None:
    """By its id; one that is not in the log is null, and so is the subject that no system knows."""
    event = happened(1, f"po:{PLANT}/nowhere", touches=[FIRST])
    async with logged(event) as make:
        document = (
            "query($id: ID!) { node(id: $id) { id ... on BusinessEvent { cloudEventType subject { id } } } }"
        )
        found = await data(make(), document, id=f"evt:{event.number}")
        assert found["node"] == {"id": f"evt:{event.number}", "cloudEventType": event.type, "subject": None}
        assert (await data(make(), document, id="evt:0"))["node"] is None


async def test_without_a_log_the_timeline_says_so() -> None:
    """Partial, with the reason; as it is while the log does not answer."""
    found = await timeline(context(*systems().all))
    assert (found["partial"], found["sources"][0]["outcome"]) == (True, "NOT_MAPPED")

    class Away(SqliteLog):
        async def about(self, id: str, first: int, after: Position | None = None) -> list[Logged]:
            raise EventLogDown("away")

    ctx = context(*systems().all, events=LoggedEvents(Away()))
    found = await timeline(ctx)
    assert (found["nodes"], found["totalCount"]) == ([], None)
    assert (found["partial"], found["sources"][0]["outcome"]) == (True, "UNAVAILABLE")


async def test_a_timeline_without_end_is_partial() -> None:
    """Only so many events are shown, and it says so."""
    async with logged(*[happened(n, FIRST) for n in range(MOST_EVENTS + 1)]) as make:
        found = await timeline(make(), n=2)
        assert (found["partial"], found["sources"][0]["outcome"]) == (True, "PARTIAL")


def test_causes_in_a_circle_are_put_somewhere() -> None:
    """Each says that the other led to it: both are there, once."""
    one = business_event(happened(1, FIRST, cause=happened(2, FIRST).number))
    other = business_event(happened(2, FIRST, cause=happened(1, FIRST).number))
    assert {event.number for event in causal([one, other])} == {one.number, other.number}
    assert len(causal([one, other])) == 2


def test_a_subscription_can_be_explained() -> None:
    """What is read for every event stands among the hops."""
    from_plan = explain(
        graphql_schema(),
        context(*systems().all).systems,
        parse(
            "subscription { productionOrderChanged { order { planning { dueDate } operations { number } } } }"
        ),
    )
    assert [(hop.system, hop.read) for hop in from_plan.hops if not hop.fallback] == [
        ("ERP", "orders"),
        ("ERP", "operations"),
    ]
