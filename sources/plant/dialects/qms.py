"""QMS_LAB, the laboratory and quality system of both plants: link paging, codes in capitals.

API key in the header `X-Lab-Key`. Lists are JSON arrays; the next page is in the `Link` header
(`<…>; rel="next"`), `per_page` at most 200, the total in `X-Total-Count`. Keys are comma lists, at most 100;
a lot is `ITEM|LOT`. Times are ISO 8601 UTC with Z. Errors are problem+json.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects.common import Access, Rows, found, limited, moment, one, pairs, text
from sources.plant.knobs import Knobs
from sources.plant.world.material import Lot, LotKey
from sources.plant.world.quality import Hold, Inspection
from sources.plant.world.world import World

ACCESS = Access("X-Lab-Key", "lab-demo-key")
MOST_KEYS, MOST_ROWS = 100, 200
INSPECTION = {
    "CREATED": "INSP_CRTD",
    "RELEASED": "INSP_REL",
    "RESULTS_RECORDED": "INSP_RREC",
    "COMPLETED": "INSP_COMP",
    "DECIDED": "INSP_DEC",
    "SKIPPED": "INSP_SKIP",
    "CANCELLED": "INSP_CNCL",
}
DISPOSITION = {"USE_AS_IS": "UA", "CONDITIONAL_USE": "CA", "REWORK": "RW", "SCRAP": "SC"}
HOLD = {"PLACED": "H_PLC", "PARTIALLY_ENFORCED": "H_PENF", "ENFORCED": "H_ENF", "RELEASED": "H_REL"}
LOT = {"RELEASED": "Q_FREE", "UNDER_INSPECTION": "Q_INSP", "ON_HOLD": "Q_HOLD", "REJECTED": "Q_REJ"}


def when(value: datetime | None) -> str | None:
    """ISO 8601, UTC, Z."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if value else None


