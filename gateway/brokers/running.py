"""The subscriptions of all systems, for as long as the gateway runs: connected, lost, connected again."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import structlog

from gateway.brokers.desk import IntakeDesk
from gateway.brokers.link import BrokerDown, Consume, Link
from gateway.brokers.locks import alone
from gateway.brokers.settings import BrokerConfig, Subscription, subscriptions_of
from gateway.events.intake import Intake
from schema.errors import ConfigError
from sources.settings import SystemConfig

SHORTEST, LONGEST = 0.2, 30.0
"""Seconds between two tries to reach a broker."""

log = structlog.get_logger("crossdock.brokers")


class Brokers:
    """All subscriptions. ``folder`` is where the locks of this machine are.

    Raises ConfigError where an extra is not installed, a secret cannot be had, or a file of TLS cannot be used.
    """

    def __init__(
        self,
        brokers: Mapping[str, BrokerConfig],
        systems: Mapping[str, SystemConfig],
        intake: Intake,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder
        self._all = [_Keeping(one, intake) for one in subscriptions_of(brokers, systems)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Consume for as long as the application runs, inside the life of the intake."""
        tasks = [asyncio.create_task(one.keep(self._folder)) for one in self._all]
        try:
            yield
        finally:
            await _ended(tasks)


class _Keeping:
    """One subscription, kept up."""

    def __init__(self, subscription: Subscription, intake: Intake) -> None:
        broker, use = subscription.broker, subscription.use
        self._said: dict[str, str] = {"system": subscription.system, "broker": use.name}
        self._subscription = subscription
        self._consume = adapter(broker.type)
        if broker.secure:
            broker.tls.context()  # found at the start, not at the first message
        password = None if broker.password is None else broker.password.resolve()
        token = None if broker.token is None else broker.token.resolve()
        self._link = Link(subscription, IntakeDesk(intake, subscription), self._up, password, token)
        self._state: bool | None = None

    async def keep(self, folder: Path | None) -> None:
        """For ever."""
        one = self._subscription
        async with alone(one.broker.url, one.durable, folder=folder):
            wait = SHORTEST
            while True:
                self._is_up = False
                try:
                    await self._consume(self._link)
                    reason = "the subscription ended"
                except BrokerDown as error:
                    reason = str(error)
                except asyncio.CancelledError:
                    # A client may cancel what it waits for itself; only who ended us ends the subscription.
                    if (task := asyncio.current_task()) is None or task.cancelling():
                        raise
                    reason = "the client gave up"
                except Exception as error:
                    log.exception("a subscription failed", **self._said)
                    reason = type(error).__name__
                wait = SHORTEST if self._is_up else min(wait * 2, LONGEST)
                self._down(reason)
                await asyncio.sleep(wait)

    def _up(self) -> None:
        self._is_up = True
        if self._state is not True:
            self._state = True
            log.info("a broker is connected", **self._said)

    def _down(self, reason: str) -> None:
        if self._state is not False:
            self._state = False
            log.warning("a broker is away and is tried again", reason=reason, **self._said)

    _is_up = False


def adapter(type: str) -> Consume:
    """The adapter of a type of broker. Raises ConfigError where its extra is not installed."""
    try:
        found: Consume = import_module(f"gateway.brokers.{type}").consume
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a broker of type {type} needs a package that is not installed: {error.name}",
            hint=f"pip install 'crossdock[{type}]'",
        ) from error
    return found


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
