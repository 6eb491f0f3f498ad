"""MES_ZWO, what can be written: jobs paused and resumed, work reported.

`POST /api/jobs/{job}/pause`, `…/resume`, `…/steps/{op}/reports` with `{"good", "scrap", "final", "reason", "ref"}`.
A refusal is a 200 with `err_code`. It keeps no request ids; `GET /api/journal?ref=…` tells what was done under a
reference.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from sources.plant.asgi import Refusal, Request, Response, Route
from sources.plant.dialects.mes_view import MesView
from sources.plant.world import writing
from sources.plant.world.production import Order
from sources.plant.world.world import World


class Writes:
    """The handlers. ``refuses`` tells whether to say no, for practice."""

    def __init__(self, world: World, view: MesView, refuses: Callable[[], bool]) -> None:
        self._world, self._view, self._refuses = world, view, refuses
        self._journal: dict[str, list[dict[str, Any]]] = {}

    def routes(self) -> list[Route]:
        """The three writes and the journal."""
        return [
            Route(
                "POST",
                "/api/jobs/{job}/pause",
                lambda request: self._move(request, writing.pause),
                write=True,
            ),
            Route(
                "POST",
                "/api/jobs/{job}/resume",
                lambda request: self._move(request, writing.resume),
                write=True,
            ),
            Route("POST", "/api/jobs/{job}/steps/{op}/reports", self._report, write=True),
            Route("GET", "/api/journal", self._told),
        ]

    def _told(self, request: Request) -> Response:
        return Response(200, {"items": self._journal.get(request.one("ref"), [])})

    def _move(self, request: Request, move: Callable[[World, Order], None]) -> Response:
        order, said = self._order(request), request.json()

        def act() -> str:
            move(self._world, order)
            return order.number

        return self._done(said, act)

    def _report(self, request: Request) -> Response:
        order, said = self._order(request), request.json()
        operation = next(
            (row for row in order.operations if int(row.number) == _whole(request.parts["op"])), None
        )
        if operation is None:
            raise Refusal(404, f"job {order.number} has no step {request.parts['op']}")
        try:
            good, scrap = Decimal(str(said.get("good", 0))), Decimal(str(said.get("scrap", 0)))
        except InvalidOperation:
            raise Refusal(400, "good and scrap are numbers") from None
        final = bool(said.get("final"))
        return self._done(
            said, lambda: writing.report(self._world, order, operation, good, scrap, final=final)
        )

    def _done(self, said: dict[str, Any], act: Callable[[], str]) -> Response:
        try:
            if self._refuses():
                raise writing.NotNow("the terminal is locked")
            document = act()
        except writing.NotNow as error:
            return Response(200, {"ok": False, "err_code": "E_STATE", "err_msg": str(error)})
        row = {"ref": str(said.get("ref", "")), "id": document}
        self._journal.setdefault(row["ref"], []).append(row)
        return Response(200, {"ok": True, "id": document})

    def _order(self, request: Request) -> Order:
        rows = self._view.order(request.parts["job"])
        if not rows:
            raise Refusal(404, f"job {request.parts['job']} unknown")
        return rows[0]


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise Refusal(400, f"{text!r} is no number of a step")
    return int(text)
