"""What operators and programs of the house may do to a running gateway: let go of what it keeps.

``POST /admin/invalidate`` with ``{"tags": ["po:1710/1000040"]}``. A tag is an id, all of a kind (``po:*``) or a system
(``sys:SAP_PRD``). A caller shows the admin token where there is one; without one the routes are there only for a
gateway that nobody but its own machine can reach.
"""

from hmac import compare_digest
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.cache.layer import Caching
from gateway.config import Settings
from gateway.http import to_json
from gateway.masking import error_entry
from gateway.request import BodyLimits, HttpRefusal, read_json
from schema.errors import CrossdockError, RequestError

LIMITS = BodyLimits(max_bytes=1 << 18)
MOST_TAGS = 1000

log = structlog.get_logger("crossdock.admin")


def admin_routes(settings: Settings, caching: Caching) -> list[Route]:
    """The routes; none where nobody could be told from anybody. Raises ConfigError where the token cannot be had."""
    if settings.admin_token is None and settings.auth != "none":
        return []
    token = admin_token(settings)

    async def invalidate(request: Request) -> Response:
        try:
            admit(request, token)
            tags = _tags(await read_json(request, LIMITS))
            found = await caching.invalidate(tags)
        except HttpRefusal as refusal:
            return refused(refusal, refusal.status, refusal.headers)
        except CrossdockError as error:
            return refused(error, HTTPStatus.BAD_REQUEST, {})
        log.info("invalidated", tags=list(tags[:10]), count=len(tags))
        return answer(HTTPStatus.OK, {"invalidated": list(found)}, {})

    return [Route("/admin/invalidate", invalidate, methods=["POST"])]


def admin_token(settings: Settings) -> bytes | None:
    """The admin token, where there is one. Raises ConfigError where it cannot be had."""
    return settings.admin_token.resolve().encode() if settings.admin_token is not None else None


def admit(request: Request, token: bytes | None) -> None:
    """Raises HttpRefusal unless the caller shows the token."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if token is None or (
        scheme.lower() == "bearer" and compare_digest(shown.strip().encode("latin-1"), token)
    ):
        return
    raise HttpRefusal(
        "This is for operators.",
        status=HTTPStatus.UNAUTHORIZED,
        code="NOT_AUTHENTICATED",
        hint="Send the admin token: Authorization: Bearer …",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _tags(body: object) -> list[str]:
    tags = body.get("tags") if isinstance(body, dict) else None
    if not isinstance(tags, list) or not tags or not all(isinstance(tag, str) for tag in tags):
        raise RequestError("tags: a list of texts is missing.", hint='Send {"tags": ["po:1710/1000040"]}.')
    if len(tags) > MOST_TAGS:
        raise RequestError(
            f"tags: {len(tags)} are too many at once.", hint=f"At most {MOST_TAGS}, or all of a kind: po:*."
        )
    return tags


def refused(error: CrossdockError, status: int, headers: dict[str, str]) -> Response:
    """The answer to a request that was refused."""
    return answer(status, {"errors": [error_entry(str(error), error.code, hint=error.hint)]}, headers)


def answer(status: int, body: dict[str, object], headers: dict[str, str]) -> Response:
    """An answer in JSON that nobody keeps."""
    fixed = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    return Response(to_json(body), status_code=int(status), headers=fixed | headers)
