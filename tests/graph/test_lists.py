"""Lists: pages that give each row once, filters pushed down or applied here, totals, tiers, refusals."""

from typing import Any

import pytest

from schema.base import SystemKind
from schema.errors import SourceUnavailable
from schema.production import ProductionOrder
from sources.base import Part
from tests.graph.fakes import Fake, Spec, ask, code_of, context, data, said
from tests.graph.plant import ORDERS, Systems, number, systems

PAGE = "nodes { number } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount partial"


async def walk(plant: Systems | tuple[Fake, ...], root: str, arguments: str, size: int) -> list[str]:
    """Every number of a list, page after page, each page in an operation of its own."""
    sources = plant.all if isinstance(plant, Systems) else plant
    found: list[str] = []
    after = None
    for _ in range(100):
        document = (
            f"query ($after: String) {{ {root}(first: {size}, after: $after{arguments}) {{ {PAGE} }} }}"
        )
        page: dict[str, Any] = (await data(context(*sources), document, after=after))[root]
        assert len(page["nodes"]) <= size
        found += [node["number"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]
        assert after is not None
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("size", [1, 7, 30, 59, 60, 61, 500])
async def test_a_walk_gives_each_row_once(size: int) -> None:
    """Whatever the size of a page, a walk brings every order once and in order."""
    if size == 1:
        plant = systems()
        plant.erp.rows = [row for row in plant.erp.rows if getattr(row, "number", "") < number(9)]
        expected = 9
    else:
        plant, expected = systems(), ORDERS
    assert await walk(plant, "productionOrders", "", size) == [number(i) for i in range(expected)]


@pytest.mark.parametrize("size", [3, 20, 25])
async def test_a_walk_through_a_filter_applied_here(size: int) -> None:
    """A filter on a computed fact, which no system evaluates, neither loses nor repeats rows."""
    found = await walk(systems(), "productionOrders", ", filter: {statuses: [IN_PROGRESS]}", size)
    assert found == [number(i) for i in range(0, ORDERS, 2)]


@pytest.mark.parametrize("size", [1, 4, 9])
async def test_two_systems_in_a_tier_stand_one_after_the_other(size: int) -> None:
    """Two ERPs of equal rank are walked one after the other, no row lost between them, and no total is claimed."""
    spec = Spec("orders", (Part(ProductionOrder),), True)
    erps = tuple(
        Fake(
            code,
            SystemKind.ERP,
            [spec],
            [ProductionOrder(plant, f"{code}{i}", "X", provenance=said(code)) for i in range(4)],
            [plant],
        )
        for code, plant in (("ONE", "1710"), ("TWO", "1720"))
    )
    assert await walk(erps, "productionOrders", "", size) == [
        f"{code}{i}" for code in ("ONE", "TWO") for i in range(4)
    ]
    found = await data(context(*erps), "{ productionOrders(first: 2) { totalCount partial } }")
    assert found["productionOrders"] == {"totalCount": None, "partial": False}


async def test_what_a_system_evaluates_is_pushed_down() -> None:
    """A filter the system knows goes with its call; the search for text is applied here."""
    plant = systems()
    document = """{ productionOrders(filter: {items: ["item:FG-1"], search: "00005"}) { nodes { number } totalCount } }"""
    found = (await data(context(*plant.all), document))["productionOrders"]
    assert [node["number"] for node in found["nodes"]] == [
        n for n in map(number, range(1, ORDERS, 3)) if "00005" in n
    ]
    assert found["totalCount"] is None
    assert plant.erp.paged[0].filters == {"items": ("FG-1",)}


async def test_the_total_is_the_systems_own() -> None:
    """The total is what the system counted; null where it does not count."""
    plant = systems()
    found = await data(
        context(*plant.all), '{ productionOrders(first: 5, filter: {plants: ["plant:1710"]}) { totalCount } }'
    )
    assert found["productionOrders"]["totalCount"] == ORDERS
    plant.erp.specs = [Spec(s.name, s.parts, s.listed, s.filters, total=False) for s in plant.erp.specs]
    found = await data(context(*plant.all), "{ productionOrders(first: 5) { totalCount } }")
    assert found["productionOrders"]["totalCount"] is None


async def test_the_next_tier_lists_where_the_first_cannot() -> None:
    """With the ERP down the MES lists its orders, and the page says that it is partial."""
    plant = systems()
    plant.erp.fault = SourceUnavailable("down")
    document = "{ productionOrders { nodes { number } partial sources { system { code } outcome } } }"
    found = (await data(context(*plant.all), document))["productionOrders"]
    assert [node["number"] for node in found["nodes"]] == [number(0)]
    assert found["partial"] is True
    assert {s["system"]["code"]: s["outcome"] for s in found["sources"]} == {
        "ERP": "UNAVAILABLE",
        "MES": "OK",
    }


async def test_a_walk_does_not_change_horses() -> None:
    """When the ERP goes down between two pages, the next page is empty, partial, and can be asked for again."""
    plant = systems()
    page = (await data(context(*plant.all), f"{{ productionOrders(first: 10) {{ {PAGE} }} }}"))[
        "productionOrders"
    ]
    after = page["pageInfo"]["endCursor"]
    plant.erp.fault = SourceUnavailable("down")
    document = f"query ($a: String) {{ productionOrders(first: 10, after: $a) {{ {PAGE} }} }}"
    page = (await data(context(*plant.all), document, a=after))["productionOrders"]
    assert (page["nodes"], page["partial"], page["pageInfo"]["hasNextPage"]) == ([], True, True)
    plant.erp.fault = None
    page = (await data(context(*plant.all), document, a=page["pageInfo"]["endCursor"]))["productionOrders"]
    assert page["nodes"][0]["number"] == number(10)


async def test_a_rare_filter_ends_early_and_can_go_on() -> None:
    """A filter that finds nothing in ten pages of the system says partial and gives a cursor to go on from."""
    plant = systems()
    plant.erp.specs = [Spec(s.name, s.parts, s.listed, s.filters, max_page=2) for s in plant.erp.specs]
    document = f'query ($a: String) {{ productionOrders(first: 5, after: $a, filter: {{search: "{number(59)}"}}) {{ {PAGE} }} }}'
    seen: list[str] = []
    after, pages = None, 0
    while True:
        page = (await data(context(*plant.all), document, a=after))["productionOrders"]
        seen += [node["number"] for node in page["nodes"]]
        pages += 1
        if not page["pageInfo"]["hasNextPage"]:
            break
        assert page["partial"] is True
        after = page["pageInfo"]["endCursor"]
    assert seen == [number(59)]
    assert pages == 3


async def test_a_silent_owner_makes_a_filter_on_its_facts_partial() -> None:
    """Filtering by status while the MES is silent may lose rows: the page is partial and names the MES."""
    plant = systems()
    plant.mes.fault = SourceUnavailable("down")
    document = "{ productionOrders(filter: {statuses: [IN_PROGRESS]}) { nodes { number } partial sources { system { code } outcome } } }"
    found = (await data(context(*plant.all), document))["productionOrders"]
    assert found["partial"] is True
    assert {"system": {"code": "MES"}, "outcome": "UNAVAILABLE"} in found["sources"]


@pytest.mark.parametrize("first", [0, -1, 501, 100000])
async def test_a_page_out_of_bounds_is_refused(first: int) -> None:
    """A page size out of bounds names the argument, the value and the bounds."""
    result = await ask(context(*systems().all), f"{{ shipments(first: {first}) {{ nodes {{ number }} }} }}")
    assert result.errors is not None
    assert code_of(result.errors[0]) == "BAD_PAGE_SIZE"
    assert f"first: {first}" in result.errors[0].message
    assert "1 to 500" in str(getattr(result.errors[0].original_error, "hint", ""))


@pytest.mark.parametrize(
    "cursor", ["x", "é", "", "W10", "bnVsbA", "WyJhIiwtMSwwLG51bGwsMCwwXQ", "=" * 50, "9" * 5000]
)
async def test_a_bad_cursor_is_refused(cursor: str) -> None:
    """What is not a cursor of this list is named as such."""
    document = "query ($a: String) { lots(after: $a) { nodes { number } } }"
    result = await ask(context(*systems().all), document, a=cursor)
    assert result.errors is not None
    assert code_of(result.errors[0]) == "BAD_CURSOR"
    assert result.errors[0].message.startswith("after: ")


async def test_a_cursor_of_another_list_or_filter_is_refused() -> None:
    """A cursor belongs to its list and filter."""
    plant = systems()
    page = await data(context(*plant.all), "{ productionOrders(first: 1) { pageInfo { endCursor } } }")
    cursor = page["productionOrders"]["pageInfo"]["endCursor"]
    for document in (
        "query ($a: String) { lots(after: $a) { nodes { number } } }",
        'query ($a: String) { productionOrders(after: $a, filter: {search: "7"}) { nodes { number } } }',
    ):
        result = await ask(context(*plant.all), document, a=cursor)
        assert result.errors is not None
        assert code_of(result.errors[0]) == "BAD_CURSOR"


async def test_lists_nobody_has_say_so() -> None:
    """A list that no connected system offers is empty, partial, and says why."""
    document = (
        "{ purchaseOrders { nodes { number } totalCount partial sources { system { code } outcome } } }"
    )
    found = (await data(context(*systems().all), document))["purchaseOrders"]
    assert found["partial"] is True
    assert found["sources"] == [{"system": {"code": "GATEWAY"}, "outcome": "NOT_MAPPED"}]


async def test_a_filter_on_milestones_names_the_silent() -> None:
    """A filter on a milestone finds its orders; with the evidence silent the page is partial and says who."""
    plant = systems()
    document = """{ productionOrders(filter: {checkpoint: EXECUTION_STARTED, checkpointState: DONE}) {
        nodes { number } partial sources { system { code } outcome } } }"""
    found = (await data(context(*plant.all), document))["productionOrders"]
    assert len(found["nodes"]) == 25
    plant.mes.fault = SourceUnavailable("down")
    found = (await data(context(*plant.all), document))["productionOrders"]
    assert (found["nodes"], found["partial"]) == ([], True)
    assert {"system": {"code": "MES"}, "outcome": "UNAVAILABLE"} in found["sources"]


async def test_a_plant_that_only_a_lower_tier_has_is_not_passed_over_in_silence() -> None:
    """Where only the MES has the orders of a plant, the ERP's list is partial and says how to get the others."""
    spec = Spec("orders", (Part(ProductionOrder),), True)
    erp = Fake("ERP", SystemKind.ERP, [spec], [ProductionOrder("1710", "E1", "X")], ["1710"])
    mes = Fake("MES", SystemKind.MES, [spec], [ProductionOrder("1720", "M1", "X")], ["1720"])
    document = (
        "{ productionOrders%s { nodes { number } totalCount partial sources { system { code } outcome } } }"
    )
    found = (await data(context(erp, mes), document % ""))["productionOrders"]
    assert (found["nodes"], found["partial"], found["totalCount"]) == ([{"number": "E1"}], True, None)
    assert {"system": {"code": "MES"}, "outcome": "PARTIAL"} in found["sources"]
    only = document % '(filter: {plants: ["plant:1720"]})'
    found = (await data(context(erp, mes), only))["productionOrders"]
    assert (found["nodes"], found["partial"], found["totalCount"]) == ([{"number": "M1"}], False, None)
