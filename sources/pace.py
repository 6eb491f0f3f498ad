"""How long the reads of a system usually take, and which answer took far longer: said once until it is normal again.

The usual time is a running mean that no single answer can pull far: an outlier counts as twice the usual. What stays
slow becomes the usual after some fifty answers.
"""

from dataclasses import dataclass
from enum import Enum

WEIGHT = 0.05
"""How much the latest answer counts."""
FIRST = 20
"""Answers before anything is judged."""
FACTOR, LEAST = 10.0, 1.0
"""An outlier takes so many times the usual, and longer than so many seconds."""
LEAST_USUAL = 0.01
"""Seconds that a usual time may always grow to: twice nothing is nothing."""
CALM = 20
"""Ordinary answers in a row after which a read is normal again."""


class Change(Enum):
    """What an answer's time means."""

    NOTHING = "nothing"
    SLOW = "slow"
    NORMAL = "normal"


@dataclass(slots=True)
class Pace:
    """The pace of one read."""

    usual: float = 0.0
    seen: int = 0
    slow: bool = False
    calm: int = 0

    def took(self, seconds: float) -> Change:
        """An answer took so long."""
        outlier = self.seen >= FIRST and seconds > LEAST and seconds > FACTOR * self.usual
        change = self._judged(outlier)
        self._learn(seconds)
        return change

    def _judged(self, outlier: bool) -> Change:
        self.calm = 0 if outlier else self.calm + 1
        if outlier and not self.slow:
            self.slow = True
            return Change.SLOW
        if self.slow and self.calm >= CALM:
            self.slow = False
            return Change.NORMAL
        return Change.NOTHING

    def _learn(self, seconds: float) -> None:
        self.seen += 1
        if self.seen <= FIRST:
            self.usual += (seconds - self.usual) / self.seen
        else:
            self.usual += WEIGHT * (min(seconds, max(2 * self.usual, LEAST_USUAL)) - self.usual)
