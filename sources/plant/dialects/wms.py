"""WMS_CEN, the warehouse system of both plants: boxes and pieces, local times without an offset.

OAuth2 client credentials: `POST /oauth/token` (form: grant_type, client_id, client_secret) gives a bearer
token for 300 s; a stale one is 401. Lists are `{"count", "results"}` by `offset` and `limit` (at most 500);
keys are comma lists, at most 100. Times are Europe/Berlin, `2026-11-23 07:10:00`, also those a caller sends.
Quantities are text, in boxes (`XBX`) where the item has boxes, else pieces (`PCE`). Lot ids are as typed in.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from sources.plant.asgi import App, Refusal, Request, Response, Route, System
from sources.plant.dialects.common import Access, limited
from sources.plant.dialects.wms_rows import WmsRows
from sources.plant.dialects.wms_shipments import Shipments
from sources.plant.dialects.wms_words import clean_lot, local_moment
from sources.plant.knobs import Knobs
from sources.plant.world.material import LotKey, Movement, Place
from sources.plant.world.world import World

ACCESS = Access("crossdock", "wms-demo-client")
LIFE = 300
MOST_KEYS, MOST_ROWS = 100, 500


class Tokens:
    """Tokens given out and when they end, by the real clock of the server."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._ends: dict[str, float] = {}

    def issue(self, request: Request) -> Response:
        """A token for the right client, in OAuth2's words for everything else."""
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return Response(400, {"error": "unsupported_grant_type"})
        if (form.get("client_id"), form.get("client_secret")) != ([ACCESS.user], [ACCESS.phrase]):
            return Response(401, {"error": "invalid_client", "error_description": "unknown client or secret"})
        word = f"wms-{len(self._ends) + 1:06d}"
        self._ends[word] = self._seconds() + LIFE
        return Response(200, {"access_token": word, "token_type": "Bearer", "expires_in": LIFE})

    def expire(self) -> None:
        """End every token now."""
        self._ends = dict.fromkeys(self._ends, 0.0)

    def check(self, request: Request) -> None:
        """Raises Refusal 401 for a missing, unknown or ended token."""
        word = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._ends.get(word, 0.0) <= self._seconds():
            raise Refusal(401, "Token is missing, unknown or expired")


def keys(request: Request, name: str) -> list[str]:
    """A comma list of at most 100 keys."""
    return limited(request.commas(name), MOST_KEYS, name)


def paged(request: Request, things: list[Any], row: Callable[[Any], Any]) -> Response:
    """One page of rows with the count of all."""
    offset, limit = request.integer("offset", 0, 10**9), request.integer("limit", 100, MOST_ROWS)
    rows = [row(thing) for thing in things[offset : offset + limit]]
    return Response(200, {"count": len(things), "results": rows})


class Warehouse:
    """The handlers of stock; shipments are in `wms_shipments`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows = WmsRows(world)

    def routes(self) -> list[Route]:
        """Bins, stock, movements, staging."""
        return [
            Route("GET", "/api/bins", self.bins),
            Route("GET", "/api/stock", self.stock),
            Route("GET", "/api/movements", self.movements),
            Route("GET", "/api/staging", self.staging),
            Route("GET", "/api/ping", lambda request: Response(200, {"pong": True})),
        ]

    def bins(self, request: Request) -> Response:
        """Places by code, site or kind, lines included; each names the ERP storage location above it."""
        codes, sites, kinds = keys(request, "bin"), keys(request, "site"), keys(request, "type")
        known = self.world.locations
        places = [known[code] for code in codes if code in known] if codes else list(known.values())
        rows = [
            row
            for row in places
            if row.kind != "STORAGE_LOCATION"
            and (not sites or row.plant in sites)
            and (not kinds or row.kind in kinds)
        ]
        return paged(request, rows, self.rows.bin)

    def stock(self, request: Request) -> Response:
        """Physical stock by item, by item|lot, or all, filtered by site, bin, status."""
        table = self.world.ledger.physical
        items, lots = keys(request, "item"), keys(request, "item_lot")
        if lots:
            found = [row for key in lots for row in table.of_lot(self._lot_key(key))]
        elif items:
            found = [row for key in items for row in table.of_item(key)]
        else:
            found = table.everything()
        sites, bins, states = keys(request, "site"), keys(request, "bin"), keys(request, "status")
        rows: list[tuple[Place, Decimal]] = [
            row
            for row in found
            if (not sites or row[0].plant in sites)
            and (not bins or row[0].location in bins)
            and (not states or row[0].status in states)
        ]
        return paged(request, rows, self.rows.stock)

    def movements(self, request: Request) -> Response:
        """What the warehouse moved, by item, item_lot or order, with the ERP document if booked."""
        ledger, orders, items = self.world.ledger, keys(request, "order"), keys(request, "item")
        lots = [self._lot_key(key) for key in keys(request, "item_lot")]
        if orders:
            found = [row for key in orders for row in ledger.by_order.get(key, [])]
        elif lots:
            found = [row for key in lots for row in ledger.by_item.get(key.item, []) if row.lot == key.lot]
        elif items:
            found = [row for key in items for row in ledger.by_item.get(key, [])]
        else:
            found = list(ledger.movements.values())
        start, end = local_moment(request.one("from")), local_moment(request.one("to"))
        since = local_moment(request.one("changed_since"))
        sites, kinds, booked = keys(request, "site"), keys(request, "type"), request.one("posted")
        numbers = keys(request, "movement")

        def wanted(row: Movement) -> bool:
            return (
                row.origin == "WMS"
                and (not numbers or row.number in numbers)
                and (not sites or row.plant in sites)
                and (not kinds or row.kind in kinds)
                and (not booked or (booked == "true") == bool(row.document))
                and (start is None or row.occurred_at >= start)
                and (end is None or row.occurred_at <= end)
                and (since is None or max(row.recorded_at, row.posted_at or row.recorded_at) >= since)
            )

        return paged(request, [row for row in found if wanted(row)], self.rows.movement)

    def staging(self, request: Request) -> Response:
        """What was brought for which component of which order."""
        wanted = keys(request, "order")
        if not wanted:
            raise Refusal(400, "parameter order is required")
        orders = [self.world.orders[key] for key in wanted if key in self.world.orders]
        pairs = [(order, row) for order in orders for row in order.components if order.released_at]
        return paged(request, pairs, self.rows.staging)

    def _lot_key(self, value: str) -> LotKey:
        item, mark, lot = value.partition("|")
        if not mark:
            raise Refusal(400, f"item_lot: {value!r} must be ITEM|LOT")
        return LotKey(item, clean_lot(lot))


def make_app(world: World, knobs: Knobs) -> App:
    """The warehouse system as an ASGI application."""
    tokens = Tokens(world.clock.seconds)
    routes = [
        Route("POST", "/oauth/token", tokens.issue, token=True),
        *Warehouse(world).routes(),
        *Shipments(world).routes(),
    ]
    return System(world, knobs, routes, tokens.check, _refuse)


def _refuse(refusal: Refusal) -> Response:
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if refusal.status == 401 else {}
    return Response(refusal.status, {"detail": refusal.message, "code": f"WMS-{refusal.status}"}, headers)
