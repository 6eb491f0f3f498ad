"""OAuth2 client credentials: one token, kept until shortly before its end, renewed by one request however many wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlencode

import msgspec

from schema.errors import SourceUnavailable
from sources.credentials import OAuth2, basic

MARGIN = 30.0
"""Seconds before its end at which a token is renewed (a tenth of its life where that is shorter)."""
Ask: TypeAlias = Callable[[str, Mapping[str, str], bytes], Awaitable[bytes]]
"""Posts a form with these headers to a URL and gives the body of the answer; raises SourceError."""


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


class Tokens:
    """The token of one system."""

    def __init__(self, code: str, auth: OAuth2, secret: str, ask: Ask) -> None:
        self._code, self._auth, self._secret, self._ask = code, auth, secret, ask
        self.client = auth.client_id
        self._held: tuple[str, float] | None = None
        self._renewing = asyncio.Lock()

    async def bearer(self, refused: str | None) -> str:
        """The token in hand, or a new one when it ran out or was refused; one renewal at a time."""
        async with self._renewing:
            held = self._held
            if held is not None and held[0] != refused and time.monotonic() < held[1]:
                return held[0]
            self._held = await self._renew()
            return self._held[0]

    async def _renew(self) -> tuple[str, float]:
        auth = self._auth
        form = {"grant_type": "client_credentials", **auth.params}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if auth.scope:
            form["scope"] = auth.scope
        if auth.send == "basic":
            headers["Authorization"] = basic(auth.client_id, self._secret)
        else:
            form |= {"client_id": auth.client_id, "client_secret": self._secret}
        body = await self._ask(auth.token_url, headers, urlencode(form).encode())
        try:
            grant = msgspec.json.decode(body, type=_Grant)
            life = float(grant.expires_in or 300)
        except (msgspec.MsgspecError, ValueError) as error:
            raise SourceUnavailable(f"{self._code} answered the token request with something else") from error
        return grant.access_token, time.monotonic() + life - min(MARGIN, life / 10)
