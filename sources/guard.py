"""Policy around every call of one system: deadline, lanes, rate, budgets, retry, throttle, breaker, and the log.

A call waits for a free slot and a turn, for its answer and between its tries, never past its deadline. What comes out is a bundle
of the promised shape or a ``SourceError``, whatever the adapter did.

- The breaker counts attempts that found no connection, a server error or no answer. A refusal (4xx) or a payload that
  cannot be mapped is an answer. A timeout counts only where one request had at least half of the system's own
  ``timeout_ms``: a client in a hurry must not cut off the system for everyone, nor one that asks for too much at once.
- A slot is held while an attempt runs, not while it waits for the next. Who gets it is the gate's (``sources.lanes``).
- Every attempt takes a turn of the rate and counts towards the budgets, and so does every further request that an
  adapter sends for it (``sources.passage``).
- After "too many requests" with a time, nothing is sent until it is over.
- What is said in the log, and how often, is the record's.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from schema.base import CircuitState
from schema.errors import (
    MappingError,
    SourceError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources import breaker, shape
from sources.base import Batch, Bundle, Lane, Page, Query, Read, Search
from sources.breaker import Permit
from sources.budgets import Budgets, BudgetSpent
from sources.lanes import Gate, NoTurn
from sources.passage import PASSAGE, Passage
from sources.rate import Bucket, OwnQuota, Quota
from sources.record import Record
from sources.settings import SystemConfig

T = TypeVar("T")

FIRST_DELAY = 0.05
LONGEST_DELAY = 1.0
"""Bounds in seconds of the random wait before a further try; it doubles from one try to the next."""

LONGEST_THROTTLE = 300.0
"""Seconds of silence at most, whatever a system asks for: a slip in a header must not cut it off for a year."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a system looks from here. ``since`` is the beginning of the present trouble, None when there is none.

    ``lag_seconds`` is how far our knowledge of the system is behind: 0 while it answers as it should, the time since
    its last good answer while it does not, None if it never gave one.
    """

    healthy: bool
    circuit: CircuitState
    last_contact_at: datetime | None = None
    last_good_at: datetime | None = None
    since: datetime | None = None
    lag_seconds: int | None = None
    clock_skew_ms: int | None = None


class Guard:
    """Policy around one system. ``clock``, ``sleep``, ``rng`` and ``now`` are seams for tests.

    ``quota`` is given where turns are shared with other processes; ``skew`` tells how far the system's clock is ahead.
    """

    def __init__(
        self,
        config: SystemConfig,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        quota: Quota | None = None,
        skew: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.config = config
        self.code = config.code
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self._timeout = config.timeout_ms / 1000
        shares = config.lanes.in_order()
        if quota is None and config.rate is not None:
            quota = OwnQuota(Bucket.of(config.rate, shares), clock)
        self._gate = Gate(config.concurrency, shares, quota, clock)
        self._circuit = breaker.CLOSED
        self._throttled_until = 0.0
        self._now, self._skew = now, skew
        self._record = Record(config.code, now)
        self._budgets = Budgets(config.budgets, now, self._record)

    async def read(self, read: Read, batch: Batch) -> Bundle:
        """Fetch the rows of some keys. No keys, no call. Raises ``SourceError``."""
        if not batch.keys:
            return {wanted: [] for wanted in batch.wants}
        batch.tally.calls += 1

        async def fetch(limit: float) -> Bundle:
            asked = Batch(batch.keys, batch.wants, limit, batch.scope, batch.lane, batch.need, batch.tally)
            bundle = await read.fetch(asked)
            self._checked(read, batch.wants, bundle, len(batch.keys))
            return bundle

        return await self._call(read.name, batch.lane, batch.deadline, fetch)

    async def search(self, search: Search, query: Query) -> Page:
        """Fetch a page of a list. Raises ``SourceError``."""
        query.tally.calls += 1

        async def fetch(limit: float) -> Page:
            page = await search.fetch(replace(query, deadline=limit))
            self._checked(search, query.wants, shape.rows_of(page), shape.size_of(page))
            return page

        return await self._call(search.name, query.lane, query.deadline, fetch)

    async def once(self, name: str, lane: Lane, deadline: float, call: Callable[[float], Awaitable[T]]) -> T:
        """One attempt at what must not be tried again by itself: a write. Raises ``SourceError``."""
        return await self._attempt(name, lane, min(deadline, self._clock() + self._timeout), call)

    def health(self) -> Health:
        """How the system looks from here, without asking it."""
        circuit, record = self._circuit.state, self._record
        healthy = circuit is CircuitState.CLOSED and record.since is None
        return Health(
            healthy=healthy,
            circuit=circuit,
            last_contact_at=record.last_contact_at,
            last_good_at=record.last_good_at,
            since=record.since,
            lag_seconds=self._lag(healthy),
            clock_skew_ms=self._skew(),
        )

    def _lag(self, healthy: bool) -> int | None:
        last = self._record.last_good_at
        if last is None:
            return None
        return 0 if healthy else max(0, int((self._now() - last).total_seconds()))

    async def _call(
        self, name: str, lane: Lane, deadline: float, fetch: Callable[[float], Awaitable[T]]
    ) -> T:
        limit = min(deadline, self._clock() + self._timeout)
        tries = 0
        while True:
            try:
                return await self._attempt(name, lane, limit, fetch)
            except SourceError as error:
                delay = self._delay(error, tries)
                if delay is None or self._clock() + delay >= limit:
                    raise
            tries += 1
            await self._sleep(delay)

    def _delay(self, error: SourceError, tries: int) -> float | None:
        """Seconds until the next try, None when there is none: full jitter, on top of what the system asked for."""
        if not error.retryable or tries >= self.config.retries or isinstance(error, _FAIL_FAST):
            return None
        if self._circuit.state is not CircuitState.CLOSED:
            return None
        jitter: float = self._rng() * min(LONGEST_DELAY, FIRST_DELAY * 2.0**tries)
        return (error.retry_after or 0.0) + jitter

    async def _attempt(
        self, name: str, lane: Lane, limit: float, fetch: Callable[[float], Awaitable[T]]
    ) -> T:
        self._fail_fast(lane)
        if self._clock() >= limit or not self._gate.step_in(lane):
            await self._waited(self._gate.enter, name, lane, limit)
        try:
            self._fail_fast(lane)
            self._circuit, permit = breaker.admit(self._circuit, self._clock())
            self._budgets.spend(lane)
            passage = Passage(lane, partial(self._further, name, lane, limit))
            passed = PASSAGE.set(passage)
            try:
                return await self._observed(name, limit, permit, passage, fetch)
            finally:
                PASSAGE.reset(passed)
        finally:
            self._gate.leave(lane)

    async def _further(self, name: str, lane: Lane, limit: float) -> None:
        """A running attempt needs one more request."""
        self._budgets.check(lane)
        await self._waited(self._gate.turn, name, lane, limit)
        self._budgets.check(lane)
        self._budgets.spend(lane)

    async def _waited(
        self, wait: Callable[[Lane, float], Awaitable[None]], name: str, lane: Lane, limit: float
    ) -> None:
        """Wait at the gate, not longer than there is time."""
        left = limit - self._clock()
        if left <= 0:
            raise self._late(name, left)
        try:
            async with asyncio.timeout(left):
                await wait(lane, limit)
        except TimeoutError:
            raise self._not_let_in(name, lane) from None
        except NoTurn as error:
            raise self._no_turn(name, error.seconds) from None
        except Exception as error:
            raise self._unexpected(name, error) from error

    async def _observed(
        self,
        name: str,
        limit: float,
        permit: Permit,
        passage: Passage,
        fetch: Callable[[float], Awaitable[T]],
    ) -> T:
        """Run one attempt and learn from how it ends."""
        began = self._clock()

        try:
            if began >= limit:
                raise self._late(name, limit - began)
            result = await self._bounded(name, limit, fetch)
        except SourceError as error:
            had = passage.longest if passage.requests else limit - began
            self._learn(name, error, permit, began, had)
            raise
        except BaseException:
            self._circuit = breaker.abandoned(self._circuit, permit, self._clock())
            raise
        self._answered(permit)
        self._record.took(name, passage.longest if passage.requests else self._clock() - began)
        self._record.good(name, sound=self._circuit.state is CircuitState.CLOSED)
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

    def _learn(self, name: str, error: SourceError, permit: Permit, began: float, had: float) -> None:
        """What a failed attempt tells about the system."""
        now = self._clock()
        hurried = isinstance(error, SourceTimeout) and had < self._timeout / 2
        if hurried or isinstance(error, _NOT_SENT):
            self._circuit = breaker.abandoned(self._circuit, permit, now)
        elif isinstance(error, SourceUnavailable | SourceTimeout):
            self._unanswered(error, permit, began)
        elif isinstance(error, SourceThrottled):
            self._answered(permit)
            self._record.trouble()
            asked = min(error.retry_after or 0.0, LONGEST_THROTTLE)
            self._throttled_until = max(self._throttled_until, now + asked)
        else:
            self._answered(permit)
            self._record.refused(name, error)

    def _unanswered(self, error: SourceError, permit: Permit, began: float) -> None:
        self._record.trouble()
        if began < self._circuit.closed_at:
            return
        before = self._circuit.state
        rule = (self.config.breaker_failures, self.config.breaker_seconds)
        self._circuit = breaker.failed(self._circuit, permit, self._clock(), *rule)
        if before is CircuitState.CLOSED and self._circuit.state is CircuitState.OPEN:
            self._record.down(error)

    def _answered(self, permit: Permit) -> None:
        self._record.contact()
        self._circuit = breaker.answered(self._circuit, permit, self._clock())
        if self._circuit.state is CircuitState.CLOSED:
            self._record.up()

    def _fail_fast(self, lane: Lane) -> None:
        """Raise when it is known that asking would be in vain, or not wanted now."""
        self._budgets.check(lane)
        now = self._clock()
        if now < self._throttled_until:
            left = self._throttled_until - now
            raise _StillThrottled(
                f"{self.code} asked for fewer requests; nothing is sent for another {left:.1f} s",
                retry_after=left,
            )
        if not breaker.allows(self._circuit, now):
            left = max(0.0, self._circuit.reopens_at - now)
            since = f" since {self._record.since:%H:%M:%S} UTC" if self._record.since else ""
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

    def _not_let_in(self, name: str, lane: Lane) -> SourceError:
        """What kept a call waiting until it was too late."""
        short, running, share = self._gate.short(lane), self._gate.running, self._gate.most[lane]
        if short:
            return self._no_turn(name, short)
        said = f"{self.code} was not asked for {name} in time: {running} requests were running"
        if running < self.config.concurrency:
            word = lane.name.lower()
            return SourceTimeout(
                f"{said}, and {word} may take {share} of {self.config.concurrency} slots",
                hint=f"raise systems.{self.code}.lanes.{word} if the system can take more",
            )
        return SourceTimeout(said, hint=f"raise systems.{self.code}.concurrency if the system can take more")

    def _no_turn(self, name: str, seconds: float) -> SourceThrottled:
        return _NoTurnLeft(
            f"{self.code} was not asked for {name}: its rate is used up for another {seconds:.1f} s",
            hint=f"raise systems.{self.code}.rate if the system can take more",
            retry_after=seconds,
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
        self._record.mistake(name, error)
        return _Unexpected(f"{self.code}: {name} failed unexpectedly", hint="see the log of the gateway")


class _FailFast(SourceError):
    """Nothing was sent."""


class _StillThrottled(SourceThrottled, _FailFast):
    """The time that the system asked for is not over."""


class _NoTurnLeft(SourceThrottled, _FailFast):
    """The rate leaves no turn in time."""


class _CircuitOpen(SourceUnavailable, _FailFast):
    """The circuit is open."""


class _Unexpected(SourceUnavailable):
    """An adapter raised what it should not: a mistake of ours, which tells nothing about the system."""

    retryable = False


_FAIL_FAST = (_FailFast, BudgetSpent)
"""Nothing was sent, and nothing would be if we tried again."""
_NOT_SENT = (_Unexpected, *_FAIL_FAST)
"""What tells nothing about the system, were it to end a call that had begun."""


def _leaf(group: BaseExceptionGroup[SourceError]) -> SourceError:
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first
