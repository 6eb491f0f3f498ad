"""Partner webhooks in the graph: what makes, changes and shows them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from resolvers.context import Actor, Context
from resolvers.edges import expose
from resolvers.enums import ENUMS
from schema.errors import RequestError
from schema.integration import UserError, UserErrorCode
from schema.webhooks import DeliveryState, WebhookDelivery, WebhookSubscription

KNOWN_ENUMS = frozenset(ENUMS)
"""Registered before the inputs below refer to them."""
NO_WEBHOOKS = "This gateway sends no webhooks: webhooks.secret is not set."
DEFAULT_ROTATION_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a webhook shall be; None leaves what is there."""

    name: str | None = None
    url: str | None = None
    query: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None


class Webhooks(Protocol):
    """What the graph asks of whoever keeps webhooks. Methods raise RequestError where the request cannot be met."""

    async def create(self, actor: Actor, wanted: Wanted) -> WebhookSubscription:
        """A new webhook, with its secret; it is told what happens from now on."""
        ...

    async def update(self, actor: Actor, number: str, wanted: Wanted) -> WebhookSubscription:
        """Change what is named; nothing that happened is left out."""
        ...

    async def pause(self, actor: Actor, number: str) -> WebhookSubscription:
        """Send nothing until it is resumed."""
        ...

    async def resume(self, actor: Actor, number: str, *, from_now: bool) -> WebhookSubscription:
        """Go on where it stopped, or from now."""
        ...

    async def rotate(self, actor: Actor, number: str, overlap_seconds: int) -> WebhookSubscription:
        """A new secret, shown; the one before signs as well for some time."""
        ...

    async def delete(self, actor: Actor, number: str) -> WebhookSubscription:
        """Forget it and its messages."""
        ...

    async def test(self, actor: Actor, number: str) -> WebhookDelivery:
        """Send a test message now, once; what came of it."""
        ...

    async def redeliver(self, actor: Actor, number: str, messages: list[str] | None) -> list[WebhookDelivery]:
        """Send messages again under their ids: those named, or all that were given up."""
        ...

    async def all_of(self, actor: Actor) -> list[WebhookSubscription]:
        """The webhooks of the one who asks."""
        ...

    async def deliveries(
        self, actor: Actor, number: str, states: tuple[DeliveryState, ...], first: int, before: str | None
    ) -> list[WebhookDelivery]:
        """The messages of a webhook, the newest first, those before one of them where it is named."""
        ...


@strawberry.input(description="A webhook to be made.")
class WebhookSubscriptionCreateInput:
    """A webhook to be made."""

    name: str = strawberry.field(description="A name for people.")
    url: str = strawberry.field(description="Where to send to: https, and reachable from outside.")
    query: str = strawberry.field(description="The document with the subscription whose results are sent.")
    operation_name: str | None = strawberry.field(
        default=None, description="Which operation of the document, where it has several."
    )
    variables: JSON | None = strawberry.field(default=None, description="Its variables.")
    client_mutation_id: str | None = strawberry.field(default=None, description="Given back in the answer.")


@strawberry.input(description="What to change of a webhook.")
class WebhookSubscriptionUpdateInput:
    """What to change of a webhook."""

    webhook: strawberry.ID = strawberry.field(description="Number of the webhook.")
    name: str | None = strawberry.field(default=None, description="A name for people.")
    url: str | None = strawberry.field(default=None, description="Where to send to.")
    query: str | None = strawberry.field(default=None, description="Another document.")
    operation_name: str | None = strawberry.field(default=None, description="Which operation of it.")
    variables: JSON | None = strawberry.field(default=None, description="Its variables.")
    client_mutation_id: str | None = strawberry.field(default=None, description="Given back in the answer.")


@strawberry.input(description="A webhook, named.")
class WebhookInput:
    """A webhook, named."""

    webhook: strawberry.ID = strawberry.field(description="Number of the webhook.")
    client_mutation_id: str | None = strawberry.field(default=None, description="Given back in the answer.")


@strawberry.input(description="How a webhook goes on.")
class WebhookSubscriptionResumeInput(WebhookInput):
    """How a webhook goes on."""

    from_now: bool = strawberry.field(default=False, description="Leave out what happened meanwhile.")


@strawberry.input(description="A new secret for a webhook.")
class WebhookSubscriptionRotateSecretInput(WebhookInput):
    """A new secret for a webhook."""

    overlap_seconds: int = strawberry.field(
        default=DEFAULT_ROTATION_SECONDS, description="How long the secret before signs as well."
    )


@strawberry.input(description="Messages to be sent again.")
class WebhookRedeliverInput(WebhookInput):
    """Messages to be sent again."""

    deliveries: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Numbers of the messages; left out: all that were given up."
    )


@dataclass(slots=True)
class WebhookPayload:
    """What became of a change to a webhook."""

    user_errors: tuple[UserError, ...]
    client_mutation_id: str | None = None
    webhook: WebhookSubscription | None = None


@dataclass(slots=True)
class WebhookDeliveryPayload:
    """What became of messages that were to be sent."""

    user_errors: tuple[UserError, ...]
    client_mutation_id: str | None = None
    deliveries: tuple[WebhookDelivery, ...] = ()


