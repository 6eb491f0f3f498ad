"""Health for orchestrators: alive means the process answers, ready means it can do its work."""

from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http import to_json

log = structlog.get_logger("crossdock.health")


class Readiness(Protocol):
    """Says whether the gateway can do its work."""

    async def ready(self) -> dict[str, object]:
        """A JSON-ready map with ``ready`` (true or false) and whatever explains it; no secrets."""
        ...


def health_routes(readiness: Readiness) -> list[Route]:
    """``/health/live`` (200 while the process answers) and ``/health/ready`` (200 or 503, with the reason)."""

    async def live(_: Request) -> Response:
        return _answer(HTTPStatus.OK, {"alive": True})

    async def ready(_: Request) -> Response:
        try:
            state = await readiness.ready()
        except Exception:  # A readiness check that breaks is an answer too: not ready.
            log.exception("readiness check failed")
            state = {"ready": False, "reason": "the readiness check itself failed; see the log"}
        healthy = state.get("ready") is True
        return _answer(HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE, state)

    return [
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
    ]


def _answer(status: HTTPStatus, body: dict[str, object]) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    return Response(to_json(body), status_code=int(status), headers=headers)
