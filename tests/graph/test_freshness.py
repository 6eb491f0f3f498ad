"""Freshness per path: what is asked of the layers below, and what is said where a bound could not be met."""

from typing import Any

import pytest
from graphql import ExecutionResult

from resolvers.context import Context
from resolvers.tokens import write_token
from schema.base import SourceOutcome
from schema.errors import RequestError, SourceUnavailable
from schema.logistics import ShipmentWarehouse
from schema.material import InventoryBalance, Item, Lot
from schema.production import OrderExecution, ProductionOrder
from schema.quality import QualityHold
from sources.base import Lane, Need, Stale, Written
from tests.graph.fakes import ask, code_of, context, data, hops
from tests.graph.layers import ARRIVED, FakeCache, Old
from tests.graph.plant import Systems, number, systems

ID = f'id: "po:1710/{number(0)}"'
ORDER = f"productionOrder({ID})"
STRICT = "freshness: {maxAgeSeconds: 30, allowStale: false}"
EXECUTION = ("MES", OrderExecution)
SOURCES = "sources { system { code } group outcome message retryAfterSeconds lastGoodAt affectedFields }"


def over(cache: FakeCache, plant: Systems | None = None, **settings: Any) -> Context:
    """The context of an operation over the plant, with the cache around it."""
    return context(*(plant or systems()).all, layers=[cache], arrived=ARRIVED, **settings)


def unmet(result: ExecutionResult) -> list[dict[str, Any]]:
    """What the extensions say of bounds that were not met."""
    return list((result.extensions or {}).get("freshness", ()))


def within(cache: FakeCache, system: str, read: str) -> list[float | None]:
    """The ages that a read was asked for."""
    return [need.within for need in cache.needs(system, read)]


async def test_without_a_word_the_policy_of_the_system_decides() -> None:
    """A document that says nothing asks with no bound, and one set of loaders does for all of it."""
    cache = FakeCache()
    ctx = over(cache)
    await data(ctx, f"{{ {ORDER} {{ execution {{ good {{ value }} }} }} }}")
    assert {batch.need for _, _, batch in cache.calls} == {Need(arrived=ARRIVED)}
    assert ctx.loading(Need(arrived=ARRIVED)) is ctx.loaders


async def test_a_root_bounds_everything_below() -> None:
    """``freshness`` of a root reaches every batch below it, and no other root."""
    cache = FakeCache()
    document = f"""{{ a: productionOrder({ID}, freshness: {{maxAgeSeconds: 30, allowStale: false}}) {{ execution {{ good {{ value }} }} }}
        b: shipment(number: "S100") {{ warehouse {{ confirmedAt }} }} }}"""
    await data(over(cache), document)
    assert cache.needs("MES", "orders") == [Need(30.0, ARRIVED, False)]
    assert cache.needs("WMS", "shipments") == [Need(arrived=ARRIVED)]


async def test_the_nearest_fresh_wins() -> None:
    """@fresh holds for its field and everything below, unless a deeper one says otherwise; the rest of the root's
    freshness stays.
    """
    cache = FakeCache()
    document = f"""{{ productionOrder({ID}, freshness: {{maxAgeSeconds: 60, allowStale: false}}) {{
        execution {{ good {{ value }} }}
        operations @fresh(within: "0s") {{ number actual {{ good {{ value }} }} workCenter {{ code }} }}
        holds @fresh(within: "PT10S") {{ number target @fresh(within: "2m") {{ id }} }}
        materials {{ component @fresh(within: "500ms") {{ number }} }} }} }}"""
    await data(over(cache), document)
    assert within(cache, "MES", "orders") == [60.0]
    assert within(cache, "ERP", "operations") == [0.0]
    assert within(cache, "MES", "actuals") == [0.0]
    assert within(cache, "QMS", "holds") == [10.0]
    assert within(cache, "ERP", "items") == [0.5]
    assert all(not batch.need.allow_stale for _, _, batch in cache.calls)


