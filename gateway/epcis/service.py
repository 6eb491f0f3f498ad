"""``GET /epcis/events``: the events of shipments that the log keeps, in the order in which they came, page by page.

The log is looked through for events that may be meant; the shipments of a page are read live in one query of the graph,
as whoever asks may see them. A page may hold fewer events than were asked for, and the next one still more: only an
answer without a ``Link`` is the last.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.engine import SchemaEngine
from gateway.epcis.asking import EventQuery, QueryParameter, QueryRefused, read_query
from gateway.epcis.documents import query_document
from gateway.epcis.events import FACTS, Plants, object_event
from gateway.events.log import (
    EventLog,
    EventLogDown,
    Logged,
    Position,
    ResyncRequired,
    from_cursor,
    to_cursor,
)
from gateway.http import GONE, ClientGone, to_json
from gateway.request import GraphQLRequest, HttpRefusal
from schema.errors import RequestError, SourceUnavailable

PATH = "/epcis/events"
MOST_LOOKED = 5_000
"""Events of the log that one request looks through at most."""
BATCH = 500
SKEW = timedelta(minutes=1)
"""By how much the instants of reception may differ from the order of the log: several machines write it."""
SHIPMENTS = f"query EpcisEvents($ids: [ID!]!) {{ nodes(ids: $ids) {{ ...Facts }} }}\n{FACTS}"
VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
JSON, LD_JSON = "application/json", "application/ld+json"
_PASSING = frozenset(
    {"SOURCE_ERROR", "SOURCE_UNAVAILABLE", "SOURCE_TIMEOUT", "SOURCE_RATE_LIMITED", "EVENT_LOG_UNAVAILABLE"}
)


class _Looked(NamedTuple):
    """What may be asked for, and where to look on; None where the log has no more."""

    candidates: Sequence[Logged]
    on: Position | None


class NotReadable(Exception):
    """The shipments could not be read: ``errors`` say why, as GraphQL does."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(str(errors[0].get("message")))
        codes = {error.get("extensions", {}).get("code") for error in errors}
        self.passing = bool(codes & _PASSING)


def epcis_routes(
    engine: SchemaEngine, events: EventLog, plants: Plants, now: Callable[[], datetime]
) -> list[Route]:
    """The route."""
    desk = _Desk(engine, events, plants, now)
    return [Route(PATH, desk.answer, methods=["GET"])]


