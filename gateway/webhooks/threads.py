"""Work in threads that is over when it is given up: nothing is written after its caller has ended."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


async def finished(work: Callable[[], R]) -> R:
    """What some work gives. Who is cancelled meanwhile is so once the work is done: a thread cannot be stopped."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
