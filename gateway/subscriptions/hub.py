"""The hub: one tail of the event log for all subscriptions of the process. It runs while there is anybody."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from typing import cast

from gateway.events.log import EventLog, Logged, Position, ResyncRequired
from gateway.subscriptions.group import Teller
from gateway.subscriptions.room import Room
from gateway.subscriptions.subscriber import Subscriber
from schema.events import Event

log = logging.getLogger("crossdock.subscriptions")

Heard = Callable[[Event], None]
PAUSE = 0.5
"""Seconds until a log that failed is followed again."""


class Hub:
    """``position`` is how far the log has been followed; what came up to there has been shared out.

    ``heard`` is told every event first, so that whatever keeps values here lets go of what is older.
    """

    def __init__(self, events: EventLog, heard: Heard | None = None) -> None:
        self.events = events
        self.heard = heard
        self.position: Position | None = None
        self._rooms: dict[tuple[type, Hashable], Room] = {}
        self._following: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self._users = 0

    async def begin(self) -> None:
        """Follow the log, from its end where nobody does yet; to be matched by ``finish``. Raises EventLogDown."""
        self._users += 1
        try:
            async with self._beginning:
                if self._following is None:
                    self.position = await self.events.head()
                    self._following = asyncio.get_running_loop().create_task(self._follow(), name="hub")
        except BaseException:
            self._users -= 1
            raise

    def finish(self) -> None:
        """Nobody is left where all have finished: then the log is not followed any more."""
        self._users -= 1
        if not self._users and self._following is not None:
            self._following.cancel()
            self._following = None
            self._rooms.clear()

    def join(self, subscriber: Subscriber, likeness: Hashable, teller: Teller, since: Position) -> bool:
        """Let someone be told everything after a position; False where the hub is further, so that some would be lost."""
        position = self.position
        if position is None or position.epoch != since.epoch:
            raise ResyncRequired("The event log is another one now.", hint="Begin with the present state.")
        if position.sequence > since.sequence:
            return False
        place = (teller.topic.subject, subscriber.rights)
        room = self._rooms.get(place)
        if not room:
            room = self._rooms[place] = Room(teller.topic.subject, teller.context)
        room.group(likeness, teller).join(subscriber, since)
        return True

    def occur(self, batch: Sequence[Logged]) -> None:
        """Share events out."""
        for logged in batch:
            if self.heard is not None:
                self.heard(logged.event)
            for place, room in list(self._rooms.items()):
                if room:
                    room.occur(logged)
                else:
                    del self._rooms[place]
            self.position = logged.position

    async def _follow(self) -> None:
        while True:
            try:
                await self._on()
            except ResyncRequired as error:
                log.warning("the event log went on without us: %s", error)
                self._end_all(str(error), ResyncRequired.code)
                self.position = None
            except Exception:
                log.exception("the event log cannot be followed")
            await asyncio.sleep(PAUSE)

    async def _on(self) -> None:
        if self.position is None:
            self.position = await self.events.head()
        tail = cast("AsyncGenerator[Sequence[Logged], None]", self.events.tail(self.position))
        async with aclosing(tail) as batches:
            async for batch in batches:
                self.occur(batch)
                # A long batch is shared out, then everybody else has a turn.
                await asyncio.sleep(0)

    def _end_all(self, message: str, code: str) -> None:
        for room in list(self._rooms.values()):
            for group in room.groups:
                group.end(message, code, "Subscribe again without a cursor.")
