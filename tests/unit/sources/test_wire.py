"""The client under ``Http``: trust, proxies, limits and what exactly is sent, against sockets of our own."""

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schema.errors import ConfigError, SourceUnavailable
from sources.http import Answer, Http, HttpConfig
from tests.tls import CERTIFICATE, KEY

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


class Sockets:
    """A server that answers with bytes, in turn; ``heads`` are the requests without their bodies."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; None as an answer closes it."""
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def listening(sockets: Sockets, context: ssl.SSLContext | None = None) -> AsyncIterator[Sockets]:
    """Serve on a free port."""
    server = await asyncio.start_server(sockets.serve, HOST, 0, ssl=context)
    sockets.port = server.sockets[0].getsockname()[1]
    try:
        yield sockets
    finally:
        server.close()
        await asyncio.sleep(0.05)


def config(url: str, **more: Any) -> HttpConfig:
    """A system at this address."""
    return HttpConfig.model_validate({"code": "X", "adapter": "rest", "kind": "ERP", "base_url": url} | more)


@asynccontextmanager
async def opened(settings: HttpConfig) -> AsyncIterator[Callable[..., Any]]:
    """The client of a system, as a function that sends."""
    http = Http(settings)
    await http.open()

    async def send(method: str = "GET", path: str = "/x", **more: Any) -> Answer:
        return await http.send(method, path, deadline=time.monotonic() + 2, **more)

    try:
        yield send
    finally:
        await http.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the certificate and its key."""
    (tmp_path / "certificate.pem").write_text(CERTIFICATE)
    (tmp_path / "key.pem").write_text(KEY)
    return tmp_path


def secured(files: Path, *, asks: bool = False) -> ssl.SSLContext:
    """The server's side of TLS; with ``asks`` it wants a certificate of the client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files / "certificate.pem", files / "key.pem")
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files / "certificate.pem")
    return context


async def test_a_private_authority_is_trusted_where_it_is_named(files: Path) -> None:
    """A certificate nobody knows is refused, with its file it is taken, and unchecked on this machine."""
    async with listening(Sockets(OK), secured(files)) as sockets:
        url = f"https://{HOST}:{sockets.port}"
        async with opened(config(url)) as send:
            with pytest.raises(SourceUnavailable, match="not reachable"):
                await send()
        assert sockets.heads == []
        for tls in ({"ca_file": str(files / "certificate.pem")}, {"verify": False}):
            async with opened(config(url, tls=tls)) as send:
                assert (await send()).body == b"{}"


async def test_a_client_certificate_is_shown(files: Path) -> None:
    """A system that asks for one gets the one of the table, and refuses a client without."""
    authority = {"ca_file": str(files / "certificate.pem")}
    own = {"cert_file": str(files / "certificate.pem"), "key_file": str(files / "key.pem")}
    async with listening(Sockets(OK), secured(files, asks=True)) as sockets:
        url = f"https://{HOST}:{sockets.port}"
        async with opened(config(url, tls=authority | own)) as send:
            assert (await send()).status == 200
        async with opened(config(url, tls=authority)) as send:
            with pytest.raises(SourceUnavailable):
                await send()


async def test_files_that_cannot_be_used_are_an_error_of_the_configuration(tmp_path: Path) -> None:
    """It is told when the system is opened, not when it is asked."""
    with pytest.raises(ConfigError, match="TLS files"):
        await Http(config("https://x.example", tls={"ca_file": str(tmp_path / "none.pem")})).open()


async def test_only_the_proxy_of_the_table_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy sees the whole address; what the environment says is not read."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{HOST}:1")
    async with listening(Sockets(OK)) as sockets:
        async with opened(config(f"http://{HOST}:{sockets.port}")) as send:
            await send()
        async with opened(config("http://far.example", proxy=f"http://{HOST}:{sockets.port}")) as send:
            await send()
        direct, through = sockets.heads
        assert direct.startswith("GET /x HTTP/1.1")
        assert through.startswith("GET http://far.example/x HTTP/1.1")


