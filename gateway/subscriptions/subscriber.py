"""One subscriber: what waits for it, bounded, and how it ends."""

import asyncio
from collections import deque
from typing import Protocol

from gateway.events.log import Position, to_cursor
from gateway.subscribing import Payload, SubscriptionEnded
from gateway.subscriptions.settings import SubscriptionSettings
from gateway.subscriptions.standing import Standing

SLOW = "Messages came faster than they were taken; none was left out before the cursor."
SLOW_HINT = "Subscribe again after the cursor; take messages faster, or select less."


class Place(Protocol):
    """Where a subscriber has joined."""

    def leave(self, subscriber: "Subscriber") -> None:
        """Nobody waits there any more."""
        ...


class Subscriber:
    """``cursor`` is that of the last message taken; ``since`` is where the live part begins."""

    def __init__(self, standing: Standing, limits: SubscriptionSettings) -> None:
        self.standing = standing
        self.rights = standing.rights()
        self.cursor: str | None = None
        self.since: Position | None = None
        self.place: Place | None = None
        self.ended: SubscriptionEnded | None = None
        self._limits = limits
        self._queue: deque[Payload] = deque()
        self._bytes = 0
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._queue)

    def expire(self, seconds: float) -> None:
        """End after so many seconds, when the credentials do."""
        ended = SubscriptionEnded(
            "The credentials of this subscription have expired.",
            code="CREDENTIALS_EXPIRED",
            hint="Subscribe again after the cursor with new credentials.",
        )
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, seconds), self.end, ended)

    def joined(self, place: Place, since: Position) -> None:
        """From here on messages are put; they go on after ``since``."""
        self.place, self.since = place, since
        self.cursor = to_cursor(since)

    def put(self, payload: Payload) -> None:
        """Let a message wait; where too much waits already the subscription ends."""
        if self.ended is not None:
            return
        self._bytes += len(payload.body)
        if len(self._queue) >= self._limits.queue_messages or self._bytes > self._limits.queue_bytes:
            self.end(SubscriptionEnded(SLOW, code="EVENTS_GAP", hint=SLOW_HINT))
            return
        self._queue.append(payload)
        self._wake()

    def end(self, ended: SubscriptionEnded) -> None:
        """End it; what waits is let go, as the cursor says where to go on."""
        if self.ended is not None:
            return
        self.ended = ended
        self._queue.clear()
        self._bytes = 0
        self.close()
        self._wake()

    def close(self) -> None:
        """Leave, and give back what is held."""
        if self._timer is not None:
            self._timer.cancel()
        place, self.place = self.place, None
        if place is not None:
            place.leave(self)

    def allowed(self) -> bool:
        """Whether it may be told something now. This is where rights are looked at, for every message: where they are
        no longer those it began with, it ends.
        """
        if self.ended is None and self.standing.rights() != self.rights:
            told = "What you may see has changed."
            self.end(SubscriptionEnded(told, code="RIGHTS_CHANGED", hint="Subscribe again."))
        return self.ended is None

    def check(self) -> None:
        """Raise SubscriptionEnded where it has ended, or may be told nothing any more."""
        if not self.allowed():
            raise self._over()

    async def next(self) -> Payload:
        """The next message. Raises SubscriptionEnded."""
        while not self._queue:
            if self.ended is not None:
                raise self._over()
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        payload = self._queue.popleft()
        self._bytes -= len(payload.body)
        return payload

    def took(self, payload: Payload) -> None:
        """Remember how far the subscriber has come."""
        if payload.cursor is not None:
            self.cursor = payload.cursor

    def _over(self) -> SubscriptionEnded:
        """The end, with the cursor as it is now: what was taken meanwhile is not told again."""
        ended = self.ended or SubscriptionEnded("It is over.")
        if ended.cursor is None:
            ended.cursor = self.cursor
        return ended

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
