"""How subscriptions begin and end: limits, rights, credentials, a stop, a log that goes away."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.events.log import EventLogDown, Logged, Position, ResyncRequired
from gateway.events.sqlite import SqliteLog
from gateway.subscribing import SubscriptionEnded, SubscriptionRefused
from gateway.subscriptions.settings import SubscriptionSettings
from tests.graph.plant import PLANT, number
from tests.subscribing import quiet, raw, running, take, until_ready

ORDERS = """subscription($after: String) { productionOrderChanged(after: $after, snapshot: false) {
  kind cursor objectId order { number } } }"""
ROOT = "productionOrderChanged"
FIRST = f"po:{PLANT}/{number(0)}"


async def ended(stream: AsyncGenerator[Any, None]) -> SubscriptionEnded:
    """How a stream ends."""
    while True:
        try:
            await raw(stream)
        except SubscriptionEnded as end:
            return end


async def test_no_more_of_one_client_than_may_be() -> None:
    """The third is refused with a code; when one has ended there is room again."""
    async with running(SubscriptionSettings(max_per_client=2)) as setup:
        streams = [setup.stream(ORDERS) for _ in range(2)]
        for stream in streams:
            await raw(stream)
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(ORDERS))
        assert refused.value.errors[0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        await streams[0].aclose()
        await raw(setup.stream(ORDERS))


async def test_no_more_in_a_process_than_may_be() -> None:
    """Whosever they are."""
    async with running(SubscriptionSettings(max_per_process=1)) as setup:
        await raw(first := setup.stream(ORDERS))
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(ORDERS))
        assert "here" in refused.value.errors[0]["message"]
        await first.aclose()


async def test_a_stop_ends_all_and_begins_none() -> None:
    """Each is told when to come back and after which cursor; a new one is refused with the same."""
    async with running() as setup:
        streams = [setup.stream(ORDERS) for _ in range(3)]
        for stream in streams:
            await raw(stream)
        cursor = await setup.happen(FIRST)
        for stream in streams[:2]:
            await raw(stream)
        waiting = asyncio.ensure_future(ended(streams[0]))
        await asyncio.sleep(0)
        setup.engine.drain()
        end = await waiting
        assert (end.code, end.cursor, end.retry_after) == ("SUBSCRIPTION_ENDED", cursor, 2.5)
        assert (await ended(streams[1])).cursor == cursor
        assert (await ended(streams[2])).cursor == f"{cursor.split('.')[0]}.0"
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(ORDERS))
        assert refused.value.errors[0]["extensions"]["retryAfterSeconds"] == 2.5


async def test_rights_are_looked_at_for_every_message() -> None:
    """Where they have changed, what happened is not told; the cursor is that of what was told before."""
    async with running() as setup:
        stream = setup.stream(ORDERS)
        await raw(stream)
        cursor = await setup.happen(FIRST)
        await raw(stream)
        waiting = asyncio.ensure_future(ended(stream))
        await asyncio.sleep(0)
        setup.rights[0] = 1
        await setup.happen(FIRST)
        end = await waiting
        assert (end.code, end.cursor) == ("RIGHTS_CHANGED", cursor)


async def test_other_rights_share_nothing() -> None:
    """Two who ask the same with different rights get messages of their own."""
    async with running() as setup:
        one = setup.stream(ORDERS)
        await raw(one)
        setup.rights[0] = 1
        other = setup.stream(ORDERS)
        await raw(other)
        await setup.happen(FIRST)
        assert (await raw(other)).cursor
        assert (await ended(one)).code == "RIGHTS_CHANGED"


async def test_expired_credentials_end_the_stream() -> None:
    """At the moment they expire, whether anything happens or not."""
    async with running(clock=lambda: 1_000.0) as setup:
        setup.ends_at[0] = 1_000.05
        stream = setup.stream(ORDERS)
        ready = (await take(stream))["data"][ROOT]
        end = await ended(stream)
        assert (end.code, end.cursor) == ("CREDENTIALS_EXPIRED", ready["cursor"])


async def test_events_that_are_gone_ask_for_a_new_beginning() -> None:
    """A cursor before what the log still keeps is refused."""

    class Trimmed(SqliteLog):
        async def read(self, after: Position, limit: int = 500) -> list[Logged]:
            raise ResyncRequired("gone")

    async with running(log=Trimmed()) as setup:
        head = await setup.log.head()
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(ORDERS, after=f"{head.epoch}.0"))
        assert refused.value.errors[0]["extensions"]["code"] == "RESYNC_REQUIRED"


class Shaky(SqliteLog):
    """A log whose tail breaks when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks: Exception | None = None
        self.tails = 0

    def tail(self, after: Position) -> AsyncIterator[Sequence[Logged]]:
        """What it would be, until it breaks."""
        self.tails += 1
        return self._shaky(super().tail(after))

    async def _shaky(self, tail: Any) -> AsyncIterator[Sequence[Logged]]:
        async for batch in tail:
            if self.breaks is not None:
                error, self.breaks = self.breaks, None
                await tail.aclose()
                raise error
            yield batch


