"""The clock of the simulated plant: frozen for tests, or running faster than life for the demo."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


class Clock:
    """World time in UTC: `start` plus `speed` times the seconds gone by; speed 0 stands still.

    `seconds` is the steady source of real time, passed in so that a test can be its own.
    """

    def __init__(
        self, start: datetime = START, speed: float = 0.0, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.start = start
        self.speed = speed
        self.seconds = seconds
        self._zero = seconds()
        self._extra = timedelta()

    def now(self) -> datetime:
        """World time now."""
        gone = (self.seconds() - self._zero) * self.speed
        return self.start + self._extra + timedelta(seconds=gone)

    def advance(self, delta: timedelta) -> None:
        """Jump ahead; how a test makes hours pass."""
        self._extra += delta
