"""MES_KAS, the MES of plant 1710: camelCase JSON, batches by request body, a clock nine minutes ahead.

Bearer token. Times are ISO 8601 with Berlin's offset, every one nine minutes late to the truth (ahead of it).
Quantities are JSON numbers in pieces (`PCS`), whatever the ERP keeps the item in; order numbers have no zeros.
`POST /v1/<things>:query` takes keys and filters in the body, `GET /v1/<things>` the same as parameters;
pages by `page` (from 0) and `size` (at most 500); at most 200 keys. `GET /v1/executions/{order}` is one order.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects.common import Access, Rows, limited, moment, number, pairs
from sources.plant.dialects.mes_view import LotQuestion, MesView, Question
from sources.plant.knobs import Knobs
from sources.plant.world.material import Lot, LotKey, Movement, Place
from sources.plant.world.motion import RETURN
from sources.plant.world.production import (
    CLOSED,
    COMPLETED,
    IN_PROGRESS,
    ON_HOLD,
    RELEASED,
    Component,
    Operation,
    Order,
    Report,
)
from sources.plant.world.world import World

ACCESS = Access("mes-kassel", "kas-demo-bearer")
AHEAD = timedelta(minutes=9)
BERLIN = ZoneInfo("Europe/Berlin")
MOST_KEYS, MOST_ROWS = 200, 500
STATUS = {
    RELEASED: "Ready",
    IN_PROGRESS: "Running",
    ON_HOLD: "Held",
    COMPLETED: "Completed",
    CLOSED: "Closed",
    "CANCELLED": "Aborted",
}
STEP = {
    "PENDING": "Waiting",
    "READY": "Ready",
    "RUNNING": "Running",
    "PAUSED": "Suspended",
    "COMPLETED": "Ended",
}


class Asked:
    """A query, from the body of a POST or the parameters of a GET: lists, texts and the page."""

    def __init__(self, request: Request) -> None:
        post = request.method == "POST"
        self._body: dict[str, Any] = request.json() if post else {}
        self._request = request
        self.page = self._whole("page", 0, 10**6)
        self.size = self._whole("size", 100, MOST_ROWS)

    def many(self, name: str) -> list[str]:
        """A list of keys, at most 200."""
        values = self._body.get(name, self._request.commas(name))
        if not isinstance(values, list):
            raise Refusal(400, f"{name} must be a list, not {values!r}")
        return limited([str(value) for value in values], MOST_KEYS, name)

    def lots(self, name: str) -> list[LotKey]:
        """Lots as ITEM|LOT."""
        return [LotKey(*pair) for pair in pairs(self.many(name), name)]

    def time(self, name: str) -> datetime | None:
        """A time, or None; by this MES's clock, as everything it says."""
        value = str(self._body.get(name, self._request.one(name)) or "")
        return moment(value) - AHEAD if value else None

    def _whole(self, name: str, default: int, most: int) -> int:
        value = self._body.get(name)
        if value is None:
            return self._request.integer(name, default, most)
        if not isinstance(value, int) or not 0 <= value <= most:
            raise Refusal(400, f"{name} must be a whole number from 0 to {most}, not {value!r}")
        return value

    def paged(self, things: list[Any], row: Callable[[Any], Row]) -> Response:
        """One page of rows with the totals."""
        first = self.page * self.size
        content = [row(thing) for thing in things[first : first + self.size]]
        pages = -(-len(things) // self.size) if self.size else 0
        body = {"content": content, "page": self.page, "size": self.size}
        return Response(200, body | {"totalElements": len(things), "totalPages": pages})


class Kassel:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.view = MesView(world, "1710")
        self.world = world
        self.row = Rows[Order](lambda order: order.number, self._execution)

    def routes(self) -> list[Route]:
        """Every query as POST and as GET, and one order by key."""
        things = {
            "executions": self.executions,
            "consumption": self.consumption,
            "movements": self.movements,
            "wip": self.wip,
            "lots": self.lots,
            "serials": self.serials,
        }
        routes = [Route("GET", "/v1/executions/{order}", self.execution)]
        for name, handler in things.items():
            routes += [Route("POST", f"/v1/{name}:query", handler), Route("GET", f"/v1/{name}", handler)]
        return [*routes, Route("GET", "/v1/health", lambda request: Response(200, {"status": "UP"}))]

    def execution(self, request: Request) -> Response:
        """One order."""
        orders = self.view.order(request.parts["order"])
        if not orders:
            raise Refusal(404, f"execution {request.parts['order']} not found")
        return Response(200, self.row(orders[0]))

    def executions(self, request: Request) -> Response:
        """Orders by key, work center, status, material, change."""
        asked, words = Asked(request), {word: state for state, word in STATUS.items()}
        statuses = asked.many("statuses")
        unknown = [word for word in statuses if word not in words]
        if unknown:
            raise Refusal(400, f"statuses: unknown {unknown[0]!r}; there are {', '.join(words)}")
        question = Question(
            asked.many("orders"),
            asked.many("materials"),
            asked.many("workCenters"),
            [words[word] for word in statuses],
            asked.time("changedSince"),
        )
        return asked.paged(self.view.orders(question), self.row)

    def consumption(self, request: Request) -> Response:
        """What orders consumed, one row per component."""
        asked = Asked(request)
        orders = self.view.orders(Question(asked.many("orders"), asked.many("materials"), [], []))
        rows = [row for order in orders for row in self.row(order)["consumption"]]
        return asked.paged(rows, dict)

    def movements(self, request: Request) -> Response:
        """Single consumption bookings with their ERP document, if any yet."""
        asked = Asked(request)
        start, end = asked.time("from"), asked.time("to")
        rows = [
            row
            for row in self.view.movements(asked.many("orders"), asked.many("materials"), asked.lots("lots"))
            if (start is None or row.occurred_at >= start) and (end is None or row.occurred_at <= end)
        ]
        return asked.paged(rows, self._movement)

    def wip(self, request: Request) -> Response:
        """Stock at the lines by material or lot."""
        asked = Asked(request)
        return asked.paged(self.view.wip(asked.many("materials"), asked.lots("lots")), self._wip)

    def lots(self, request: Request) -> Response:
        """Lots made here, with what went into them."""
        asked = Asked(request)
        question = LotQuestion(
            asked.many("orders"), asked.lots("lots"), asked.many("materials"), asked.lots("consumedLots")
        )
        return asked.paged(self.view.lots(question), self._lot)

    def serials(self, request: Request) -> Response:
        """Serial numbers built, by order, lot or number."""
        asked = Asked(request)
        numbers = set(asked.many("serials"))
        orders = [*asked.many("orders"), *(value.rpartition("-")[0] for value in numbers)]
        lots = self.view.lots(LotQuestion(orders, asked.lots("lots"), [], []))
        rows = [
            {
                "serial": serial,
                "material": lot.item,
                "lot": lot.number,
                "orderNumber": lot.order,
                "parent": None,
            }
            for lot in lots
            for serial in lot.serials
            if not numbers or serial in numbers
        ]
        return asked.paged(rows, dict)

    def _execution(self, order: Order) -> Row:
        current = next((row.number for row in order.operations if row.status != "COMPLETED"), None)
        return {
            "orderNumber": order.number,
            "plant": order.plant,
            "material": order.item,
            "status": STATUS[order.state],
            "actualStart": when(order.actual_start),
            "actualEnd": when(order.actual_end),
            "goodQuantity": number(order.good),
            "scrapQuantity": number(order.scrap),
            "reworkQuantity": number(order.rework),
            "uom": "PCS",
            "percentComplete": number((order.progress * 100).quantize(Decimal("0.1"))),
            "currentOperation": current,
            "lastChanged": when(order.seen_at),
            "operations": [_operation(row) for row in order.operations],
            "consumption": [self._consumed(order, row) for row in order.components],
            "producedLots": [self._lot(self.world.lots[order.lot_key])] if order.lot_key else [],
        }

    def _consumed(self, order: Order, row: Component) -> Row:
        return {
            "orderNumber": order.number,
            "position": row.position,
            "operationNumber": row.operation,
            "material": row.item,
            "lot": row.lot,
            "quantity": number(self.view.pieces(row.item, row.consumed)),
            "uom": "PCS",
            "backflush": row.backflush,
        }

    def _movement(self, row: Movement) -> Row:
        return {
            "bookingId": row.number,
            "type": "RETURN" if row.kind == RETURN else "CONSUMPTION",
            "orderNumber": row.order,
            "material": row.item,
            "lot": row.lot,
            "plant": row.plant,
            "place": row.source or row.target,
            "quantity": number(self.view.pieces(row.item, row.quantity)),
            "uom": "PCS",
            "bookedAt": when(row.occurred_at),
            "recordedAt": when(row.recorded_at),
            "erpDocument": row.document or None,
        }

    def _wip(self, row: tuple[Place, Any]) -> Row:
        place, quantity = row
        return {
            "material": place.item,
            "lot": place.lot,
            "plant": place.plant,
            "place": place.location,
            "workCenter": place.location.removeprefix("LS-"),
            "quantity": number(self.view.pieces(place.item, quantity)),
            "uom": "PCS",
            "asOf": when(self.world.now()),
        }

    def _lot(self, lot: Lot) -> Row:
        return {
            "lot": lot.number,
            "material": lot.item,
            "plant": lot.plant,
            "orderNumber": lot.order or None,
            "quantity": number(self.view.made(lot)),
            "uom": "PCS",
            "producedAt": when(lot.changed_at),
            "consumed": [
                {"material": key.item, "lot": key.lot, "quantity": number(self.view.pieces(key.item, used))}
                for key, used in lot.parents
            ],
        }


def when(value: datetime | None) -> str | None:
    """ISO 8601 in Berlin, nine minutes ahead."""
    return (value + AHEAD).astimezone(BERLIN).isoformat(timespec="seconds") if value else None


def _operation(row: Operation) -> Row:
    return {
        "operationNumber": row.number,
        "text": row.description,
        "workCenter": row.work_center,
        "status": STEP[row.status],
        "goodQuantity": number(row.good),
        "scrapQuantity": number(row.scrap),
        "uom": "PCS",
        "startedAt": when(row.actual_start),
        "endedAt": when(row.actual_end),
        "reports": [_report(report) for report in row.reports],
    }


def _report(row: Report) -> Row:
    return {
        "reportId": row.id,
        "reportedAt": when(row.at),
        "recordedAt": when(row.at + timedelta(seconds=5)),
        "good": number(row.good),
        "scrap": number(row.scrap),
        "rework": 0,
        "uom": "PCS",
        "final": row.final,
        "reversed": row.reversed,
        "reasonCode": row.reason or None,
        "erpDocument": row.erp_document or None,
    }


def make_app(world: World, knobs: Knobs) -> App:
    """The Kassel MES as an ASGI application."""
    return System(world, knobs, Kassel(world).routes(), _check, lambda refusal: _refuse(world, refusal))


def _check(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {ACCESS.phrase}":
        raise Refusal(401, "Full authentication is required to access this resource")


def _refuse(world: World, refusal: Refusal) -> Response:
    words = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
    body = {
        "timestamp": when(world.now()),
        "status": refusal.status,
        "error": words.get(refusal.status, "Internal Server Error"),
        "message": refusal.message,
    }
    return Response(refusal.status, body)