def _kept(info: Info) -> tuple[Webhooks, Actor]:
    context: Context = info.context
    if context.webhooks is None:
        raise RequestError(NO_WEBHOOKS, hint="Ask whoever runs the gateway to set it.")
    return context.webhooks, context.actor


def _said(error: RequestError) -> tuple[UserError, ...]:
    message = f"{error} {error.hint}" if error.hint else str(error)
    return (UserError(UserErrorCode.INVALID_INPUT, message, False),)


async def webhook_subscription_create(info: Info, input: WebhookSubscriptionCreateInput) -> WebhookPayload:
    """Send the results of a subscription to a URL. The answer shows the secret that signs them, once."""
    return await _changed(info, input, lambda kept, actor: kept.create(actor, _wanted(input)))


async def webhook_subscription_update(info: Info, input: WebhookSubscriptionUpdateInput) -> WebhookPayload:
    """Change a webhook. What happened before the change and is not sent yet is sent as the change says."""
    return await _changed(info, input, lambda kept, actor: kept.update(actor, input.webhook, _wanted(input)))


async def webhook_subscription_pause(info: Info, input: WebhookInput) -> WebhookPayload:
    """Send nothing until the webhook is resumed; what happens meanwhile waits as long as the event log keeps it."""
    return await _changed(info, input, lambda kept, actor: kept.pause(actor, input.webhook))


async def webhook_subscription_resume(info: Info, input: WebhookSubscriptionResumeInput) -> WebhookPayload:
    """Go on where a webhook stopped, or from now on (which leaves out what happened meanwhile)."""
    return await _changed(
        info, input, lambda kept, actor: kept.resume(actor, input.webhook, from_now=input.from_now)
    )


async def webhook_subscription_rotate_secret(
    info: Info, input: WebhookSubscriptionRotateSecretInput
) -> WebhookPayload:
    """Give a webhook a new secret, shown in the answer. The one before signs as well until the overlap is over."""
    return await _changed(
        info, input, lambda kept, actor: kept.rotate(actor, input.webhook, input.overlap_seconds)
    )


async def webhook_subscription_delete(info: Info, input: WebhookInput) -> WebhookPayload:
    """Forget a webhook and all its messages."""
    return await _changed(info, input, lambda kept, actor: kept.delete(actor, input.webhook))


async def webhook_subscription_test(info: Info, input: WebhookInput) -> WebhookDeliveryPayload:
    """Send a test message now, once, and say what came of it."""
    try:
        webhooks, actor = _kept(info)
        sent = await webhooks.test(actor, input.webhook)
    except RequestError as error:
        return WebhookDeliveryPayload(_said(error), input.client_mutation_id)
    return WebhookDeliveryPayload((), input.client_mutation_id, (sent,))


async def webhook_redeliver(info: Info, input: WebhookRedeliverInput) -> WebhookDeliveryPayload:
    """Send messages again under their ids: those named, or all that were given up."""
    named = [str(one) for one in input.deliveries] if input.deliveries is not None else None
    try:
        webhooks, actor = _kept(info)
        again = await webhooks.redeliver(actor, input.webhook, named)
    except RequestError as error:
        return WebhookDeliveryPayload(_said(error), input.client_mutation_id)
    return WebhookDeliveryPayload((), input.client_mutation_id, tuple(again))


async def _changed(
    info: Info,
    input: WebhookInput | WebhookSubscriptionCreateInput | WebhookSubscriptionUpdateInput,
    change: Callable[[Webhooks, Actor], Awaitable[WebhookSubscription]],
) -> WebhookPayload:
    try:
        webhook = await change(*_kept(info))
    except RequestError as error:
        return WebhookPayload(_said(error), input.client_mutation_id)
    return WebhookPayload((), input.client_mutation_id, webhook)


async def webhook_subscriptions(info: Info) -> list[WebhookSubscription]:
    """The webhooks of the one who asks, the oldest first."""
    context: Context = info.context
    return [] if context.webhooks is None else await context.webhooks.all_of(context.actor)


async def webhook_deliveries(
    info: Info,
    webhook: strawberry.ID,
    states: list[DeliveryState] | None = None,
    first: int = 50,
    before: strawberry.ID | None = None,
) -> list[WebhookDelivery] | None:
    """The messages of a webhook, the newest first; go on with the number of the last one as ``before``."""
    webhooks, actor = _kept(info)
    return await webhooks.deliveries(actor, webhook, tuple(states or ()), first, before)


def _wanted(given: WebhookSubscriptionCreateInput | WebhookSubscriptionUpdateInput) -> Wanted:
    variables: Any = given.variables
    if variables is not None and not isinstance(variables, dict):
        raise RequestError("variables: an object is needed", hint='Write {"name": value}.')
    return Wanted(given.name, given.url, given.query, given.operation_name, variables)


QUERIES = (webhook_subscriptions, webhook_deliveries)
MUTATIONS = (
    webhook_subscription_create,
    webhook_subscription_update,
    webhook_subscription_pause,
    webhook_subscription_resume,
    webhook_subscription_rotate_secret,
    webhook_subscription_delete,
    webhook_subscription_test,
    webhook_redeliver,
)


def install() -> None:
    """Put webhooks into the graph."""
    expose(WebhookSubscription)
    expose(WebhookDelivery)
    expose(WebhookPayload)
    expose(WebhookDeliveryPayload)
