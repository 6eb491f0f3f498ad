"""What every transport of subscriptions asks of the engine: WebSocket, server-sent events, multipart, webhooks."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from gateway.request import GraphQLRequest
from schema.errors import RequestError
from schema.events import Event


@dataclass(frozen=True, slots=True)
class Payload:
    """One result of a subscription as JSON (``data``, and ``errors`` and ``extensions`` where there are any).

    ``cursor`` is where to go on after it; None where the subscription cannot be resumed. ``event`` is what it tells of,
    None for a present state.
    """

    body: bytes
    cursor: str | None = None
    event: Event | None = None


class SubscriptionRefused(Exception):
    """The request begins no subscription; ``errors`` are the entries to answer with. Nothing was sent before it."""

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        super().__init__(str(errors[0].get("message")) if errors else "refused")
        self.errors = list(errors)


class SubscriptionEnded(RequestError):
    """The gateway ends a subscription that had begun; ``cursor`` is where to go on, after so many seconds."""

    code = "SUBSCRIPTION_ENDED"

    def __init__(
        self,
        message: str,
        *,
        code: str = "SUBSCRIPTION_ENDED",
        cursor: str | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.cursor = cursor
        self.retry_after = retry_after

    @property
    def entry(self) -> dict[str, Any]:
        """The entry under ``errors`` that says so."""
        said = {
            "code": self.code,
            "cursor": self.cursor,
            "retryAfterSeconds": self.retry_after,
            "hint": self.hint,
        }
        return {
            "message": str(self),
            "extensions": {name: value for name, value in said.items() if value is not None},
        }


class Subscribing(Protocol):
    """Whatever runs subscriptions."""

    def subscribe(self, request: GraphQLRequest, connection: HTTPConnection) -> AsyncGenerator[Payload, None]:
        """The results of a subscription, until it is closed.

        Raises SubscriptionRefused before the first result, SubscriptionEnded later; closing the generator gives back
        everything. What is not taken is not kept for ever: who is too slow gets SubscriptionEnded with EVENTS_GAP.
        """
        ...
