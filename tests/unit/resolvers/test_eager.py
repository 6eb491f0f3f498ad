"""Coroutines started at once: what needs no waiting is done before anybody else runs."""

import asyncio

import pytest

from resolvers.eager import Started, together


async def at_once(value: int) -> int:
    """A value that needs no waiting."""
    return value


async def later(value: int, seconds: float = 0.0) -> int:
    """A value that does."""
    await asyncio.sleep(seconds)
    return value


async def failing(seconds: float | None = None) -> int:
    """No value."""
    if seconds is not None:
        await asyncio.sleep(seconds)
    raise ValueError("no")


async def test_what_needs_no_waiting_is_done_at_once() -> None:
    """Without a turn of the loop and without a task."""
    started = Started(at_once(1))
    assert started.done
    assert started.value == 1
    assert await started == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_waits_goes_on_where_it_stopped() -> None:
    """Awaited by whoever wants it, under their time limit."""
    started = Started(later(1))
    assert not started.done
    async with asyncio.timeout(1):
        assert await started == 1
    assert started.value == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Started(later(1, 10))


async def test_values_come_in_order() -> None:
    """Whatever had to wait; nested as well."""

    async def inner() -> int:
        return sum(await together([later(1), at_once(2)]))

    assert await together([later(1, 0.002), at_once(2), inner(), later(4)]) == [1, 2, 3, 4]
    assert await together([]) == []


@pytest.mark.parametrize("seconds", [None, 0.001])
async def test_the_first_to_fail_ends_the_others(seconds: float | None) -> None:
    """At once or after a while: nothing is left running, and nothing is left unstarted without a word."""
    with pytest.raises(ValueError, match="no"):
        await together([later(1, 10), failing(seconds), later(2, 10), at_once(3)])
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_ends_all() -> None:
    """Whoever waits for several takes them along."""
    waiting = asyncio.create_task(together([later(1, 10), later(2, 10)]))
    await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
