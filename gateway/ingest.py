"""``POST /ingest/{system}``: where systems send what happened.

The signature is checked over the raw body, then the body is read, then everything it holds is made durable, then the
answer is 202 with what became of each message. A 202 is a promise: what it speaks of is in the event log, or parked.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.config import Settings
from gateway.events.envelopes import headers_of, messages_of
from gateway.events.intake import Became, Intake
from gateway.events.log import EventLogDown
from gateway.events.signatures import Gatekeeper, NotTheirs, gatekeeper
from gateway.http import to_json
from gateway.masking import error_entry
from gateway.request import BodyLimits, HttpRefusal, read_body
from schema.errors import CrossdockError

RETRY_SECONDS = 5
"""After how long a sender should try again while the log takes nothing."""

log = structlog.get_logger("crossdock.ingest")


def ingest_routes(settings: Settings, intake: Intake) -> list[Route]:
    """The route, for the systems whose table says how they are known. Raises ConfigError where a secret cannot be had."""
    keepers = {
        code: gatekeeper(code, system.ingest)
        for code, system in settings.systems.items()
        if system.ingest is not None
    }
    timeout = settings.limits.body_timeout_ms / 1000

    async def ingest(request: Request) -> Response:
        system = request.path_params["system"]
        try:
            became = await _taken(request, system, keepers, intake, timeout)
        except HttpRefusal as refusal:
            return _refused(refusal, refusal.status, refusal.headers)
        except EventLogDown as error:
            return _refused(error, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_SECONDS)})
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        return _answer(HTTPStatus.ACCEPTED, {"messages": [said(one) for one in became]}, {})

    return [Route("/ingest/{system}", ingest, methods=["POST"])]


async def _taken(
    request: Request, system: str, keepers: Mapping[str, Gatekeeper], intake: Intake, seconds: float
) -> list[Became]:
    keeper = keepers.get(system)
    if keeper is None:
        raise HttpRefusal(
            "No system sends its messages here.",
            status=HTTPStatus.NOT_FOUND,
            code="INGEST_NOT_FOUND",
            hint="Its table needs [systems.CODE.ingest].",
        )
    headers = headers_of(request.scope["headers"])
    body = await read_body(request, BodyLimits(keeper.config.max_body_bytes, seconds))
    try:
        keeper.admit(headers, body)
    except NotTheirs as error:
        log.warning("a message was refused", system=system, reason=str(error))
        raise HttpRefusal(
            f"The message does not show that it is from {system}: {error}.",
            status=HTTPStatus.UNAUTHORIZED,
            code="NOT_AUTHENTICATED",
            headers={"WWW-Authenticate": "Bearer"} if keeper.config.auth == "bearer" else {},
        ) from None
    config = keeper.config
    messages = messages_of(headers, body, most=config.max_messages, id_header=config.id_header)
    return await intake.take(system, messages)


def said(became: Became) -> dict[str, Any]:
    """What became of a message, as JSON."""
    found: dict[str, Any] = {"number": became.number, "state": became.state}
    if became.events:
        found["events"] = list(became.events)
    if became.duplicates:
        found["duplicateOf"] = list(became.duplicates)
    if became.reason is not None:
        found["reason"] = became.reason
    return found


def _refused(error: CrossdockError, status: int, headers: Mapping[str, str]) -> Response:
    return _answer(status, {"errors": [error_entry(str(error), error.code, hint=error.hint)]}, headers)


def _answer(status: int, body: dict[str, Any], headers: Mapping[str, str]) -> Response:
    fixed = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    return Response(to_json(body), status_code=int(status), headers={**fixed, **headers})
