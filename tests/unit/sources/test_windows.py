"""Windows of time: which days, across midnight, at the ends of months, when the clocks change."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.policy import Budget
from sources.windows import Opening, opening, opens_on


def window(**settings: Any) -> Budget:
    """A window, in Berlin if nothing else is said."""
    return Budget.model_validate({"name": "close", "calls": 1, "time_zone": "Europe/Berlin"} | settings)


def utc(text: str) -> datetime:
    """An instant, written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def holds(one: Budget, at: str) -> tuple[str, str] | None:
    """Both ends of the opening at an instant, in UTC."""
    found = opening(one, utc(at))
    return None if found is None else (f"{found.start:%m-%dT%H:%M}", f"{found.end:%m-%dT%H:%M}")


def test_a_window_within_a_day() -> None:
    """It opens at its start and is closed at its end, by the local clock."""
    shift = window(start="06:00", end="14:00")
    assert holds(shift, "2026-11-23T04:59:59") is None
    assert holds(shift, "2026-11-23T05:00:00") == ("11-23T05:00", "11-23T13:00")
    assert holds(shift, "2026-11-23T12:59:59") == ("11-23T05:00", "11-23T13:00")
    assert holds(shift, "2026-11-23T13:00:00") is None


def test_a_window_past_midnight_belongs_to_the_day_it_opens_on() -> None:
    """The night of Friday ends on Saturday morning; the night of Saturday is not in the list."""
    night = window(start="22:00", end="06:00", weekdays=["fri"])
    assert holds(night, "2026-11-27T21:00:00") == ("11-27T21:00", "11-28T05:00")
    assert holds(night, "2026-11-28T04:59:00") == ("11-27T21:00", "11-28T05:00")
    assert holds(night, "2026-11-28T05:00:00") is None
    assert holds(night, "2026-11-28T22:00:00") is None
    assert holds(night, "2026-11-27T04:00:00") is None


def test_a_whole_day_opens_anew_each_midnight() -> None:
    """Without times it is open all day, and counts each day by itself."""
    assert holds(window(), "2026-11-23T22:59:00") == ("11-22T23:00", "11-23T23:00")
    assert holds(window(), "2026-11-23T23:00:00") == ("11-23T23:00", "11-24T23:00")


@pytest.mark.parametrize(
    ("month", "days"),
    [
        ("2026-02", {26, 27, 28, 1}),
        ("2028-02", {27, 28, 29, 1}),
        ("2026-04", {28, 29, 30, 1}),
        ("2026-12", {29, 30, 31, 1}),
    ],
)
def test_days_from_both_ends_of_a_month(month: str, days: set[int]) -> None:
    """The last three days and the first, in February, in a leap year and otherwise."""
    close = window(month_days=[-3, -2, -1, 1])
    first = date.fromisoformat(f"{month}-01")
    all_days = [first + timedelta(days=n) for n in range(31)]
    assert {day.day for day in all_days if day.month == first.month and opens_on(close, day)} == days


def test_the_last_night_of_a_month_ends_in_the_next() -> None:
    """The close that opens on the last evening holds until the morning of the first."""
    close = window(month_days=[-1], start="18:00", end="06:00")
    assert holds(close, "2026-03-01T04:00:00") == ("02-28T17:00", "03-01T05:00")
    assert holds(close, "2026-03-01T17:30:00") is None


def test_the_local_day_decides() -> None:
    """At 23:30 UTC it is the next day in Berlin, and still the same day in Chicago."""
    first = {"month_days": [1]}
    assert holds(window(**first), "2026-11-30T23:30:00") is not None
    assert holds(window(**first, time_zone="America/Chicago"), "2026-11-30T23:30:00") is None
    assert holds(window(**first, time_zone="America/Chicago"), "2026-12-01T06:00:00") is not None


def test_both_lists_must_hold() -> None:
    """Days of the week and days of the month narrow each other."""
    fridays = window(weekdays=["fri"], month_days=[-7, -6, -5, -4, -3, -2, -1])
    assert holds(fridays, "2026-11-27T12:00:00") is not None
    assert holds(fridays, "2026-11-20T12:00:00") is None
    assert holds(fridays, "2026-11-26T12:00:00") is None


def test_the_night_the_clocks_go_forward() -> None:
    """The night is an hour shorter; a start that does not exist is as much later, a window within the gap is none."""
    assert holds(window(start="22:00", end="06:00"), "2026-03-29T00:30:00") == ("03-28T21:00", "03-29T04:00")
    assert holds(window(start="02:30", end="05:00"), "2026-03-29T01:29:00") is None
    assert holds(window(start="02:30", end="05:00"), "2026-03-29T01:30:00") == ("03-29T01:30", "03-29T03:00")
    assert holds(window(start="01:00", end="02:30"), "2026-03-29T01:29:00") == ("03-29T00:00", "03-29T01:30")
    assert holds(window(start="02:30", end="03:00"), "2026-03-29T01:15:00") is None


def test_the_night_the_clocks_go_back() -> None:
    """The night is an hour longer; of a time that exists twice the first opens and the last closes."""
    assert holds(window(start="22:00", end="06:00"), "2026-10-25T02:00:00") == ("10-24T20:00", "10-25T05:00")
    assert holds(window(start="02:15", end="02:45"), "2026-10-25T00:20:00") == ("10-25T00:15", "10-25T01:45")
    assert holds(window(start="02:15", end="02:45"), "2026-10-25T01:40:00") == ("10-25T00:15", "10-25T01:45")


TIMES = st.times().map(lambda at: f"{at:%H:%M}")


@given(
    one=st.builds(
        lambda start, end, zone: window(start=start, end=end, time_zone=zone),
        TIMES,
        TIMES,
        st.sampled_from(
            ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]
        ),
    ),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
def test_an_opening_holds_the_instant_it_was_asked_for(one: Budget, at: datetime) -> None:
    """It contains the instant, lasts an hour more than a day at most, and is the same throughout."""
    found = opening(one, at)
    if found is not None:
        assert found.start <= at < found.end
        assert found.end - found.start <= timedelta(hours=25)
        assert opening(one, found.start) == found
        later = opening(one, found.end - timedelta(microseconds=1))
        # Where clocks go back a day may open again before it closes: the later opening counts.
        assert later == found or (isinstance(later, Opening) and later.start > found.start)
