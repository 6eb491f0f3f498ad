"""One attempt to deliver: a POST that is bounded in time and in what is read back, follows nobody and trusts no proxy."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.resolver import ThreadedResolver

from gateway.webhooks.target import CheckedResolver, TargetRefused, Targets

MOST_ANSWER = 4096
"""Bytes of an answer that are read; what a partner says beyond that is of no use."""
SHOWN = 200
"""Characters of an answer that are kept for the partner to look at."""
GONE = 410
LONGEST_WISH = 86_400.0
"""Seconds: no partner can put off its retries for longer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. ``status`` is None where there was no answer; ``reason`` says in words what failed."""

    delivered: bool
    status: int | None = None
    reason: str | None = None
    retry_after: float | None = None
    gone: bool = False


class Sender:
    """Sends to the targets that the rule allows. Open it inside the running loop."""

    def __init__(self, targets: Targets, timeout: float = 15.0, at_once: int = 50) -> None:
        self._targets = targets
        self._timeout = timeout
        self._at_once = at_once
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the client; nothing is contacted."""
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._targets, ThreadedResolver()),
            limit=self._at_once,
            limit_per_host=4,
            ttl_dns_cache=10,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            trust_env=False,
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Give back all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Deliver once. Raises nothing: whatever goes wrong is the outcome."""
        if self._session is None:
            return Outcome(False, reason="the gateway is stopping")
        try:
            target = self._targets.check(url)
            async with self._session.post(
                target, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return await _judged(answer)
        except TargetRefused as refused:
            return Outcome(False, reason=str(refused))
        except TimeoutError:
            return Outcome(False, reason=f"no answer within {self._timeout:g} s")
        except aiohttp.ClientConnectorError as error:
            return Outcome(False, reason=_unreached(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(False, reason=f"the connection failed ({type(error).__name__})")


async def _judged(answer: aiohttp.ClientResponse) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Outcome(True, status)
    if 300 <= status < 400:
        return Outcome(False, status, "it redirects, which is not followed")
    said = b""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, asyncio.TimeoutError):
        said = await answer.content.read(MOST_ANSWER)
    words = said.decode("utf-8", "replace")[:SHOWN].strip()
    wish = _seconds(answer.headers.get("Retry-After"), datetime.now(UTC))
    return Outcome(False, status, f"HTTP {status}" + (f": {words}" if words else ""), wish, status == GONE)


def _unreached(error: BaseException) -> str:
    """Why there was no connection; what stands behind a failed look-up is said where the rule was what failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TargetRefused):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return f"no connection ({type(error).__name__})"


def _seconds(value: str | None, now: datetime) -> float | None:
    """How long a partner asks to wait, in seconds; None where it does not say so in a way that can be read."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        return min(float(value[:9]), LONGEST_WISH)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(0.0, (until - now).total_seconds()), LONGEST_WISH)
