"""Budgets of a system: so many requests while a window is open, then none until it closes.

Each process counts for itself, from its start.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from schema.errors import SourceThrottled
from sources.base import Lane
from sources.policy import Budget
from sources.record import Record
from sources.windows import opening


@dataclass(slots=True)
class _Count:
    window: Budget
    lanes: frozenset[Lane]
    opened: datetime | None = None
    used: int = 0
    told: bool = False

    def renew(self, opened: datetime) -> None:
        """Begin at nought where the window opened anew."""
        if opened != self.opened:
            self.opened, self.used, self.told = opened, 0, False


class BudgetSpent(SourceThrottled):
    """A budget is used up; ``retry_after`` is the time until its window closes."""


class Budgets:
    """The budgets of one system, and what is left of them. ``now`` gives the time of day in UTC."""

    def __init__(self, windows: Sequence[Budget], now: Callable[[], datetime], record: Record) -> None:
        self._counts = [
            _Count(window, frozenset(Lane[n.upper()] for n in window.lanes)) for window in windows
        ]
        self._now = now
        self._record = record

    def check(self, lane: Lane) -> None:
        """Raise BudgetSpent where no request of this lane may be sent now."""
        for count in self._counts:
            self._check(count, lane)

    def spend(self, lane: Lane) -> None:
        """A request of this lane is sent now."""
        for count in self._counts:
            if lane in count.lanes:
                count.used += 1

    def _check(self, count: _Count, lane: Lane) -> None:
        if lane not in count.lanes:
            return
        now, window = self._now(), count.window
        found = opening(window, now)
        if found is None:
            return
        count.renew(found.start)
        if count.used < window.calls:
            return
        error = BudgetSpent(
            f"{self._record.code} takes {_requests(window.calls)} in the window {window.name!r}; "
            f"nothing is sent until {found.end:%Y-%m-%d %H:%M} UTC",
            retry_after=(found.end - now).total_seconds(),
        )
        if not count.told:
            count.told = True
            self._record.spent(window.name, error)
        raise error


def _requests(number: int) -> str:
    return f"no more than {number} requests" if number else "no requests"
