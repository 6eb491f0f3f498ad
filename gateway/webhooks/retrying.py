"""What an attempt makes of a message and of its webhook: pure functions of the state before, the outcome and the time."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.webhooks.sending import Outcome
from gateway.webhooks.store import Hook, Message
from schema.webhooks import DeliveryState, WebhookState

SCHEDULE = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 43_200.0)
"""Seconds from one attempt to the next; a message is given up after the last, some 28 hours after the first."""
JITTER = 0.2
"""By how much of itself a wait is longer at most, so that what failed together is not sent together."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long to try. ``pause_after`` seconds of nothing but failures pause the webhook."""

    schedule: tuple[float, ...] = SCHEDULE
    pause_after: float = 86_400.0
    rng: Callable[[], float] = random.random


def after(message: Message, outcome: Outcome, now: float, rule: Rule) -> Message:
    """The message after an attempt."""
    attempts = message.attempts + 1
    if outcome.delivered:
        return replace(
            message,
            state=DeliveryState.DELIVERED,
            attempts=attempts,
            delivered_at=now,
            last_status=outcome.status,
            last_reason=None,
        )
    said = replace(message, attempts=attempts, last_status=outcome.status, last_reason=outcome.reason)
    if outcome.gone:
        # The webhook is paused for it: the message waits for whoever resumes it.
        return replace(said, state=DeliveryState.PENDING, next_at=now)
    if attempts > len(rule.schedule):
        return replace(said, state=DeliveryState.DEAD_LETTERED, next_at=now)
    wait = rule.schedule[attempts - 1] * (1 + JITTER * rule.rng())
    return replace(said, state=DeliveryState.RETRYING, next_at=now + max(wait, outcome.retry_after or 0.0))


def health(hook: Hook, outcome: Outcome, now: float, rule: Rule) -> dict[str, object]:
    """What to note of the webhook after an attempt; empty where nothing changes worth writing down."""
    if outcome.delivered:
        if hook.state is WebhookState.ACTIVE and hook.failing_since is None:
            return {}
        return {"state": WebhookState.ACTIVE.value, "reason": None, "failing_since": None}
    since = hook.failing_since if hook.failing_since is not None else now
    if outcome.gone:
        return {"state": WebhookState.PAUSED.value, "reason": "It answered 410 Gone.", "failing_since": since}
    if now - since >= rule.pause_after:
        reason = f"Nothing could be delivered for {(now - since) / 3600:.0f} h: {outcome.reason}"
        return {"state": WebhookState.PAUSED.value, "reason": reason, "failing_since": since}
    if hook.state is WebhookState.FAILING and hook.reason == outcome.reason:
        return {}
    return {"state": WebhookState.FAILING.value, "reason": outcome.reason, "failing_since": since}