class Laboratory:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.inspection = Rows[Inspection](lambda row: row.number, self._inspection)
        self.hold = Rows[Hold](lambda row: row.number, self._hold)

    def routes(self) -> list[Route]:
        """Inspections, holds, lot status."""
        return [
            Route("GET", "/lab/inspections", self.inspections),
            Route("GET", "/lab/inspections/{number}", self.one_inspection),
            Route("GET", "/lab/holds", self.holds),
            Route("GET", "/lab/holds/{number}", self.one_hold),
            Route("GET", "/lab/lots", self.lots),
            Route("GET", "/lab/alive", lambda request: Response(200, {"alive": True})),
        ]

    def inspections(self, request: Request) -> Response:
        """By number, lot or order; filtered by status, plant and change."""
        by = self.world.inspections_by
        lookups: dict[str, Callable[[str], list[Inspection]]] = {
            "number": one(self.world.inspections),
            "lot": lambda key: by["lot"].get(key, []),
            "order": lambda key: by["order"].get(key, []),
        }
        rows = self._asked(request, lookups, list(self.world.inspections.values()))
        return paged(request, self._filtered(request, rows, INSPECTION), self.inspection)

    def one_inspection(self, request: Request) -> Response:
        """One inspection."""
        return Response(200, self.inspection(self._known(self.world.inspections, request)))

    def holds(self, request: Request) -> Response:
        """By number, lot, order or shipment; filtered by status, plant and change."""
        by = self.world.holds_by
        lookups: dict[str, Callable[[str], list[Hold]]] = {
            "number": one(self.world.holds),
            "lot": lambda key: by["lot"].get(key, []),
            "order": lambda key: by["order"].get(key, []),
            "shipment": lambda key: by["shipment"].get(key, []),
        }
        rows = self._asked(request, lookups, list(self.world.holds.values()))
        return paged(request, self._filtered(request, rows, HOLD), self.hold)

    def one_hold(self, request: Request) -> Response:
        """One hold."""
        return Response(200, self.hold(self._known(self.world.holds, request)))

    def lots(self, request: Request) -> Response:
        """The quality status of lots, by ITEM|LOT, by item, or all."""
        keys = limited(request.commas("lot"), MOST_KEYS, "lot")
        items, states = request.commas("item"), request.commas("status")
        wanted = [LotKey(*pair) for pair in pairs(keys, "lot")]
        if wanted:
            rows = [self.world.lots[key] for key in wanted if key in self.world.lots]
        elif items:
            rows = [lot for item in items for lot in self.world.lots_of_item.get(item, [])]
        else:
            rows = list(self.world.lots.values())
        shown = [row for row in rows if not states or LOT[row.quality] in states]
        return paged(request, shown, lot_row)

    def _asked(
        self, request: Request, lookups: dict[str, Callable[[str], list[Any]]], everything: list[Any]
    ) -> list[Any]:
        for name, lookup in lookups.items():
            values = limited(request.commas(name), MOST_KEYS, name)
            if values:
                return found(values, lookup)
        return everything

    def _filtered(self, request: Request, rows: list[Any], words: dict[str, str]) -> list[Any]:
        states, plants = request.commas("status"), request.commas("plant")
        since = moment(request.one("changed_since")) if request.one("changed_since") else None
        return [
            row
            for row in rows
            if (not states or words[row.status if isinstance(row, Inspection) else row.state] in states)
            and (not plants or row.plant in plants)
            and (since is None or row.changed_at >= since)
        ]

    def _known(self, things: dict[str, Any], request: Request) -> Any:
        thing = things.get(request.parts["number"])
        if thing is None:
            raise Refusal(404, f"{request.parts['number']} is not on file")
        return thing

    def _inspection(self, row: Inspection) -> Row:
        unit = self._unit(row.item)
        return {
            "number": row.number,
            "plant": row.plant,
            "item": row.item,
            "lot": row.lot,
            "item_lot": f"{row.item}|{row.lot}",
            "order": row.order or None,
            "status": INSPECTION[row.status],
            "quantity": text(row.quantity),
            "unit": unit,
            "decision": row.decision or None,
            "decided_at": when(row.decided_at),
            "created_at": when(row.created_at),
            "changed_at": when(row.changed_at),
            "splits": [
                {"disposition": DISPOSITION[word], "quantity": text(part), "unit": unit}
                for word, part in row.splits
            ],
        }

    def _hold(self, row: Hold) -> Row:
        return {
            "number": row.number,
            "plant": row.plant,
            "reason": row.reason,
            "scope": row.scope,
            "item": row.item or None,
            "lot": row.lot or None,
            "item_lot": f"{row.item}|{row.lot}" if row.lot else None,
            "order": row.order or None,
            "shipment": row.shipment or None,
            "restricts": list(row.restricts),
            "status": HOLD[row.state],
            "placed_at": when(row.placed_at),
            "released_at": when(row.released_at),
            "changed_at": when(row.changed_at),
            "enforcement": [
                {
                    "system": part.system,
                    "enforced": part.enforced,
                    "source_state": part.state,
                    "confirmed_at": when(part.confirmed_at),
                    "lag_seconds": part.lag_seconds,
                }
                for part in row.enforcement
            ],
            "violations": list(row.violations),
        }

    def _unit(self, item: str) -> str:
        return "KGM" if self.world.items[item].base_unit == "KG" else "C62"


def lot_row(lot: Lot) -> Row:
    """The quality status of a lot."""
    return {
        "item": lot.item,
        "lot": lot.number,
        "item_lot": f"{lot.item}|{lot.number}",
        "plant": lot.plant,
        "status": LOT[lot.quality],
        "expires_on": lot.expires.isoformat() if lot.expires else None,
    }


def paged(request: Request, things: list[Any], row: Callable[[Any], Row]) -> Response:
    """One page as a bare array, the next page's address in the Link header."""
    page, size = request.integer("page", 1, 10**6), request.integer("per_page", 50, MOST_ROWS)
    first = max(page - 1, 0) * size
    headers = {"X-Total-Count": str(len(things))}
    if size and first + size < len(things):
        query = {name: values[-1] for name, values in request.query.items()} | {"page": str(page + 1)}
        headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
    return Response(200, [row(thing) for thing in things[first : first + size]], headers)


def make_app(world: World, knobs: Knobs) -> App:
    """The laboratory system as an ASGI application."""
    return System(world, knobs, Laboratory(world).routes(), _check, _refuse)


def _check(request: Request) -> None:
    if request.headers.get(ACCESS.user.lower()) != ACCESS.phrase:
        raise Refusal(401, "missing or unknown X-Lab-Key")


def _refuse(refusal: Refusal) -> Response:
    body = {"type": "about:blank", "title": f"LAB-{refusal.status}", "status": refusal.status}
    return Response(refusal.status, body | {"detail": refusal.message}, {}, "application/problem+json")
