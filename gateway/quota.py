"""The rate of a system as a quota that all workers share, kept in Redis: one round trip a call.

The arithmetic is that of ``sources.rate``, done by Redis on its own clock, so that no two workers take the same turn.
While Redis is away each process keeps to the rate by itself, knowing what it has taken; Redis is tried again every
second, and the log has a line for the beginning and one for the end.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sources.base import Lane
from sources.rate import Bucket, OwnQuota, Quota
from sources.settings import SystemConfig

log = logging.getLogger("crossdock.quota")

PATIENCE = 0.25
"""Seconds that one answer of Redis is waited for."""
PROBE = 1.0
"""Seconds after which a Redis that failed is tried again."""

TAKE = """\
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local interval, reach, most, ahead =
    tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- What the asker took itself counts even where it is not written here: after a time without us, or a loss of data.
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now + ahead)
-- Never further ahead than the rate allows: the clock of the server may have been set back.
full_at = math.min(full_at, now + most)
local wait = full_at + interval - reach - now
if wait > 0 then
  return string.format('%.17g', wait)
end
full_at = full_at + interval
redis.call('SET', KEYS[1], string.format('%.17g', full_at), 'PX', math.ceil((full_at - now) * 1000) + 1)
return '0'
"""
"""Take a turn, or say how long to wait for one."""


class RedisQuota:
    """The quota of one system, shared by all who use the same key."""

    def __init__(
        self, client: Redis, code: str, bucket: Bucket, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.code = code
        self.key = f"crossdock:rate:{code}"
        self._take = client.register_script(TAKE)
        self._bucket = bucket
        self._own = OwnQuota(bucket, clock)
        self._clock = clock
        self._down_at: float | None = None
        self._try_at = float("-inf")

    async def take(self, lane: Lane) -> float:
        """Take a turn, or say when to ask again; by what this process has taken itself while Redis is away."""
        if self._clock() < self._try_at:
            return await self._own.take(lane)
        bucket = self._bucket
        try:
            asked = [bucket.interval, bucket.reaches[lane], bucket.reaches[0], self._own.ahead]
            wait = float(await self._take([self.key], asked))
        except (RedisError, OSError, TimeoutError) as error:
            self._down(error)
            return await self._own.take(lane)
        self._up()
        if not wait:
            self._own.count()
        return wait

    def _down(self, error: Exception) -> None:
        self._try_at = self._clock() + PROBE
        if self._down_at is None:
            self._down_at = self._clock()
            text = "the shared rate of %s is out of reach (%s): this process keeps to it by itself"
            log.warning(text, self.code, type(error).__name__, extra={"system": self.code})

    def _up(self) -> None:
        if self._down_at is not None:
            seconds, self._down_at = self._clock() - self._down_at, None
            text = "the rate of %s is shared again after %.1f s"
            log.warning(text, self.code, seconds, extra={"system": self.code})


class Quotas:
    """Gives every system that has a rate its shared quota; without a URL none, and each process keeps its own."""

    def __init__(self, url: str | None) -> None:
        # One more try at once, for a connection that died at rest; then we go on by ourselves.
        self._client = url and Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
        )

    def __call__(self, config: SystemConfig) -> Quota | None:
        """The shared quota of a system."""
        if not self._client or config.rate is None:
            return None
        return RedisQuota(self._client, config.code, Bucket.of(config.rate, config.lanes.in_order()))

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Give the connections back at the end."""
        try:
            yield
        finally:
            if self._client:
                await self._client.aclose()
