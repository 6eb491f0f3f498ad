"""Policy around every call of one system: deadline, concurrency, retry, throttle, breaker, and what is logged.

A call waits for a free slot, for its answer and between its tries, never past its deadline. What comes out is a bundle
of the promised shape or a ``SourceError``, whatever the adapter did.

- The breaker counts attempts that found no connection, a server error or no answer. A refusal (4xx) or a payload that
  cannot be mapped is an answer. A timeout counts only where the attempt had at least half of the system's own
  ``timeout_ms``: a client in a hurry must not cut off the system for everyone.
- A slot is held while an attempt runs, not while it waits for the next.
- After "too many requests" with a time, nothing is sent until it is over.
- An outage is one line when the circuit opens and one when the system answers again; a refusal one line per read.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from schema.base import CircuitState
from schema.errors import (
    MappingError,
    SourceError,
    SourceForbidden,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources import breaker, shape
from sources.base import Batch, Bundle, Page, Query, Read, Search, SystemConfig
from sources.breaker import Permit

T = TypeVar("T")

log = logging.getLogger("crossdock.sources")

FIRST_DELAY = 0.05
LONGEST_DELAY = 1.0
"""Bounds in seconds of the random wait before a further try; it doubles from one try to the next."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a system looks from here. ``since`` is the beginning of the present trouble, None when there is none."""

    healthy: bool
    circuit: CircuitState
    last_contact_at: datetime | None = None
    last_good_at: datetime | None = None
    since: datetime | None = None
    lag_seconds: int | None = None
    clock_skew_ms: int | None = None


