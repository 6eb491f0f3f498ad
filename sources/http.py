"""The one way out: every HTTP call to a system goes through ``Http``, and only this module imports the client.

It knows TLS, credentials, pooling, lanes, the deadline, the clocks and the error tree; it knows nothing of any system's payloads.
Redirects are not followed: a system that moved is a setting to mend, and credentials must not travel elsewhere.
"""

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NoReturn, TypeAlias
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schema.errors import (
    ConfigError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import Lane
from sources.credentials import ApiKey, Auth, Basic, Bearer, NoAuth, OAuth2, is_loopback, secrets_of
from sources.lanes import Gate
from sources.passage import PASSAGE
from sources.settings import SystemConfig
from sources.skew import Skew, bounds, learned

Transport: TypeAlias = httpx2.AsyncBaseTransport
Pairs: TypeAlias = Sequence[tuple[str, str]]
TOKEN_MARGIN = 30.0
"""Seconds before its end at which a token is renewed (a tenth of its life where that is shorter)."""


class Tls(BaseModel):
    """How an HTTPS system is trusted, and how we show who we are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verify: bool = Field(default=True, description="Check the certificate; off only for systems on loopback.")
    ca_file: Path | None = Field(default=None, description="PEM bundle of a private authority.")
    cert_file: Path | None = Field(default=None, description="PEM client certificate.")
    key_file: Path | None = Field(default=None, description="PEM key of the client certificate.")

    def context(self) -> ssl.SSLContext:
        """The TLS context; raises ConfigError where a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"TLS files cannot be used: {error.strerror or type(error).__name__}"
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


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
        for name, secret in secrets_of(self.auth):
            if secret.value is not None:
                raise ValueError(
                    f"auth.{name} is written out, which is allowed only for a system on this machine; "
                    'name where it is kept: {env = "…"}, {file = "…"} or {command = ["…"]}'
                )
        if not self.tls.verify:
            raise ValueError(
                "tls.verify = false is allowed only for a system on this machine; name its ca_file"
            )
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


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
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None
        self._fixed: dict[str, str] = {}
        self._secret = ""
        self._token: tuple[str, float] | None = None
        self._renewing = asyncio.Lock()

    async def open(self) -> None:
        """Resolve secrets and build the client; raises ConfigError, never because the system is down."""
        if self._client is not None:
            return
        await self._credentials()
        config = self.config
        self._client = httpx2.AsyncClient(
            headers={"Accept": "application/json", "User-Agent": "crossdock", **config.headers},
            verify=config.tls.context(),
            proxy=config.proxy,
            limits=httpx2.Limits(
                max_connections=config.max_connections, max_keepalive_connections=config.max_connections
            ),
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Give back the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

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
        if isinstance(auth, Basic):
            pair = b64encode(f"{auth.username}:{secret}".encode()).decode()
            self._fixed = {"Authorization": f"Basic {pair}"}
        elif isinstance(auth, Bearer):
            self._fixed = {"Authorization": f"Bearer {secret}"}
        elif isinstance(auth, ApiKey):
            self._fixed = {auth.header: f"{auth.prefix}{secret}"}
        self._secret = secret

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
        url = f"{self.config.base_url}{path}"
        where = f"{method} {urlsplit(url).path}"
        left = deadline - time.monotonic()
        if left <= 0:
            raise SourceTimeout(f"no time was left to ask {self.code}")
        try:
            async with asyncio.timeout(left):
                answer = await self._authorised(method, url, params, headers or {}, body, deadline)
        except TimeoutError as error:
            raise SourceTimeout(f"{self.code} did not answer {where} in time") from error
        if answer.status < 200 or (answer.status >= 300 and answer.status not in allow):
            self._raise(answer, where)
        return answer

    async def _authorised(
        self,
        method: str,
        url: str,
        params: Pairs,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
    ) -> Answer:
        auth = self.config.auth

        async def exchange(sent: Mapping[str, str]) -> Answer:
            async with self._let_in():
                return await self._exchange(method, url, params, {**sent, **self._left(deadline)}, body)

        if not isinstance(auth, OAuth2):
            return await exchange({**self._fixed, **headers})
        token = await self._bearer(auth, refused=None)
        answer = await exchange({**headers, "Authorization": f"Bearer {token}"})
        if answer.status != 401:
            return answer
        token = await self._bearer(auth, refused=token)
        return await exchange({**headers, "Authorization": f"Bearer {token}"})

    @asynccontextmanager
    async def _let_in(self) -> AsyncIterator[None]:
        """Pay for a request and wait for a connection, the most urgent first: the pool itself knows no lanes."""
        passage = PASSAGE.get()
        lane = Lane.APP if passage is None else passage.lane
        if passage is not None:
            await passage.request()
        await self._gate.enter(lane)
        began = time.monotonic()
        try:
            yield
        finally:
            self._gate.leave(lane)
            if passage is not None:
                passage.longest = max(passage.longest, time.monotonic() - began)

    def _left(self, deadline: float) -> dict[str, str]:
        """The header that says how long the answer is waited for, where the system wants it."""
        name = self.config.deadline_header
        if name is None:
            return {}
        return {name: str(max(0, int((deadline - time.monotonic()) * 1000)))}

    async def _bearer(self, auth: OAuth2, refused: str | None) -> str:
        """The token in hand, or a new one when it ran out or was refused; one renewal at a time."""
        async with self._renewing:
            held = self._token
            if held is not None and held[0] != refused and time.monotonic() < held[1]:
                return held[0]
            self._token = await self._renew(auth)
            return self._token[0]

    async def _renew(self, auth: OAuth2) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", **auth.params}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if auth.scope:
            form["scope"] = auth.scope
        if auth.send == "basic":
            pair = b64encode(f"{auth.client_id}:{self._secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        else:
            form |= {"client_id": auth.client_id, "client_secret": self._secret}
        url = auth.token_url if "://" in auth.token_url else f"{self.config.base_url}{auth.token_url}"
        answer = await self._exchange("POST", url, (), headers, urlencode(form).encode())
        if answer.status in (400, 401, 403):
            raise SourceForbidden(f"{self.code} gave no token for client {auth.client_id!r}: {answer.status}")
        if answer.status != 200:
            self._raise(answer, "the token request")
        try:
            token = msgspec.json.decode(answer.body, type=_Token)
            life = float(token.expires_in or 300)
        except (msgspec.MsgspecError, ValueError) as error:
            raise SourceUnavailable(f"{self.code} answered the token request with something else") from error
        return token.access_token, time.monotonic() + life - min(TOKEN_MARGIN, life / 10)

    async def _exchange(
        self, method: str, url: str, params: Pairs, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        if self._client is None:
            raise SourceUnavailable(f"the connection to {self.code} is not open")
        request = self._client.build_request(
            method, url, params=list(params) or None, headers=dict(headers), content=body, timeout=None
        )
        sent = self._wall()
        try:
            response = await self._client.send(request, stream=True)
            if url.startswith(self.config.base_url):
                self._compare(response.headers, sent)
            try:
                content = await self._read(response)
            finally:
                await response.aclose()
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            # The client's own text may hold the URL with its query: only the kind of failure is told.
            raise SourceUnavailable(f"{self.code} is not reachable: {type(error).__name__}") from error
        return Answer(response.status_code, response.headers, content)

    def _compare(self, headers: Mapping[str, str], sent: float) -> None:
        """Learn from the date of an answer how the clocks differ; one out of a cache tells nothing."""
        written = _http_date(headers.get("date", ""))
        if written is not None and "age" not in headers:
            self.skew = learned(self.skew, bounds(written.timestamp(), sent, self._wall()))

    async def _read(self, response: httpx2.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self.config.max_body_bytes:
                raise SourceUnavailable(
                    f"{self.code} sent more than {self.config.max_body_bytes} bytes",
                    hint="ask for smaller pages, or raise max_body_bytes",
                )
            chunks.append(chunk)
        return b"".join(chunks)

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


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
