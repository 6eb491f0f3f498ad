"""The difference of two clocks: never claimed where there is none, found where there is one."""

import math

from hypothesis import given
from hypothesis import strategies as st

from sources.skew import DATE_AGE, DRIFT, Skew, bounds, learned

NOW = 1_795_413_600.0
CALLS = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0, 3), st.floats(0, 1), st.floats(0, 0.999)),
    min_size=1,
    max_size=50,
)
"""For each call: the pause before it, how long it takes, where in between it is answered, how old its date is."""


def seen(offset: float, calls: list[tuple[float, float, float, float]], began: float = NOW) -> list[Skew]:
    """What is known after each answer of a system whose clock is ahead by ``offset``."""
    known, at, found = None, began, []
    for pause, takes, part, age in calls:
        sent, received = at + pause, at + pause + takes
        date = math.floor(sent + takes * part + offset - age)
        known = learned(known, bounds(date, sent, received))
        found.append(known)
        at = received
    return found


@given(offset=st.floats(-1e6, 1e6), calls=CALLS)
def test_the_truth_is_always_within_the_bounds(
    offset: float, calls: list[tuple[float, float, float, float]]
) -> None:
    """However slow the answers and however stale their dates, up to a second, the bounds hold the real difference."""
    for known in seen(offset, calls):
        assert known.low - 1e-3 <= offset <= known.high + 1e-3


@given(calls=CALLS)
def test_no_difference_is_claimed_where_there_is_none(calls: list[tuple[float, float, float, float]]) -> None:
    """A system with the right time is never said to be off, though dates are cut to the second."""
    assert {known.ms for known in seen(0.0, calls)} == {0}


@given(offset=st.floats(-1e6, 1e6).filter(lambda offset: abs(offset) > DATE_AGE + 4), calls=CALLS)
def test_a_real_difference_is_found_as_exactly_as_it_is_known(
    offset: float, calls: list[tuple[float, float, float, float]]
) -> None:
    """A clock that is off by more than an answer's doubt is reported, within half of the bounds and their rounding."""
    for known in seen(offset, calls):
        assert abs(known.ms - offset * 1000) <= (known.high - known.low) * 1000 + 1
        assert known.ms != 0


@given(offset=st.floats(10, 1e6), before=CALLS, after=CALLS)
def test_a_clock_that_was_set_is_noticed_with_the_next_answer(
    offset: float,
    before: list[tuple[float, float, float, float]],
    after: list[tuple[float, float, float, float]],
) -> None:
    """What contradicts all that was known replaces it, in either direction."""
    known = seen(offset, before)[-1]
    for fresh in seen(0.0, after, known.at + 1):
        known = learned(known, fresh)
    assert known.low <= 1e-3
    assert known.high >= -1e-3


def test_what_is_known_grows_old() -> None:
    """Clocks drift: the bounds of an hour ago are wider by what they may have parted since."""
    known = learned(Skew(5.0, 5.1, NOW), Skew(4.0, 6.0, NOW + 3600))
    assert (known.low, known.high) == (max(4.0, 5 - DRIFT * 3600), min(6.0, 5.1 + DRIFT * 3600))


def test_it_is_rounded_to_what_is_known() -> None:
    """Doubt of a second leaves tenths; doubt of a few milliseconds leaves one."""
    assert Skew(7199.32, 7200.9, NOW).ms == 7_200_100
    assert Skew(-3.0045, -3.0012, NOW).ms == -3003
    assert Skew(3.0, 3.0, NOW).ms == 3000
