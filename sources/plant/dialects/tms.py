"""TMS_ONE, the transport system: a tracker per shipment with the carriers' claims, in the manner of EasyPost.

Basic auth: the API key as user, no password. Lists are `{"trackers": […], "has_more", "next_after_id"}`, at
most 100 per page (`page_size`); the next page is asked with `after_id` (the last id). Keys are comma lists, at most 100. Times are ISO
8601 UTC with Z. Only packed shipments have a tracker.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects.common import Access, Rows, found, limited, moment
from sources.plant.knobs import Knobs
from sources.plant.world.trade import Party, Shipment, Tracker, TrackEvent
from sources.plant.world.world import World

ACCESS = Access("tms-demo-key", "")
MOST_KEYS, MOST_ROWS = 100, 100


def when(value: datetime | None) -> str | None:
    """ISO 8601, UTC, Z."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if value else None


class Transport:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.row = Rows[Shipment](lambda row: row.number, self._tracker)

    def routes(self) -> list[Route]:
        """Trackers and carriers."""
        return [
            Route("GET", "/v2/trackers", self.trackers),
            Route("GET", "/v2/trackers/{id}", self.tracker),
            Route("GET", "/v2/carriers", self.carriers),
        ]

    def tracker(self, request: Request) -> Response:
        """One tracker by its id, `trk_<shipment>`."""
        rows = self._by_shipment(request.parts["id"].removeprefix("trk_"))
        if not rows:
            raise Refusal(404, "The requested resource could not be found.")
        return Response(200, self.row(rows[0]))

    def trackers(self, request: Request) -> Response:
        """By shipment reference, tracking code or carrier; filtered by status and change."""
        by = self.world.shipments_by
        lookups: dict[str, Callable[[str], list[Shipment]]] = {
            "reference": self._by_shipment,
            "tracking_code": lambda key: by["tracking"].get(key, []),
            "carrier": lambda key: by["carrier"].get(key, []),
        }
        rows: list[Shipment] | None = None
        for name, lookup in lookups.items():
            values = limited(request.commas(name), MOST_KEYS, name)
            if values and rows is None:
                rows = found(values, lookup)
            elif values and rows is not None:
                also = {row.number for row in found(values, lookup)}
                rows = [row for row in rows if row.number in also]
        things = list(self.world.shipments.values()) if rows is None else rows
        return self._paged(request, self._filtered(request, things))

    def carriers(self, request: Request) -> Response:
        """Every carrier and 3PL, or those asked for by code."""
        codes = request.commas("code")
        firms = [row for row in self.world.parties.values() if set(row.roles) & {"CARRIER", "THREE_PL"}]
        rows = [_carrier(row) for row in firms if not codes or row.code in codes]
        return Response(200, {"carriers": rows, "has_more": False})

    def _by_shipment(self, number: str) -> list[Shipment]:
        row = self.world.shipments.get(number)
        return [row] if row is not None and row.tracker is not None else []

    def _filtered(self, request: Request, rows: list[Shipment]) -> list[tuple[Shipment, Tracker]]:
        states = request.commas("status")
        since = moment(request.one("updated_since")) if request.one("updated_since") else None
        return [
            (row, row.tracker)
            for row in rows
            if row.tracker is not None
            and (not states or row.tracker.status in states)
            and (since is None or row.tracker.events[-1].recorded_at >= since)
        ]

    def _paged(self, request: Request, rows: list[tuple[Shipment, Tracker]]) -> Response:
        size, after = request.integer("page_size", 50, MOST_ROWS), request.one("after_id")
        numbers = [f"trk_{row.number}" for row, _ in rows]
        if after and after not in numbers:
            raise Refusal(400, f"after_id {after!r} is not in this list")
        first = numbers.index(after) + 1 if after else 0
        page = [self.row(row) for row, _ in rows[first : first + size]]
        more = first + size < len(rows)
        following = page[-1]["id"] if more and page else None
        return Response(200, {"trackers": page, "has_more": more, "next_after_id": following})

    def _tracker(self, row: Shipment) -> Row:
        tracker = row.tracker
        if tracker is None:
            raise Refusal(404, "The requested resource could not be found.")
        return {
            "id": f"trk_{row.number}",
            "object": "Tracker",
            "reference": row.number,
            "tracking_code": tracker.number,
            "pro_number": tracker.pro,
            "status": tracker.status,
            "carrier": row.carrier,
            "est_delivery_date": when(tracker.eta),
            "delivered_at": when(tracker.delivered_at),
            "signed_by": tracker.signed_by or None,
            "public_url": f"https://track.example/{tracker.number}",
            "updated_at": when(tracker.events[-1].recorded_at),
            "tracking_details": [_detail(row, event) for event in tracker.events],
        }


def _detail(row: Shipment, event: TrackEvent) -> Row:
    return {
        "event_id": event.id,
        "reference": row.number,
        "status": event.status,
        "status_detail": event.code,
        "message": event.message,
        "datetime": when(event.at),
        "recorded_at": when(event.recorded_at),
        "retracted": event.retracted,
        "source": row.carrier,
        "tracking_location": {"city": event.city, "country": event.country},
    }


def _carrier(party: Party) -> Row:
    return {
        "code": party.code,
        "name": party.name,
        "scac": party.scac,
        "roles": list(party.roles),
        "gln": party.gln,
    }


def make_app(world: World, knobs: Knobs) -> App:
    """The transport system as an ASGI application."""
    return System(world, knobs, Transport(world).routes(), _check, _refuse)


def _check(request: Request) -> None:
    wanted = base64.b64encode(f"{ACCESS.user}:{ACCESS.phrase}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {wanted}":
        raise Refusal(401, "The API key you provided is not valid.")


def _refuse(refusal: Refusal) -> Response:
    codes = {400: "PARAMETER.INVALID", 401: "APIKEY.INACTIVE", 404: "NOT_FOUND", 429: "RATE_LIMITED"}
    code = codes.get(refusal.status, "INTERNAL_SERVER_ERROR")
    return Response(refusal.status, {"error": {"code": code, "message": refusal.message, "errors": []}})
