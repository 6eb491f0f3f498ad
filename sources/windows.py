"""Windows of time: which of them is open at an instant, since when and until when. Pure, in the window's own zone.

A window belongs to the day on which it opens, though it may close on the next. Where the clocks change, a time that
does not exist counts as much later as the clocks were moved; of a time that exists twice, the first opens and the last
closes, so that a window never protects for less than it says.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sources.policy import WEEKDAYS, Budget

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that a window is open, both ends in UTC."""

    start: datetime
    end: datetime


def opening(window: Budget, at: datetime) -> Opening | None:
    """The opening that holds at an instant; of two, the one that began later."""
    zone = ZoneInfo(window.time_zone)
    today = at.astimezone(zone).date()
    for day in (today, today - DAY):
        if opens_on(window, day):
            found = _opening(window, day, zone)
            if found.start <= at < found.end:
                return found
    return None


def opens_on(window: Budget, day: date) -> bool:
    """Whether a window opens on a day."""
    if window.weekdays and WEEKDAYS[day.weekday()] not in window.weekdays:
        return False
    from_end = day.day - monthrange(day.year, day.month)[1] - 1
    return not window.month_days or day.day in window.month_days or from_end in window.month_days


def _opening(window: Budget, day: date, zone: ZoneInfo) -> Opening:
    last = day if window.end > window.start else day + DAY
    return Opening(_instant(day, window.start, zone, fold=0), _instant(last, window.end, zone, fold=1))


def _instant(day: date, at: time, zone: ZoneInfo, fold: int) -> datetime:
    """A local time in UTC."""
    local = datetime.combine(day, at, zone).replace(fold=fold)
    if fold and local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        # In a gap the later fold counts from the other side, an hour early.
        local = local.replace(fold=0)
    return local.astimezone(UTC)
