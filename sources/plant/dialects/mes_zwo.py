"""MES_ZWO, the MES of plant 1720: snake_case, epoch milliseconds, numeric states, names cut and lowered.

Header `X-Api-Key: zwo-demo-key`. Rows are at `items`; the next page is asked with `cursor=<next_cursor>`
(null at the end), `limit` at most 200. Keys are REPEATED parameters (`?job=1000066&job=1000067`), at most 50.
Times are epoch milliseconds; quantities are integers or floats in pieces; operation numbers are integers
(10, 20); work centers and lots are lower case, lots cut to ten characters (two lots may look the same).
States: 10 released, 20 running, 25 on hold, 30 aborted, 40 completed, 50 closed; operations 10 waiting,
15 ready, 20 running, 25 paused, 40 done. Errors are `{"err_code", "err_msg"}`. Ping `GET /api/ping`.

/api/jobs: job, item, work_center, state, changed_since (ms); one: /api/jobs/{job} (404); nested steps[]
with reports[], used[], lots[]. /api/consumption: job. /api/bookings: job, item, lot (ITEM|lot), from, to (ms).
/api/wip: item, lot (ITEM|lot). /api/lots: job, lot (ITEM|lot), item, used (ITEM|lot: where used).
/api/serials: job, lot, serial.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects.common import Access, Rows, limited, number, pairs
from sources.plant.dialects.mes_view import LotQuestion, MesView, Question
from sources.plant.dialects.mes_zwo_writes import Writes
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

ACCESS = Access("X-Api-Key", "zwo-demo-key")
MOST_KEYS, MOST_ROWS, CUT = 50, 200, 10
STATE = {RELEASED: 10, IN_PROGRESS: 20, ON_HOLD: 25, "CANCELLED": 30, COMPLETED: 40, CLOSED: 50}
STEP = {"PENDING": 10, "READY": 15, "RUNNING": 20, "PAUSED": 25, "COMPLETED": 40}


def ms(value: datetime | None) -> int | None:
    """Epoch milliseconds."""
    return int(value.timestamp() * 1000) if value else None


def short(lot: str) -> str:
    """How this MES stores a lot id."""
    return lot[:CUT].lower()


def keys(request: Request, name: str) -> list[str]:
    """A repeated parameter, at most 50 values."""
    return limited([value for value in request.query.get(name, []) if value], MOST_KEYS, name)


class Zwolle:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.view = MesView(world, "1720")
        self.row = Rows[Order](lambda order: order.number, self._job)

    def routes(self) -> list[Route]:
        """Jobs and what belongs to them."""
        return [
            Route("GET", "/api/jobs", self.jobs),
            Route("GET", "/api/jobs/{job}", self.job),
            Route("GET", "/api/consumption", self.consumption),
            Route("GET", "/api/bookings", self.bookings),
            Route("GET", "/api/wip", self.wip),
            Route("GET", "/api/lots", self.lots),
            Route("GET", "/api/serials", self.serials),
            Route("GET", "/api/ping", lambda request: Response(200, {"pong": ms(self.world.now())})),
        ]

    def job(self, request: Request) -> Response:
        """One job."""
        rows = self.view.order(request.parts["job"])
        if not rows:
            raise Refusal(404, f"job {request.parts['job']} unknown")
        return Response(200, self.row(rows[0]))

    def jobs(self, request: Request) -> Response:
        """Jobs by number, item, work center, state and change."""
        words = {str(code): state for state, code in STATE.items()}
        states = keys(request, "state")
        unknown = [code for code in states if code not in words]
        if unknown:
            raise Refusal(400, f"state {unknown[0]!r} unknown; there are {', '.join(words)}")
        question = Question(
            keys(request, "job"),
            keys(request, "item"),
            [center.upper() for center in keys(request, "work_center")],
            [words[code] for code in states],
            _time(request, "changed_since"),
        )
        return paged(request, self.view.orders(question), self.row)

    def consumption(self, request: Request) -> Response:
        """What jobs used, one row per component."""
        orders = self.view.orders(Question(keys(request, "job"), [], [], []))
        return paged(request, [row for order in orders for row in self.row(order)["used"]], dict)

    def bookings(self, request: Request) -> Response:
        """Single consumption bookings."""
        start, end = _time(request, "from"), _time(request, "to")
        rows = [
            row
            for row in self.view.movements(
                keys(request, "job"), keys(request, "item"), self._lots(request, "lot")
            )
            if (start is None or row.occurred_at >= start) and (end is None or row.occurred_at <= end)
        ]
        return paged(request, rows, self._booking)

    def wip(self, request: Request) -> Response:
        """Stock at the lines."""
        return paged(request, self.view.wip(keys(request, "item"), self._lots(request, "lot")), self._wip)

    def lots(self, request: Request) -> Response:
        """Lots made here, by job, lot, item or what they used."""
        question = LotQuestion(
            keys(request, "job"),
            self._lots(request, "lot"),
            keys(request, "item"),
            self._lots(request, "used"),
        )
        if request.query.get("lot") and not question.lots:
            return paged(request, [], dict)
        return paged(request, self.view.lots(question), self._lot)

    def serials(self, request: Request) -> Response:
        """Serial numbers by job, lot or number."""
        wanted = set(keys(request, "serial"))
        jobs = [*keys(request, "job"), *(value.rpartition("-")[0] for value in wanted)]
        rows = [
            {"serial_no": serial, "item": lot.item, "lot": short(lot.number), "job": int(lot.order or 0)}
            for lot in self.view.lots(LotQuestion(jobs, self._lots(request, "lot"), [], []))
            for serial in lot.serials
            if not wanted or serial in wanted
        ]
        return paged(request, rows, dict)

    def _lots(self, request: Request, name: str) -> list[LotKey]:
        """Every lot a cut name may mean: it cannot tell them apart."""
        return [
            lot.key
            for item, cut in pairs(keys(request, name), name)
            for lot in self.world.lots_of_item.get(item, [])
            if short(lot.number) == short(cut) and lot.plant == self.view.plant
        ]

    def _job(self, order: Order) -> Row:
        current = next((int(row.number) for row in order.operations if row.status != "COMPLETED"), None)
        return {
            "job": int(order.number),
            "site": order.plant,
            "item": order.item,
            "state": STATE[order.state],
            "started_ms": ms(order.actual_start),
            "ended_ms": ms(order.actual_end),
            "good": number(order.good),
            "scrap": number(order.scrap),
            "rework": number(order.rework),
            "unit": "pcs",
            "progress": number((order.progress * 100).quantize(Decimal("0.1"))),
            "current_op": current,
            "changed_ms": ms(order.seen_at),
            "steps": [_step(row) for row in order.operations],
            "used": [self._used(order, row) for row in order.components],
            "lots": [self._lot(self.world.lots[order.lot_key])] if order.lot_key else [],
        }

    def _used(self, order: Order, row: Component) -> Row:
        return {
            "job": int(order.number),
            "position": int(row.position),
            "op": int(row.operation),
            "item": row.item,
            "lot": short(row.lot),
            "qty": number(self.view.pieces(row.item, row.consumed)),
            "unit": "pcs",
        }

    def _booking(self, row: Movement) -> Row:
        return {
            "booking_id": row.number,
            "kind": "return" if row.kind == RETURN else "use",
            "job": int(row.order),
            "item": row.item,
            "lot": short(row.lot),
            "site": row.plant,
            "place": row.source or row.target,
            "qty": number(self.view.pieces(row.item, row.quantity)),
            "unit": "pcs",
            "at_ms": ms(row.occurred_at),
            "stored_ms": ms(row.recorded_at),
            "erp_doc": row.document or None,
        }

    def _wip(self, row: tuple[Place, Decimal]) -> Row:
        place, quantity = row
        return {
            "item": place.item,
            "lot": short(place.lot),
            "site": place.plant,
            "place": place.location,
            "work_center": place.location.removeprefix("LS-").lower(),
            "qty": number(self.view.pieces(place.item, quantity)),
            "unit": "pcs",
            "as_of_ms": ms(self.world.now()),
        }

    def _lot(self, lot: Lot) -> Row:
        return {
            "lot": short(lot.number),
            "item": lot.item,
            "item_lot": f"{lot.item}|{short(lot.number)}",
            "site": lot.plant,
            "job": int(lot.order) if lot.order else None,
            "qty": number(self.view.made(lot)),
            "unit": "pcs",
            "made_ms": ms(lot.changed_at),
            "parents": [
                {"item": key.item, "lot": short(key.lot), "qty": number(self.view.pieces(key.item, used))}
                for key, used in lot.parents
            ],
        }


def _step(row: Operation) -> Row:
    return {
        "op": int(row.number),
        "name": row.description,
        "work_center": row.work_center.lower(),
        "state": STEP[row.status],
        "good": number(row.good),
        "scrap": number(row.scrap),
        "unit": "pcs",
        "started_ms": ms(row.actual_start),
        "ended_ms": ms(row.actual_end),
        "reports": [_report(report) for report in row.reports],
    }


def _report(row: Report) -> Row:
    return {
        "id": row.id,
        "at_ms": ms(row.at),
        "stored_ms": ms(row.at),
        "good": number(row.good),
        "scrap": number(row.scrap),
        "unit": "pcs",
        "final": row.final,
        "reversed": row.reversed,
        "reason": row.reason or None,
        "erp_doc": row.erp_document or None,
    }


def _time(request: Request, name: str) -> datetime | None:
    value = request.one(name)
    if value and not value.isdigit():
        raise Refusal(400, f"{name} must be epoch milliseconds, not {value!r}")
    return datetime.fromtimestamp(int(value) / 1000, UTC) if value else None


def paged(request: Request, things: list[Any], row: Callable[[Any], Row]) -> Response:
    """One page; the cursor is opaque to callers and says where the next one begins."""
    limit, cursor = request.integer("limit", 50, MOST_ROWS), request.one("cursor")
    try:
        first = int(base64.urlsafe_b64decode(cursor).decode()) if cursor else 0
    except ValueError as error:
        raise Refusal(400, f"cursor {cursor!r} is not one of ours") from error
    following = first + limit
    more = following < len(things)
    token = base64.urlsafe_b64encode(f"{following:06d}".encode()).decode() if more else None
    return Response(200, {"items": [row(thing) for thing in things[first:following]], "next_cursor": token})


def make_app(world: World, knobs: Knobs) -> App:
    """The Zwolle MES as an ASGI application."""
    zwolle = Zwolle(world)
    writes = Writes(world, zwolle.view, lambda: knobs.write_trouble == "refuse")
    return System(world, knobs, [*zwolle.routes(), *writes.routes()], _check, _refuse)


def _check(request: Request) -> None:
    if request.headers.get(ACCESS.user.lower()) != ACCESS.phrase:
        raise Refusal(401, "bad api key")


def _refuse(refusal: Refusal) -> Response:
    return Response(refusal.status, {"err_code": f"E{refusal.status}", "err_msg": refusal.message})
