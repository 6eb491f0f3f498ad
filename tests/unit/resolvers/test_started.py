"""A coroutine that was begun by hand goes on like any other."""

import asyncio

import pytest

from resolvers.eager import Started


async def test_what_does_not_wait_is_done_at_once() -> None:
    """The result is there before anybody waits."""

    async def work() -> str:
        return "now"

    begun = Started(work())
    assert begun.done
    assert await begun == "now"


async def test_what_waits_goes_on_where_it_stopped() -> None:
    """Several waits, results and exceptions brought in, and timeouts inside."""

    async def work() -> list[str]:
        said = []
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, "brought")
        said.append(await future)
        failing = loop.create_future()
        loop.call_soon(failing.set_exception, ValueError("no"))
        try:
            await failing
        except ValueError:
            said.append("caught")
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(5)
        except TimeoutError:
            said.append("late")
        return said

    begun = Started(work())
    assert not begun.done
    assert await begun == ["brought", "caught", "late"]


async def test_what_it_raises_is_raised() -> None:
    """At once where it does not wait, at the await where it does."""

    async def work(waits: bool) -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Started(work(False))
    begun = Started(work(True))
    with pytest.raises(ValueError, match="no"):
        await begun


async def test_a_cancellation_reaches_it() -> None:
    """Who cancels the task cancels what it waits for."""
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            cleaned.append(True)

    async def waits() -> None:
        await Started(work())

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]
