"""Of the processes of a machine one consumes for each durable name. The lock goes with its process, however that ends."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

LOOK = 0.5
"""Seconds between two looks whether the other is gone."""


@asynccontextmanager
async def alone(*names: str, folder: Path | None = None) -> AsyncIterator[None]:
    """Hold what is named so; waits for as long as another process (or task) of this user holds it."""
    number = sha256("\n".join(names).encode()).hexdigest()[:24]
    path = (folder or Path(tempfile.gettempdir())) / f"crossdock-{os.getuid()}-{number}.lock"
    # Never removed: whoever waits for it must lock the same file. O_NOFOLLOW: nobody's link is followed.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(handle):  # noqa: ASYNC110 - another process cannot set our event
            await asyncio.sleep(LOOK)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
