"""The one way out: every HTTP call to a system goes through ``Http``, and only this module imports the client.

It knows TLS, credentials, pooling, lanes, the deadline, the clocks and the error tree; it knows nothing of any system's payloads.
Redirects are not followed: a system that moved is a setting to mend, and credentials must not travel elsewhere.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import NoReturn, TypeAlias
from urllib.parse import quote, quote_plus, urlsplit

import aiohttp
from pydantic import ConfigDict, Field, field_validator, model_validator
from yarl import URL

from schema.errors import (
    ConfigError,
    SourceForbidden,
    SourceNotReached,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import Lane
from sources.credentials import Auth, NoAuth, OAuth2, Tls, fixed_headers, is_loopback, secrets_of
from sources.lanes import Gate
from sources.passage import PASSAGE
from sources.settings import SystemConfig
from sources.skew import Skew, bounds, learned
from sources.tokens import Tokens

Pairs: TypeAlias = Sequence[tuple[str, str]]
IDLE = 5.0
"""Seconds for which an idle connection is kept: most servers close theirs soon after."""
LONGEST_HEADER = 65_536
_PLAIN = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*").fullmatch
_QUOTED = {code: quote_plus(chr(code)) for code in range(128)}
_ODD = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")


class HttpConfig(SystemConfig):
    """What every system spoken to over HTTP may say in its table."""

    # A secret written in the wrong place must not come back in the error about it.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str = Field(description="Address of the system, with the path all calls begin with.")
    auth: Auth = Field(default=NoAuth(), description="Credentials: none, basic, bearer, api_key or oauth2.")
    headers: dict[str, str] = Field(default={}, description="Headers of every call; no secrets here.")
    tls: Tls = Field(default=Tls(), description="Trust: verify, ca_file, cert_file, key_file.")
    proxy: str | None = Field(
        default=None, description="HTTP proxy to go through; the environment is not read."
    )
    deadline_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header that tells the system in how many milliseconds nobody waits any more, such as "
        "X-Request-Timeout-Ms; none is sent where it is not named.",
    )
    max_connections: int = Field(
        default=32, ge=1, description="Most connections, and requests at once, to the system."
    )
    max_body_bytes: int = Field(default=32_000_000, ge=1, description="Largest answer that is read.")

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an address; write http://host:port or https://host/path")
        if parts.username or parts.password or parts.query:
            raise ValueError("an address holds no user, password or query; credentials belong into auth")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _literals(self) -> "HttpConfig":
        if is_loopback(self.base_url):
            return self
        named = [(f"auth.{name}", secret) for name, secret in secrets_of(self.auth)]
        for place, secret in [
            *named,
            *(("ingest.secrets", one) for one in (self.ingest.secrets if self.ingest else ())),
        ]:
            if secret.value is not None:
                raise ValueError(
                    f"{place} is written out, which is allowed only for a system on this machine; "
                    'name where it is kept: {env = "…"}, {file = "…"} or {command = ["…"]}'
                )
        if not self.tls.verify:
            raise ValueError(
                "tls.verify = false is allowed only for a system on this machine; name its ca_file"
            )
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. The URL is escaped; of headers whose names differ in case only, the last counts."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are lower case; one that came several times is joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Heard: TypeAlias = Callable[[Mapping[str, str]], None]
"""Told the headers of an answer as soon as they are there, before its body is."""
Transport: TypeAlias = Callable[[Request, Heard], Awaitable[Answer]]
"""What carries requests in place of the network, for tests."""


class _Wire:
    """The connections to one system, by aiohttp: the only place that knows the client.

    It waits without bounds: the deadline is kept around it. It sends nothing twice: every request has been paid for.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._code, self._most = config.code, config.max_body_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=config.max_connections, keepalive_timeout=IDLE, ssl=config.tls.context()
            ),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            max_field_size=LONGEST_HEADER,
            max_line_size=LONGEST_HEADER,
            proxy=config.proxy,
            skip_auto_headers=("Content-Type",),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            trust_env=False,
        )
        # There is no public word for it: a request on a connection that broke would be sent again behind our back.
        self._session._retry_connection = False
        self.close = self._session.close

    async def __call__(self, request: Request, heard: Heard) -> Answer:
        try:
            response = await self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            )
            try:
                headers = _joined(response.headers.items())
                heard(headers)
                body = await self._read(response.content)
            except BaseException:
                response.close()
                raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The client's own text may hold the URL with its query: only the kind of failure is told.
            connected = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
            raise (SourceUnavailable if connected else SourceNotReached)(
                f"{self._code} is not reachable: {type(error).__name__}"
            ) from error
        return Answer(response.status, headers, body)

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await content.readany():
            size += len(chunk)
            if size > self._most:
                raise SourceUnavailable(
                    f"{self._code} sent more than {self._most} bytes",
                    hint="ask for smaller pages, or raise max_body_bytes",
                )
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _plus(text: str) -> str:
    """A text as part of a query: ``quote_plus``, and in one go where it is ASCII."""
    return text.translate(_QUOTED) if text.isascii() else quote_plus(text)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


