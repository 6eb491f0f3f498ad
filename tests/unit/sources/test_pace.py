"""Answers that take far longer than usual: said once, and once more when it is over."""

import logging

import pytest

from sources.base import Batch, Bundle
from sources.pace import CALM, FIRST, Change, Pace
from tests.unit.sources.guarding import Clock, a_batch, a_read, guarded, rows


def after(pace: Pace, *times: float) -> list[Change]:
    """What each of these answers means."""
    return [pace.took(seconds) for seconds in times]


def usual(seconds: float, answers: int = 200) -> Pace:
    """A pace that has seen many such answers."""
    pace = Pace()
    assert set(after(pace, *[seconds] * answers)) == {Change.NOTHING}
    return pace


def test_an_outlier_is_said_once_until_it_is_normal_again() -> None:
    """The first slow answer is said, those after it are not; after some ordinary ones it is normal."""
    pace = usual(0.1)
    assert after(pace, 5.0, 0.1, 6.0, 5.0) == [Change.SLOW, *[Change.NOTHING] * 3]
    assert after(pace, *[0.1] * CALM) == [*[Change.NOTHING] * (CALM - 1), Change.NORMAL]
    assert after(pace, 5.0) == [Change.SLOW]


@pytest.mark.parametrize(("pace", "seconds"), [(0.01, 0.9), (0.5, 4.9), (0.1, 0.99)])
def test_what_is_slow_but_no_outlier_is_not_said(pace: float, seconds: float) -> None:
    """Ten times nothing is nothing, and a system that is always slow is usual."""
    assert after(usual(pace), seconds) == [Change.NOTHING]


def test_nothing_is_judged_before_enough_was_seen() -> None:
    """The first answers, cold as they are, only make the usual time."""
    assert set(after(Pace(), *[0.01] * (FIRST - 1), 60.0)) == {Change.NOTHING}


def test_an_outlier_does_not_become_the_usual_but_a_new_pace_does() -> None:
    """One answer of an hour hardly moves the mean; a system that stays slow is soon taken as it is."""
    pace = usual(0.1)
    after(pace, 3600.0)
    assert pace.usual < 0.12
    changes = after(pace, *[2.0] * 200)
    assert changes.count(Change.NORMAL) == 1
    assert pace.usual == pytest.approx(2.0, rel=0.05)


async def test_the_log_has_one_line_for_each_end(caplog: pytest.LogCaptureFixture) -> None:
    """The guard measures its calls, read by read; only answers count."""
    caplog.set_level(logging.DEBUG, "crossdock.sources")
    clock, takes = Clock(), [*[0.05] * 30, 9.0, 0.05, 9.0, *[0.05] * 30]

    async def fetch(batch: Batch) -> Bundle:
        clock.time += takes.pop(0)
        return rows(batch)

    guard = guarded(clock, timeout_ms=60_000)
    while takes:
        await guard.read(a_read(fetch), a_batch(1e9))
    assert [record.getMessage() for record in caplog.records] == [
        "SAP took 9.0 s for plants, which usually takes 0.05 s",
        "SAP answers plants as fast as usual again",
    ]
