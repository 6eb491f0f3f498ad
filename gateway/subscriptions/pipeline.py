"""Work on events: much at once, one after the other for the same object, handed on in the order in which it came."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

R = TypeVar("R")
WIDTH = 64
"""Pieces of work at once."""


@dataclass(eq=False, slots=True)
class _Slot:
    """A piece of work; ``blocked`` counts the earlier ones on its objects that are not done yet."""

    keys: tuple[str, ...]
    work: Callable[[], Awaitable[Any]]
    blocked: int = 0
    followers: "list[_Slot]" = field(default_factory=list)
    done: bool = False
    result: Any = None


class Pipeline(Generic[R]):
    """``hand`` gets the results in the order of ``submit``; it must not raise. Work must not raise either."""

    def __init__(self, hand: Callable[[R], None], width: int = WIDTH) -> None:
        self._hand = hand
        self._width = width
        self._order: deque[_Slot] = deque()
        self._last: dict[str, _Slot] = {}
        self._ready: deque[_Slot] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """What was submitted and not yet handed on."""
        return len(self._order)

    def submit(self, keys: Sequence[str], work: Callable[[], Awaitable[R]]) -> None:
        """Do some work on some objects as soon as earlier work on them is done and there is room."""
        slot = _Slot(tuple(dict.fromkeys(keys)), work)
        for key in slot.keys:
            before = self._last.get(key)
            if before is not None:
                before.followers.append(slot)
                slot.blocked += 1
            self._last[key] = slot
        self._order.append(slot)
        if not slot.blocked:
            self._ready.append(slot)
            self._start()

    def stop(self) -> None:
        """Forget everything; nothing more is handed on."""
        self._order.clear()
        self._ready.clear()
        self._last.clear()
        for task in self._tasks:
            task.cancel()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        while self._ready and len(self._tasks) < self._width:
            task = loop.create_task(self._run(self._ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._ready:
            self._start()

    async def _run(self, slot: _Slot) -> None:
        slot.result = await slot.work()
        slot.done = True
        for key in slot.keys:
            if self._last.get(key) is slot:
                del self._last[key]
        for follower in slot.followers:
            follower.blocked -= 1
            if not follower.blocked:
                self._ready.append(follower)
        while self._order and self._order[0].done:
            self._hand(self._order.popleft().result)
