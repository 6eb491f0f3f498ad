"""The wire: credentials are renewed and never told, deadlines go along, and clocks are compared."""

import asyncio
import time
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from schema.errors import SourceForbidden, SourceRefused
from sources.base import Batch, Bundle
from sources.guard import Guard
from sources.http import Http, HttpConfig
from tests.transport import mocked
from tests.unit.sources.guarding import a_read, rows, soon


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
    http = Http(config(**OAUTH), mocked(server))
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
    http = Http(config(**OAUTH), mocked(server))
    await http.open()
    with pytest.raises(SourceForbidden) as caught:
        await http.send("GET", "/things", deadline=time.monotonic() + 5)
    assert server.calls == 2
    assert "s3cr3t" not in f"{caught.value} {caught.value.hint} {caplog.text}"
    await http.close()


async def test_redirects_are_refused_with_the_mend() -> None:
    """Credentials do not travel to another place."""
    answer = httpx2.Response(302, headers={"Location": "http://elsewhere/?token=abc"})
    http = Http(config(type="none"), mocked(lambda request: answer))
    await http.open()
    with pytest.raises(SourceRefused, match="redirect") as caught:
        await http.send("GET", "/things", deadline=time.monotonic() + 5)
    assert "base_url" in str(caught.value.hint)
    assert "abc" not in str(caught.value)
    await http.close()


async def test_the_system_is_told_how_long_the_answer_is_waited_for() -> None:
    """The named header has the milliseconds that are left when the call goes out; without a name there is none."""
    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(200, json={})

    for named in ("X-Request-Timeout-Ms", None):
        settings = config(type="none").model_copy(update={"deadline_header": named})
        http = Http(settings, mocked(answer))
        await http.open()
        await http.send("GET", "/things", deadline=time.monotonic() + 1.5)
        await http.close()
    assert 1300 < int(seen[0]["X-Request-Timeout-Ms"]) <= 1500
    assert "X-Request-Timeout-Ms" not in seen[1]


async def test_the_deadline_of_the_request_reaches_the_wire() -> None:
    """The nearer of the request's deadline and the system's timeout is what the guard lets the client wait."""
    seen: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(int(request.headers["x-left"]))
        return httpx2.Response(200, json={})

    settings = config(type="none").model_copy(update={"deadline_header": "X-Left", "timeout_ms": 800})
    http = Http(settings, mocked(answer))
    await http.open()

    async def fetch(batch: Batch) -> Bundle:
        await http.send("GET", "/things", deadline=batch.deadline)
        return rows(batch)

    for seconds in (0.4, 5.0):
        await Guard(settings).read(a_read(fetch), soon(seconds))
    await http.close()
    assert 300 < seen[0] <= 400
    assert 700 < seen[1] <= 800


class Dated:
    """Answers with a date, as a system does whose clock is ahead."""

    def __init__(self, ahead: float) -> None:
        self.now = 1_795_413_600.5
        self.ahead = ahead
        self.more: dict[str, str] = {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        headers = {"Date": formatdate(self.now + self.ahead, usegmt=True), **self.more}
        self.now += 0.1
        token = {"access_token": "t", "expires_in": 300}
        return httpx2.Response(200, json=token, headers=headers)


@pytest.mark.parametrize(("ahead", "least", "most"), [(0.0, 0, 0), (3600.0, 3_599_000, 3_601_500)])
async def test_the_clock_of_a_system_is_compared_with_ours(ahead: float, least: int, most: int) -> None:
    """The dates of answers tell how far it is ahead; before the first answer nothing is known."""
    server = Dated(ahead)
    http = Http(config(type="none"), mocked(server), wall=lambda: server.now)
    await http.open()
    assert http.clock_skew_ms() is None
    for _ in range(3):
        await http.send("GET", "/things", deadline=time.monotonic() + 5)
        skew = http.clock_skew_ms()
        assert skew is not None
        assert least <= skew <= most
    await http.close()


@pytest.mark.parametrize("headers", [{"Age": "40"}, {"Date": "yesterday"}, {"Date": ""}])
async def test_a_date_that_tells_nothing_is_left_out(headers: dict[str, str]) -> None:
    """An answer out of a cache is as old as it is, and a date that is none is none."""
    server = Dated(3600.0)
    server.more = headers
    http = Http(config(type="none"), mocked(server), wall=lambda: server.now)
    await http.open()
    await http.send("GET", "/things", deadline=time.monotonic() + 5)
    assert http.clock_skew_ms() is None
    await http.close()


async def test_the_clock_of_a_token_server_is_not_the_systems() -> None:
    """Where tokens come from another host, its date says nothing about the system."""
    server = Dated(0.0)

    def answer(request: httpx2.Request) -> httpx2.Response:
        server.ahead = 7200.0 if request.url.host == "tokens.example" else 0.0
        return server(request)

    settings = config(**OAUTH | {"token_url": "https://tokens.example/token"})
    http = Http(settings, mocked(answer), wall=lambda: server.now)
    await http.open()
    await http.send("GET", "/things", deadline=time.monotonic() + 5)
    assert http.clock_skew_ms() == 0
    await http.close()
