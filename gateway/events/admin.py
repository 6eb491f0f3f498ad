"""What operators see of events and do to parked messages: below ``/admin/events``, with the admin token.

- ``GET /admin/events?after=…&first=…`` the log, oldest first; ``about=po:1710/1000040`` only what touches an object
- ``GET /admin/events/parked?system=…`` the parked messages
- ``POST /admin/events/replay`` and ``/admin/events/drop`` with ``{"numbers": […]}``, or ``{"system": "ERP"}`` for all
  of one system, or ``{"all": true}``
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.admin import LIMITS, admin_token, admit, answer, refused
from gateway.config import Settings
from gateway.events.contracts import to_cloud_event
from gateway.events.intake import Intake
from gateway.events.log import EventLog, EventLogDown, Parked, Position, from_cursor, to_cursor
from gateway.events.sorting import WAITING
from gateway.ingest import said
from gateway.request import HttpRefusal, read_json
from schema.errors import CrossdockError, RequestError

MOST, USUAL = 1000, 100
ALL = 1_000_000
Handler = Callable[[Request], Awaitable[dict[str, Any]]]


def event_admin_routes(settings: Settings, events: EventLog, intake: Intake) -> list[Route]:
    """The routes; none where nobody could be told from anybody. Raises ConfigError."""
    if settings.admin_token is None and settings.auth != "none":
        return []
    token = admin_token(settings)
    desk = _Desk(events, intake)

    def route(path: str, method: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                admit(request, token)
                return answer(HTTPStatus.OK, await handler(request), {})
            except HttpRefusal as refusal:
                return refused(refusal, refusal.status, refusal.headers)
            except EventLogDown as error:
                return refused(error, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "5"})
            except CrossdockError as error:
                return refused(error, HTTPStatus.BAD_REQUEST, {})

        return Route(f"/admin/events{path}", endpoint, methods=[method])

    return [
        route("", "GET", desk.listed),
        route("/parked", "GET", desk.parked),
        route("/replay", "POST", desk.replay),
        route("/drop", "POST", desk.drop),
    ]


class _Desk:
    """What the routes do."""

    def __init__(self, events: EventLog, intake: Intake) -> None:
        self._events, self._intake = events, intake

    async def listed(self, request: Request) -> dict[str, Any]:
        asked = request.query_params
        first, cursor, about = _first(asked.get("first")), asked.get("after"), asked.get("about")
        after = None if cursor is None else from_cursor(cursor)
        if about is not None:
            found = await self._events.about(about, first, after)
        else:
            found = await self._events.read(after or await self._begin(first), first)
        rows = [to_cloud_event(one.event) | {"cursor": to_cursor(one.position)} for one in found]
        return {"events": rows}

    async def _begin(self, first: int) -> Position:
        """Where to begin to see the last of them."""
        head = await self._events.head()
        return Position(head.epoch, max(0, head.sequence - first))

    async def parked(self, request: Request) -> dict[str, Any]:
        asked = request.query_params
        found = await self._events.parked(asked.get("system"), _first(asked.get("first")))
        return {"parked": [_shown(one) for one in found]}

    async def replay(self, request: Request) -> dict[str, Any]:
        chosen = await self._chosen(await read_json(request, LIMITS))
        return {"messages": [said(one) for one in await self._intake.replay(chosen)]}

    async def drop(self, request: Request) -> dict[str, Any]:
        chosen = await self._chosen(await read_json(request, LIMITS))
        # What only waits for its system was accepted: it is no dead letter.
        gone = await self._events.unpark([one.number for one in chosen if one.reason != WAITING])
        return {"dropped": [one.number for one in gone]}

    async def _chosen(self, body: object) -> list[Parked]:
        asked = body if isinstance(body, dict) else {}
        numbers, system = asked.get("numbers"), asked.get("system")
        if isinstance(numbers, list) and numbers and all(isinstance(one, str) for one in numbers):
            kept = {one.number: one for one in await self._events.parked(first=ALL)}
            missing = [one for one in numbers if one not in kept]
            if missing:
                raise RequestError(
                    f"numbers: {missing[0][:40]!r} is not parked.", hint="See crossdock events parked."
                )
            return [kept[one] for one in dict.fromkeys(numbers)]
        if isinstance(system, str) or asked.get("all") is True:
            return await self._events.parked(system if isinstance(system, str) else None, ALL)
        raise RequestError(
            "Which messages is not said.", hint='Send {"numbers": ["…"]}, {"system": "…"} or {"all": true}.'
        )


def _first(text: str | None) -> int:
    if text is None:
        return USUAL
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:8]) <= MOST):
        raise RequestError(f"first: {text[:20]!r} is no number from 1 to {MOST}.")
    return int(text)


def _shown(one: Parked) -> dict[str, Any]:
    return {
        "number": one.number,
        "system": one.source,
        "receivedAt": one.received_at.isoformat(),
        "attempts": one.attempts,
        "reason": one.reason,
        "body": one.body.decode("utf-8", "replace"),
    }
