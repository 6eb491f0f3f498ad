"""The eight systems over real sockets: credentials, batches, paging, filters, errors, each in its own way."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.plant.conftest import Caller, Site

SAP = "/sap/opu/odata/sap/"
ORDERS = SAP + "API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
BATCH = SAP + "API_BATCH_SRV/A_Batch"
KASSEL = [str(1_000_000 + n) for n in range(1, 120) if n % 20 < 13][:50]
ZWOLLE = [str(1_000_000 + n) for n in range(1, 160) if n % 20 >= 13][:50]
ANY_PATH = {
    "SAP_PRD": ORDERS,
    "MES_KAS": "/v1/executions",
    "MES_ZWO": "/api/jobs",
    "WMS_CEN": "/api/stock",
    "QMS_LAB": "/lab/holds",
    "TMS_ONE": "/v2/trackers",
    "CMMS_01": "/rest/workorders",
    "SUP_PORT": "/portal/commits",
}
MESSAGE: dict[str, Callable[[Any], str]] = {
    "SAP_PRD": lambda body: body["error"]["message"]["value"],
    "MES_KAS": lambda body: body["message"],
    "MES_ZWO": lambda body: body["err_msg"],
    "WMS_CEN": lambda body: body["detail"],
    "QMS_LAB": lambda body: body["detail"],
    "TMS_ONE": lambda body: body["error"]["message"],
    "CMMS_01": lambda body: body["Fault"]["String"],
    "SUP_PORT": lambda body: body["errors"][0]["title"],
}


@pytest.mark.parametrize("code", ANY_PATH)
def test_credentials(site: Site, code: str) -> None:
    """Without the right credentials every system refuses, in its own words; with them it answers."""
    refused = site[code].send("GET", ANY_PATH[code], headers={"Authorization": "Bearer wrong"})
    assert refused.status == 401
    assert MESSAGE[code](refused.json)
    assert site[code].get(ANY_PATH[code]).status == 200


@pytest.mark.parametrize("code", ANY_PATH)
def test_unknown_path(site: Site, code: str) -> None:
    """A path that is not there is 404 in the vendor's own body."""
    answer = site[code].get("/nothing/here")
    assert answer.status == 404
    assert "/nothing/here" in MESSAGE[code](answer.json)


def test_wms_token_is_checked(site: Site) -> None:
    """The wrong secret gets no token."""
    answer = site["WMS_CEN"].send("POST", "/oauth/token", b"grant_type=client_credentials&client_id=x")
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def sap_keys(caller: Caller, keys: list[str]) -> set[str]:
    """The output lots of orders, asked by a chain of `or`."""
    chain = " or ".join(f"ManufacturingOrder eq '{key.zfill(12)}'" for key in keys)
    return {row["Batch"] for row in caller.get(ORDERS, dollar_filter=chain).json["d"]["results"]}


def test_fifty_orders_in_one_call_each(site: Site) -> None:
    """A page of fifty orders is one request to the ERP, the MES, the WMS and the QMS."""
    caller, lots = site["SAP_PRD"], sap_keys(site["SAP_PRD"], KASSEL)
    assert len(lots) == 50
    assert caller.get(BATCH, order=",".join(KASSEL)).json["d"]["__count"] == "50"
    executions = site["MES_KAS"].post("/v1/executions:query", {"orders": KASSEL}).json
    assert [row["orderNumber"] for row in executions["content"]] == KASSEL
    shipments = site["WMS_CEN"].get("/api/shipments", order=",".join(KASSEL)).json
    assert {order for row in shipments["results"] for order in row["orders"]} <= set(KASSEL)
    inspections = site["QMS_LAB"].get("/lab/inspections", order=",".join(KASSEL), per_page=100)
    assert len(inspections.json) == 50
    jobs = site["MES_ZWO"].get("/api/jobs", job=ZWOLLE).json
    assert [str(row["job"]) for row in jobs["items"]] == [key for key in ZWOLLE if key in _known(site)]


def _known(site: Site) -> set[str]:
    return {order.number for order in site.world.orders.values() if order.released_at}


@pytest.mark.parametrize(
    ("code", "path", "name", "most", "join"),
    [
        ("SAP_PRD", ORDERS, "keys", 100, True),
        ("MES_KAS", "/v1/executions", "orders", 200, True),
        ("MES_ZWO", "/api/jobs", "job", 50, False),
        ("WMS_CEN", "/api/shipments", "number", 100, True),
        ("QMS_LAB", "/lab/holds", "order", 100, True),
        ("TMS_ONE", "/v2/trackers", "reference", 100, True),
        ("CMMS_01", "/rest/workorders", "workCenter", 50, True),
        ("SUP_PORT", "/portal/commits", "po", 50, True),
    ],
)
def test_batch_limit(site: Site, code: str, path: str, name: str, most: int, join: bool) -> None:
    """One key too many is refused with the limit named; the limit itself is fine."""
    keys = [str(n) for n in range(most + 1)]

    def ask(values: list[str]) -> Any:
        return site[code].get(path, **{name: ",".join(values) if join else values})

    assert ask(keys[:most]).status == 200
    refused = ask(keys)
    assert refused.status == 400
    assert f"at most {most}" in MESSAGE[code](refused.json)


