"""The rate of a system: turns that come back evenly, some of them kept for the more urgent lanes.

Pure arithmetic over one number, the instant at which everything taken will have come back. A less urgent lane is
refused while only those turns are left that its share does not reach: a crawl that uses up its own leaves the rest to
the terminals, in one process as across many.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sources.base import Lane
from sources.policy import Rate

SLACK = 0.01
"""The part of a turn by which one may be early: so that no rounding of sums costs the last turn of a burst."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate as arithmetic. ``reaches`` has, lane by lane, how far ahead its calls may run, in seconds."""

    interval: float
    reaches: tuple[float, ...]

    @classmethod
    def of(cls, rate: Rate, shares: Sequence[float]) -> "Bucket":
        """The bucket of a rate; every lane reaches one turn at least."""
        turns = (max(1, int(rate.most * share + SLACK)) for share in shares)
        return cls(rate.interval, tuple(rate.interval * (n + SLACK) for n in turns))

    def wait(self, full_at: float, now: float, lane: Lane) -> float:
        """Seconds until a lane may take a turn; 0 where it may now."""
        return max(0.0, max(full_at, now) + self.interval - self.reaches[lane] - now)

    def taken(self, full_at: float, now: float) -> float:
        """When everything will have come back, one more turn taken."""
        return max(full_at, now) + self.interval


class Quota(Protocol):
    """Turns to call one system, perhaps shared with other processes."""

    async def take(self, lane: Lane) -> float:
        """Take a turn and return 0, or return the seconds after which it is worth asking again. Must not raise."""
        ...


class OwnQuota:
    """The quota of a process that shares it with nobody."""

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = time.monotonic) -> None:
        self.bucket = bucket
        self._clock = clock
        self._full_at = float("-inf")

    async def take(self, lane: Lane) -> float:
        """Take a turn, or say when to ask again."""
        wait = self.bucket.wait(self._full_at, self._clock(), lane)
        if not wait:
            self.count()
        return wait

    @property
    def ahead(self) -> float:
        """Seconds until everything taken here has come back."""
        return max(0.0, self._full_at - self._clock())

    def count(self) -> None:
        """A turn was taken, here or by other means."""
        self._full_at = self.bucket.taken(self._full_at, self._clock())
