"""A gateway that consumes and dies (kill -9) at an append of its choice: before the log has it, or after.

``python -m tests.e2e.brokers.dying WAY URL FOLDER before|after NUMBER``: NUMBER counts appends from 1, 0 never dies.
Without a death it ends when nothing came for a while.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.events.log import Appended
from gateway.events.sqlite import SqliteLog
from schema.events import Event
from tests.e2e.brokers.plant import Way, consuming, jetstream, kafka, mqtt

QUIET = {"nats": 6.0, "mqtt": 6.0, "mqtt5": 4.0, "kafka": 25.0}
"""Seconds; the broker of the Kafka tests lets a group join only after a while."""
WAYS = {"nats": jetstream, "mqtt": mqtt, "mqtt5": lambda url: mqtt(url, "5"), "kafka": kafka}


class Dying(SqliteLog):
    """Dies at an append."""

    def __init__(self, path: Path, when: str, number: int) -> None:
        super().__init__(path)
        self._when, self._left = when, number

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        """Or dies."""
        self._left -= 1
        if self._left == 0 and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        appended = await super().append(events)
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return appended


async def main(way: Way, folder: Path, when: str, number: int, quiet: float) -> None:
    """Consume until death, or until it is quiet."""
    log = Dying(folder / "events.db", when, number)
    async with consuming(way, folder, log, in_flight=5) as running:
        last, since = -1, asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - since < quiet:
            await asyncio.sleep(0.1)
            head = (await running.events.head()).sequence
            if head != last:
                last, since = head, asyncio.get_running_loop().time()


if __name__ == "__main__":
    name, url, where, moment, count = sys.argv[1:]
    asyncio.run(main(WAYS[name](url), Path(where), moment, int(count), QUIET[name]))
