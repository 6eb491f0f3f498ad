"""Leases: of all workers that want the same key, one asks the system, and the others take what it put in the store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from gateway.cache.flights import Flight, Pair
from gateway.cache.store import Shelf, Store
from sources.base import Lane

FIRST_LOOK, LONGEST_LOOK = 0.004, 0.05
"""Bounds in seconds of the wait between two looks for what another worker reads."""

Live = Callable[[Flight, Sequence[str]], Awaitable[None]]
Look = Callable[[Flight, Sequence[str]], Awaitable[list[Pair]]]


class Leases:
    """Who reads what, among all workers. A lease ends by itself after the system's own time limit."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds + 0.5

    async def through(
        self, flight: Flight, shelf: Shelf, keys: Sequence[str], live: Live, look: Look
    ) -> None:
        """Fill a flight: ``live`` reads the keys whose lease is ours, the others are ``look``ed for in the store."""
        wait = FIRST_LOOK
        pending = list(keys)
        while pending and time.monotonic() < flight.deadline:
            held = await self._store.claim([(shelf, key) for key in pending], self._seconds)
            strictest = max(flight.fresh.values())
            ours = [key for key, since in zip(pending, held, strict=True) if since is None]
            # What another began to read too early for us will not do: we read it as well.
            early = [
                key
                for key, since in zip(pending, held, strict=True)
                if since is not None and since < strictest
            ]
            pending = [key for key in pending if key not in {*ours, *early}]
            if ours or early:
                await self._read(flight, shelf, [*ours, *early], ours, live)
            if not pending:
                return
            if flight.lane is Lane.BACKGROUND and not ours:
                return  # Another worker is at it already, and nobody waits here.
            await asyncio.sleep(wait)
            wait = min(LONGEST_LOOK, wait * 2)
            missing = {key for _, key in await look(flight, pending)}
            pending = [key for key in pending if key in missing]

    async def _read(
        self, flight: Flight, shelf: Shelf, keys: Sequence[str], ours: Sequence[str], live: Live
    ) -> None:
        try:
            await live(flight, keys)
        finally:
            if ours:
                await self._store.release([(shelf, key) for key in ours])