async def test_fresh_on_a_root_holds_for_it() -> None:
    """@fresh on a root is the need of the root's own load and wins over its argument; so it is with a list."""
    cache = FakeCache()
    document = f"""{{ productionOrder({ID}, freshness: {{maxAgeSeconds: 60}}) @fresh(within: "1s") {{ number }}
        lots @fresh(within: "2s") {{ nodes {{ number }} }} }}"""
    await data(over(cache), document)
    assert within(cache, "ERP", "orders") == [1.0]
    assert [query.need.within for _, query in cache.queries] == [2.0]


async def test_a_list_passes_its_need_on() -> None:
    """The query of a list carries the root's need, and what the page brought along serves that need only."""
    cache = FakeCache()
    ctx = over(cache)
    document = """{ productionOrders(first: 3, freshness: {maxAgeSeconds: 20}) { nodes { posting { received { value } }
        planning @fresh(within: "1s") { priority } } } }"""
    await data(ctx, document)
    assert [query.need for _, query in cache.queries] == [Need(20.0, ARRIVED)]
    assert within(cache, "ERP", "orders") == [1.0]
    assert hops(ctx) == [("ERP", "orders"), ("ERP", "orders_list")]


async def test_the_need_is_by_alias() -> None:
    """Two aliases of one field have their own needs; the same need shares its loaders."""
    cache = FakeCache()
    document = f"""{{ {ORDER} {{ a: execution @fresh(within: "1s") {{ good {{ value }} }} b: execution {{ good {{ value }} }}
        c: execution @fresh(within: "1s") {{ good {{ value }} }} }} }}"""
    await data(over(cache), document)
    assert sorted(within(cache, "MES", "orders"), key=str) == [1.0, None]


async def test_of_one_field_written_twice_the_tightest_counts() -> None:
    """A field that fragments spell several times is as fresh as the strictest of them asks."""
    cache = FakeCache()
    document = f"""{{ {ORDER} {{ execution @fresh(within: "9s") {{ good {{ value }} }} ...F
        ... on ProductionOrder {{ execution {{ good {{ unit }} }} }} }} }}
        fragment F on ProductionOrder {{ execution @fresh(within: "3s") {{ percentComplete }} }}"""
    await data(over(cache), document)
    assert within(cache, "MES", "orders") == [3.0]


async def test_a_fragment_on_another_type_says_nothing() -> None:
    """@fresh in a fragment that does not apply to the object is not heard."""
    cache = FakeCache()
    document = f"""{{ node({ID}) {{ ... on Lot {{ holds @fresh(within: "1s") {{ number }} }}
        ... on Node {{ ... on ProductionOrder {{ holds @fresh(within: "7s") {{ number }} }} }} }} }}"""
    await data(over(cache), document)
    assert within(cache, "QMS", "holds") == [7.0]


@pytest.mark.parametrize(("skip", "expected"), [(True, [None]), (False, [5.0])])
async def test_what_is_skipped_says_nothing(skip: bool, expected: list[float | None]) -> None:
    """@fresh on a field that @skip or @include leaves out is not heard."""
    cache = FakeCache()
    document = f"""query ($s: Boolean!) {{ {ORDER} {{ execution {{ good {{ value }} }}
        ... @skip(if: $s) {{ execution @fresh(within: "5s") {{ percentComplete }} }} }} }}"""
    await data(over(cache), document, s=skip)
    assert within(cache, "MES", "orders") == expected


async def test_the_bound_may_be_a_variable() -> None:
    """``within`` takes a variable, or its default."""
    document = (
        f'query ($w: String! = "4s") {{ {ORDER} {{ execution @fresh(within: $w) {{ good {{ value }} }} }} }}'
    )
    for variables, expected in (({}, 4.0), ({"w": "1h"}, 3600.0)):
        cache = FakeCache()
        await data(over(cache), document, **variables)
        assert within(cache, "MES", "orders") == [expected]


