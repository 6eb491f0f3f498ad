"""Starting a coroutine at once: what needs no waiting is done before anybody else runs, and costs no task.

Only for code that does not ask which task it runs in before it first waits (no timeouts, no cancellation scopes).
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Hashable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Started(Generic[T]):
    """A coroutine that has run up to where it waits, or to its end. Awaiting it gives its value."""

    __slots__ = ("_coroutine", "_first", "done", "value")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self.done = False
        self.value: T
        try:
            self._first = coroutine.send(None)
        except StopIteration as end:
            self.done, self.value = True, end.value

    def __await__(self) -> Generator[Any, Any, T]:
        if not self.done:
            yield from self._rest()
        return self.value

    def close(self) -> None:
        """Give up what has not ended."""
        self._coroutine.close()

    def _rest(self) -> Generator[Any, Any, None]:
        """Hand what the coroutine waits for to whoever runs us, and what comes of it back."""
        waiting = self._first
        try:
            while True:
                try:
                    sent = yield waiting
                except GeneratorExit:
                    self._coroutine.close()
                    raise
                except BaseException as error:
                    waiting = self._coroutine.throw(error)
                else:
                    waiting = self._coroutine.send(sent)
        except StopIteration as end:
            self.done, self.value = True, end.value


async def together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The values of several coroutines, started in order at once. The first to fail ends the others and is raised."""
    if len(coroutines) == 1:
        return [await coroutines[0]]
    started: list[Started[T]] = []
    try:
        for coroutine in coroutines:
            started.append(Started(coroutine))
    except BaseException:
        for one in started:
            one.close()
        for coroutine in coroutines[len(started) + 1 :]:
            coroutine.close()
        raise
    waiting = [one for one in started if not one.done]
    if len(waiting) == 1:
        await waiting[0]
    elif waiting:
        await _all(waiting)
    return [one.value for one in started]


async def once(memo: dict[Any, Any], place: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What stands in a memo. The first one finds it out, and whoever comes meanwhile waits for that; where the first is
    stopped or fails, the next one asks. None is nothing.
    """
    while isinstance(known := memo.get(place), asyncio.Future):
        await asyncio.wait([known])
    if known is not None:
        found: T = known
        return found
    asking = memo[place] = asyncio.get_running_loop().create_future()
    try:
        found = memo[place] = await ask()
    finally:
        if memo[place] is asking:
            del memo[place]
        asking.set_result(None)
    return found


async def _all(waiting: Sequence[Started[Any]]) -> None:
    tasks = [asyncio.ensure_future(_awaited(one)) for one in waiting]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _awaited(one: Started[Any]) -> None:
    await one
