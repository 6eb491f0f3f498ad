"""L2: entries in a Redis that all workers share. A few round trips a batch, and no request ever fails for want of it.

Under ``cd:<namespace>:`` stand entries (``e:<shelf>:<key>``), marks (``i:<tag>``: what speaks of the tag counts only
if it was read later), claims (``c:<shelf>:<key>``), a ``floor`` (a mark on everything) and the stream of invalidations
with its count and epoch. An entry counts if it was read after all its marks and the floor: so an answer that was on
its way when its subject was invalidated does not count either, whenever it lands. Without a floor nothing counts:
a Redis that was emptied has lost its marks too. One that was started again may have lost the last of them, whatever it
writes to its disk, so L2 is cold after every start of Redis.

All instants in Redis are in Redis' own time, rounded to the safe side by what the measurement may be wrong.

Redis should keep keys with a lifetime until it ends; where memory is bounded, ``maxmemory-policy volatile-ttl`` lets go
of marks last, because they live longest. One Redis, not a cluster: a batch is one command.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import uuid4

import msgspec
from redis.exceptions import RedisError

from gateway.cache.codec import UNWRITABLE, Codec, codec
from gateway.cache.link import Link, Unreachable
from gateway.cache.scripts import CLAIM, INVALIDATE, PUT, RELEASE
from gateway.cache.store import Entry, Heard, Invalidation, Place, Shelf
from gateway.cache.tail import Keys, Tail
from schema.errors import ConfigError

NAMESPACE = re.compile(r"[\w.{}-]+", re.ASCII)
STREAM = 10_000
"""About so many invalidations are kept for those who were away."""
UNSENT = 1_000
"""More invalidations than that during an outage become one of everything."""
SLACK = 60.0
"""Seconds by which a mark outlives whatever it speaks of."""
_shelf_of = itemgetter(0)


def _bytes(key: str) -> bytes:
    """A key as it travels: redis-py would find out anew for each that it is a text."""
    return key.encode("utf-8", "surrogatepass")


def _nobody(invalidation: Invalidation) -> None:
    """Nobody listens."""


def _sayable(invalidation: Invalidation) -> Invalidation:
    """What can be sent: where a name in it is no text, everything is meant."""
    try:
        msgspec.msgpack.encode((invalidation.tags, invalidation.written))
    except UNWRITABLE:
        return Invalidation((), invalidation.at)
    return invalidation


class RedisStore:
    """The store behind ``url``. ``heard`` is told every invalidation, our own at once.

    ``namespace`` keeps gateways apart that share a Redis; ``longest`` bounds the life of an entry, in seconds;
    ``timeout`` is how long a call may take, ``pause`` how long Redis is left alone after it failed. ``clock`` is this
    machine's time.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "crossdock",
        heard: Heard = _nobody,
        longest: float = 86_400.0,
        timeout: float = 0.25,
        pause: float = 1.0,
        connections: int = 32,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not NAMESPACE.fullmatch(namespace):
            raise ConfigError(
                f"the namespace in Redis cannot be {namespace!r}", hint="use letters, digits, . _ - only"
            )
        self._link = Link(url, timeout=timeout, connections=connections, pause=pause, clock=clock)
        self._keys = Keys(namespace)
        self._tail = Tail(self._link, self._keys, heard, self._flush)
        self._heard = heard
        self._clock = clock
        self._longest = longest
        self._owner = uuid4().hex
        self._shelves: dict[str, tuple[str, str, Codec]] = {}
        self._unsent: list[Invalidation] = []
        self._listening: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether Redis is in use; where not, nothing is found and nothing kept."""
        return self._link.up

    async def open(self) -> None:
        """Reach Redis if it is there, and follow it from now on."""
        await self._tail.start()
        self._listening = asyncio.get_running_loop().create_task(self._tail.follow(), name="redis tail")

    async def close(self) -> None:
        """Give back connections and the task that listens."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._link.close()

    async def get(self, places: Sequence[Place]) -> list[Entry | None]:
        """One MGET for the entries, one for the marks on what came back."""
        if not places:
            return []
        try:
            return await self._valid(places)
        except Unreachable:
            return [None] * len(places)

    async def put(self, entries: Sequence[tuple[Place, Entry, float]]) -> None:
        """All in one script. What has outlived its time already, or cannot be written as bytes, is left out."""
        now, link = self._clock(), self._link
        keys: list[str] = []
        values: list[bytes | int] = []
        if not link.up:
            return
        for (shelf, key), entry, seconds in entries:
            lives = min(seconds, self._longest) + entry.read_at - now
            if lives > 0.001:
                place, _, kept = self._shelf(shelf)
                with suppress(*UNWRITABLE):
                    values += kept.data(entry, link.at_earliest(entry.read_at)), int(lives * 1000)
                    keys.append(place + key)
        await self._do(PUT, keys, *values)

    async def invalidate(self, invalidation: Invalidation) -> None:
        """Tell ourselves at once and all others through Redis; if it is away, as soon as it is back."""
        self._heard(invalidation)
        invalidation = _sayable(invalidation)
        if self._link.up:
            try:
                if await self._link.run(INVALIDATE, *self._marking(invalidation)):
                    return
                await self._tail.arrive()
                await self._link.run(INVALIDATE, *self._marking(invalidation))
                return
            except (Unreachable, RedisError, OSError):
                pass
        self._unsent.append(invalidation)
        if len(self._unsent) > UNSENT:
            self._unsent = [Invalidation((), self._clock())]

    async def claim(self, places: Sequence[Place], seconds: float) -> list[float | None]:
        """All in one script; without Redis everything is ours."""
        try:
            at = self._link.at_earliest(self._clock())
            found = await self._do(CLAIM, self._claims(places), at, self._owner, int(seconds * 1000))
            shift = self._link.shift
        except Unreachable:
            return [None] * len(places)
        return [
            None if since is None else int(since) * 1e-6 - shift for since in found or [None] * len(places)
        ]

    async def release(self, places: Sequence[Place]) -> None:
        """All in one script; those of others stay."""
        await self._do(RELEASE, self._claims(places), self._owner)

    async def _do(self, script: Any, keys: list[str], *arguments: Any) -> Any:
        """Run a script over some keys; None where there are none or Redis does not answer."""
        if not keys:
            return None
        try:
            return await self._link.run(script, keys, *arguments)
        except Unreachable:
            return None

    def _shelf(self, shelf: Shelf) -> tuple[str, str, Codec]:
        """What keys of entries and of claims on a shelf begin with, and how its cells are read.

        The classes' fingerprint is part of it: releases with other classes do not read each other's bytes.
        """
        known = self._shelves.get(shelf.name)
        if known is None:
            kept = codec(shelf.type)
            # Without a colon in the name, no key on one shelf can look like a key on another.
            name = f":{shelf.name.replace('%', '%25').replace(':', '%3A')}.{kept.fingerprint}:"
            known = self._keys.of("e", name), self._keys.of("c", name), kept
            self._shelves[shelf.name] = known
        return known

    def _claims(self, places: Sequence[Place]) -> list[str]:
        return [self._shelf(shelf)[1] + key for shelf, key in places]

    async def _valid(self, places: Sequence[Place]) -> list[Entry | None]:
        runs: list[tuple[Codec, int]] = []
        keys = [_bytes(self._keys.floor)]
        for shelf, run in groupby(places, _shelf_of):
            begins, _, kept = self._shelf(shelf)
            before = len(keys)
            keys += [_bytes(begins + key) for _, key in run]
            runs.append((kept, len(keys) - before))
        floor, *found = await self._link.ask("MGET", *keys)
        if floor is None or not any(found):
            return [None] * len(places)
        entries: list[Entry | None] = []
        shift = self._link.shift
        for kept, count in runs:
            entries += kept.entries(found[len(entries) : len(entries) + count], shift)
        return await self._after_marks(entries, int(floor), shift)

    async def _after_marks(self, entries: list[Entry | None], floor: int, shift: float) -> list[Entry | None]:
        lowest = floor * 1e-6 - shift
        tags = list({tag for entry in entries if entry is not None for tag in entry.tags})
        marks: dict[str, float] = {}
        if tags:
            begins = self._keys.of("i", ":")
            found = await self._link.ask("MGET", *[_bytes(begins + tag) for tag in tags])
            marks = {
                tag: int(at) * 1e-6 - shift for tag, at in zip(tags, found, strict=True) if at is not None
            }
        if not marks:
            return [entry if entry is not None and entry.read_at > lowest else None for entry in entries]
        return [
            entry
            if entry is not None
            and entry.read_at > max([lowest, *[marks[tag] for tag in entry.tags if tag in marks]])
            else None
            for entry in entries
        ]

    def _marking(self, invalidation: Invalidation) -> tuple[Any, ...]:
        """The keys and arguments that leave the marks of an invalidation and tell the others."""
        keys = self._keys
        marks = [keys.of("i", f":{tag}") for tag in invalidation.tags]
        at, lives = self._link.at_latest(invalidation.at), int((self._longest + SLACK) * 1000)
        message = self._tail.message(invalidation)
        return [*keys.told, *(marks or [keys.floor])], at, lives if marks else 0, STREAM, message

    async def _flush(self) -> None:
        """Redis is back: what was invalidated meanwhile, before anybody reads there again."""
        while self._unsent:
            await self._link.run_aside(INVALIDATE, *self._marking(self._unsent[0]))
            self._unsent.pop(0)