@pytest.mark.parametrize(
    "text", ["soon", "", "30", "-1s", "30S", "PT", "P", "P1Y", "1e3s", "٣s", "9" * 60 + "s"]
)
async def test_a_bound_that_is_no_duration_is_refused(text: str) -> None:
    """Before anything runs, naming the value and the mend: in the document, as a default, as a variable."""
    literal = f'{{ {ORDER} @fresh(within: "{text}") {{ number }} }}'
    default = f'query ($w: String! = "{text}") {{ {ORDER} @fresh(within: $w) {{ number }} }}'
    variable = f"query ($w: String!) {{ {ORDER} @fresh(within: $w) {{ number }} }}"
    for document, variables in ((literal, {}), (default, {}), (variable, {"w": text})):
        plant = systems()
        with pytest.raises(RequestError) as caught:
            await ask(context(*plant.all), document, **variables)
        assert text[:20] in str(caught.value)
        assert "0s" in (caught.value.hint or "")
        assert plant.erp.asked == []


async def test_a_write_is_seen() -> None:
    """``afterWrite`` hands the write to every layer below the root."""
    written = Written(ARRIVED - 5, frozenset({"po:1710/1000000"}), "ERP", "7", "6")
    cache = FakeCache()
    token = write_token(written)
    await data(over(cache), f'{{ productionOrder({ID}, freshness: {{afterWrite: "{token}"}}) {{ number }} }}')
    assert [need.written for need in cache.needs("ERP", "orders")] == [written]


async def test_a_token_of_another_gateway_means_everything_live() -> None:
    """A token that cannot be read is taken in the strictest way: written just now, touching everything."""
    cache = FakeCache()
    await data(over(cache), f'{{ productionOrder({ID}, freshness: {{afterWrite: "wt_8c1f"}}) {{ number }} }}')
    assert [need.written for need in cache.needs("ERP", "orders")] == [Written(ARRIVED)]


async def test_fresh_keeps_the_write_of_its_root() -> None:
    """@fresh changes the age alone: below it the write must be visible all the same."""
    cache = FakeCache()
    document = f"""{{ productionOrder({ID}, freshness: {{afterWrite: "wt_8c1f"}}) {{
        execution @fresh(within: "1h") {{ percentComplete }} }} }}"""
    await data(over(cache), document)
    assert cache.needs("MES", "orders") == [Need(3600.0, ARRIVED, True, Written(ARRIVED))]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ('afterWrite: "8c1f"', "freshness.afterWrite: '8c1f'"),
        (f'afterWrite: "wt_{"a" * 510}"', "freshness.afterWrite"),
        ("maxAgeSeconds: -1", "freshness.maxAgeSeconds: -1"),
        ("deadlineMs: 0", "freshness.deadlineMs: 0"),
    ],
)
async def test_a_wrong_bound_is_refused(said: str, named: str) -> None:
    """The error names the argument, the value and the mend."""
    result = await ask(over(FakeCache()), f"{{ productionOrder({ID}, freshness: {{{said}}}) {{ number }} }}")
    [error] = result.errors or []
    assert code_of(error) == "BAD_USER_INPUT"
    assert named in error.message
    assert getattr(error.original_error, "hint", None)


async def test_a_stale_value_is_given_and_labelled() -> None:
    """Where older values are allowed the group is there, marked; its system is STALE, and the path says that the bound
    was not met.
    """
    cache = FakeCache(old={EXECUTION: Old(retry_after=2.5)})
    document = f"""{{ productionOrder({ID}, freshness: {{maxAgeSeconds: 30}}) {{ number
        run: execution {{ good {{ value }} provenance {{ stale staleReason }} }} {SOURCES} }} }}"""
    result = await ask(over(cache), document)
    assert result.errors is None
    order = (result.data or {})["productionOrder"]
    assert order["run"] == {
        "good": {"value": "50"},
        "provenance": {"stale": True, "staleReason": "UNAVAILABLE"},
    }
    [status] = order["sources"]
    assert status == {
        "system": {"code": "MES"},
        "group": "execution",
        "outcome": "STALE",
        "message": "The system is down; its last answer is given.",
        "retryAfterSeconds": 3,
        "lastGoodAt": "2027-01-15T07:58:30Z",
        "affectedFields": [],
    }
    assert unmet(result) == [
        {
            "path": ["productionOrder", "run"],
            "code": "FRESHNESS_NOT_MET",
            "system": "MES",
            "ageSeconds": 90,
            "maxAgeSeconds": 30,
            "reason": "UNAVAILABLE",
            "message": "The system is down; its last answer is given.",
            "served": True,
        }
    ]


