"""What HTTP is told of an answer of the graph: how long it may be kept, what it cost, and how urgent it was."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from gateway.engine import SchemaEngine
from gateway.http import GraphQLEndpoint
from gateway.operations import Operations
from gateway.request import lane_of
from resolvers.context import Context
from resolvers.execution.operation import PlanExecution
from resolvers.graph import graphql_schema
from schema.base import SourceOutcome
from schema.errors import SourceUnavailable
from schema.production import OrderExecution
from sources.catalog import Catalog
from tests.graph.fakes import PLANTS
from tests.graph.layers import ARRIVED, FakeCache, Old
from tests.graph.plant import Systems, number, systems

ORDER = f'productionOrder(id: "po:1710/{number(0)}")'
CARD = f"{{ {ORDER} {{ number planning {{ priority }} execution {{ good {{ value }} }} }} }}"
GRAPHQL = "application/graphql-response+json"
Client = AbstractAsyncContextManager[httpx2.AsyncClient]


def client(cache: FakeCache, plant: Systems | None = None) -> Client:
    """A client of the graph over the plant with a cache around it."""
    catalog = Catalog((plant or systems()).all, PLANTS, layers=[cache])

    def make_context(http: Request) -> Context:
        return Context(catalog, arrived=ARRIVED, lane=lane_of(http.headers))

    schema = graphql_schema()
    engine = SchemaEngine(schema, make_context, hooks=Operations(schema), execution=PlanExecution(schema))
    app = Starlette(routes=[Route("/graphql", GraphQLEndpoint(engine))])

    @asynccontextmanager
    async def opened() -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://crossdock") as made:
            yield made

    return opened()


async def post(cache: FakeCache, query: str, plant: Systems | None = None, **more: Any) -> httpx2.Response:
    """One query by POST; ``headers`` go along, the rest goes into the body."""
    headers = more.pop("headers", {})
    async with client(cache, plant) as http:
        return await http.post("/graphql", json={"query": query, **more}, headers=headers)


def kept(response: httpx2.Response) -> tuple[str | None, str | None]:
    """How long the answer may be kept, and its age."""
    return response.headers.get("cache-control"), response.headers.get("age")


async def test_an_answer_lasts_as_long_as_its_tightest_part() -> None:
    """Of two parts the one whose time is over first decides, not the one with the shorter lifetime or the older one."""
    for mes, expected in (
        ((300.0, 290.0), ("private, max-age=300", "290")),
        ((300.0, 10.0), ("private, max-age=60", "20")),
        ((15.0, 0.0), ("private, max-age=15", "0")),
    ):
        response = await post(FakeCache(lasting={"ERP": (60.0, 20.0), "MES": mes}), CARD)
        assert kept(response) == expected
        assert response.headers["vary"] == "Accept, Authorization, Crossdock-Lane"


async def test_a_get_may_be_kept_as_well() -> None:
    """The header does not depend on the method of a query."""
    async with client(FakeCache(lasting={"": (60.0, 0.0)})) as http:
        response = await http.get("/graphql", params={"query": CARD})
    assert kept(response) == ("private, max-age=60", "0")


async def test_no_part_lasts_longer_than_the_request_allows() -> None:
    """A client that asks for 30 seconds does not get the same answer from its own store after a minute; one that asks
    for live values never does.
    """
    for said, expected in (("maxAgeSeconds: 30", "private, max-age=30"), ("maxAgeSeconds: 0", "no-store")):
        query = CARD.replace('")', f'", freshness: {{{said}}})')
        assert kept(await post(FakeCache(lasting={"": (300.0, 0.0)}), query))[0] == expected


async def test_a_list_counts_as_well() -> None:
    """A page of a list is a part like any other."""
    query = "{ productionOrders(first: 2) { nodes { number execution { good { value } } } } }"
    cache = FakeCache(lasting={"ERP": (20.0, 5.0), "MES": (60.0, 0.0)})
    assert kept(await post(cache, query)) == ("private, max-age=20", "5")


async def test_what_is_at_hand_counts_as_well() -> None:
    """A value that a peek gave is vouched for by its layer like any other."""
    row = OrderExecution("1710", number(0), None)  # type: ignore[arg-type]
    cache = FakeCache(at_hand={OrderExecution: {f"1710/{number(0)}": row}}, lasting={"": (60.0, 0.0)})
    cache.lasting["MES"] = (30.0, 12.0)
    query = f"{{ {ORDER} {{ execution {{ percentComplete }} }} }}"
    assert kept(await post(cache, query)) == ("private, max-age=30", "12")


def _down(plant: Systems, cache: FakeCache) -> None:
    plant.mes.fault = SourceUnavailable("down")


def _old(plant: Systems, cache: FakeCache) -> None:
    cache.old["MES", OrderExecution] = Old(met=True, reason=SourceOutcome.STALE)


def _silent(plant: Systems, cache: FakeCache) -> None:
    cache.lasting = {"ERP": (60.0, 0.0)}


def _over(plant: Systems, cache: FakeCache) -> None:
    cache.lasting["MES"] = (60.0, 60.0)


def _well(plant: Systems, cache: FakeCache) -> None:
    return None


@pytest.mark.parametrize(
    ("spoil", "query", "extensions"),
    [
        (_down, CARD, {}),
        (_old, CARD, {}),
        (_silent, CARD, {}),
        (_over, CARD, {}),
        (_well, f'{{ {ORDER} {{ number }} lot(number: "L1") {{ number }} }}', {}),
        (_well, f"{{ {ORDER} {{ execution {{ provenance {{ system {{ healthy }} }} }} }} }}", {}),
        (_well, f"{{ {ORDER} {{ number exceptions {{ category }} }} }}", {}),
        (_well, f"{{ viewer {{ subject }} {ORDER} {{ number }} }}", {}),
        (
            _well,
            f"{{ {ORDER} {{ number }} qualityHolds {{ nodes {{ number }} }} purchaseOrders {{ partial }} }}",
            {},
        ),
        (_well, '{ plant(code: "1710") { name } }', {}),
        (_well, CARD, {"crossdock": {"trace": True}}),
    ],
    ids=[
        "down",
        "old",
        "nobody vouches",
        "over",
        "error",
        "health",
        "absent",
        "viewer",
        "partial",
        "local",
        "trace",
    ],
)
async def test_what_is_not_wholly_good_is_not_kept(
    spoil: Callable[[Systems, FakeCache], None], query: str, extensions: dict[str, Any]
) -> None:
    """A missing, old or partial part, an error, a part nobody vouches for or that is only true now: no-store."""
    plant, cache = systems(), FakeCache(lasting={"": (60.0, 0.0)})
    spoil(plant, cache)
    response = await post(cache, query, plant, extensions=extensions)
    assert response.status_code == 200
    assert kept(response) == ("no-store", None)
    assert response.headers["vary"] == "Accept"


async def test_a_mutation_is_never_kept() -> None:
    """Whatever it reads, a mutation is not to be stored."""
    query = """mutation { reportOperation(input: {operation: "op:1710/1/1", good: {value: "1", unit: "H87"},
        at: "2026-11-23T06:00:00Z", options: {idempotencyKey: "k"}}) { outcome } }"""
    assert kept(await post(FakeCache(lasting={"": (60.0, 0.0)}), query)) == ("no-store", None)


async def test_without_a_cache_nothing_is_kept() -> None:
    """Where no layer vouches for anything the answer is not to be stored."""
    assert kept(await post(FakeCache(), CARD)) == ("no-store", None)


async def test_a_withheld_value_is_an_error_with_its_code() -> None:
    """The error has the path, the public code and a mend, and nothing of our insides."""
    cache = FakeCache(old={("MES", OrderExecution): Old(message="Only 90 s old values of MES are known.")})
    query = CARD.replace('")', '", freshness: {maxAgeSeconds: 5, allowStale: false})')
    response = await post(cache, query)
    [error] = response.json()["errors"]
    assert error["path"] == ["productionOrder", "execution"]
    assert error["message"] == "Only 90 s old values of MES are known."
    assert error["extensions"]["code"] == "FRESHNESS_NOT_MET"
    assert "allowStale" in error["extensions"]["hint"]
    assert response.json()["extensions"]["freshness"][0]["served"] is False
    assert kept(response) == ("no-store", None)


@pytest.mark.parametrize("accept", [GRAPHQL, "application/json"])
async def test_a_bad_bound_is_refused_before_anything_runs(accept: str) -> None:
    """@fresh without a duration is a request error, as a literal and as a variable: no data."""
    plant = systems()
    for query, variables in (
        (f'{{ {ORDER} @fresh(within: "soon") {{ number }} }}', {}),
        (f"query ($w: String!) {{ {ORDER} @fresh(within: $w) {{ number }} }}", {"w": "soon"}),
    ):
        response = await post(FakeCache(), query, plant, variables=variables, headers={"accept": accept})
        assert response.status_code == (400 if accept == GRAPHQL else 200)
        body = response.json()
        assert "data" not in body
        assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert "'soon'" in body["errors"][0]["message"]
    assert plant.erp.asked == []


async def test_a_trace_lists_the_hops() -> None:
    """On request, by POST or GET, the answer says what each read of each system cost; otherwise it does not."""
    cache = FakeCache(at_hand={OrderExecution: {}})
    query = "{ productionOrders(first: 3) { nodes { number item { number } execution { good { value } } } } }"
    extensions = {"crossdock": {"trace": True}}
    by_post = (
        await post(cache, query, extensions=extensions, headers={"crossdock-lane": "Shop_Floor"})
    ).json()
    async with client(cache) as http:
        by_get = (
            await http.get("/graphql", params={"query": query, "extensions": json.dumps(extensions)})
        ).json()
    for answer, lane in ((by_post, "shop_floor"), (by_get, "app")):
        trace = answer["extensions"]["crossdock"]
        assert trace["lane"] == lane
        assert trace["ms"] > 0
        hops = {(hop["system"], hop["read"]): hop for hop in trace["hops"]}
        assert hops.keys() == {("ERP", "orders_list"), ("ERP", "items"), ("MES", "orders")}
        hop = hops["MES", "orders"]
        assert hop.pop("ms") >= 0
        assert hop == {
            "system": "MES",
            "read": "orders",
            "calls": 1,
            "keys": 3,
            "l1": 0,
            "l2": 0,
            "shared": 0,
        }
    assert "extensions" not in (await post(cache, query)).json()


@pytest.mark.parametrize("said", [{"trace": False}, {}, None])
async def test_no_trace_where_none_is_wanted(said: object) -> None:
    """An explicit no is a no."""
    assert "extensions" not in (await post(FakeCache(), CARD, extensions={"crossdock": said})).json()


@pytest.mark.parametrize("said", [{"trace": "yes"}, {"trace": 1}, "trace", True, ["trace"]])
async def test_a_trace_is_asked_for_in_one_way(said: object) -> None:
    """Anything but true and false is refused, saying how to ask."""
    response = await post(FakeCache(), CARD, extensions={"crossdock": said})
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "trace" in error["extensions"]["hint"]


async def test_calls_of_one_read_are_one_hop() -> None:
    """Chunks, peeks and calls for other needs of the same read are added up."""
    row = OrderExecution("1710", number(0), None)  # type: ignore[arg-type]
    cache = FakeCache(at_hand={OrderExecution: {f"1710/{number(0)}": row}})
    query = "{ productionOrders(first: 3) { nodes { execution { good { value } } } } }"
    answer = (await post(cache, query, extensions={"crossdock": {"trace": True}})).json()
    hop = next(hop for hop in answer["extensions"]["crossdock"]["hops"] if hop["system"] == "MES")
    assert (hop["calls"], hop["keys"], hop["l1"]) == (1, 3, 1)


@pytest.mark.parametrize("lane", ["urgent", "", "app, app", "shop floor"])
@pytest.mark.parametrize("accept", [GRAPHQL, "application/json"])
async def test_an_unknown_lane_is_refused(lane: str, accept: str) -> None:
    """400 for every client, naming the header, the value and the lanes there are."""
    response = await post(FakeCache(), CARD, headers={"crossdock-lane": lane, "accept": accept})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert f"Crossdock-Lane: {lane!r}" in error["message"]
    assert error["extensions"]["hint"] == "One of shop_floor, app, analytics, background."


async def test_the_lane_reaches_the_calls() -> None:
    """What the header says is what every call carries."""
    cache = FakeCache()
    await post(cache, CARD, headers={"crossdock-lane": "background"})
    assert {batch.lane.name for _, _, batch in cache.calls} == {"BACKGROUND"}


async def test_a_cost_is_told_where_it_is_asked_for() -> None:
    """What was reckoned and what was asked, system by system, whatever executed it; such an answer is not kept."""
    cache = FakeCache(lasting={"ERP": (60.0, 20.0), "MES": (60.0, 20.0)})
    for more in ("", " __schema { queryType { name } }"):
        query = CARD.removesuffix("}") + more + "}"
        response = await post(cache, query, extensions={"crossdock": {"cost": True}})
        assert response.json()["extensions"] == {
            "cost": {
                "requested": {
                    "calls": 3,
                    "rows": 3,
                    "systems": [
                        {"system": "ERP", "calls": 1, "rows": 1},
                        {"system": "MES", "calls": 2, "rows": 2},
                    ],
                },
                "actual": {
                    "calls": 2,
                    "systems": [{"system": "ERP", "calls": 1}, {"system": "MES", "calls": 1}],
                },
            }
        }
        assert kept(response) == ("no-store", None)
    both = (await post(cache, CARD, extensions={"crossdock": {"cost": True, "trace": True}})).json()
    assert both["extensions"].keys() == {"cost", "crossdock"}
    assert "extensions" not in (await post(cache, CARD, extensions={"crossdock": {"cost": False}})).json()


async def test_a_cost_names_the_operation_that_ran() -> None:
    """Of several operations in a document each has its own price, by its own variables."""
    query = (
        f"query One {{ {ORDER} {{ planning {{ priority }} }} }}"
        " query Many($n: Int!) { shipments(first: $n) { nodes { number } } }"
    )
    rows = []
    for name, variables in (("One", {}), ("Many", {"n": 7}), ("Many", {"n": 9})):
        asked = {"crossdock": {"cost": True}}
        response = await post(FakeCache(), query, operationName=name, variables=variables, extensions=asked)
        answer = response.json()
        rows.append([one["rows"] for one in answer["extensions"]["cost"]["requested"]["systems"]])
    assert rows[1:] == [[7], [9]]
    assert rows[0] != [7]