class _Desk:
    """What the route does."""

    def __init__(
        self, engine: SchemaEngine, events: EventLog, plants: Plants, now: Callable[[], datetime]
    ) -> None:
        self._engine, self._events, self._plants, self._now = engine, events, plants, now

    async def answer(self, request: Request) -> Response:
        """A page of events, or a problem document."""
        try:
            query = read_query(request.query_params.multi_items())
            looked = await self._look(query)
            found = await self._events_of(query, looked.candidates, request)
        except QueryRefused as error:
            return _problem(HTTPStatus.BAD_REQUEST, error.kind, error, error.hint)
        except ResyncRequired as error:
            # They went while they were looked through.
            return _problem(HTTPStatus.BAD_REQUEST, QueryParameter.kind, error, error.hint)
        except EventLogDown as error:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "ImplementationException", error, error.hint)
        except HttpRefusal as error:
            return _problem(HTTPStatus(error.status), "ValidationException", error, error.hint)
        except ClientGone:
            return Response(status_code=GONE.status)
        except NotReadable as error:
            down = HTTPStatus.SERVICE_UNAVAILABLE if error.passing else HTTPStatus.INTERNAL_SERVER_ERROR
            return _problem(down, "ImplementationException", error)
        headers = VERSIONS | {"Cache-Control": "no-store", "Content-Type": _media(request)}
        if looked.on is not None:
            headers["Link"] = f'<{_next(request, to_cursor(looked.on))}>; rel="next"'
        return Response(to_json(query_document(found, self._now())), headers=headers)

    async def _look(self, query: EventQuery) -> _Looked:
        """The next events that may be asked for, as many as fit on a page."""
        after = await self._begin(query)
        candidates: list[Logged] = []
        looked = 0
        while looked < MOST_LOOKED:
            batch = await self._events.read(after, BATCH)
            for logged in batch:
                looked, after = looked + 1, logged.position
                if query.is_over(logged.event.received_at - SKEW):
                    return _Looked(candidates, None)
                if query.may_hold(logged.event):
                    candidates.append(logged)
                if len(candidates) == query.per_page:
                    more = await self._events.read(after, 1)
                    return _Looked(candidates, after if more else None)
            if len(batch) < BATCH:
                return _Looked(candidates, None)
        return _Looked(candidates, after)

    async def _begin(self, query: EventQuery) -> Position:
        """Where to look on. Raises QueryParameter for a token that is none, or of events that are no longer kept."""
        if query.token is None:
            since = query.times.get("GE_recordTime")
            return await oldest(self._events, None if since is None else since - SKEW)
        try:
            after = from_cursor(query.token)
            await self._events.read(after, 1)
        except EventLogDown:
            raise
        except RequestError as error:
            raise QueryParameter(f"nextPageToken: {error}", hint="Ask for the first page.") from error
        return after

    async def _events_of(
        self, query: EventQuery, candidates: Sequence[Logged], request: Request
    ) -> list[dict[str, Any]]:
        """The events asked for. One whose shipment nobody knows any more, or who asks may not see, is left out."""
        if not candidates:
            return []
        ids = list(dict.fromkeys(logged.event.subject for logged in candidates))
        rows = await self._shipments(ids, request)
        shipments = {id: row for id, row in zip(ids, rows, strict=True) if row is not None}
        made = [
            object_event(logged.event, shipments[logged.event.subject], self._plants)
            for logged in candidates
            if logged.event.subject in shipments
        ]
        return [one for one in made if query.holds(one)]

    async def _shipments(self, ids: Sequence[str], request: Request) -> list[dict[str, Any] | None]:
        """All shipments of a page at once. Raises NotReadable, HttpRefusal."""
        asked = GraphQLRequest(SHIPMENTS, None, {"ids": list(ids)})
        answer = await self._engine.execute(asked, request)
        result = orjson.loads(answer.result) if isinstance(answer.result, bytes) else answer.result
        if result.get("errors"):
            raise NotReadable(result["errors"])
        # Who could not be asked leaves nulls as those do who know nothing: an answer without them would be a wrong one.
        silent = [one for one in result.get("extensions", {}).get("sources", ()) if one["path"] == ["nodes"]]
        if silent:
            raise NotReadable(
                [{"message": silent[0].get("message"), "extensions": {"code": SourceUnavailable.code}}]
            )
        return list(result["data"]["nodes"])


async def oldest(events: EventLog, since: datetime | None = None) -> Position:
    """The place before the oldest event that is kept, or that was received since an instant: found by halving.

    From a place before what is kept nothing is read.
    """
    head = await events.head()
    low, high = 0, head.sequence
    while low < high:
        middle = (low + high) // 2
        try:
            found = await events.read(Position(head.epoch, middle), 1)
        except ResyncRequired:
            low = middle + 1
            continue
        if since is not None and found and found[0].event.received_at < since:
            low = middle + 1
        else:
            high = middle
    return Position(head.epoch, low)


def _media(request: Request) -> str:
    return LD_JSON if LD_JSON in request.headers.get("accept", "") else JSON


def _next(request: Request, token: str) -> str:
    """The address of the next page, relative to the gateway: what stands in front of it is not known here."""
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != "nextPageToken"]
    return f"{PATH}?{urlencode([*kept, ('nextPageToken', token)])}"


def _problem(status: HTTPStatus, kind: str, error: Exception, hint: str | None = None) -> Response:
    said = {
        "type": f"epcisException:{kind}",
        "title": "The query cannot be answered.",
        "status": status.value,
        "detail": f"{error} {hint}" if hint else str(error),
    }
    headers = VERSIONS | {"Cache-Control": "no-store", "Content-Type": "application/problem+json"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return Response(to_json(said), status_code=status.value, headers=headers)