async def test_a_stale_value_within_the_bound_is_only_labelled() -> None:
    """Older than the policy but not than the request asks: STALE in ``sources``, and nothing was not met."""
    cache = FakeCache(
        old={EXECUTION: Old(met=True, reason=SourceOutcome.STALE, message="It is being read again.")}
    )
    result = await ask(over(cache), f"{{ {ORDER} {{ execution {{ good {{ value }} }} {SOURCES} }} }}")
    [status] = (result.data or {})["productionOrder"]["sources"]
    assert (status["outcome"], status["message"]) == ("STALE", "It is being read again.")
    assert unmet(result) == []


async def test_what_is_too_old_is_withheld_where_that_is_asked() -> None:
    """With allowStale false the group is null with an error at its path; facts that need it see it as unknown."""
    cache = FakeCache(old={EXECUTION: Old()})
    document = f"""{{ productionOrder({ID}, {STRICT}) {{ status execution {{ good {{ value }} }} planning {{ priority }}
        checkpoints {{ kind state }} {SOURCES} }} }}"""
    result = await ask(over(cache), document)
    [error] = result.errors or []
    assert (error.path, code_of(error)) == (["productionOrder", "execution"], "FRESHNESS_NOT_MET")
    assert getattr(error.original_error, "hint", None)
    order = (result.data or {})["productionOrder"]
    assert order["execution"] is None
    assert order["planning"] == {"priority": None}
    assert order["status"] == "RELEASED"
    states = {checkpoint["kind"]: checkpoint["state"] for checkpoint in order["checkpoints"]}
    assert states["EXECUTION_STARTED"] == "UNKNOWN"
    status = next(s for s in order["sources"] if s["group"] == "execution")
    assert (status["outcome"], status["lastGoodAt"]) == ("STALE", "2027-01-15T07:58:30Z")
    assert "execution" in status["affectedFields"]
    said = {tuple(entry["path"]): entry for entry in unmet(result)}
    assert {path[-1] for path in said} == {"status", "execution", "checkpoints"}
    assert not any(entry["served"] for entry in said.values())
    assert said["productionOrder", "execution"]["ageSeconds"] == 90


async def test_a_root_is_withheld_in_the_same_way() -> None:
    """A root whose only value is too old is null with an error; the extensions name the owner."""
    cache = FakeCache(old={("ERP", Item): Old()})
    result = await ask(over(cache), f'{{ node(id: "item:FG-0", {STRICT}) {{ id }} }}')
    [error] = result.errors or []
    assert (error.path, code_of(error)) == (["node"], "FRESHNESS_NOT_MET")
    assert result.data == {"node": None}
    assert [(e["path"], e["served"]) for e in unmet(result)] == [(["node"], False)]
    assert (result.extensions or {})["sources"][0]["outcome"] == "STALE"


async def test_of_several_nodes_the_one_that_is_too_old_is_withheld() -> None:
    """``nodes`` puts the error at the place of the row."""

    class OneOld(Old):
        def cell(self, cell: Any, need: Need) -> Any:
            return super().cell(cell, Need(allow_stale=False)) if cell.number == "FG-1" else cell

    cache = FakeCache(old={("ERP", Item): OneOld()})
    result = await ask(over(cache), '{ nodes(ids: ["item:FG-0", "item:FG-1"]) { id } }')
    assert [error.path for error in result.errors or ()] == [["nodes", 1]]
    assert result.data == {"nodes": [{"id": "item:FG-0"}, None]}
    assert [entry["path"] for entry in unmet(result)] == [["nodes", 1]]


class OnlyStrict(Old):
    """Too old for who states a bound, good enough for who does not."""

    def cell(self, cell: Any, need: Need) -> Any:
        """What is given in place of a fresh cell."""
        return cell if need.within is None else super().cell(cell, need)


