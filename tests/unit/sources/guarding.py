"""A guard to be tested: a clock that only sleeping moves, and methods that play a script."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schema.base import Plant, SystemKind
from schema.errors import (
    SourceError,
)
from sources.base import Batch, Bundle, Part, Read
from sources.guard import Guard
from sources.settings import SystemConfig

PART = Part(Plant)
WANTS = frozenset({Plant})


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 6, tzinfo=UTC) + timedelta(seconds=self.time - 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Script:
    """An adapter's method that plays one step a call: an error to raise, or "ok"; the last step stays."""

    def __init__(self, *steps: BaseException | str) -> None:
        self.steps = list(steps)
        self.calls: list[Batch] = []

    async def __call__(self, batch: Batch) -> Bundle:
        self.calls.append(batch)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return rows(batch)


def rows(batch: Batch) -> Bundle:
    """What a good adapter answers."""
    return {Plant: [Plant(key, key, "Europe/Berlin") for key in batch.keys]}


def a_batch(deadline: float = 1010.0, keys: tuple[str, ...] = ("1710",)) -> Batch:
    """A batch of one key."""
    return Batch(keys, WANTS, deadline)


def a_read(fetch: Callable[[Batch], Awaitable[Any]]) -> Read:
    """A read with this method."""
    return Read("plants", (PART,), fetch)


def config(**settings: Any) -> SystemConfig:
    """Settings of a system."""
    return SystemConfig(code="SAP", adapter="rest", kind=SystemKind.ERP, **settings)


def guarded(clock: Clock, **settings: Any) -> Guard:
    """A guard whose time only moves by sleeping."""
    return Guard(config(**settings), clock=clock, sleep=clock.sleep, rng=lambda: 1.0, now=clock.now)


def real(**settings: Any) -> Guard:
    """A guard on the real clock."""
    return Guard(config(**settings))


def soon(seconds: float = 5.0) -> Batch:
    """A batch with a deadline in real time."""
    return a_batch(time.monotonic() + seconds)


async def outcome(guard: Guard, fetch: Callable[[Batch], Awaitable[Any]], batch: Batch) -> SourceError:
    """The error of a call that must fail."""
    with pytest.raises(SourceError) as caught:
        await guard.read(a_read(fetch), batch)
    return caught.value


async def hang(batch: Batch) -> Bundle:
    """Answer far too late."""
    await asyncio.sleep(60)
    return rows(batch)
