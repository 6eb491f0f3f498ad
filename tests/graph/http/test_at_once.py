"""Kept answers over a real socket: in one write, on kept-alive and closing connections, pipelined, and in pieces."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from tests.graph.http.conftest import serve
from tests.graph.http.keeping import CARD, Gateway

BODY = json.dumps({"query": CARD}).encode()


def post(body: bytes = BODY, *lines: str) -> bytes:
    """A POST as bytes."""
    head = ["POST /graphql HTTP/1.1", "Host: x", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def get(*lines: str) -> bytes:
    """A GET as bytes."""
    return "\r\n".join([f"GET /graphql?query={quote(CARD)} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


@pytest.fixture
def gateway() -> Gateway:
    """A gateway that has answered once."""
    return Gateway()


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    """Where it listens."""
    yield from serve(gateway.app)


OPEN: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every connection is closed in the end."""
    yield
    while OPEN:
        OPEN.pop().close()


class Line:
    """A connection and what is read from it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 0))
        self.socket.settimeout(3)
        OPEN.append(self.socket)
        self._got = b""

    def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send, and read one answer."""
        self.socket.sendall(sent)
        return self.read()

    def read(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        while b"\r\n\r\n" not in self._got:
            self._more()
        head, _, self._got = self._got.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), "a header is said twice"
        size = int(headers.get("content-length", 0))
        while len(self._got) < size:
            self._more()
        body, self._got = self._got[:size], self._got[size:]
        return int(first.split()[1]), headers, body

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        assert piece, "the connection was closed"
        self._got += piece


def test_a_known_request_is_answered_alike(gateway: Gateway, url: str) -> None:
    """Unread or read, the answer is the same but for its id and its age, again and again on one connection."""
    line = Line(url)
    status, headers, body = line.ask(post())
    gateway.forget_values()
    for number in range(3):
        given = f"mine-{number}"
        again = line.ask(post(BODY, f"X-Request-Id: {given}"))
        assert again[0] == status == 200
        assert again[2] == body
        assert again[1]["x-request-id"] == given
        fixed = {name: value for name, value in headers.items() if name not in ("x-request-id", "date")}
        assert {name: again[1].get(name) for name in fixed} == fixed
    assert not gateway.asked


def test_a_closing_connection_is_closed(gateway: Gateway, url: str) -> None:
    """Connection: close is honoured, and HTTP/1.0 as well."""
    Line(url).ask(post())
    Line(url).ask(post(BODY, "Connection: close"))
    line = Line(url)
    _, headers, _ = line.ask(post(BODY, "Connection: close"))
    assert headers["connection"] == "close"
    assert line.socket.recv(1) == b""
    line = Line(url)
    assert line.ask(post().replace(b"HTTP/1.1", b"HTTP/1.0"))[1]["connection"] == "close"
    assert line.socket.recv(1) == b""


def test_pipelined_requests_are_answered_in_order(url: str) -> None:
    """Known and unknown requests in one packet: every answer in its place."""
    line = Line(url)
    line.ask(post())
    other = json.dumps({"query": "{ __typename }"}).encode()
    line.socket.sendall(post() + post(other) + post() + post())
    bodies = [line.read()[2] for _ in range(4)]
    assert bodies[1] == b'{"data":{"__typename":"Query"}}'
    assert bodies[0] == bodies[2] == bodies[3] != bodies[1]


def test_a_request_in_pieces_is_answered(gateway: Gateway, url: str) -> None:
    """Head and body apart, and the body in two: the same answer."""
    line = Line(url)
    _, _, body = line.ask(post())
    for cut in (len(post()) - len(BODY), len(post()) - 9, 20):
        line.socket.sendall(post()[:cut])
        assert line.ask(post()[cut:])[2] == body
    assert line.ask(post().replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))[2] == body


def test_what_the_client_has_is_not_sent_again(url: str) -> None:
    """304 without a body, and the connection goes on."""
    line = Line(url)
    tag = line.ask(get())[1]["etag"]
    status, headers, body = line.ask(get(f"If-None-Match: {tag}"))
    assert (status, body, headers["etag"]) == (304, b"", tag)
    assert "content-length" not in headers
    assert line.ask(get('If-None-Match: "other"'))[0] == 200


def test_what_was_invalidated_is_read_anew(gateway: Gateway, url: str) -> None:
    """A known request whose answer is gone goes the long way."""
    line = Line(url)
    line.ask(post())
    gateway.forget_values()
    gateway.clock.pass_(61)
    assert line.ask(post())[0] == 200
    assert gateway.asked


def test_rights_are_told_anew_by_every_request(gateway: Gateway, url: str) -> None:
    """The same bytes from a sender of other rights do not get the answer."""
    line = Line(url)
    line.ask(post())
    gateway.forget_values()
    assert line.ask(post(BODY, "X-Plants: 1710"))[0] == 200
    assert gateway.asked


def test_the_same_bytes_said_otherwise_are_read(url: str) -> None:
    """What decides how the bytes are read is part of what is known: another type is refused, another Accept answered."""
    line = Line(url)
    line.ask(post())
    assert line.ask(post().replace(b"application/json", b"text/plain"))[0] == 415
    line = Line(url)
    wish = "Accept: application/graphql-response+json"
    for _ in range(2):
        assert line.ask(post(BODY, wish))[1]["content-type"].startswith("application/graphql-response+json")
    assert line.ask(post(BODY, "Accept: text/html"))[0] == 406
    assert line.ask(post(BODY, "Crossdock-Lane: urgent"))[0] == 400


def test_an_answer_that_is_not_kept_leaves_whole_as_well(url: str) -> None:
    """Kept alive, closing, HEAD without a body, and too large a body, each as HTTP has it."""
    other = json.dumps({"query": "{ __typename }"}).encode()
    line = Line(url)
    for _ in range(2):
        assert line.ask(post(other))[::2] == (200, b'{"data":{"__typename":"Query"}}')
    line.socket.sendall(post(other).replace(b"POST", b"HEAD", 1) + post(other))
    line.socket.settimeout(3)
    while b"\r\n\r\n" not in line._got:
        line._more()
    head, _, line._got = line._got.partition(b"\r\n\r\n")
    assert b" 405 " in head.split(b"\r\n")[0]
    assert line.read()[::2] == (200, b'{"data":{"__typename":"Query"}}')
    assert line.ask(post(other, "Connection: close"))[1]["connection"] == "close"
    assert line.socket.recv(1) == b""
    late = Line(url)
    status, headers, _ = late.ask(post(b"x" * (1 << 20) + b"x"))
    assert (status, headers["connection"]) == (413, "close")
    assert late.socket.recv(1) == b""
