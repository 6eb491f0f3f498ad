"""A process that appends events until it is killed: ``python -m tests.contract.event_writer WHERE NAME [CALLERS]``.

WHERE is a file, or the URL and namespace of a Redis joined by a blank. Prints a line for each event that was
acknowledged: caller, number, position.
"""

import asyncio
import sys
from pathlib import Path

from gateway.events.log import EventLog
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog
from tests.contract.event_logs import event


def log_at(where: str) -> EventLog:
    """The log there."""
    if where.startswith("redis:"):
        url, namespace = where.split(" ")
        return RedisLog(url, namespace=namespace, timeout=10.0)
    return SqliteLog(Path(where))


async def append(log: EventLog, caller: str) -> None:
    """One event after the other."""
    number = 0
    while True:
        (told,) = await log.append([event(f"{caller}/{number}", touches=(f"lot:{caller}/1",))])
        print(caller, number, told.position.sequence, flush=True)
        number += 1


async def main(where: str, name: str, callers: int) -> None:
    """All callers at once."""
    log = log_at(where)
    await log.open()
    await asyncio.gather(*[append(log, f"{name}{caller}") for caller in range(callers)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
