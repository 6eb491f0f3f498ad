"""The link to one Redis: its connections, its clock, and whether it answers. Everything asked of it goes through here.

Nobody waits long for Redis: a call that fails or takes too long closes the link, and while it is closed nothing is
asked. It is not a request that finds out when Redis is back but the one who follows its stream (``tail``), so that an
outage costs each request that was under way one wait, and those that come later nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from gateway.cache.address import connection_arguments, described
from gateway.cache.scripts import Script

log = logging.getLogger("crossdock.cache")

OUTAGE = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError)
"""Redis does not answer, or is no longer the one who takes writes. Other errors are its answer to one command."""
LATE = 0.01
"""A timer that rings so much later than it should tells of a busy process, not of a slow Redis."""
CALM, LONGEST_PAUSE = 10.0, 30.0
"""An outage that soon after the last one doubles the pause, up to so much: no flapping, no flood of log lines."""
DRIFT = 1e-4
"""How much two clocks may drift apart, in seconds a second."""


class Unreachable(Exception):
    """Redis gives no answer, or refuses; what was to be said about it has been said."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Redis' clock minus ours, how wrong that may be, and when it was measured (monotonic)."""

    seconds: float
    error: float
    at: float

    def better(self, other: "Offset") -> "Offset":
        """The more exact of two; the later one where they contradict, for then a clock was set."""
        aged = self.error + DRIFT * (other.at - self.at)
        if abs(other.seconds - self.seconds) > aged + other.error or other.error <= aged:
            return other
        return self


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError after so long. Where this process was too busy to look, the answer gets a second chance."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    async with asyncio.timeout(None) as bound:

        def ring() -> None:
            now = loop.time()
            bound.reschedule(now + seconds if now - due > LATE else now)

        timer = loop.call_later(seconds, ring)
        try:
            yield
        finally:
            timer.cancel()


class Link:
    """``timeout`` bounds a call with all that belongs to it, the wait for a connection and its making included.

    ``clock`` gives this machine's time; ``pause`` is how long nothing is asked after a failure; ``name`` is what it is
    called in what ``says`` logs.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        connections: int,
        pause: float,
        clock: Callable[[], float],
        name: str = "Redis",
        says: logging.Logger = log,
    ) -> None:
        arguments = {
            **connection_arguments(url),
            "protocol": 3,
            "legacy_responses": False,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": None,
            "socket_connect_timeout": timeout,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        }
        self.where = f"{name} at {described(arguments)}"
        self.timeout = timeout
        self._log = says
        self.clock = clock
        self._pool = BlockingConnectionPool(max_connections=connections, timeout=None, **arguments)
        self._own = ConnectionPool(max_connections=2, **arguments)
        self._calls: Any = Redis(connection_pool=self._pool)
        self._aside: Any = Redis(connection_pool=self._own)
        self._offset: Offset | None = None
        self._shortest = self.pause = pause
        self._reopens = self._up_at = float("-inf")
        self._down_at: float | None = None
        self._refused: set[str] = set()
        self._closed = False
        self.up = False
        """Whether Redis is asked at all."""

    async def close(self) -> None:
        """Give back all connections. What is still under way loses its own, which tells nothing about Redis."""
        self.up, self._closed = False, True
        await self._pool.disconnect()
        await self._own.disconnect()
        # A connection that was given up in the middle of a call closes one turn of the loop later.
        await asyncio.sleep(0)

    async def ask(self, *command: Any, name: str = "read") -> Any:
        """One command for a request: answered soon, or Unreachable. ``name`` is what it is for."""
        if not self.up:
            raise Unreachable
        try:
            async with patience(self.timeout):
                answer = await self._calls.execute_command(*command)
        except NoScriptError:
            raise
        except OUTAGE as error:
            self.failed(error)
            raise Unreachable from error
        except (RedisError, UnicodeError) as error:
            self._note(name, error)
            raise Unreachable from error
        if self._refused:
            self._refused.discard(name)
        return answer

    async def run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """A script for a request, in one round trip once Redis knows it."""
        try:
            return await self.ask("EVALSHA", script.digest, len(keys), *keys, *arguments, name=script.name)
        except NoScriptError:
            return await self.ask("EVAL", script.text, len(keys), *keys, *arguments, name=script.name)

    async def aside(self, *command: Any, wait: float = 0.0) -> Any:
        """One command on the connection of its own, whether the link is open or not; raises what redis-py raises."""
        async with patience(wait + self.timeout):
            return await self._aside.execute_command(*command)

    async def run_aside(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """A script on the connection of its own."""
        try:
            return await self.aside("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self.aside("EVAL", script.text, len(keys), *keys, *arguments)

    def failed(self, error: BaseException) -> None:
        """Redis did not answer: ask nothing for a while. Said once."""
        now = asyncio.get_running_loop().time()
        self.up = False
        if self._down_at is not None or self._closed:
            return
        hasty = now - self._up_at < CALM
        self.pause = min(2 * self.pause, LONGEST_PAUSE) if hasty else self._shortest
        self._down_at, self._reopens = now, now + self.pause
        self._log.warning("%s is down: %s", self.where, str(error) or f"no answer in {self.timeout:g} s")

    async def reset(self) -> None:
        """Forget the connection of one's own: it may lead to a Redis that is no more."""
        await self._own.disconnect()

    async def renew(self) -> None:
        """Forget idle connections for requests, which may lead to the Redis that was."""
        await self._pool.disconnect(inuse_connections=False)

    def back(self) -> None:
        """Redis answers: ask again, once the pause is over. Said once, where its absence was."""
        now = asyncio.get_running_loop().time()
        if self.up or now < self._reopens:
            return
        self.up, self._up_at = True, now
        if self._down_at is not None:
            self._log.warning("%s is up again after %.1f s", self.where, now - self._down_at)
            self._down_at = None

    def _note(self, name: str, error: Exception) -> None:
        """Redis refuses something (memory full, no right): one line, until it does such a thing again."""
        if name not in self._refused:
            self._refused.add(name)
            self._log.warning("%s refuses to %s: %s", self.where, name, error)

    def measured(self, theirs: int, before: float, took: float) -> None:
        """A look at Redis' clock: it stood at ``theirs`` microseconds within ``took`` seconds after our ``before``."""
        now = asyncio.get_running_loop().time()
        found = Offset(theirs * 1e-6 - before - took / 2, took / 2, now)
        self._offset = found if self._offset is None else self._offset.better(found)

    @property
    def offset(self) -> Offset:
        """The best measurement so far; Unreachable before the first."""
        if self._offset is None:
            raise Unreachable
        return self._offset

    @property
    def shift(self) -> float:
        """What is taken off Redis' time so that an instant of ours is not later than it was: no age is understated."""
        return self.offset.seconds + self.offset.error

    @property
    def shift_latest(self) -> float:
        """The same so that it is not earlier: an invalidation reaches what it must."""
        return self.offset.seconds - self.offset.error

    def at_earliest(self, at: float) -> int:
        """An instant of ours in Redis' time, not later than it was: so an age is never understated."""
        return int((at + self.offset.seconds - self.offset.error) * 1e6)

    def at_latest(self, at: float) -> int:
        """An instant of ours in Redis' time, not earlier than it was: so an invalidation reaches what it must."""
        return int((at + self.offset.seconds + self.offset.error) * 1e6) + 1
