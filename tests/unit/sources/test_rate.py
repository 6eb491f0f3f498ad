"""The rate: never more than it allows, less for the less urgent, and what a call without a turn is told."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.errors import SourceThrottled
from sources.base import Lane
from sources.policy import Rate
from sources.rate import Bucket, OwnQuota
from tests.unit.sources.guarding import Clock, Script, a_read, outcome, real, soon

SHARES = (1.0, 1.0, 0.5, 0.25)


@given(
    calls=st.integers(1, 50),
    seconds=st.floats(0.1, 100),
    burst=st.none() | st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 20), st.sampled_from(Lane)), max_size=200),
)
def test_no_more_than_the_rate_allows(
    calls: int, seconds: float, burst: int | None, steps: list[tuple[float, Lane]]
) -> None:
    """In no stretch of time are more turns given than the burst and what came back, whoever asks when."""
    rate = Rate(calls=calls, seconds=seconds, burst=burst)
    bucket, full_at, now, given_at = Bucket.of(rate, SHARES), 0.0, 1000.0, list[float]()
    for pause, lane in steps:
        now += pause
        wait = bucket.wait(full_at, now, lane)
        if not wait:
            full_at = bucket.taken(full_at, now)
            given_at.append(now)
        else:
            assert bucket.wait(full_at, now + wait, lane) < 1e-6, "asking again when told to is not in vain"
    for first, began in enumerate(given_at):
        for count, at in enumerate(given_at[first:], 1):
            assert count <= rate.most + (at - began) / rate.interval + 0.02


@given(st.integers(1, 1000), st.sampled_from([SHARES, (1.0, 0.9, 0.1, 0.1), (1.0, 1.0, 1.0, 1.0)]))
def test_a_rested_bucket_has_the_burst_of_each_lane(calls: int, shares: tuple[float, ...]) -> None:
    """Each lane gets its share of the burst, one turn at least, and leaves the rest to the more urgent."""
    bucket = Bucket.of(Rate(calls=calls), shares)
    full_at, taken = 0.0, 0
    for lane in reversed(Lane):
        while not bucket.wait(full_at, 1e9, lane):
            full_at, taken = bucket.taken(full_at, 1e9), taken + 1
        assert taken == max(1, int(calls * shares[lane] + 1e-9))


async def test_a_crawl_leaves_turns_to_the_terminal() -> None:
    """After a hundred analytics calls have taken what they may, an app call goes at once."""
    quota = OwnQuota(Bucket.of(Rate(calls=20), SHARES), Clock())
    taken = [await quota.take(Lane.ANALYTICS) for _ in range(100)]
    assert taken.count(0.0) == 10
    assert await quota.take(Lane.APP) == 0.0


async def test_calls_keep_to_the_rate() -> None:
    """A burst goes at once, the rest one by one; every try of a call is a call."""
    guard, script = real(rate={"calls": 5, "seconds": 0.25}), Script("ok")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*[guard.read(a_read(script), soon()) for _ in range(10)])
    assert 0.24 < loop.time() - began < 0.6
    assert len(script.calls) == 10


async def test_without_a_turn_in_time_it_is_rate_limited() -> None:
    """Nothing is sent, the error says after how long to come back, and the system is not in trouble."""
    guard, script = real(rate={"calls": 1, "seconds": 60}), Script("ok")
    await guard.read(a_read(script), soon())
    for _ in range(2):
        error = await outcome(guard, script, soon(0.5))
        assert isinstance(error, SourceThrottled)
        assert error.retry_after == pytest.approx(60, abs=1)
        assert "SAP was not asked for plants: its rate is used up" in str(error)
    assert len(script.calls) == 1
    assert guard.health().healthy
