"""What an adapter of a broker is given, what it must do, and what it raises."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.brokers.settings import Subscription
from sources.events import Message


class BrokerDown(Exception):
    """The broker is away, or does not let us do what is needed: it is tried again later."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a broker gives: the raw body, its headers by lower-case name, and an id that stays the same when it comes again.

    ``place`` says for people where it was: the topic.
    """

    place: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None


async def _nothing() -> None:
    """Nothing needs to be said."""


class Desk(Protocol):
    """Takes what a broker gives to the intake. Both return only once everything is durable, however long that takes."""

    async def take(self, deliveries: Sequence[Delivery], alive: Callable[[], Awaitable[None]] = ...) -> None:
        """Take deliveries in, in their order; ``alive`` is called now and then while it takes long."""
        ...

    async def told(self, messages: Sequence[Message]) -> None:
        """Take in messages that the adapter read itself, in their order."""
        ...

    async def refuse(self, message: Message, reason: str) -> None:
        """Park something for people."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """One subscription as an adapter works at it. Secrets are resolved."""

    subscription: Subscription
    desk: Desk
    up: Callable[[], None]
    """To be called once messages can come."""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


Consume = Callable[[Link], Awaitable[None]]
"""Consumes until it is cancelled. Raises BrokerDown where the connection cannot be had or is lost."""


def headers_with_type(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a message as HTTP would have them: CloudEvents' bindings differ in a prefix; plain ones are JSON."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        found["ce-" + lower[3:] if lower.startswith("ce_") else lower] = value
    found.setdefault("content-type", "application/json")
    return found