class Guard:
    """Policy around one system. ``clock``, ``sleep``, ``rng`` and ``now`` are seams for tests."""

    def __init__(
        self,
        config: SystemConfig,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.config = config
        self.code = config.code
        self._clock, self._sleep, self._rng, self._now = clock, sleep, rng, now
        self._timeout = config.timeout_ms / 1000
        self._slots = asyncio.Semaphore(config.concurrency)
        self._circuit = breaker.CLOSED
        self._throttled_until = 0.0
        self._down_since: float | None = None
        self._noted: set[tuple[str, str]] = set()
        self._last_contact_at: datetime | None = None
        self._last_good_at: datetime | None = None
        self._since: datetime | None = None

    async def read(self, read: Read, batch: Batch) -> Bundle:
        """Fetch the rows of some keys. No keys, no call. Raises ``SourceError``."""
        if not batch.keys:
            return {wanted: [] for wanted in batch.wants}

        async def fetch(limit: float) -> Bundle:
            bundle = await read.fetch(replace(batch, deadline=limit))
            self._checked(read, batch.wants, bundle, len(batch.keys))
            return bundle

        return await self._call(read.name, batch.deadline, fetch)

    async def search(self, search: Search, query: Query) -> Page:
        """Fetch a page of a list. Raises ``SourceError``."""

        async def fetch(limit: float) -> Page:
            page = await search.fetch(replace(query, deadline=limit))
            self._checked(search, query.wants, shape.rows_of(page), shape.size_of(page))
            return page

        return await self._call(search.name, query.deadline, fetch)

    def health(self) -> Health:
        """How the system looks from here, without asking it."""
        return Health(
            healthy=self._circuit.state is CircuitState.CLOSED and self._since is None,
            circuit=self._circuit.state,
            last_contact_at=self._last_contact_at,
            last_good_at=self._last_good_at,
            since=self._since,
        )

    async def _call(self, name: str, deadline: float, fetch: Callable[[float], Awaitable[T]]) -> T:
        limit = min(deadline, self._clock() + self._timeout)
        tries = 0
        while True:
            try:
                return await self._attempt(name, limit, fetch)
            except SourceError as error:
                delay = self._delay(error, tries)
                if delay is None or self._clock() + delay >= limit:
                    raise
            tries += 1
            await self._sleep(delay)

    def _delay(self, error: SourceError, tries: int) -> float | None:
        """Seconds until the next try, None when there is none: full jitter, on top of what the system asked for."""
        if not error.retryable or tries >= self.config.retries or isinstance(error, _FailFast):
            return None
        if self._circuit.state is not CircuitState.CLOSED:
            return None
        jitter: float = self._rng() * min(LONGEST_DELAY, FIRST_DELAY * 2.0**tries)
        return (error.retry_after or 0.0) + jitter

    async def _attempt(self, name: str, limit: float, fetch: Callable[[float], Awaitable[T]]) -> T:
        self._fail_fast()
        try:
            async with asyncio.timeout(limit - self._clock()):
                await self._slots.acquire()
        except TimeoutError:
            raise self._no_slot(name) from None
        try:
            self._fail_fast()
            self._circuit, permit = breaker.admit(self._circuit, self._clock())
            return await self._observed(name, limit, permit, fetch)
        finally:
            self._slots.release()

    async def _observed(
        self, name: str, limit: float, permit: Permit, fetch: Callable[[float], Awaitable[T]]
    ) -> T:
        """Run one attempt and learn from how it ends."""
        began = self._clock()
        try:
            if began >= limit:
                raise self._late(name, limit - began)
            result = await self._bounded(name, limit, fetch)
        except SourceError as error:
            self._learn(name, error, permit, began, limit)
            raise
        except BaseException:
            self._circuit = breaker.abandoned(self._circuit, permit, self._clock())
            raise
        self._good(name, permit)
        return result

    async def _bounded(self, name: str, limit: float, fetch: Callable[[float], Awaitable[T]]) -> T:
        """One attempt within its time; every exception becomes a ``SourceError``."""
        left = limit - self._clock()
        try:
            async with asyncio.timeout(left):
                return await fetch(limit)
        except SourceError:
            raise
        except TimeoutError:
            raise self._late(name, left) from None
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not this call was cancelled but something shared that the adapter waited for.
            raise self._unexpected(name, error) from error
        except OSError as error:
            raise SourceUnavailable(
                f"{self.code} could not be reached for {name} ({type(error).__name__})"
            ) from error
        except Exception as error:
            raise self._unexpected(name, error) from error

    def _learn(self, name: str, error: SourceError, permit: Permit, began: float, limit: float) -> None:
        now = self._clock()
        if isinstance(error, _Unexpected):
            self._circuit = breaker.abandoned(self._circuit, permit, now)
            return
        if isinstance(error, SourceUnavailable | SourceTimeout):
            if isinstance(error, SourceTimeout) and limit - began < self._timeout / 2:
                self._circuit = breaker.abandoned(self._circuit, permit, now)
                return
            self._since = self._since or self._now()
            before = self._circuit.state
            if began >= self._circuit.closed_at:
                rule = (self.config.breaker_failures, self.config.breaker_seconds)
                self._circuit = breaker.failed(self._circuit, permit, now, *rule)
            if before is CircuitState.CLOSED and self._circuit.state is CircuitState.OPEN:
                self._down(now, error)
            return
        self._contact(permit)
        if isinstance(error, SourceThrottled):
            self._since = self._since or self._now()
            self._throttled_until = max(self._throttled_until, now + (error.retry_after or 0.0))
        else:
            self._refused(name, error)

    def _good(self, name: str, permit: Permit) -> None:
        self._contact(permit)
        if self._circuit.state is CircuitState.CLOSED:
            self._since = None
        self._last_good_at = self._last_contact_at
        if (name, SourceForbidden.code) in self._noted:
            self._noted.discard((name, SourceForbidden.code))
            log.info("%s grants %s again", self.code, name, extra={"system": self.code, "read": name})

    def _contact(self, permit: Permit) -> None:
        """The system answered."""
        self._last_contact_at = self._now()
        self._circuit = breaker.answered(self._circuit, permit, self._clock())
        if self._down_since is not None and self._circuit.state is CircuitState.CLOSED:
            seconds = round(self._clock() - self._down_since, 1)
            self._down_since = None
            log.warning("%s is up again after %s s", self.code, seconds, extra={"system": self.code})

    def _down(self, now: float, error: SourceError) -> None:
        if self._down_since is None:
            self._down_since = now
            extra = {"system": self.code, "outcome": error.outcome.value}
            log.warning("%s is down: %s", self.code, error, extra=extra)

    def _refused(self, name: str, error: SourceError) -> None:
        if isinstance(error, SourceForbidden):
            self._since = self._since or self._now()
        if self._first((name, error.code)):
            extra = {"system": self.code, "read": name, "outcome": error.outcome.value}
            log.warning("%s does not give %s: %s", self.code, name, error, extra=extra)

    def _first(self, note: tuple[str, str]) -> bool:
        if note in self._noted:
            return False
        self._noted.add(note)
        return True

    def _fail_fast(self) -> None:
        """Raise when it is known that asking would be in vain."""
        now = self._clock()
        if now < self._throttled_until:
            left = self._throttled_until - now
            raise _StillThrottled(
                f"{self.code} asked for fewer requests; nothing is sent for another {left:.1f} s",
                retry_after=left,
            )
        if not breaker.allows(self._circuit, now):
            left = max(0.0, self._circuit.reopens_at - now)
            since = f" since {self._since:%H:%M:%S} UTC" if self._since else ""
            when = (
                f"it is asked again in {left:.1f} s"
                if left
                else "one request is finding out whether it is back"
            )
            raise _CircuitOpen(f"{self.code} is down{since}; {when}", retry_after=left)

    def _late(self, name: str, left: float) -> SourceTimeout:
        if left <= 0:
            return SourceTimeout(f"{self.code} was not asked for {name}: the deadline had passed")
        return SourceTimeout(f"{self.code} did not answer {name} within {left * 1000:.0f} ms")

    def _no_slot(self, name: str) -> SourceTimeout:
        return SourceTimeout(
            f"{self.code} was not asked for {name} in time: {self.config.concurrency} requests were running",
            hint=f"raise systems.{self.code}.concurrency if the system can take more",
        )

    def _checked(self, port: Read | Search, wants: frozenset[type], bundle: object, size: int) -> None:
        """Raise unless the answer has the promised shape."""
        wrong = shape.flaw(bundle, port.parts, wants, size)
        if wrong is not None:
            raise MappingError(f"{self.code}: {port.name} gave a wrong answer: {wrong}")

    def _unexpected(self, name: str, error: BaseException) -> SourceError:
        if isinstance(error, ExceptionGroup):
            known = error.subgroup(SourceError)
            if known is not None:
                return _leaf(known)
        if self._first((name, type(error).__qualname__)):
            extra = {"system": self.code, "read": name}
            log.error("%s: %s failed unexpectedly", self.code, name, extra=extra, exc_info=error)
        return _Unexpected(f"{self.code}: {name} failed unexpectedly", hint="see the log of the gateway")


class _FailFast(SourceError):
    """Nothing was sent."""


class _StillThrottled(SourceThrottled, _FailFast):
    """The time that the system asked for is not over."""


class _CircuitOpen(SourceUnavailable, _FailFast):
    """The circuit is open."""


class _Unexpected(SourceUnavailable):
    """An adapter raised what it should not: a mistake of ours, which tells nothing about the system."""

    retryable = False


def _leaf(group: BaseExceptionGroup[SourceError]) -> SourceError:
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first
