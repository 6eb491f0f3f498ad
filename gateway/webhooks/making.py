"""The webhooks that the settings ask for, and what runs with them for as long as the gateway does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from graphql import OperationDefinitionNode, OperationType
from graphql.execution.values import get_variable_values

from gateway.config import Settings
from gateway.database import MEMORY, Database
from gateway.documents import DocumentInvalid
from gateway.engine import CannotRun, SchemaEngine, choose_operation
from gateway.events.log import EventLog
from gateway.masking import error_entry, present_all
from gateway.request import GraphQLRequest
from gateway.subscribing import Subscribing
from gateway.webhooks.delivering import Courier
from gateway.webhooks.messages import write_result
from gateway.webhooks.retrying import Rule
from gateway.webhooks.sending import Sender
from gateway.webhooks.service import WebhookService
from gateway.webhooks.signing import LEAST_MASTER, Secrets
from gateway.webhooks.store import WebhookStore
from gateway.webhooks.target import Targets
from schema.errors import ConfigError, CrossdockError

log = logging.getLogger("crossdock.webhooks")
TIDY_EVERY = 3600.0
"""Seconds between two looks for messages that may go."""


class Webhooks:
    """The webhooks of one worker: the service for the graph, and the work behind it."""

    def __init__(
        self,
        settings: Settings,
        secret: str,
        events: EventLog,
        subscribing: Subscribing,
        engine: SchemaEngine,
    ) -> None:
        kept = settings.webhooks
        url = settings.database_url
        self._store = WebhookStore(Database(MEMORY if url is None else url.get_secret_value()))
        self._keep = (float(kept.keep_delivered), float(kept.keep_dead))
        targets = Targets(kept.allow, plain=kept.allow_http)
        sender = Sender(targets, kept.timeout_ms / 1000)
        secrets = Secrets(secret)
        rule = Rule(pause_after=float(kept.pause_after))
        self._courier = Courier(self._store, subscribing, sender, secrets, write_result, rule)
        self.service = WebhookService(
            self._store,
            events,
            sender,
            targets,
            secrets,
            lambda request: subscription_errors(engine, request),
            self._courier.look,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sends for as long as the application runs. Raises ConfigError without a database."""
        await asyncio.to_thread(self._store.open)
        tidying = asyncio.create_task(self._tidy())
        try:
            async with self._courier.running():
                yield
        finally:
            tidying.cancel()
            with suppress(asyncio.CancelledError):
                await tidying
            await asyncio.to_thread(self._store.close)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY)
            now = self._courier.clock()
            try:
                await asyncio.to_thread(self._store.tidy, now - self._keep[0], now - self._keep[1])
            except Exception:
                log.exception("old messages of webhooks cannot be let go")


def make_webhooks(
    settings: Settings, events: EventLog, subscribing: Subscribing, engine: SchemaEngine
) -> Webhooks | None:
    """The webhooks of the settings; None where there are none. Raises ConfigError where the secret cannot be used."""
    reference = settings.webhooks.secret
    if reference is None:
        return None
    secret = reference.resolve()
    if len(secret) < LEAST_MASTER:
        raise ConfigError(
            f"webhooks.secret: {len(secret)} characters are too few",
            hint=f"At least {LEAST_MASTER}; `openssl rand -base64 32` makes a good one.",
        )
    return Webhooks(settings, secret, events, subscribing, engine)


def subscription_errors(engine: SchemaEngine, request: GraphQLRequest) -> Sequence[Mapping[str, Any]]:
    """The errors that a request would be refused with as a subscription; none where it may begin."""
    try:
        document = engine.documents.prepare(request.query or "")
        operation = choose_operation(document, request.operation_name)
    except DocumentInvalid as invalid:
        return present_all(invalid.errors, invalid.code, "")
    except (CannotRun, CrossdockError) as error:
        return [error_entry(str(error), error.code, hint=error.hint)]
    if operation.operation is not OperationType.SUBSCRIPTION:
        return [
            error_entry(
                f"It is a {operation.operation.value}.", "BAD_USER_INPUT", hint="Write 'subscription'."
            )
        ]
    return _variable_errors(engine, operation, request)


def _variable_errors(
    engine: SchemaEngine, operation: OperationDefinitionNode, request: GraphQLRequest
) -> Sequence[Mapping[str, Any]]:
    values = get_variable_values(
        engine.schema, operation.variable_definitions or (), request.variables, max_errors=5
    )
    return present_all(values, "BAD_USER_INPUT", "") if isinstance(values, list) else []
