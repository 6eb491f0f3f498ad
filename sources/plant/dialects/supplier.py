"""SUP_PORT, the supplier portal: what suppliers promise for the lines of purchase orders.

Header `Authorization: ApiKey sup-demo-key`. Rows at `data`, paging at `meta` (`page` from 1, `per_page` at
most 100, `total`, `pages`); comma lists, at most 50. Dates are `DD.MM.YYYY`, quantities are text with one
decimal ("1200.0") in pieces or kilos (`ST`, `KG`); PO numbers and lines have no zeros. Only lines a supplier has
answered have a commit. Errors are `{"errors": [{"status", "title"}]}`. Ping `GET /portal/ping`.

/portal/commits: po, supplier. One row per line, `po_line` is `PO|LINE`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects.common import Access, bare, found, limited, one
from sources.plant.knobs import Knobs
from sources.plant.world.trade import PurchaseLine, PurchaseOrder
from sources.plant.world.world import World

ACCESS = Access("ApiKey", "sup-demo-key")
MOST_KEYS, MOST_ROWS = 50, 100


def day(value: date | None) -> str | None:
    """DD.MM.YYYY."""
    return f"{value:%d.%m.%Y}" if value else None


def tenths(value: Decimal | None) -> str | None:
    """A quantity with one decimal."""
    return f"{value:.1f}" if value is not None else None


class Portal:
    """The handlers."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        """Commits."""
        return [
            Route("GET", "/portal/commits", self.commits),
            Route("GET", "/portal/ping", lambda request: Response(200, {"data": "ok"})),
        ]

    def commits(self, request: Request) -> Response:
        """By purchase order or supplier, or all."""
        numbers = limited(request.commas("po"), MOST_KEYS, "po")
        suppliers = set(limited(request.commas("supplier"), MOST_KEYS, "supplier"))
        orders = list(self.world.purchases.values())
        if numbers:
            orders = found((bare(key) for key in numbers), one(self.world.purchases))
        lines = [
            (order, line)
            for order in orders
            if not suppliers or order.supplier in suppliers
            for line in order.lines
            if line.commit_date is not None
        ]
        page, size = request.integer("page", 1, 10**6), request.integer("per_page", 50, MOST_ROWS)
        first = max(page - 1, 0) * size
        rows = [self._row(order, line) for order, line in lines[first : first + size]]
        pages = -(-len(lines) // size) if size else 0
        meta = {"page": page, "per_page": size, "total": len(lines), "pages": pages}
        return Response(200, {"data": rows, "meta": meta})

    def _row(self, order: PurchaseOrder, line: PurchaseLine) -> Row:
        unit = "KG" if self.world.items[line.item].base_unit == "KG" else "ST"
        return {
            "po": order.number,
            "line": line.number,
            "po_line": f"{order.number}|{line.number}",
            "supplier": order.supplier,
            "their_order": f"AB-{int(order.number) % 100000}",
            "committed_qty": tenths(line.commit_quantity),
            "uom": unit,
            "committed_date": day(line.commit_date),
            "asn": line.asn or None,
            "answered_at": f"{answered(order):%d.%m.%Y %H:%M}",
        }


def answered(order: PurchaseOrder) -> datetime:
    """When the supplier answered, UTC."""
    return order.created_at.astimezone(UTC)


def make_app(world: World, knobs: Knobs) -> App:
    """The supplier portal as an ASGI application."""
    return System(world, knobs, Portal(world).routes(), _check, _refuse)


def _check(request: Request) -> None:
    if request.headers.get("authorization") != f"{ACCESS.user} {ACCESS.phrase}":
        raise Refusal(401, "Ungültiger Schlüssel")


def _refuse(refusal: Refusal) -> Response:
    return Response(refusal.status, {"errors": [{"status": refusal.status, "title": refusal.message}]})
