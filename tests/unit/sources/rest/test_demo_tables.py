"""gateway/demo.toml: every read and search of the eight simulated systems, over real sockets."""

import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schema.base import key_of
from schema.errors import SourceError
from schema.logistics import HandlingUnit, Shipment, ShipmentLine
from schema.material import InventoryBalance, LotTransformation
from schema.production import MaterialRequirement, Operation, OperationReport, OrderPlanning, ProductionOrder
from schema.quality import QualityHold
from sources.base import Batch, Cell, Query, Search
from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.serving import serving

DEMO = tomllib.loads((Path(__file__).parents[4] / "gateway" / "demo.toml").read_text(encoding="utf-8"))


@pytest.fixture
async def plant() -> AsyncIterator[dict[str, Rest]]:
    """All eight systems, connected by the demo's table."""
    world, sources = build_world(), {}
    with ExitStack() as stack:
        for code, table in DEMO["systems"].items():
            url = stack.enter_context(serving(SYSTEMS[code](world, Knobs())))
            settings = {**table, "base_url": url + urlsplit(table["base_url"]).path}
            sources[code] = Rest(RestConfig(code=code, **settings))
            await sources[code].open()
        yield sources
        for source in sources.values():
            await source.close()


def soon() -> float:
    """A deadline."""
    return time.monotonic() + 10


async def ask(source: Rest, name: str, cls: type, *keys: str) -> list[Cell]:
    """The cells of one class of a read."""
    read = next(read for read in source.reads() if read.name == name)
    return (await read.fetch(Batch(keys, frozenset({cls}), soon())))[cls]


async def walk(search: Search) -> list[str]:
    """All keys of a list; every cell that came along is a row, a list or nothing."""
    wants, keys, cursor = frozenset(part.type for part in search.parts), [], None
    while True:
        page = await search.fetch(Query({}, search.max_page, cursor, wants, soon()))
        cells = [cell for column in page.bundle.values() for cell in column]
        assert not [cell for cell in cells if isinstance(cell, SourceError)]
        keys += page.keys
        cursor = page.cursor
        if cursor is None:
            return keys


async def test_every_list_maps_every_row(plant: dict[str, Rest]) -> None:
    """All lists of all systems are walked to the end without a mapping error, an unmapped code or a duplicate."""
    for source in plant.values():
        await source.ping()
        for search in source.searches():
            keys = await walk(search)
            assert keys
            assert len(keys) == len(set(keys)), (source.code, search.name)
        assert not source.unmapped


async def test_reads_agree_with_the_lists(plant: dict[str, Rest]) -> None:
    """What a list brought is what the read it names gives by key."""
    for source in plant.values():
        for search in source.searches():
            first = search.parts[0]
            page = await search.fetch(Query({}, 7, None, frozenset({first.type}), soon()))
            cells = await ask(source, search.read or "", first.type, *page.keys)
            assert [key_of(cell, first.by) for cell in cells] == page.keys, (source.code, search.name)


async def test_one_order_in_all_systems(plant: dict[str, Rest]) -> None:
    """Order 1000040 comes out canonical from ERP, MES and WMS, each by its own way of asking."""
    erp, mes, wms = plant["SAP_PRD"], plant["MES_KAS"], plant["WMS_CEN"]
    key = "1710/1000040"
    planning, nobody = await ask(erp, "orders", OrderPlanning, key, "1710/404")
    assert (planning.order, planning.quantity.source_value, planning.quantity.unit) == (
        "1000040",
        "500",
        "H87",
    )
    assert nobody is None
    assert len((await ask(erp, "orders", Operation, key))[0]) == 5
    assert len((await ask(erp, "orders", MaterialRequirement, key))[0]) == 5
    reports = (await ask(mes, "executions", OperationReport, key))[0]
    assert {report.operation for report in reports} >= {"0010", "0020"}
    shipments = (await ask(wms, "shipments_by_order", Shipment, key))[0]
    assert {shipment.number for shipment in shipments} == {"80000036", "80000037"}
    assert (await ask(erp, "orders_by_sales_line", ProductionOrder, "3000001/10"))[0][0].number == "1000040"


async def test_keys_are_spelled_our_way(plant: dict[str, Rest]) -> None:
    """Blanks, case and padding of the systems never come out."""
    line = (await ask(plant["WMS_CEN"], "shipments", ShipmentLine, "80000036"))[0][0]
    assert (line.lots, line.sales_line) == (("L2409-07",), "3000001/10")
    units = (await ask(plant["WMS_CEN"], "shipments", HandlingUnit, "80000036"))[0]
    assert "006141411234567890" in {unit.sscc for unit in units}
    balance = (await ask(plant["WMS_CEN"], "stock_by_lot", InventoryBalance, "FG-1050/L2409-07"))[0][0]
    assert (balance.lot, balance.on_hand.unit) == ("L2409-07", "XBX")
    hold = (await ask(plant["QMS_LAB"], "holds_by_lot", QualityHold, "FG-1050/L2409-07"))[0][0]
    assert hold.number == "NCR-2600"


async def test_lots_that_a_system_cuts_are_not_mixed(plant: dict[str, Rest]) -> None:
    """Two lots that MES_ZWO shows alike are refused together: their rows could be either's."""
    twins = ("FG-1002/L2409-07A-EU", "FG-1002/L2409-07A-US")
    cells = await ask(plant["MES_ZWO"], "lots_made", LotTransformation, *twins)
    assert all(isinstance(cell, SourceError) for cell in cells)


async def test_work_centers_are_filtered_by_their_code(plant: dict[str, Rest]) -> None:
    """A filter by keys of several parts travels by the part the system knows."""
    wants = frozenset({ProductionOrder})
    for code, center in (("SAP_PRD", "1710/K-MIX1"), ("MES_KAS", "1710/K-MIX1"), ("MES_ZWO", "1720/Z-FIL1")):
        search = next(s for s in plant[code].searches() if s.parts[0].type is ProductionOrder)
        page = await search.fetch(Query({"work_centers": (center,)}, 5, None, wants, soon()))
        assert page.keys, code
        nowhere = await search.fetch(Query({"work_centers": (f"{center}-NO",)}, 5, None, wants, soon()))
        assert nowhere.keys == []


async def test_due_windows_are_clauses_on_the_planned_end(plant: dict[str, Rest]) -> None:
    """A window in time travels as two clauses of the ERP's filter and means what the gateway means."""
    start, end = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    search = next(s for s in plant["SAP_PRD"].searches() if s.name == "orders")
    wants = frozenset({ProductionOrder, OrderPlanning})
    page = await search.fetch(Query({"due_from": start, "due_to": end}, 500, None, wants, soon()))
    assert page.keys
    assert all(start <= plan.planned_end < end for plan in page.bundle[OrderPlanning])
    whole = await search.fetch(Query({}, 500, None, wants, soon()))
    inside = [plan for plan in whole.bundle[OrderPlanning] if start <= plan.planned_end < end]
    assert len(inside) == len(page.keys)