def test_offset_paging_covers_everything_once(site: Site) -> None:
    """OData pages and WMS pages add up to the whole list."""
    seen = [
        row["ManufacturingOrder"]
        for skip in range(0, 400, 150)
        for row in site["SAP_PRD"].get(ORDERS, dollar_top=150, dollar_skip=skip).json["d"]["results"]
    ]
    assert len(seen) == len(set(seen)) == 400
    first = site["WMS_CEN"].get("/api/stock", limit=500).json
    second = site["WMS_CEN"].get("/api/stock", limit=500, offset=500).json
    assert first["count"] == len(site.world.ledger.physical.rows)
    assert len(second["results"]) == min(first["count"] - 500, 500)


def test_cursor_paging_ends(site: Site) -> None:
    """The cursor of the Zwolle MES leads through all its jobs and then is null."""
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = site["MES_ZWO"].get("/api/jobs", limit=30, **({"cursor": cursor} if cursor else {})).json
        seen += [row["job"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) > 90


def test_link_paging_ends(site: Site) -> None:
    """The Link header of the laboratory leads through all holds."""
    path, seen = "/lab/holds?per_page=10", []
    while path:
        answer = site["QMS_LAB"].send("GET", path)
        seen += [row["number"] for row in answer.json]
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert seen == list(site.world.holds)


def test_after_id_paging_ends(site: Site) -> None:
    """Trackers are paged by the last id seen."""
    seen, after = [], ""
    while True:
        page = site["TMS_ONE"].get("/v2/trackers", page_size=90, after_id=after).json
        seen += [row["id"] for row in page["trackers"]]
        after = page["next_after_id"]
        if not page["has_more"]:
            break
    assert len(seen) == len(set(seen)) == sum(1 for row in site.world.shipments.values() if row.tracker)


def test_filters_are_pushed_down(site: Site) -> None:
    """Plant, status, work center and change filters are the ERP's own work."""
    rows = (
        site["SAP_PRD"]
        .get(
            ORDERS, plant="1710", status="REL,PCNF", workCenter="K-ASM1", changedSince="2026-11-22T00:00:00Z"
        )
        .json["d"]["results"]
    )
    assert rows
    assert {row["ProductionPlant"] for row in rows} == {"1710"}
    assert {row["OrderSystemStatus"] for row in rows} == {"REL", "PCNF"}
    assert min(row["LastChangeDateTime"] for row in rows) >= "20261122000000"


def test_expand(site: Site) -> None:
    """What is not expanded is deferred."""
    rows = site["SAP_PRD"].get(ORDERS, keys="1000040", dollar_expand="to_ProductionOrderComponent").json
    row = rows["d"]["results"][0]
    assert len(row["to_ProductionOrderComponent"]["results"]) == 5
    assert "__deferred" in row["to_ProductionOrderOperation"]


def test_single_rows(site: Site) -> None:
    """One thing by its key, or 404."""
    assert site["SAP_PRD"].get(f"{ORDERS}('000001000040')").json["d"]["Batch"] == "L2409-07"
    assert site["MES_KAS"].get("/v1/executions/1000040").json["status"] == "Running"
    assert site["MES_KAS"].get("/v1/executions/9").status == 404
    assert site["WMS_CEN"].get("/api/shipments/9").status == 404
    assert site["CMMS_01"].get("/rest/workorders/MO-7001").json["WorkCenter"] == "K-MIX1"


def test_supplier_commits(site: Site) -> None:
    """The portal knows the promises for a supplier's purchase orders."""
    rows = site["SUP_PORT"].get("/portal/commits", supplier="sup-3").json["data"]
    assert rows
    assert {row["supplier"] for row in rows} == {"sup-3"}


@pytest.mark.parametrize(
    ("code", "path", "query"),
    [
        ("SAP_PRD", ORDERS, {"$filter": "Plant like '1'"}),
        ("SAP_PRD", ORDERS, {"$top": "501"}),
        ("MES_KAS", "/v1/lots", {"lots": "no-bar"}),
        ("MES_ZWO", "/api/jobs", {"state": "99"}),
        ("WMS_CEN", "/api/movements", {"from": "yesterday"}),
        ("TMS_ONE", "/v2/trackers", {"after_id": "trk_0"}),
        ("QMS_LAB", "/lab/holds", {"changed_since": "now"}),
    ],
)
def test_bad_parameters(site: Site, code: str, path: str, query: dict[str, str]) -> None:
    """What a system cannot understand is 400 with the reason, never a crash."""
    answer = site[code].get(path, **query)
    assert answer.status == 400
    assert MESSAGE[code](answer.json)