async def test_what_a_function_finds_is_withheld_in_the_same_way() -> None:
    """A field that loads in its own way is null with an error, too."""
    cache = FakeCache(old={("ERP", ProductionOrder): OnlyStrict()})
    document = f"""{{ productionOrder(id: "po:1710/{number(1)}", freshness: {{allowStale: false}})
        {{ holds {{ number target @fresh(within: "1s") {{ id }} }} }} }}"""
    result = await ask(over(cache), document)
    [error] = result.errors or []
    assert (error.path, code_of(error)) == (["productionOrder", "holds", 0, "target"], "FRESHNESS_NOT_MET")
    assert (result.data or {})["productionOrder"] == {"holds": [{"number": "H1", "target": None}]}


async def test_a_stub_stays_a_stub() -> None:
    """An edge that shows its target by the key alone keeps doing so; the path is listed, without an error."""
    cache = FakeCache(old={("ERP", Item): Old()})
    document = f"{{ productionOrder({ID}, {STRICT}) {{ item {{ number description }} }} }}"
    result = await ask(over(cache), document)
    assert result.errors is None
    assert (result.data or {})["productionOrder"]["item"] == {"number": "FG-0", "description": None}
    assert [(entry["path"], entry["served"]) for entry in unmet(result)] == [
        (["productionOrder", "item"], False)
    ]


async def test_an_outage_stays_an_outage() -> None:
    """A system that is down with nothing known of it is a ``sources`` entry, whatever freshness was asked for."""
    plant = systems()
    plant.mes.fault = SourceUnavailable("down")
    document = f"{{ productionOrder({ID}, {STRICT}) {{ execution {{ good {{ value }} }} {SOURCES} }} }}"
    result = await ask(over(FakeCache(), plant), document)
    assert result.errors is None
    assert result.extensions is None
    [status] = (result.data or {})["productionOrder"]["sources"]
    assert status["outcome"] == "UNAVAILABLE"


async def test_sources_asks_as_the_fields_beside_it_do() -> None:
    """``sources`` reports on what the fields beside it got: it costs no call of its own, and tells the worse of two."""
    cache = FakeCache()
    document = (
        f"""{{ {ORDER} {{ execution @fresh(within: "1s") {{ good {{ value }} }} status {SOURCES} }} }}"""
    )
    ctx = over(cache)
    await data(ctx, document)
    assert sorted(within(cache, "MES", "orders"), key=str) == [1.0, None]
    assert ("sources",) not in {path[-1:] for path, _ in ctx.unmet}


async def test_sources_tells_the_worse_of_two_needs() -> None:
    """Where two fields beside it ask for one group in different ways, the one that was not met is what is said."""
    for first, second in (("", '@fresh(within: "1s")'), ('@fresh(within: "1s")', "")):
        document = f"""{{ {ORDER} {{ a: execution {first} {{ good {{ value }} }}
            b: execution {second} {{ good {{ value }} }} {SOURCES} }} }}"""
        cache = FakeCache(old={EXECUTION: OnlyStrict()})
        [status] = (await data(over(cache), document))["productionOrder"]["sources"]
        assert status["outcome"] == "STALE"


async def test_the_bound_is_told_as_it_was_asked() -> None:
    """A bound below a second is not rounded; a bound by a write alone has no age to tell."""
    cache = FakeCache(old={EXECUTION: Old()})
    document = f"""{{ a: {ORDER} {{ execution @fresh(within: "500ms") {{ percentComplete }} }}
        b: productionOrder({ID}, freshness: {{afterWrite: "wt_8c1f"}}) {{ execution {{ percentComplete }} }} }}"""
    one, other = sorted(unmet(await ask(over(cache), document)), key=lambda entry: str(entry["path"]))
    assert one["maxAgeSeconds"] == 0.5
    assert "maxAgeSeconds" not in other


