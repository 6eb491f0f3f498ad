"""Credentials on the wire: the token of OAuth2 is fetched once, renewed when refused, and never told."""

import asyncio
import time
from typing import Any

import httpx2
import pytest

from schema.errors import SourceForbidden, SourceRefused
from sources.http import Http, HttpConfig


def config(**auth: Any) -> HttpConfig:
    """A system with these credentials."""
    settings = {"code": "X", "adapter": "rest", "kind": "ERP", "base_url": "http://127.0.0.1:1/api"}
    return HttpConfig.model_validate({**settings, "auth": auth})


OAUTH = {"type": "oauth2", "token_url": "/token", "client_id": "me", "client_secret": {"value": "s3cr3t"}}


class Server:
    """Gives numbered tokens and takes only the newest."""

    def __init__(self, *, taken: bool = True) -> None:
        self.tokens = 0
        self.calls = 0
        self.taken = taken

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/api/token":
            assert b"client_secret=s3cr3t" in request.content
            self.tokens += 1
            return httpx2.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 300})
        self.calls += 1
        good = self.taken and request.headers["authorization"] == f"Bearer t{self.tokens}"
        return httpx2.Response(200 if good else 401, json={})


async def test_one_token_serves_many_calls_and_is_renewed_once_when_refused() -> None:
    """Calls at once share one token request; a 401 renews the token and repeats the call."""
    server = Server()
    http = Http(config(**OAUTH), httpx2.MockTransport(server))
    await http.open()
    soon = time.monotonic() + 5
    await asyncio.gather(*[http.send("GET", "/things", deadline=soon) for _ in range(5)])
    assert (server.tokens, server.calls) == (1, 5)
    server.tokens = 7
    assert (await http.send("GET", "/things", deadline=soon)).status == 200
    assert server.tokens == 8
    await http.close()


async def test_a_token_refused_twice_is_forbidden(caplog: pytest.LogCaptureFixture) -> None:
    """One renewal, then the truth; the secret is in no message and no log."""
    caplog.set_level("DEBUG")
    server = Server(taken=False)
    http = Http(config(**OAUTH), httpx2.MockTransport(server))
    await http.open()
    with pytest.raises(SourceForbidden) as caught:
        await http.send("GET", "/things", deadline=time.monotonic() + 5)
    assert server.calls == 2
    assert "s3cr3t" not in f"{caught.value} {caught.value.hint} {caplog.text}"
    await http.close()


async def test_redirects_are_refused_with_the_mend() -> None:
    """Credentials do not travel to another place."""
    answer = httpx2.Response(302, headers={"Location": "http://elsewhere/?token=abc"})
    http = Http(config(type="none"), httpx2.MockTransport(lambda request: answer))
    await http.open()
    with pytest.raises(SourceRefused, match="redirect") as caught:
        await http.send("GET", "/things", deadline=time.monotonic() + 5)
    assert "base_url" in str(caught.value.hint)
    assert "abc" not in str(caught.value)
    await http.close()