async def test_a_body_without_end_is_left_at_its_limit() -> None:
    """It is counted while it is read, unpacked; the connection is not used again."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 40
    packed = gzip.compress(b" " * 3_000_000)
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with listening(Sockets(endless, bomb + packed, OK)) as sockets:
        settings = config(f"http://{HOST}:{sockets.port}", max_body_bytes=1_000_000)
        async with opened(settings) as send:
            for _ in range(2):
                with pytest.raises(SourceUnavailable, match="more than 1000000 bytes"):
                    await send()
            assert (await send()).body == b"{}"
            assert sockets.connections == 3


async def test_packed_answers_are_unpacked_and_connections_kept() -> None:
    """Three answers, one connection."""
    packed = gzip.compress(b'{"a": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with (
        listening(Sockets(head + packed, EMPTY, OK)) as sockets,
        opened(config(f"http://{HOST}:{sockets.port}")) as send,
    ):
        assert [(await send()).body for _ in range(3)] == [b'{"a": 1}', b"", b"{}"]
        assert sockets.connections == 1


async def test_headers_that_come_twice_are_joined() -> None:
    """Names are lower case, and nothing of a list of links is lost."""
    answer = OK.replace(b"\r\n", b"\r\nLink: <a>; rel=prev\r\nLINK: <b>; rel=next\r\n", 1)
    async with (
        listening(Sockets(answer)) as sockets,
        opened(config(f"http://{HOST}:{sockets.port}")) as send,
    ):
        assert (await send()).headers["link"] == "<a>; rel=prev, <b>; rel=next"


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_nothing_is_sent_twice(method: str) -> None:
    """A request whose connection broke is an error, for the guard to pay for again or not."""
    async with (
        listening(Sockets(OK, None, OK)) as sockets,
        opened(config(f"http://{HOST}:{sockets.port}")) as send,
    ):
        await send(method)
        with pytest.raises(SourceUnavailable):
            await send(method)
        assert len(sockets.heads) == 2
        assert (await send(method)).status == 200


async def test_what_is_sent_is_escaped_once() -> None:
    """Odd characters of paths and parameters are escaped, what is escaped stays; headers of a call come last."""
    async with (
        listening(Sockets(OK)) as sockets,
        opened(config(f"http://{HOST}:{sockets.port}/o%20data/ä", headers={"X-A": "1", "X-B": "1"})) as send,
    ):
        await send(
            path="/A('a b%2F')/50%/é", params=[("$filter", "x eq 'a/b'"), ("k", "1,2")], headers={"x-b": "2"}
        )
        head = sockets.heads[0].splitlines()
        path = "/o%20data/%C3%A4/A('a%20b%2F')/50%25/%C3%A9?%24filter=x+eq+%27a%2Fb%27&k=1%2C2"
        assert head[0] == f"GET {path} HTTP/1.1"
        names = [line.partition(":")[0].lower() for line in head[1:] if line]
        assert len(names) == len(set(names))
        told = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        assert (told["x-a"], told["x-b"], told["user-agent"]) == ("1", "2", "crossdock")
        assert "content-type" not in told


async def test_a_session_of_the_system_is_kept() -> None:
    """A cookie comes back with the next request: some systems open a session for every call without one."""
    answer = OK.replace(b"\r\n", b"\r\nSet-Cookie: session=42; Path=/\r\n", 1)
    async with (
        listening(Sockets(answer)) as sockets,
        opened(config(f"http://{HOST}:{sockets.port}")) as send,
    ):
        await send()
        await send()
        assert "Cookie" not in sockets.heads[0]
        assert "session=42" in sockets.heads[1]


async def test_a_header_that_cannot_be_sent_is_no_accident() -> None:
    """A line break out of somebody's key ends the call as an error of this system, and nothing is smuggled in."""
    async with (
        listening(Sockets(OK)) as sockets,
        opened(config(f"http://{HOST}:{sockets.port}")) as send,
    ):
        with pytest.raises(SourceUnavailable):
            await send(headers={"X-Key": "a\r\nX-Other: b"})
        assert sockets.heads == []
