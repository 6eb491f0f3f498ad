"""What the guard tells those inside about the call it let in, past an adapter that need not know.

One call of the port may cost an adapter several requests: pages, a request a key, a log-in. The client that sends them
asks here in which lane it sends, and pays for every request after the first, which the guard has paid at its gate.
``sources.http`` does so; an adapter with a client of its own that sends several requests a call does likewise.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from sources.base import Lane


@dataclass(slots=True)
class Passage:
    """One attempt that was let in. ``further`` waits until one more request may go, or raises SourceError.

    ``longest`` is the time in seconds of the longest of its requests, answered or given up: what the system took,
    without what we waited for turns and connections, and whatever the number of requests.
    """

    lane: Lane
    further: Callable[[], Awaitable[None]]
    requests: int = 0
    longest: float = 0.0

    async def request(self) -> None:
        """One request is about to be sent."""
        self.requests += 1
        if self.requests > 1:
            await self.further()


PASSAGE: ContextVar[Passage | None] = ContextVar("crossdock_passage", default=None)
"""The attempt that runs; None where no guard stands around, as for a ping."""
