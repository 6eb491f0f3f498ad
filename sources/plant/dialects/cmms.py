"""CMMS_01, the maintenance system of both plants: PascalCase, its own words for states, pages by row number.

Basic auth crossdock/cmms-demo. Rows at `WorkOrders`, the total at `Total`; `start` (from 0) and `rows` (at
most 200); comma lists, at most 50. Times are ISO 8601 UTC without an offset. Equipment ids are not work
center ids; each order names both. States: WAPPR requested, WSCH planned, APPR released, INPRG in progress,
WMATL on hold, COMP completed, CLOSE closed, CAN cancelled. Errors are `{"Fault": {"Code", "String"}}`.
Ping `GET /rest/ping`.

/rest/workorders: workCenter, number, site, status, open=true (neither completed, closed nor cancelled),
changedSince. One: /rest/workorders/{number} (404).
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects.common import Access, Rows, found, limited, moment, one
from sources.plant.knobs import Knobs
from sources.plant.world.trade import Maintenance
from sources.plant.world.world import World

ACCESS = Access("crossdock", "cmms-demo")
MOST_KEYS, MOST_ROWS = 50, 200
STATUS = {
    "REQUESTED": "WAPPR",
    "PLANNED": "WSCH",
    "RELEASED": "APPR",
    "IN_PROGRESS": "INPRG",
    "ON_HOLD": "WMATL",
    "COMPLETED": "COMP",
    "CLOSED": "CLOSE",
    "CANCELLED": "CAN",
}
ENDED = frozenset({"COMPLETED", "CLOSED", "CANCELLED"})


def when(value: datetime) -> str:
    """ISO 8601 in UTC, no offset."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


class Workshop:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.row = Rows[Maintenance](lambda row: row.number, _row)

    def routes(self) -> list[Route]:
        """Work orders."""
        return [
            Route("GET", "/rest/workorders", self.many),
            Route("GET", "/rest/workorders/{number}", self.single),
            Route("GET", "/rest/ping", lambda request: Response(200, {"Status": "OK"})),
        ]

    def single(self, request: Request) -> Response:
        """One work order."""
        row = self.world.maintenance.get(request.parts["number"])
        if row is None:
            raise Refusal(404, f"work order {request.parts['number']} does not exist")
        return Response(200, self.row(row))

    def many(self, request: Request) -> Response:
        """By work center or number, filtered by site, status, openness and change."""
        centers = limited(request.commas("workCenter"), MOST_KEYS, "workCenter")
        numbers = limited(request.commas("number"), MOST_KEYS, "number")
        if numbers:
            rows = found(numbers, one(self.world.maintenance))
        elif centers:
            rows = found(centers, lambda key: self.world.maintenance_of.get(key, []))
        else:
            rows = list(self.world.maintenance.values())
        rows = self._filtered(request, rows, set(centers))
        start, count = request.integer("start", 0, 10**9), request.integer("rows", 50, MOST_ROWS)
        page = [self.row(row) for row in rows[start : start + count]]
        return Response(200, {"WorkOrders": page, "Total": len(rows), "Start": start})

    def _filtered(self, request: Request, rows: list[Maintenance], centers: set[str]) -> list[Maintenance]:
        sites, states = request.commas("site"), request.commas("status")
        only_open = request.one("open") == "true"
        since = moment(request.one("changedSince")) if request.one("changedSince") else None
        return [
            row
            for row in rows
            if (not centers or row.work_center in centers)
            and (not sites or row.plant in sites)
            and (not states or STATUS[row.status] in states)
            and not (only_open and row.status in ENDED)
            and (since is None or row.changed_at >= since)
        ]


def _row(row: Maintenance) -> Row:
    return {
        "Number": row.number,
        "SiteId": row.plant,
        "WorkCenter": row.work_center,
        "EquipmentId": row.equipment,
        "FunctionalLocation": f"{row.plant}-{row.work_center}",
        "Status": STATUS[row.status],
        "Description": row.description,
        "Downtime": row.blocks,
        "ScheduledStart": when(row.planned_start),
        "ScheduledFinish": when(row.planned_end),
        "ChangeDate": when(row.changed_at),
    }


def make_app(world: World, knobs: Knobs) -> App:
    """The maintenance system as an ASGI application."""
    return System(world, knobs, Workshop(world).routes(), _check, _refuse)


def _check(request: Request) -> None:
    wanted = base64.b64encode(f"{ACCESS.user}:{ACCESS.phrase}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {wanted}":
        raise Refusal(401, "BMXAA0021E - User name and password combination are not valid")


def _refuse(refusal: Refusal) -> Response:
    body = {"Fault": {"Code": f"CMMS{refusal.status}", "String": refusal.message}}
    return Response(refusal.status, body)
