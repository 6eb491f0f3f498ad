"""How far a system's clock is ahead of ours, from the ``Date`` of its answers. Pure arithmetic over intervals.

A date is cut to the second, and many servers write it once a second for all answers of that second: when it was sent,
the system's clock showed the date or up to two seconds more. The answer was written between our sending and our
receiving it. So every answer bounds the difference to an interval; what all intervals have in common holds it. Clocks
drift, so the bounds widen slowly; when nothing is in common any more a clock was set, and the latest answer counts.
"""

import math
from dataclasses import dataclass

DATE_AGE = 2.0
"""Seconds by which a clock may be ahead of the date it wrote last."""
DRIFT = 2e-4
"""Seconds a second by which two clocks may part."""


@dataclass(frozen=True, slots=True)
class Skew:
    """The difference lies between ``low`` and ``high`` seconds, as known at the instant ``at`` of our clock."""

    low: float
    high: float
    at: float

    @property
    def ms(self) -> int:
        """The difference in milliseconds, as exact as it is known; 0 where there may be none."""
        if self.low <= 0 <= self.high:
            return 0
        half = (self.high - self.low) * 500
        step = 10.0 ** math.floor(math.log10(half)) if half > 1 else 1.0
        return round(round((self.low + self.high) * 500 / step) * step)


def bounds(date: float, sent: float, received: float) -> Skew:
    """What one answer tells; all in seconds since the epoch, ``date`` by the system's clock."""
    return Skew(date - received, date + DATE_AGE - min(sent, received), received)


def learned(known: Skew | None, told: Skew) -> Skew:
    """What is known after one more answer."""
    if known is None:
        return told
    slack = DRIFT * abs(told.at - known.at)
    low, high = max(known.low - slack, told.low), min(known.high + slack, told.high)
    return Skew(low, high, told.at) if low <= high else told