class Http:
    """A pooled client of one system. ``open`` resolves its secrets; ``send`` raises the error tree."""

    def __init__(
        self,
        config: HttpConfig,
        transport: Transport | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``transport`` and ``wall``, the time of day in seconds, are seams for tests."""
        self.config = config
        self.skew: Skew | None = None
        """How far the system's clock is ahead, as far as its answers told."""
        self._wall = wall
        self._gate = Gate(config.max_connections, config.lanes.in_order())
        self.code = config.code
        self._given = transport
        self._carry: Transport | None = None
        self._wire: _Wire | None = None
        self._base = str(URL(config.base_url)).rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "crossdock", **config.headers}
        """Of every request; those of the credentials are added to them where they are always the same."""
        self._fixed = self._headers
        self._tokens: Tokens | None = None

    async def open(self) -> None:
        """Resolve secrets and build the client; raises ConfigError, never because the system is down."""
        if self._carry is not None:
            return
        await self._credentials()
        if self._given is None:
            self._wire = _Wire(self.config)
        self._carry = self._given or self._wire

    async def close(self) -> None:
        """Give back the connections."""
        wire, self._wire, self._carry = self._wire, None, None
        if wire is not None:
            await wire.close()

    def clock_skew_ms(self) -> int | None:
        """How far the system's clock is ahead of ours, in milliseconds; None before the first dated answer."""
        return None if self.skew is None else self.skew.ms

    async def _credentials(self) -> None:
        auth = self.config.auth
        secret = ""
        for name, reference in secrets_of(auth):
            try:
                secret = await asyncio.to_thread(reference.resolve)
            except ConfigError as error:
                raise ConfigError(f"systems.{self.code}.auth.{name}: {error}", hint=error.hint) from error
        self._fixed = {**self._headers, **fixed_headers(auth, secret)}
        if isinstance(auth, OAuth2):
            self._tokens = Tokens(self.code, auth, secret, self._granted)

    async def send(
        self,
        method: str,
        path: str,
        *,
        deadline: float,
        params: Pairs = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        allow: frozenset[int] = frozenset(),
    ) -> Answer:
        """One call to a path below ``base_url``, its body read whole before ``deadline`` (``time.monotonic()``).

        Statuses of 200 to 299 and those in ``allow`` are answers; all others raise SourceError.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise SourceTimeout(f"no time was left to ask {self.code}")
        url = f"{self._base}{_escaped(path)}"
        if params:
            url = (
                f"{url}{'&' if '?' in path else '?'}{'&'.join([f'{_plus(n)}={_plus(v)}' for n, v in params])}"
            )
        request = Request(method, url, {**self._fixed, **headers} if headers else self._fixed, body)
        try:
            async with asyncio.timeout(left):
                answer = await self._authorised(request, deadline)
        except TimeoutError as error:
            raise SourceTimeout(f"{self.code} did not answer {_where(request)} in time") from error
        if answer.status < 200 or (answer.status >= 300 and answer.status not in allow):
            self._raise(answer, _where(request))
        return answer

    async def _authorised(self, request: Request, deadline: float) -> Answer:
        if self._tokens is None:
            return await self._let_in(request, deadline)
        token = await self._tokens.bearer(refused=None)
        answer = await self._let_in(_bearing(request, token), deadline)
        if answer.status != 401:
            return answer
        token = await self._tokens.bearer(refused=token)
        return await self._let_in(_bearing(request, token), deadline)

    async def _let_in(self, request: Request, deadline: float) -> Answer:
        """Pay for a request and wait for a connection, the most urgent first: the pool itself knows no lanes."""
        passage = PASSAGE.get()
        lane = Lane.APP if passage is None else passage.lane
        if passage is not None:
            await passage.request()
        if not self._gate.step_in(lane):
            await self._gate.enter(lane)
        began = time.monotonic()
        try:
            if self.config.deadline_header is not None:
                # How long the answer is waited for, where the system wants to know it.
                left = {self.config.deadline_header: str(max(0, int((deadline - began) * 1000)))}
                request = replace(request, headers={**request.headers, **left})
            return await self._exchange(request, partial(self._compare, self._wall()))
        finally:
            self._gate.leave(lane)
            if passage is not None:
                passage.longest = max(passage.longest, time.monotonic() - began)

    async def _granted(self, url: str, headers: Mapping[str, str], form: bytes) -> bytes:
        """The answer to a request for a token."""
        url = str(URL(url)) if "://" in url else f"{self._base}{_escaped(url)}"
        heard = partial(self._compare, self._wall()) if url.startswith(self._base) else _unheard
        answer = await self._exchange(Request("POST", url, {**self._headers, **headers}, form), heard)
        if answer.status in (400, 401, 403):
            who = "" if self._tokens is None else f" for client {self._tokens.client!r}"
            raise SourceForbidden(f"{self.code} gave no token{who}: {answer.status}")
        if answer.status != 200:
            self._raise(answer, "the token request")
        return answer.body

    async def _exchange(self, request: Request, heard: Heard) -> Answer:
        if self._carry is None:
            raise SourceUnavailable(f"the connection to {self.code} is not open")
        return await self._carry(request, heard)

    def _compare(self, sent: float, headers: Mapping[str, str]) -> None:
        """Learn from the date of an answer how the clocks differ; one out of a cache tells nothing."""
        written = _http_date(headers.get("date", ""))
        if written is not None and "age" not in headers:
            self.skew = learned(self.skew, bounds(written.timestamp(), sent, self._wall()))

    def _raise(self, answer: Answer, where: str) -> NoReturn:
        status = answer.status
        after = retry_after(answer.headers)
        said = f"{self.code} answered {where} with {status}"
        if status in (401, 403):
            raise SourceForbidden(said, hint=f"check systems.{self.code}.auth and the rights of its user")
        if status == 429:
            raise SourceThrottled(said, retry_after=after)
        if status >= 500 or status == 408:
            raise SourceUnavailable(said, retry_after=after)
        if 300 <= status < 400:
            raise SourceRefused(f"{said}, a redirect", hint=f"set systems.{self.code}.base_url to its place")
        raise SourceRefused(said)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the Retry-After header says, in seconds or as a date; None where it does not."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    at = _http_date(text)
    return None if at is None else max(0.0, (at - datetime.now(UTC)).total_seconds())


def _bearing(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _where(request: Request) -> str:
    """A request as it may be told: without its query."""
    return f"{request.method} {urlsplit(request.url).path}"


def _escaped(path: str) -> str:
    """A path as it is sent: what is escaped stays so."""
    return path if _PLAIN(path) else _ODD.sub(lambda found: quote(found[0], safe=""), path)


def _unheard(headers: Mapping[str, str]) -> None:
    """The clock of another host is not the system's."""


@lru_cache(maxsize=64)
def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
