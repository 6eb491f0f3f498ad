"""Partner webhooks: who is told what where, and what became of each message."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class WebhookState(StrEnum):
    """Life of a webhook."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    FAILING = "FAILING"
    ENDED = "ENDED"


class DeliveryState(StrEnum):
    """Life of a message."""

    PENDING = "PENDING"
    RETRYING = "RETRYING"
    DELIVERED = "DELIVERED"
    DEAD_LETTERED = "DEAD_LETTERED"


@dataclass(slots=True)
class WebhookSubscription:
    """A subscription whose results are sent to a URL, signed by Standard Webhooks.

    ``number`` names it. ``secret`` is shown once, in the answer that made it. ``reason`` says why it is not active. ``cursor`` is how far
    its results are kept for delivery.
    """

    number: str
    name: str
    url: str
    query: str
    state: WebhookState
    created_at: datetime
    waiting: int
    dead_lettered: int
    operation_name: str | None = None
    reason: str | None = None
    cursor: str | None = None
    last_delivered_at: datetime | None = None
    failing_since: datetime | None = None
    old_secret_ends_at: datetime | None = None
    secret: str | None = None


@dataclass(slots=True)
class WebhookDelivery:
    """A message of a webhook: one result, with every attempt counted. ``number`` is its ``webhook-id``."""

    number: str
    webhook: str
    subject: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None
    last_status: int | None = None
    last_reason: str | None = None
    body: str | None = None