async def test_many_places_are_cut_short() -> None:
    """At most a hundred places are listed, with a count of the others."""
    cache = FakeCache(old={EXECUTION: Old(), ("QMS", QualityHold): Old()})
    document = """{ productionOrders(first: 60, freshness: {maxAgeSeconds: 5})
        { nodes { execution { good { value } } holds { number } } } }"""
    result = await ask(over(cache), document)
    assert len(unmet(result)) == 100
    assert (result.extensions or {})["freshnessLeftOut"] == 20
    assert unmet(result)[0]["path"] == ["productionOrders", "nodes", 0, "execution"]


async def test_a_stale_page_is_given_and_labelled() -> None:
    """An older page of a list is STALE in its ``sources``, whole, and its rows are as old as the page."""
    cache = FakeCache(pages={"ERP": Old()})
    document = f"""{{ productionOrders(first: 2, freshness: {{maxAgeSeconds: 5}}) {{ partial totalCount
        nodes {{ planning {{ provenance {{ stale }} }} {SOURCES} }} sources {{ outcome message lastGoodAt }} }} }}"""
    result = await ask(over(cache), document)
    page = (result.data or {})["productionOrders"]
    assert page["partial"] is False
    assert page["totalCount"] == 60
    assert [status["outcome"] for status in page["sources"]] == ["STALE"]
    assert [node["planning"] for node in page["nodes"]] == [{"provenance": {"stale": True}}] * 2
    assert [node["sources"][0]["outcome"] for node in page["nodes"]] == ["STALE"] * 2
    assert unmet(result)[0]["path"] == ["productionOrders"]


async def test_a_withheld_page_costs_the_list_its_rows() -> None:
    """Where the page must not be given the list is partial and says why; a connection is never null."""
    cache = FakeCache(pages={"ERP": Old()})
    document = f"{{ productionOrders(first: 2, {STRICT}) {{ nodes {{ number }} partial sources {{ system {{ code }} outcome }} }} }}"
    result = await ask(over(cache), document)
    assert result.errors is None
    page = (result.data or {})["productionOrders"]
    assert page["partial"] is True
    assert {"system": {"code": "ERP"}, "outcome": "STALE"} in page["sources"]
    assert [(entry["path"], entry["served"]) for entry in unmet(result)] == [(["productionOrders"], False)]


async def test_a_filter_on_old_facts_says_so() -> None:
    """Rows sifted by a fact that was judged by older values: the system is STALE in the connection's ``sources``."""
    cache = FakeCache(old={EXECUTION: Old(met=True)})
    document = """{ productionOrders(first: 3, filter: {statuses: [IN_PROGRESS]}) { nodes { number } partial
        sources { system { code } outcome } } }"""
    page = (await data(over(cache), document))["productionOrders"]
    assert len(page["nodes"]) == 3
    assert page["partial"] is False
    assert {"system": {"code": "MES"}, "outcome": "STALE"} in page["sources"]


async def test_a_filter_on_old_milestones_says_so() -> None:
    """Rows sifted by a milestone whose evidence is old: its system is STALE, beside one that is silent for others."""
    plant = systems()
    plant.qms.fault = SourceUnavailable("down")
    cache = FakeCache(old={EXECUTION: Old(met=True)})
    document = """{ productionOrders(first: 3, filter: {checkpoint: EXECUTION_STARTED, checkpointState: DONE}) {
        nodes { number } partial sources { system { code } outcome } } }"""
    page = (await data(over(cache, plant), document))["productionOrders"]
    assert len(page["nodes"]) == 3
    assert page["partial"] is False
    assert {status["system"]["code"]: status["outcome"] for status in page["sources"]} == {
        "ERP": "OK",
        "MES": "STALE",
    }


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 1, 2), (2, 0, 1)])
async def test_the_worst_of_one_place_is_told(order: tuple[int, ...]) -> None:
    """Where one place looks at many rows, as the filter of a list does, the oldest of them is told, once."""
    ages = {number(2 * place): 100.0 + rank for place, rank in enumerate(order)}

    class ByRow(Old):
        def cell(self, cell: Any, need: Need) -> Any:
            if cell is None or cell.order not in ages:
                return cell
            return Old(ages[cell.order]).cell(cell, need)

    cache = FakeCache(old={EXECUTION: ByRow()})
    document = """{ productionOrders(first: 3, filter: {statuses: [IN_PROGRESS]}, freshness: {maxAgeSeconds: 5})
        { nodes { number } } }"""
    assert [entry["ageSeconds"] for entry in unmet(await ask(over(cache), document))] == [102]


