"""What people at the plant and its partners ask, answered over the demo with the clock standing still."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo.conftest import Demo

TEXT = Path(__file__).with_name("operations.graphql").read_text("utf-8")
OPERATIONS = {
    found[1]: found[0] for found in re.finditer(r"^(?:query|mutation) (\w+).*$", TEXT, re.MULTILINE)
}


def answer(demo: Demo, name: str) -> Any:
    """The data of an operation, which has no errors."""
    return demo.ask(OPERATIONS[name]).data


def numbers(rows: list[Mapping[str, Any]]) -> list[str]:
    """The numbers of some rows."""
    return [row["number"] for row in rows]


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_without_errors(demo: Demo, name: str) -> None:
    """Every operation validates and is answered within the deadline, without a GraphQL error."""
    reply = demo.ask(OPERATIONS[name])
    assert all(value is not None for value in reply.data.values())
    assert reply.seconds < 5


def test_order_card(demo: Demo) -> None:
    """One order: planning of the ERP, execution of the MES, milestones judged over all of them."""
    order = answer(demo, "F1_OrderCard")["productionOrder"]
    assert order["number"] == "1000040"
    assert order["status"] == "IN_PROGRESS"
    said = {row["system"]["code"]: (row["codes"], row["mapped"]) for row in order["statusBasis"]["raw"]}
    assert said["MES_KAS"] == (["Running"], "IN_PROGRESS")
    assert "OrderIsPartiallyConfirmed" in said["SAP_PRD"][0]
    assert order["planning"]["quantity"] == {"value": "500", "unit": "H87"}
    assert order["planning"]["dueDate"] == "2026-11-24"
    assert order["execution"]["good"] == {"value": "244", "unit": "H87"}
    assert order["posting"] == {"fullyPosted": False}
    states = {row["kind"]: row["state"] for row in order["checkpoints"]}
    assert states["ORDER_RELEASED"] == states["MATERIAL_STAGED"] == states["EXECUTION_STARTED"] == "DONE"
    assert states["OPERATION_COMPLETED"] == "LATE"
    assert {row["outcome"] for row in order["sources"]} == {"OK"}


def test_dispatch_list(demo: Demo) -> None:
    """What a work centre has to do: only orders with an operation there, whose status fits."""
    page = answer(demo, "F2_DispatchList")["productionOrders"]
    assert page["partial"] is False
    assert page["nodes"][0]["number"] == "1000040"
    for order in page["nodes"]:
        centers = {row["workCenter"]["code"]: row["workCenter"] for row in order["operations"]}
        assert centers["K-PCK1"]["openMaintenance"]


def test_late_orders(demo: Demo) -> None:
    """Orders whose material should have been staged, and is not."""
    late = answer(demo, "F3_LateOrders")["productionOrders"]["nodes"]
    assert late
    assert all(order["planning"]["plannedStart"] < "2026-11-23T06:00:00Z" for order in late)
    orders = [demo.plant.world.orders[number] for number in numbers(late)]
    assert all(any(row.staged < row.required for row in order.components) for order in orders)


def test_consumption(demo: Demo) -> None:
    """Each component: what was required, what the MES consumed, what the ERP issued."""
    rows = answer(demo, "F4_Consumption")["productionOrder"]["materials"]
    issued = {row["component"]["number"]: row["issuedErp"]["value"] for row in rows}
    assert issued == {"SF-2027": "1000", "100255": "404", "100282": "505", "100277": "510", "100904": "1020"}
    assert {row["component"]["number"] for row in rows if row["backflush"]} == {"100277", "100904"}
    assert rows[0]["consumedMes"] == {"value": "1000", "unit": "H87"}


def test_lot_card(demo: Demo) -> None:
    """A lot on hold, and the system that does not enforce the hold yet."""
    lot = answer(demo, "F5_LotCard")["lot"]
    assert lot["status"] == "ON_HOLD"
    assert {row["view"] for row in lot["balances"]} == {"BOOK", "PHYSICAL"}
    (hold,) = lot["holds"]
    assert (hold["number"], hold["state"]) == ("NCR-2600", "PARTIALLY_ENFORCED")
    enforced = {row["system"]["code"]: row["enforced"] for row in hold["enforcement"]}
    assert enforced == {"WMS_CEN": True, "SAP_PRD": False, "MES_KAS": True}


def test_customer_call(demo: Demo) -> None:
    """From the customer's own reference to the pallet on the road."""
    order = answer(demo, "F6_CustomerCall")["salesOrder"]
    assert order["number"] == "3000001"
    first = order["lines"][0]
    assert (first["item"]["number"], first["promisedDate"]) == ("FG-1050", "2026-11-27")
    assert numbers(first["productionOrders"]) == ["1000040"]
    assert [(row["number"], row["status"]) for row in first["shipments"]] == [
        ("80000036", "IN_TRANSIT"),
        ("80000037", "PLANNED"),
    ]
    assert first["shipments"][0]["transport"]["trackingNumber"] == "1Z00036198324"