async def test_a_log_that_fails_is_followed_again_from_where_it_was() -> None:
    """Nothing is lost and nothing told twice."""
    log = Shaky()
    async with running(log=log) as setup:
        stream = setup.stream(ORDERS)
        await raw(stream)
        log.breaks = EventLogDown("away")
        cursor = await setup.happen(FIRST)
        assert (await raw(stream)).cursor == cursor
        assert log.tails == 2


async def test_another_log_ends_all_of_them() -> None:
    """What came in between is not known: read the state anew."""
    log = Shaky()
    async with running(log=log) as setup:
        stream = setup.stream(ORDERS)
        await raw(stream)
        waiting = asyncio.ensure_future(ended(stream))
        await asyncio.sleep(0)
        log.breaks = ResyncRequired("another log")
        await setup.happen(FIRST)
        assert (await waiting).code == "RESYNC_REQUIRED"


async def test_a_log_that_is_away_when_it_begins_refuses() -> None:
    """With its code, and nothing is held."""

    class Away(SqliteLog):
        async def head(self) -> Position:
            raise EventLogDown("away")

    async with running(log=Away()) as setup:
        with pytest.raises(SubscriptionRefused) as refused:
            await raw(setup.stream(ORDERS))
        assert refused.value.errors[0]["extensions"]["code"] == "EVENT_LOG_UNAVAILABLE"
        assert len(setup.engine) == 0


async def test_one_tail_for_all_and_none_when_all_have_left() -> None:
    """The log is followed once, and no longer than anybody listens."""
    log = Shaky()
    async with running(log=log) as setup:
        streams = [setup.stream(ORDERS) for _ in range(5)]
        for stream in streams:
            await raw(stream)
        await setup.happen(FIRST)
        for stream in streams:
            await raw(stream)
        assert log.tails == 1
        for stream in streams:
            await stream.aclose()
        gc.collect()
        assert (len(setup.engine), setup.engine.hub._following, setup.engine.hub._rooms) == (0, None, {})
        again = setup.stream(ORDERS)
        await raw(again)
        cursor = await setup.happen(FIRST)
        assert (await raw(again)).cursor == cursor


async def test_who_leaves_in_the_middle_costs_nobody_anything() -> None:
    """The others of the group are told; the one that left is forgotten."""
    async with running() as setup:
        stays, leaves = setup.stream(ORDERS), setup.stream(ORDERS)
        for stream in (stays, leaves):
            await until_ready(stream, ROOT)
        waiting = asyncio.ensure_future(raw(stays))
        await asyncio.sleep(0)
        assert await quiet(leaves)
        cursor = await setup.happen(FIRST)
        assert (await waiting).cursor == cursor
        assert len(setup.engine) == 1


async def test_bytes_are_bounded_too() -> None:
    """A few large messages are as much as many small ones."""
    async with running(SubscriptionSettings(queue_bytes=1_000)) as setup:
        slow = setup.stream(ORDERS)
        ready = (await take(slow))["data"][ROOT]
        first = asyncio.ensure_future(raw(slow))
        await asyncio.sleep(0.01)
        for _ in range(20):
            await setup.happen(FIRST)
        await first
        await asyncio.sleep(0.05)
        end = await ended(slow)
        assert end.code == "EVENTS_GAP"
        assert end.cursor is not None
        assert end.cursor > ready["cursor"]
