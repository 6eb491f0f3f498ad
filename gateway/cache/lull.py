"""When the loop has nothing else to do: the moment to send what others might still have joined.

While a process is busy with other requests, a call that leaves early brings nothing sooner, but it leaves without those
who would have come along. A turn of the loop in which next to nothing happened is a lull: whoever is alone has one at
once, and under load it comes when all that could be done has been done.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

QUICK = 0.00003
"""Seconds; a turn of the loop that took less has done nothing for anybody."""
TIMES = 2.0
"""On a slow machine: so many times the quickest turn that was ever seen."""
LONGEST = 0.01
"""Seconds after which a lull is not waited for any more."""


class _Waiting(NamedTuple):
    until: float
    since: int
    """The turn before which it came."""
    go: Callable[[], None]


class Lull:
    """Calls back at the next lull, after ``longest`` seconds at the latest. ``clock`` gives seconds."""

    def __init__(self, longest: float = LONGEST, clock: Callable[[], float] = time.perf_counter) -> None:
        self._longest = longest
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._turned = 0.0
        self._turns = 0
        self._quickest = float("inf")
        self._running: asyncio.AbstractEventLoop | None = None

    def wait(self, go: Callable[[], None]) -> None:
        """Have something called, not before a whole turn of the loop is over."""
        loop, now = asyncio.get_running_loop(), self._clock()
        if self._running is not loop:
            # A loop that ended took its turns with it, and what waited there.
            self._waiting.clear()
            self._running, self._turned = loop, now
            loop.call_soon(self._turn, loop)
        self._waiting.append(_Waiting(now + self._longest, self._turns, go))

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        now, waiting = self._clock(), self._waiting
        took = now - self._turned
        self._quickest = min(self._quickest, took)
        lull = took <= max(QUICK, TIMES * self._quickest)
        while waiting and waiting[0].since < self._turns and (lull or waiting[0].until <= now):
            waiting.popleft().go()
        self._turns += 1
        if waiting:
            self._turned = self._clock()
            loop.call_soon(self._turn, loop)
        else:
            self._running = None
