"""Analytics at full load beside the app lane, measured over real sockets."""

from sources.base import Lane
from tests.contract.lane_load import loaded

ATTEMPTS = 2
"""Measurements, of which one must do: a machine that is busy for seconds moves a p99 by itself."""


async def test_analytics_at_full_load_does_not_move_the_app_lane() -> None:
    """The p99 of the app lane moves by less than 20 %; with all calls in one lane it more than doubles."""
    async with loaded() as load:
        seen = []
        for _ in range(ATTEMPTS):
            seen.append(await load.measure(Lane.ANALYTICS))
            if seen[-1].moved < 0.2:
                break
        assert min(times.moved for times in seen) < 0.2, "\n".join(map(str, seen))
        assert seen[-1].analytics > 100, "analytics was not at full load"
        mixed = await load.measure(Lane.APP, 1)
        assert mixed.moved > 1, f"this test cannot tell lanes from none: {mixed}"
