"""SAP_PRD, what can be written: actions on production orders, and a change of their plan.

`POST /ReleaseOrder?ManufacturingOrder='…'`, `TechlyCmpltOrder`, `DiscardOrder`: status 200 with
`SystemMessageType` S or E in the body: an E is a refusal. `PATCH /A_ProductionOrder_2('…')` needs `If-Match` (428
without, 412 if another version). A `RequestID` that was seen before gets the first answer, and nothing is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial

from sources.plant.asgi import Refusal, Request, Response, Route
from sources.plant.dialects.common import bare
from sources.plant.dialects.sap_orders import PRODUCTION, order_row
from sources.plant.world import writing
from sources.plant.world.production import Order
from sources.plant.world.world import World

SERVICE = PRODUCTION.partition("/")[0]
ACTIONS: dict[str, Callable[[World, Order], None]] = {
    "ReleaseOrder": writing.release,
    "TechlyCmpltOrder": writing.close,
    "DiscardOrder": writing.cancel,
}
_DATE = re.compile(r"/Date\((-?\d+)\)/")


class Writes:
    """The handlers. ``refuses`` tells whether to say no, for practice."""

    def __init__(self, world: World, refuses: Callable[[], bool]) -> None:
        self._world, self._refuses = world, refuses
        self._seen: dict[str, Response] = {}

    def routes(self, root: str) -> list[Route]:
        """One route an action, and the change."""
        actions = [
            Route("POST", f"{root}/{SERVICE}/{name}", partial(self._action, name), write=True)
            for name in ACTIONS
        ]
        change = Route("PATCH", f"{root}/{PRODUCTION}('{{key}}')", self._change, write=True)
        return [*actions, change]

    def _action(self, name: str, request: Request) -> Response:
        return self._once(request, lambda: self._acted(request, name))

    def _acted(self, request: Request, name: str) -> Response:
        order = self._order(request.one("ManufacturingOrder").strip("'"))
        try:
            if self._refuses():
                raise writing.NotNow("material is missing")
            ACTIONS[name](self._world, order)
        except writing.NotNow as error:
            return Response(200, {"d": {name: _message("E", "CO", "017", str(error))}})
        return Response(200, {"d": {name: _message("S", "CO", "100", "Order saved")}})

    def _change(self, request: Request) -> Response:
        return self._once(request, lambda: self._changed(request))

    def _changed(self, request: Request) -> Response:
        order, match = self._order(request.parts["key"]), request.headers.get("if-match")
        if match is None:
            raise Refusal(428, "If-Match is missing")
        if match not in ("*", order_row(self._world, order)["__metadata"]["etag"]):
            raise Refusal(412, "the order was changed by somebody else")
        said = request.json()
        try:
            quantity = Decimal(said["TotalQuantity"]) if "TotalQuantity" in said else None
            start, end = (_time(said.get(f"MfgOrderPlanned{word}DateTime")) for word in ("Start", "End"))
            writing.reschedule(self._world, order, start, end, quantity)
        except (InvalidOperation, ValueError) as error:
            raise Refusal(400, f"a value cannot be read: {error}") from error
        except writing.NotNow as error:
            raise Refusal(409, str(error)) from error
        return Response(204)

    def _once(self, request: Request, act: Callable[[], Response]) -> Response:
        number = request.headers.get("requestid")
        if number is None:
            return act()
        if number not in self._seen:
            self._seen[number] = act()
        return self._seen[number]

    def _order(self, key: str) -> Order:
        order = self._world.orders.get(bare(key))
        if order is None:
            raise Refusal(404, f"order {key} does not exist")
        return order


def _message(kind: str, area: str, number: str, text: str) -> dict[str, str]:
    return {
        "SystemMessageType": kind,
        "SystemMessageIdentification": area,
        "SystemMessageNumber": number,
        "SystemMessageLongText": text,
    }


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
