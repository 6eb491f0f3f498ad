"""Beginning something before deciding how to wait for it: most work is over before it has to wait at all."""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Begun(Generic[T]):
    """A coroutine that has been run, in the running task, up to where it first waits; ``await`` it for the rest.

    ``done`` tells whether it came to its end without waiting; then awaiting costs nothing. What it raises before it
    waits is raised here at once. Await it once, in the task that began it.
    """

    __slots__ = ("_coroutine", "_waits_for", "done", "result")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._waits_for: Any = None
        self.done = False
        self.result: T
        try:
            self._waits_for = coroutine.send(None)
        except StopIteration as end:
            self.done, self.result = True, end.value

    def __await__(self) -> Generator[Any, Any, T]:
        if self.done:
            return self.result
        coroutine, waits_for = self._coroutine, self._waits_for
        try:
            while True:
                try:
                    brought = yield waits_for
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(brought)
        except StopIteration as end:
            self.done, self.result = True, end.value
            return self.result