async def test_old_stock_is_compared_and_marked() -> None:
    """Positions of older balances are whole; the system is STALE, the list is not partial unless they are withheld."""
    for said, partial in (("maxAgeSeconds: 5", False), ("maxAgeSeconds: 5, allowStale: false", True)):
        cache = FakeCache(old={("WMS", InventoryBalance): Old()})
        document = f"""{{ inventoryPositions(filter: {{items: ["item:RM-1"]}}, freshness: {{{said}}}) {{ partial
            sources {{ system {{ code }} group outcome }} }} }}"""
        page = (await data(over(cache), document))["inventoryPositions"]
        assert page["partial"] is partial
        assert {"system": {"code": "WMS"}, "group": "balances", "outcome": "STALE"} in page["sources"]


async def test_every_kind_of_edge_carries_the_age() -> None:
    """Stubs, matches and edges over several keys keep what is said about the age of what they lead to."""
    old = Old(met=False)
    plant = systems()
    cache = FakeCache(old={("ERP", Lot): old, ("ERP", Item): old, ("WMS", ShipmentWarehouse): old})
    document = f"""{{ productionOrder({ID}, freshness: {{maxAgeSeconds: 5}}) {{ item {{ number }}
        materials {{ lots {{ number item {{ number }} }} }} shipments {{ status warehouse {{ confirmedAt }} }} }} }}"""
    result = await ask(over(cache, plant), document)
    assert result.errors is None
    last = {entry["path"][-1] for entry in unmet(result)}
    assert {"item", "status", "warehouse"} <= last


async def test_ages_are_counted_from_the_real_arrival() -> None:
    """AgeSeconds and mode go by when the request really came, though the moment of judgement stands still; a value
    read afterwards is LIVE and 0 seconds old.
    """
    document = f"{{ {ORDER} {{ execution {{ provenance {{ ageSeconds mode fetchedAt }} }} }} }}"
    read_at = 1_795_413_600.0  # what the fakes say: 2026-11-23T06:00:00Z
    for arrived, expected in (
        (read_at + 42.9, (42, "CACHE")),
        (read_at, (0, "LIVE")),
        (read_at - 5, (0, "LIVE")),
    ):
        ctx = context(*systems().all, arrived=arrived)
        found = (await data(ctx, document))["productionOrder"]["execution"]["provenance"]
        assert (found["ageSeconds"], found["mode"]) == expected


async def test_the_lane_reaches_every_call() -> None:
    """How urgent a request is goes along with every batch and every query."""
    cache = FakeCache()
    ctx = over(cache, lane=Lane.ANALYTICS)
    await data(ctx, "{ productionOrders(first: 2) { nodes { execution { good { value } } } } }")
    assert {batch.lane for _, _, batch in cache.calls} == {Lane.ANALYTICS}
    assert {query.lane for _, query in cache.queries} == {Lane.ANALYTICS}


async def test_a_value_at_hand_is_noted_too() -> None:
    """What a peek gives without waiting counts as the first tier, ages and all."""
    row = OrderExecution("1710", number(0), None)  # type: ignore[arg-type]
    cell = Stale(row, ARRIVED - 70, SourceOutcome.TIMEOUT, "old", met=False)
    cache = FakeCache(at_hand={OrderExecution: {f"1710/{number(0)}": cell}})
    ctx = over(cache)
    result = await ask(ctx, f"{{ {ORDER} {{ execution {{ percentComplete }} }} }}")
    assert [(entry["ageSeconds"], entry["reason"]) for entry in unmet(result)] == [(70, "TIMEOUT")]
    assert [(call.tally.calls, call.tally.l1) for call in ctx.calls if call.system == "MES"] == [(0, 1)]
