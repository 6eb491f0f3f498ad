"""Partner webhooks in the graph: what makes, changes and shows them."""

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
    deliveries: tuple[WebhookDelivery, ...]


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
    given = input.client_mutation_id
    try:
        webhooks, actor = _kept(info)
        made = await webhooks.create(actor, _wanted(input))
    except RequestError as error:
        return WebhookPayload(_said(error), given)
    return WebhookPayload((), given, made)


async def webhook_subscription_update(info: Info, input: WebhookSubscriptionUpdateInput) -> WebhookPayload:
    """Change a webhook. What happened before the change and is not sent yet is sent as the change says."""
    given = input.client_mutation_id
    try:
        webhooks, actor = _kept(info)
        changed = await webhooks.update(actor, input.webhook, _wanted(input))
    except RequestError as error:
        return WebhookPayload(_said(error), given)
    return WebhookPayload((), given, changed)


async def webhook_subscription_pause(info: Info, webhook: strawberry.ID) -> WebhookPayload:
    """Send nothing until the webhook is resumed; what happens meanwhile waits as long as the event log keeps it."""
    try:
        webhooks, actor = _kept(info)
        return WebhookPayload((), None, await webhooks.pause(actor, webhook))
    except RequestError as error:
        return WebhookPayload(_said(error))


async def webhook_subscription_resume(
    info: Info, webhook: strawberry.ID, from_now: bool = False
) -> WebhookPayload:
    """Go on where a webhook stopped, or from now on (which leaves out what happened meanwhile)."""
    try:
        webhooks, actor = _kept(info)
        return WebhookPayload((), None, await webhooks.resume(actor, webhook, from_now=from_now))
    except RequestError as error:
        return WebhookPayload(_said(error))


async def webhook_subscription_rotate_secret(
    info: Info, webhook: strawberry.ID, overlap_seconds: int = DEFAULT_ROTATION_SECONDS
) -> WebhookPayload:
    """Give a webhook a new secret, shown in the answer. The one before signs as well until the overlap is over."""
    try:
        webhooks, actor = _kept(info)
        return WebhookPayload((), None, await webhooks.rotate(actor, webhook, overlap_seconds))
    except RequestError as error:
        return WebhookPayload(_said(error))


async def webhook_subscription_delete(info: Info, webhook: strawberry.ID) -> WebhookPayload:
    """Forget a webhook and all its messages."""
    try:
        webhooks, actor = _kept(info)
        return WebhookPayload((), None, await webhooks.delete(actor, webhook))
    except RequestError as error:
        return WebhookPayload(_said(error))


async def webhook_subscription_test(info: Info, webhook: strawberry.ID) -> WebhookDeliveryPayload:
    """Send a test message now, once, and say what came of it."""
    try:
        webhooks, actor = _kept(info)
        return WebhookDeliveryPayload((), (await webhooks.test(actor, webhook),))
    except RequestError as error:
        return WebhookDeliveryPayload(_said(error), ())


async def webhook_redeliver(
    info: Info, webhook: strawberry.ID, deliveries: list[strawberry.ID] | None = None
) -> WebhookDeliveryPayload:
    """Send messages again under their ids: those named, or all that were given up."""
    try:
        webhooks, actor = _kept(info)
        named = [str(one) for one in deliveries] if deliveries is not None else None
        return WebhookDeliveryPayload((), tuple(await webhooks.redeliver(actor, webhook, named)))
    except RequestError as error:
        return WebhookDeliveryPayload(_said(error), ())


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
