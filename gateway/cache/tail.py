"""The one who listens: invalidations of other gateways as they come, and the proof that none was missed.

Every message in the stream has a number. They are counted in Redis within an epoch: a random name and the id of this
life of Redis (``run_id``), made anew when Redis was emptied or started again, for whatever it writes to its disk, its
last words may be lost. Same epoch and no gap in the numbers: nothing was missed. Otherwise one cannot know, and
everything read up to now is told.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import msgspec
from redis.exceptions import RedisError

from gateway.cache.link import Link
from gateway.cache.scripts import ARRIVE
from gateway.cache.store import Heard, Invalidation
from sources.base import Written

log = logging.getLogger("crossdock.cache")

BLOCK = 1.0
"""Seconds for which Redis holds the question for news open."""
BATCH = 500
LOOKS = 5
"""Looks at Redis' clock when it was just reached."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Names in Redis, for one namespace."""

    namespace: str

    def of(self, kind: str, rest: str = "") -> str:
        """A key, or what keys of a kind begin with."""
        return f"cd:{self.namespace}:{kind}{rest}"

    @property
    def floor(self) -> str:
        """Nothing that was read at or before this instant counts."""
        return self.of("floor")

    @property
    def stream(self) -> str:
        """The invalidations, one after the other."""
        return self.of("stream")

    @property
    def told(self) -> list[str]:
        """The stream with what proves it whole: epoch and count."""
        return [self.stream, self.of("epoch"), self.of("count")]

    @property
    def state(self) -> list[str]:
        """All that is there from the first arrival on."""
        return [self.floor, self.of("epoch"), self.of("count"), self.stream]


class Message(msgspec.Struct, array_like=True):
    """An invalidation as it travels. Instants are microseconds of Redis' time."""

    origin: str
    at: int
    tags: tuple[str, ...]
    written: Written | None = None
    written_at: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """How far one has heard: in which epoch, how many messages, and the id of the last one."""

    epoch: str
    count: int
    last: str


NOWHERE = Position("", 0, "0-0")
"""Whatever epoch comes next is another one."""


class Tail:
    """Follows the stream of a namespace and says what it hears; reopens the link when Redis is back.

    ``flush`` sends what could not be sent, before anybody asks a Redis that was away.
    """

    def __init__(self, link: Link, keys: Keys, heard: Heard, flush: Callable[[], Any]) -> None:
        self.origin = uuid4().hex
        self._link = link
        self._keys = keys
        self._heard = heard
        self._flush = flush
        self._position: Position | None = None
        self._decode = msgspec.msgpack.Decoder(Message).decode

    def message(self, invalidation: Invalidation) -> bytes:
        """An invalidation of ours for the others."""
        link, written = self._link, invalidation.written
        written_at = 0 if written is None else link.at_latest(written.at)
        at = link.at_latest(invalidation.at)
        return msgspec.msgpack.encode(Message(self.origin, at, invalidation.tags, written, written_at))

    async def start(self) -> None:
        """Try once to reach Redis, so that the first request finds it. What is heard counts from here."""
        try:
            await self._greet()
        except (RedisError, OSError) as error:
            self._link.failed(error)
            # What happens until Redis is reached goes unheard.
            self._position = NOWHERE

    async def follow(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                self._link.failed(error)
                await self._link.reset()
                await asyncio.sleep(self._link.pause)
            except Exception:
                log.exception(
                    "the stream of invalidations cannot be followed; everything read so far is let go"
                )
                self._everything()
                await asyncio.sleep(self._link.pause)

    async def arrive(self) -> Position:
        """Where the stream stands now. Makes what is missing in a Redis that is new or was emptied."""
        loop, clock = asyncio.get_running_loop(), self._link.clock
        began, before = loop.time(), clock()
        now, epoch, count, last = await self._link.run_aside(ARRIVE, self._keys.state, uuid4().hex)
        self._link.measured(int(now), before, loop.time() - began)
        return Position(epoch.decode(), int(count), last.decode())

    async def _greet(self) -> Position:
        """Arrive, notice a new epoch, and open the link."""
        position = await self.arrive()
        if not self._link.up:
            for _ in range(LOOKS):
                position = await self.arrive()
        if self._position is None:
            self._position = position
        elif position.epoch != self._position.epoch:
            self._position = position
            self._everything()
        if not self._link.up:
            await self._link.renew()
        await self._flush()
        # Nothing is awaited in between: whatever is invalidated from here on goes to Redis itself.
        self._link.back()
        return position

    async def _listen(self) -> None:
        """Hear what is new, or that nothing is for a while."""
        there = await self._greet()
        here = self._position or there
        # While the link is closed there is something else to look after soon.
        wait = BLOCK if self._link.up else BLOCK / 10
        command = (
            "XREAD",
            "COUNT",
            BATCH,
            "BLOCK",
            int(wait * 1000),
            "STREAMS",
            self._keys.stream,
            here.last,
        )
        found = await self._link.aside(*command, wait=wait)
        messages = [entry for entries in (found or {}).values() for entry in entries]
        if not messages and here.count < there.count:
            # They were counted and are gone.
            self._position = there
            self._everything()
        for id, fields in messages:
            self._hear(id.decode(), fields)

    def _hear(self, id: str, fields: dict[bytes, bytes]) -> None:
        here = self._position
        if here is None:
            raise AssertionError("nobody listens before having arrived")
        count, epoch = int(fields[b"n"]), fields[b"e"].decode()
        whole = count == here.count + 1 and here.epoch == epoch
        self._position = replace(here, count=count, last=id)
        if not whole:
            self._everything()
        else:
            self._tell(fields[b"m"])

    def _tell(self, data: bytes) -> None:
        try:
            message = self._decode(data)
        except msgspec.MsgspecError:
            # A newer gateway says something that we do not understand yet.
            self._everything()
            return
        if message.origin == self.origin:
            return
        shift, written = self._link.shift_latest, message.written
        if written is not None:
            written = replace(written, at=message.written_at * 1e-6 - shift)
        self._heard(Invalidation(message.tags, message.at * 1e-6 - shift, written))

    def _everything(self) -> None:
        self._heard(Invalidation((), self._link.clock()))
