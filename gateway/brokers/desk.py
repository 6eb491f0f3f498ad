"""From what a broker gives to what the intake takes. What is no message is parked, so that it holds up nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from gateway.brokers.link import Delivery
from gateway.brokers.settings import Subscription
from gateway.events.envelopes import messages_of
from gateway.events.intake import Intake
from gateway.events.log import EventLogDown
from gateway.events.sorting import UNREADABLE
from gateway.request import HttpRefusal
from sources.events import Message

SHORTEST, LONGEST = 0.1, 10.0
"""Seconds between two tries while the event log takes nothing."""
ALIVE = 2.0
"""Seconds after which the broker is told again that the work goes on."""
LONGEST_CUT = 65_536
"""Bytes that are kept of a message which is too large."""

log = structlog.get_logger("crossdock.brokers")


async def nothing() -> None:
    """Nobody needs to be told that the work goes on."""


class IntakeDesk:
    """The desk of one subscription."""

    def __init__(self, intake: Intake, subscription: Subscription) -> None:
        self._intake, self._system, self._use = intake, subscription.system, subscription.use

    async def take(
        self, deliveries: Sequence[Delivery], alive: Callable[[], Awaitable[None]] = nothing
    ) -> None:
        """Deliveries in their order; those between two unreadable ones go in together."""
        good: list[Message] = []
        for one in deliveries:
            try:
                good += self._read(one)
            except HttpRefusal as error:
                await self.told(good, alive)
                good = []
                body = one.body[:LONGEST_CUT].decode("utf-8", "replace")
                await self.refuse(Message(body, one.id), f"{UNREADABLE}: {one.place[:200]}: {error}", alive)
        await self.told(good, alive)

    async def told(self, messages: Sequence[Message], alive: Callable[[], Awaitable[None]] = nothing) -> None:
        """Messages in their order. One that the intake fails at is parked alone: a fault of ours must not stop the line."""
        if not messages:
            return
        try:
            await self._insist(lambda: self._intake.take(self._system, messages), alive)
        except Exception as error:
            if len(messages) > 1:
                for message in messages:
                    await self.told([message], alive)
                return
            log.exception("a message could not be taken in", system=self._system)
            await self.refuse(messages[0], f"{UNREADABLE}: {type(error).__name__}: {error}", alive)

    async def refuse(
        self, message: Message, reason: str, alive: Callable[[], Awaitable[None]] = nothing
    ) -> None:
        """Park a message for people."""
        await self._insist(lambda: self._intake.refuse(self._system, message, reason), alive)

    def _read(self, one: Delivery) -> list[Message]:
        if len(one.body) > self._use.max_body_bytes:
            raise HttpRefusal(
                f"{len(one.body)} bytes are more than max_body_bytes.", code="REQUEST_TOO_LARGE"
            )
        headers = dict(one.headers)
        name = (self._use.id_header or "webhook-id").lower()
        if one.id is not None:
            headers.setdefault(name, one.id)
        return messages_of(headers, one.body, most=self._use.max_messages, id_header=name)

    async def _insist(
        self, work: Callable[[], Awaitable[object]], alive: Callable[[], Awaitable[None]]
    ) -> None:
        """Do it until the log takes it: what was delivered waits here, and is neither lost nor overtaken."""
        wait, said = SHORTEST, False
        while True:
            try:
                await _telling(work(), alive)
            except EventLogDown as error:
                if not said:
                    log.warning(
                        "messages of a broker wait for the event log", system=self._system, reason=str(error)
                    )
                said = True
                await _telling(asyncio.sleep(wait), alive)
                wait = min(wait * 2, LONGEST)
                continue
            if said:
                log.info("messages of a broker are taken in again", system=self._system)
            return


async def _telling(work: Awaitable[object], alive: Callable[[], Awaitable[None]]) -> None:
    """Wait for something, saying every while that we live."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=ALIVE))[0]:
            await alive()
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
