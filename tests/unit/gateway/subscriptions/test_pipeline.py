"""Work on events: at once for different objects, in turn for the same, handed on in order."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.subscriptions.pipeline import Pipeline


class Gates:
    """Work that ends when it is told to; remembers what has begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    def work(self, name: str) -> Callable[[], Awaitable[str]]:
        """A piece of work."""
        self._gates[name] = asyncio.Event()

        async def run() -> str:
            self.begun.append(name)
            await self._gates[name].wait()
            return name

        return run

    async def finish(self, name: str) -> None:
        """Let it end."""
        self._gates[name].set()
        await settle()


async def settle() -> None:
    """Let everything that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_results_are_handed_on_in_order() -> None:
    """The second is done first and waits for the first."""
    handed: list[str] = []
    gates, pipeline = Gates(), Pipeline(handed.append)
    pipeline.submit(["a"], gates.work("1"))
    pipeline.submit(["b"], gates.work("2"))
    await settle()
    assert gates.begun == ["1", "2"]
    await gates.finish("2")
    assert handed == []
    await gates.finish("1")
    assert (handed, len(pipeline)) == (["1", "2"], 0)


async def test_work_on_one_object_is_done_in_turn() -> None:
    """What concerns two objects waits for both, and others wait for it."""
    handed: list[str] = []
    gates, pipeline = Gates(), Pipeline(handed.append)
    for name, keys in (("1", ["a"]), ("2", ["b"]), ("3", ["a", "b"]), ("4", ["b"]), ("5", ["c"])):
        pipeline.submit(keys, gates.work(name))
    await settle()
    assert gates.begun == ["1", "2", "5"]
    await gates.finish("1")
    assert gates.begun == ["1", "2", "5"]
    await gates.finish("2")
    assert gates.begun == ["1", "2", "5", "3"]
    await gates.finish("3")
    assert gates.begun[-1] == "4"
    await gates.finish("4")
    assert handed == ["1", "2", "3", "4"]
    await gates.finish("5")
    assert handed == ["1", "2", "3", "4", "5"]


async def test_no_more_than_its_width_at_once() -> None:
    """The next begins when one is done."""
    handed: list[str] = []
    gates, pipeline = Gates(), Pipeline(handed.append, width=2)
    for name in "123":
        pipeline.submit([name], gates.work(name))
    await settle()
    assert gates.begun == ["1", "2"]
    await gates.finish("2")
    assert gates.begun == ["1", "2", "3"]
    for name in "13":
        await gates.finish(name)
    assert handed == ["1", "2", "3"]


async def test_what_is_stopped_hands_nothing_on() -> None:
    """Neither what runs nor what waits."""
    handed: list[str] = []
    gates, pipeline = Gates(), Pipeline(handed.append, width=1)
    for name in "12":
        pipeline.submit([name], gates.work(name))
    await settle()
    pipeline.stop()
    for name in "12":
        await gates.finish(name)
    assert (handed, gates.begun, len(pipeline)) == ([], ["1"], 0)
