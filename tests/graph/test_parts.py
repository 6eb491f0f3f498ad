"""Answers in parts: what comes at once, what follows, what it costs, and what ends when nobody reads on."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from graphql import parse, print_ast, validate
from graphql.execution import SubsequentIncrementalExecutionResult

from gateway.multipart import OF_2022
from gateway.parts import Delivery
from resolvers.execution.incremental import undivided
from resolvers.execution.operation import Executed
from resolvers.graph import graphql_schema
from schema.errors import SourceUnavailable
from schema.production import OrderExecution
from sources.base import Batch, Bundle
from tests.graph.fakes import EXECUTION, Fake, Spec, context, data, hops
from tests.graph.layers import ARRIVED, FakeCache, Old
from tests.graph.parts import Client, client_of, divided, told
from tests.graph.plant import Systems, number, systems

ORDER = f'productionOrder(id: "po:1710/{number(0)}")'
CARD = (
    "{{ "
    + ORDER
    + " {{ number planning {{ quantity {{ value }} }} ... @defer{0} {{ execution {{ good {{ value }} }} }} }} }}"
)
PAGE = """{ productionOrders(first: 50) { nodes %s {
  number planning { priority } item { description }
  %s { execution { good { value } } materials { component { description } } operations { number workCenter { code } } }
} } }"""
PLACEMENTS = [
    ("", "... @defer"),
    ("@stream(initialCount: 2)", "..."),
    ("@stream", "... @defer"),
    ("@stream(initialCount: 49)", "... @defer"),
    (
        "",
        '... @defer(label: "a") { materials { component { number } } execution { good { unit } } } ... @defer(label: "b")',
    ),
]


class Gate:
    """Holds back what a system answers."""

    def __init__(self, system: Fake) -> None:
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.ended: list[str] = []
        read = system._read

        async def held(spec: Spec, batch: Batch) -> Bundle:
            self.asked.set()
            await self.open.wait()
            self.ended.append(spec.name)
            return await read(spec, batch)

        system._read = held  # type: ignore[method-assign]  # a fake of ours, before it is asked


@pytest.fixture
def plant() -> Systems:
    """A fresh plant."""
    return systems()


async def test_the_fast_systems_answer_at_once_and_the_slow_one_follows(plant: Systems) -> None:
    """The first part is told while the slow system is being asked; the other is told when it has answered."""
    gate, client = Gate(plant.mes), Client()
    async with divided(context(*plant.all), CARD.format("")) as delivery:
        assert isinstance(delivery, Delivery)
        client.take(delivery.initial())
        assert client.data == {
            "productionOrder": {"number": number(0), "planning": {"quantity": {"value": "100"}}}
        }
        await asyncio.wait_for(gate.asked.wait(), 5)
        assert not gate.ended
        gate.open.set()
        async for payload in delivery.later():
            client.take(payload)
    assert client.data["productionOrder"]["execution"] == {"good": {"value": "50"}}


@pytest.mark.parametrize(("list_", "fragment"), PLACEMENTS)
async def test_parts_cost_the_calls_of_the_whole(list_: str, fragment: str) -> None:
    """However an operation is divided, and whatever the number of rows, its calls and their keys are the same."""
    document = PAGE % (list_, fragment)
    whole, parts = context(*systems().all), context(*systems().all)
    wanted = await data(whole, print_ast(undivided(parse(document))))
    client = await client_of(parts, document)
    assert client.data == wanted
    assert sorted((c.system, c.read, c.keys) for c in parts.calls) == sorted(
        (c.system, c.read, c.keys) for c in whole.calls
    )
    assert len(hops(parts)) == 6


async def test_a_long_stream_costs_no_more_than_its_first_entries() -> None:
    """graphql-core looks at a hundred entries at once; the plan that goes ahead has asked for all of them."""
    plant = systems()
    template = [row for row in plant.erp.rows if getattr(row, "number", None) == number(0)]
    assert template
    ctx, other = context(*plant.all, max_page=500), context(*plant.all, max_page=500)
    whole = "{ productionOrders(first: 60) { nodes { execution { good { value } } item { description } } } }"
    await data(ctx, whole)
    client = await client_of(other, whole.replace("nodes", "nodes @stream"))
    assert len(client.data["productionOrders"]["nodes"]) == 60
    assert hops(other) == hops(ctx)


@pytest.mark.parametrize(
    ("directive", "variables"),
    [
        ("(if: false)", {}),
        ("(if: $d)", {"d": False}),
        (" @skip(if: $s)", {"s": True}),
        (" @include(if: $d)", {"d": False}),
    ],
)
async def test_what_puts_nothing_off_is_executed_by_the_plan(
    plant: Systems, directive: str, variables: dict[str, Any]
) -> None:
    """@defer that is off, or stands on what is left out, with these variables: one answer, by the plan."""
    names = {"d": "$d: Boolean!", "s": "$s: Boolean!"}
    said = "".join(f"query({names[name]}) " for name in variables)
    found = await told(context(*plant.all), said + CARD.format(directive), **variables)
    assert isinstance(found, Executed)
    assert found.reason is None
    assert isinstance(found.data, bytes)


async def test_the_variables_decide_whether_there_are_parts(plant: Systems) -> None:
    """The same document, with @defer in force by a variable, by its default, and inside a named fragment."""
    named = f"""query($d: Boolean! = true) {{ {ORDER} {{ number ...Late @defer(if: $d, label: "late") }} }}
        fragment Late on ProductionOrder {{ execution {{ good {{ value }} }} }}"""
    assert isinstance(await told(context(*plant.all), named, d=False), Executed)
    assert isinstance(await told(context(*plant.all), named, d=True), Client)
    assert isinstance(await told(context(*plant.all), named), Client)
    inside = named.replace("execution {", "... @defer { execution {").replace("value } } }", "value } } } }")
    assert isinstance(await told(context(*plant.all), inside, d=False), Client)


async def test_a_stream_that_counts_below_zero_is_an_error_of_its_field(plant: Systems) -> None:
    """As graphql-core says it, and the rest of the answer stays."""
    client = await told(
        context(*plant.all),
        f"{{ {ORDER} {{ number }} productionOrders(first: 3) {{ nodes @stream(initialCount: -1) {{ number }} }} }}",
    )
    assert isinstance(client, Executed)
    assert [error.path for error in client.errors] == [["productionOrders", "nodes"]]


async def test_a_label_says_which_part_it_is(plant: Systems) -> None:
    """Each label comes back with the place of its part."""
    async with divided(context(*plant.all), CARD.format('(label: "late")')) as delivery:
        assert isinstance(delivery, Delivery)
        assert delivery.initial()["pending"] == [{"id": "0", "path": ["productionOrder"], "label": "late"}]


async def test_an_older_client_is_told_where_each_part_belongs(plant: Systems) -> None:
    """The draft of 2022: path and label instead of ids; a list is not streamed to it."""
    document = PAGE.replace("first: 50", "first: 2") % ("@stream", '... @defer(label: "late")')
    async with divided(context(*plant.all), document, OF_2022) as delivery:
        assert isinstance(delivery, Delivery)
        payloads = [delivery.initial()] + [each async for each in delivery.later()]
    assert {name for payload in payloads for name in payload} == {"data", "incremental", "hasNext"}
    assert len(payloads[0]["data"]["productionOrders"]["nodes"]) == 2
    parts = [part for payload in payloads for part in payload.get("incremental", ())]
    assert [(part["path"], part["label"], part.keys()) for part in parts] == [
        (["productionOrders", "nodes", index], "late", {"data", "path", "label"}) for index in range(2)
    ]


async def test_an_outage_is_told_where_it_is_told_otherwise(plant: Systems) -> None:
    """The slow system turns out to be down: its group is null in its part, and ``sources`` beside it says why."""
    plant.mes.fault = SourceUnavailable("down")
    document = CARD.format("").replace("execution {", "sources { system { code } outcome } execution {")
    client = await client_of(context(*plant.all), document)
    assert client.errors == []
    assert client.data["productionOrder"]["execution"] is None
    assert {"system": {"code": "MES"}, "outcome": "UNAVAILABLE"} in client.data["productionOrder"]["sources"]


@pytest.mark.parametrize("stale", ["allowStale: false", "allowStale: true"])
async def test_what_only_the_later_parts_know_stands_in_the_last_ones_extensions(
    plant: Systems, stale: str
) -> None:
    """A bound that the slow system does not meet is no news in the first part; in the last it is, and so is the trace."""
    cache = FakeCache(old={("MES", OrderExecution): Old()})
    ctx = context(*plant.all, layers=[cache], arrived=ARRIVED)
    document = CARD.format("").replace('")', f'", freshness: {{maxAgeSeconds: 30, {stale}}})')
    async with divided(ctx, document) as delivery:
        assert isinstance(delivery, Delivery)
        ctx.traced = True
        first = delivery.initial()
        later = [each async for each in delivery.later()]
    assert "errors" not in first
    assert first["extensions"].keys() == {"crossdock"}
    assert [each for each in later[:-1] if "extensions" in each] == []
    said, served = later[-1]["extensions"], stale.endswith("true")
    assert said["crossdock"]["executor"] == "reference"
    assert {hop["system"] for hop in said["crossdock"]["hops"]} == {"ERP", "MES"}
    errors = [e for each in later for part in each.get("incremental", ()) for e in part.get("errors", ())]
    path = ["productionOrder", "execution"]
    assert [(one["path"], one["served"]) for one in said["freshness"]] == [(path, served)]
    assert [(e["path"], e["extensions"]["code"]) for e in errors] == (
        [] if served else [(path, "FRESHNESS_NOT_MET")]
    )


async def test_a_fault_of_ours_in_a_part_is_masked(plant: Systems) -> None:
    """Whatever a value is that its type cannot hold, the client reads of an internal error, and where."""
    odd: Any = object()
    plant.mes.rows = [
        replace(row, percent_complete=odd) if isinstance(row, OrderExecution) else row
        for row in plant.mes.rows
    ]
    document = CARD.format("").replace("good { value }", "percentComplete")
    client = await client_of(context(*plant.all), document)
    [error] = client.errors
    assert error["message"] == "Internal error"
    assert error["path"] == ["productionOrder", "execution", "percentComplete"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "test"}


async def test_a_fault_between_parts_ends_what_is_pending(plant: Systems) -> None:
    """Nothing is left open: what was still to come fails as an internal error, and the answer ends in order."""
    client = Client()
    async with divided(context(*plant.all), CARD.format("")) as delivery:
        assert isinstance(delivery, Delivery)
        client.take(delivery.initial())

        async def broken() -> AsyncGenerator[Any, None]:
            for secret in (0, "password=hunter2"):
                if secret:
                    raise RuntimeError(secret)
                yield SubsequentIncrementalExecutionResult(has_next=True)

        await delivery._parts.later.aclose()
        delivery._parts.later = broken()
        async for payload in delivery.later():
            client.take(payload)
    assert client.data == {
        "productionOrder": {"number": number(0), "planning": {"quantity": {"value": "100"}}}
    }
    assert [error["message"] for error in client.failed] == ["Internal error"]


async def test_the_deadline_bounds_the_last_part_too(plant: Systems) -> None:
    """A system that never answers is given up when the time of the request is over, and its part says so."""
    Gate(plant.mes)
    document = CARD.format("").replace("execution {", "sources { system { code } outcome } execution {")
    began = time.monotonic()
    client = await client_of(context(*plant.all, deadline_ms=200), document)
    assert 0.15 < time.monotonic() - began < 2
    assert {"system": {"code": "MES"}, "outcome": "TIMEOUT"} in client.data["productionOrder"]["sources"]


LOADS = re.compile("/resolvers/(hops|loaders)|/sources/|/aiodataloader/")
"""Where loads run that others may wait for as well."""


async def left_of(document: str, plant: Systems, gate: Gate, *, begin: bool) -> list[str]:
    """What still runs, the loads left out, when the reader has gone after the first part."""
    before = asyncio.all_tasks()
    async with divided(context(*plant.all), document) as delivery:
        assert isinstance(delivery, Delivery)
        delivery.initial()
        if begin:
            reading = asyncio.ensure_future(anext(delivery.later()))
            await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    left: list[Any] = [task.get_coro() for task in asyncio.all_tasks() - before]
    # A load that others may share is not called back: it ends by itself.
    gate.open.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
    places = [coroutine.cr_code.co_filename for coroutine in left]
    return [place for place in places if not LOADS.search(place)]


@pytest.mark.parametrize("begin", [False, True])
@pytest.mark.parametrize("nodes", ["nodes", "nodes @stream"])
async def test_whoever_leaves_ends_what_is_left(plant: Systems, nodes: str, begin: bool) -> None:
    """After the reader has gone nothing of the answer runs on but the shared loads."""
    gate = Gate(plant.mes)
    document = f"""{{ productionOrders(first: 5) {{ {nodes} {{ number
        ... @defer {{ execution {{ good {{ value }} }} operations {{ number actual {{ good {{ value }} }} }} }} }} }} }}"""
    if "@stream" in nodes:
        document = document.replace("... @defer", "...")
    assert await left_of(document, plant, gate, begin=begin) == []


async def test_whoever_leaves_before_the_first_part_ends_all_of_it(plant: Systems) -> None:
    """The first part waits itself: what was begun for the others ends with it."""
    gate, before = Gate(plant.erp), asyncio.all_tasks()
    asking = asyncio.ensure_future(client_of(context(*plant.all), CARD.format("")))
    await gate.asked.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    gate.open.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (f"mutation {{ ... @defer {{ __typename }} }} query {{ {ORDER} {{ number }} }}", "root"),
        (
            f'{{ {ORDER} {{ ... @defer(label: "a") {{ id }} ... @defer(label: "a") {{ number }} }} }}',
            "unique",
        ),
        (f"{{ {ORDER} {{ number @stream }} }}", "list"),
        (f"{{ {ORDER} {{ number @defer }} }}", "may not be used on field"),
    ],
)
def test_directives_where_they_do_not_belong_are_refused(document: str, complaint: str) -> None:
    """graphql-core's own rules hold: no root field of a mutation, labels once, streams on lists."""
    errors = validate(graphql_schema(), parse(document))
    assert any(complaint in error.message for error in errors), errors


async def test_a_document_without_the_directives_is_the_same_whole(plant: Systems) -> None:
    """Where nobody takes parts the plan runs it, and the answer is that of the document without the directives."""
    plain = parse(CARD.format("").replace("@defer", ""))
    assert undivided(plain) is plain
    whole = undivided(parse(CARD.format("")))
    executed = await EXECUTION.execute(whole, context(*plant.all), {})
    other = await EXECUTION.execute(plain, context(*plant.all), {})
    assert executed.reason is None
    assert isinstance(executed.data, bytes)
    assert executed.data == other.data
    assert orjson.loads(executed.data)["productionOrder"]["execution"] == {"good": {"value": "50"}}
