"""The systems disagree about one order the way such systems do, and always for a reason the truth knows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.unit.plant.conftest import Site

SAP = "/sap/opu/odata/sap/"
ORDERS = SAP + "API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
STOCK = SAP + "API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod"


def test_clock_nine_minutes_ahead(site: Site) -> None:
    """The Kassel MES dates everything nine minutes late to the truth."""
    row = site["MES_KAS"].get("/v1/executions/1000040").json
    assert datetime.fromisoformat(row["actualStart"]).astimezone(UTC) == (
        site.world.orders["1000040"].actual_start or datetime.max
    ) + timedelta(minutes=9)


def test_books_lag_behind(site: Site) -> None:
    """The ERP has confirmed less than the MES has made while a posting is under way."""
    row = site["SAP_PRD"].get(ORDERS, keys="1000040").json["d"]["results"][0]
    made = site["MES_KAS"].get("/v1/executions/1000040").json["goodQuantity"]
    assert 0 < Decimal(row["MfgOrderConfirmedYieldQty"]) < made


def test_leading_zeros(site: Site) -> None:
    """The ERP pads what the others do not, and takes both."""
    for key in ("1000040", "000001000040"):
        row = site["SAP_PRD"].get(ORDERS, keys=key).json["d"]["results"][0]
        assert row["ManufacturingOrder"] == "000001000040"


def test_kilos_boxes_pieces(site: Site) -> None:
    """One stock of one lot: kilos in the ERP, boxes in the warehouse, pieces at the line."""
    world = site.world
    place = next(place for place, _ in world.ledger.wip.everything() if world.items[place.item].kg_per_piece)
    item = world.items[place.item]
    pieces = site["MES_KAS" if place.plant == "1710" else "MES_ZWO"]
    key = f"{place.item}|{place.lot}"
    path, name, rows, field = (
        ("/v1/wip", "lots", "content", "quantity")
        if place.plant == "1710"
        else ("/api/wip", "lot", "items", "qty")
    )
    counted = pieces.get(path, **{name: key}).json[rows][0][field]
    assert Decimal(str(counted)) * (item.kg_per_piece or 0) == world.ledger.wip.rows[place]
    boxes = site["WMS_CEN"].get("/api/stock", item_lot=key).json["results"][0]
    assert boxes["uom"] == "XBX"
    books = site["SAP_PRD"].get(STOCK, batchKey=key).json["d"]["results"][0]
    assert books["MaterialBaseUnit"] == "KG"


def test_missing_factor(site: Site) -> None:
    """For some items the ERP was never told how many pieces a box has."""
    rows = (
        site["SAP_PRD"]
        .get(
            SAP + "API_PRODUCT_SRV/A_Product",
            keys="FG-1013,FG-1014",
            dollar_expand="to_ProductUnitsOfMeasure",
        )
        .json["d"]["results"]
    )
    units = [{unit["AlternativeUnit"] for unit in row["to_ProductUnitsOfMeasure"]["results"]} for row in rows]
    assert units == [{"PC"}, {"PC", "BOX"}]


def test_noisy_lot(site: Site) -> None:
    """The warehouse shows the lot as someone typed it, and finds it however it is asked."""
    for asked in ("FG-1050|L2409-07", "FG-1050|l2409-07 "):
        rows = site["WMS_CEN"].get("/api/stock", item_lot=asked).json["results"]
        assert [row["lot"] for row in rows] == ["l2409-07 "]


def test_cut_lots_collide(site: Site) -> None:
    """The Zwolle MES cannot tell the European lot from the American one."""
    rows = site["MES_ZWO"].get("/api/lots", lot="FG-1002|L2409-07A-EU").json["items"]
    assert [row["lot"] for row in rows] == ["l2409-07a-", "l2409-07a-"]


def test_hold_is_not_enforced_everywhere(site: Site) -> None:
    """The hold on the showcase lot reached the warehouse and not the books."""
    hold = site["QMS_LAB"].get("/lab/holds", lot="FG-1050|L2409-07").json[0]
    enforced = {row["system"]: row["enforced"] for row in hold["enforcement"]}
    assert enforced == {"WMS_CEN": True, "SAP_PRD": False, "MES_KAS": True}
    stock = site["WMS_CEN"].get("/api/stock", item_lot="FG-1050|L2409-07").json["results"]
    assert {row["status"] for row in stock} == {"BLOCKED"}
    books = site["SAP_PRD"].get(STOCK, batchKey="FG-1050|L2409-07").json["d"]["results"]
    assert {row["InventoryStockType"] for row in books} == {"01"}


def test_pallet_by_sscc(site: Site) -> None:
    """The pallet of the example leads to its shipment, cartons, lot, tracker and goods issue."""
    row = site["WMS_CEN"].get("/api/shipments", sscc="006141411234567890").json["results"][0]
    assert row["status"] == "70-SHIPPED"
    assert {unit["parent_sscc"] for unit in row["handling_units"]} == {None, "006141411234567890"}
    tracker = site["TMS_ONE"].get("/v2/trackers", reference=row["number"]).json["trackers"][0]
    assert tracker["status"] == "in_transit"
    delivery = (
        site["SAP_PRD"]
        .get(SAP + "API_OUTBOUND_DELIVERY_SRV/A_OutbDeliveryHeader", keys=row["number"])
        .json["d"]["results"][0]
    )
    assert delivery["DeliveryDocument"] == row["number"].zfill(10)
