"""``crossdock invalidate``: tell a running gateway, and through it every worker, to let go of what it keeps."""

from collections.abc import Sequence

import httpx2

from gateway.config import Settings
from schema.errors import RequestError

SECONDS = 10.0


def invalidated(tags: Sequence[str], url: str, token: str | None) -> list[str]:
    """The tags that a gateway at an address let go of. Raises RequestError where it did not."""
    headers = {b"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    place = f"{url.rstrip('/')}/admin/invalidate"
    try:
        answer = httpx2.post(
            place, json={"tags": list(tags)}, headers=headers, timeout=SECONDS, trust_env=False
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RequestError(
            f"{place} cannot be reached: {type(error).__name__}",
            hint="Is the gateway running there? Name another address with --url.",
        ) from error
    if answer.status_code == 404:
        raise RequestError(f"{place} is not there.", hint="A gateway behind a proxy needs an admin_token.")
    try:
        said = answer.json()
        if answer.status_code == 200:
            return [str(tag) for tag in said["invalidated"]]
        refused = said["errors"][0]
        told, hint = str(refused["message"]), refused["extensions"].get("hint")
    except (ValueError, LookupError, TypeError):
        raise RequestError(f"{place} answered {answer.status_code} and nothing of sense.") from None
    raise RequestError(told, hint=hint)


def address(settings: Settings) -> str:
    """Where the gateway of these settings listens, seen from its own machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