def test_stock_three_views(demo: Demo) -> None:
    """The books lag behind the bins by exactly what is under way; the truth of the world says the same."""
    nodes = answer(demo, "F7_StockThreeViews")["inventoryPositions"]["nodes"]
    row = next(row for row in nodes if row["lot"]["number"] == "L2409-07")
    values = {view: row[view]["value"] for view in ("book", "physical", "wip", "inFlight", "unexplained")}
    assert values == {"book": "22", "physical": "144", "wip": "0", "inFlight": "122", "unexplained": "0"}
    assert row["verdict"] == "EXPLAINED_BY_TIMING"


def test_after_my_write(demo: Demo) -> None:
    """A token of a write is accepted; the values are live."""
    order = answer(demo, "F8_AfterMyWrite")["productionOrder"]
    assert order["planning"]["releasedAt"] == "2026-11-21T04:00:00Z"
    assert order["planning"]["provenance"]["mode"] == "LIVE"


def test_report_of_an_operation(demo: Demo) -> None:
    """A write is refused for a stated reason; nothing is sent to any system."""
    demo.plant.forget()
    payload = answer(demo, "F10_Report")["reportOperation"]
    assert payload["outcome"] == "REJECTED"
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_MAPPED"]
    assert demo.plant.count() == {}


def test_pallet(demo: Demo) -> None:
    """What the label of a pallet stands for."""
    shipment = answer(demo, "P3_WhatIsOnThisPallet")["shipment"]
    assert shipment["number"] == "80000036"
    units = {row["sscc"]: row for row in shipment["handlingUnits"]}
    pallet = units["006141411234567890"]
    assert pallet["parent"] is None
    assert pallet["contents"][0]["item"] == {"gtin": "04012349010509", "number": "FG-1050"}
    assert numbers(pallet["contents"][0]["lots"]) == ["L2409-07"]
    inside = [row for row in units.values() if row["parent"] == {"sscc": "006141411234567890"}]
    assert len(inside) == 2


def test_contract_maker(demo: Demo) -> None:
    """The other plant's orders, with its own MES behind them."""
    orders = answer(demo, "P6_ContractMakerWorklist")["productionOrders"]["nodes"]
    world = demo.plant.world
    assert orders
    assert {world.orders[number].plant for number in numbers(orders)} == {"1720"}
    for order in orders:
        required = {row["component"]["number"] for row in order["materials"]}
        assert required == {row.item for row in world.orders[order["number"]].components}


def test_recall(demo: Demo) -> None:
    """Everything a component's lot went into, and where it went, as the world knows it."""
    trace = answer(demo, "P8_RecallScope")["trace"]
    assert (trace["complete"], trace["gaps"]) == (True, [])
    assert numbers(trace["affectedLots"]) == ["L2409-07", "L2645-0105"]
    assert {"80000036", "80000096"} <= set(numbers(trace["affectedShipments"]))
    assert trace["affectedShipments"][0]["shipTo"] == {"name": "Lyon Machines 42"}


def test_supplier(demo: Demo) -> None:
    """A supplier's open orders, each line with what the supplier committed to."""
    orders = answer(demo, "P9_SupplierCommitments")["purchaseOrders"]["nodes"]
    world = demo.plant.world
    open_ones = {"OPEN", "CONFIRMED", "PARTIALLY_FULFILLED"}
    expected = [
        row.number for row in world.purchases.values() if row.supplier == "sup-3" and row.status in open_ones
    ]
    assert sorted(numbers(orders)) == sorted(expected)
    line = orders[0]["lines"][0]
    assert line["received"] == {"value": "425"}
    assert line["commit"] == {"date": "2026-11-25", "quantity": {"value": "850"}}


def test_catch_up(demo: Demo) -> None:
    """What changed since midnight for one carrier, with its events in order and as they were coded."""
    nodes = answer(demo, "P10_CatchUpAfterOutage")["shipments"]["nodes"]
    shown = next(row for row in nodes if row["number"] == "80000036")
    events = [(row["status"], row["sourceCode"]) for row in shown["trackingEvents"]["nodes"]]
    assert events == [("PACKED", "X3"), ("IN_TRANSIT", "AF")]
    assert all(demo.plant.world.shipments[number].carrier == "3pl-7" for number in numbers(nodes))
