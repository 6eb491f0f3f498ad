"""Who is here for longer: every open socket and stream, counted, and told when it must end."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from gateway.request import HttpRefusal
from gateway.subscribing import SubscriptionEnded
from gateway.transports.settings import StreamSettings


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody may come in: for so many seconds (None: as long as they like). ``said`` goes into ``connection_ack``."""

    expires_in: float | None = None
    said: dict[str, Any] | None = None


class NotAdmitted(Exception):
    """Who asks may not come in. The message is shown to the client."""


class Doorkeeper(Protocol):
    """Whoever decides who may open a stream."""

    async def admit(self, connection: HTTPConnection, payload: dict[str, Any] | None) -> Admission:
        """Let somebody in, or raise NotAdmitted.

        ``payload`` is that of ``connection_init``, None where there is none and for streams over HTTP. What is noted in
        the connection's scope is in the scope of each of its operations.
        """
        ...


class Everybody:
    """No door: whoever reaches the gateway may come in, and stay."""

    async def admit(self, connection: HTTPConnection, payload: dict[str, Any] | None) -> Admission:
        """Let anybody in."""
        return Admission()


class Visit:
    """One open socket or stream; ``ended`` is done once the gateway ends it, and says why."""

    __slots__ = ("_timer", "ended")

    def __init__(self) -> None:
        self.ended: asyncio.Future[SubscriptionEnded] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None

    def end(self, reason: SubscriptionEnded) -> None:
        """Say that it must end; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def expire(self, admission: Admission) -> None:
        """End it when the credentials it was opened with are no longer good."""
        if admission.expires_in is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, admission.expires_in), self.end, expired())

    def close(self) -> None:
        """It has ended."""
        if self._timer is not None:
            self._timer.cancel()


class Visits:
    """All sockets and streams of a process. Used inside one running loop; ``rng`` is between 0 and 1."""

    def __init__(
        self, settings: StreamSettings | None = None, rng: Callable[[], float] = random.random
    ) -> None:
        self.settings = settings or StreamSettings()
        self.draining = False
        self._rng = rng
        self._open: set[Visit] = set()
        self._clients: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    @contextmanager
    def enter(self, client: Hashable) -> Iterator[Visit]:
        """A visit for as long as the context lasts; raises HttpRefusal where there is no room for it."""
        self._check(client)
        visit = Visit()
        self._open.add(visit)
        self._clients[client] += 1
        try:
            yield visit
        finally:
            visit.close()
            self._open.discard(visit)
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def drain(self) -> None:
        """End all of them and let no more in: the gateway shuts down. Every connection says so, once is enough."""
        if self.draining:
            return
        self.draining = True
        for visit in list(self._open):
            visit.end(stopping(self.retry_after * (1 + self._rng())))

    @property
    def retry_after(self) -> float:
        """Seconds after which a client may come back."""
        return self.settings.retry_after_ms / 1000

    def _check(self, client: Hashable) -> None:
        most, each = self.settings.max_streams, self.settings.max_streams_per_client
        if self.draining:
            raise self._no_room("The gateway is stopping.", HTTPStatus.SERVICE_UNAVAILABLE)
        if len(self._open) >= most:
            raise self._no_room(f"There are {most} streams already.", HTTPStatus.SERVICE_UNAVAILABLE)
        if each and self._clients[client] >= each:
            raise self._no_room(
                f"There are {each} streams from your address already.", HTTPStatus.TOO_MANY_REQUESTS
            )

    def _no_room(self, message: str, status: HTTPStatus) -> HttpRefusal:
        after = str(max(1, round(self.retry_after)))
        return HttpRefusal(message, status=status, code="TOO_MANY_STREAMS", headers={"Retry-After": after})


def expired() -> SubscriptionEnded:
    """Why a stream ends whose credentials have expired."""
    return SubscriptionEnded(
        "The credentials of this stream have expired.",
        code="CREDENTIALS_EXPIRED",
        hint="Come back with new ones.",
    )


def stopping(retry_after: float) -> SubscriptionEnded:
    """Why all streams end when the gateway does. Each is told another moment, so that not all come back at once."""
    hint = "Subscribe again after the cursor, once the seconds are over."
    return SubscriptionEnded("The gateway is stopping.", retry_after=round(retry_after, 3), hint=hint)


def client_of(connection: HTTPConnection) -> str:
    """Whose stream it is, as far as anybody knows: the address it comes from."""
    return connection.client.host if connection.client is not None else ""
