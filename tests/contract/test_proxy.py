"""The proxy does to a connection what its modes say."""

import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.contract.cases.tiny import SECRET, server
from tests.proxy import HOST, Mode, Proxy
from tests.serving import serving


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in front of a small server."""
    with serving(server) as url, Proxy.of(url) as made:
        yield made


def ask(proxy: Proxy) -> httpx2.Response:
    """One request through the proxy on a connection of its own."""
    headers = {"authorization": f"Bearer {SECRET}"}
    return httpx2.get(f"{proxy.url}/plants?codes=1710", headers=headers, timeout=0.5, trust_env=False)


def test_passes_on(proxy: Proxy) -> None:
    """Without a mode it is not there."""
    assert ask(proxy).json() == {"rows": [{"code": "1710", "name": "Plant 1"}]}
    assert proxy.connections == 1


def test_down_and_up_at_one_address(proxy: Proxy) -> None:
    """Down refuses at once, again and again; up answers at the same address."""
    for _ in range(3):
        proxy.down()
        began = time.monotonic()
        with pytest.raises(httpx2.ConnectError):
            ask(proxy)
        assert time.monotonic() - began < 0.3
        proxy.up()
        assert ask(proxy).status_code == 200


def test_nobody_gets_the_address_while_it_is_down(proxy: Proxy) -> None:
    """The port stays taken, so that another server does not answer in the name of the one that is down."""
    proxy.down()
    with socket.socket() as other:
        try:
            other.bind((HOST, proxy.port))
        except OSError:
            return
    raise AssertionError(f"port {proxy.port} was free while the dependency was down")


def test_down_drops_what_is_open(proxy: Proxy) -> None:
    """A connection that is open when the dependency goes down is closed."""
    with socket.create_connection((HOST, proxy.port), timeout=2) as open_one:
        open_one.sendall(b"GET /")
        time.sleep(0.05)
        proxy.down()
        try:
            assert open_one.recv(1) == b""
        except ConnectionResetError:
            return


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        (Mode.SILENT, httpx2.ReadTimeout),
        (Mode.HALF, httpx2.RemoteProtocolError),
        (Mode.RESET, httpx2.TransportError),
    ],
)
def test_modes(proxy: Proxy, mode: Mode, error: type[Exception]) -> None:
    """Each mode spoils the answer in its own way."""
    proxy.mode = mode
    with pytest.raises(error):
        ask(proxy)


def test_slow_is_a_byte_now_and_then(proxy: Proxy) -> None:
    """A slow answer comes, byte by byte."""
    proxy.mode = Mode.SLOW
    with socket.create_connection((HOST, proxy.port), timeout=2) as slow:
        slow.sendall(b"GET /plants HTTP/1.1\r\nHost: x\r\n\r\n")
        got = [slow.recv(1000) for _ in range(6)]
    assert b"".join(got).startswith(b"HTTP/1")
    assert all(len(piece) <= 3 for piece in got), got
