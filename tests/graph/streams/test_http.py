"""Subscriptions over HTTP: server-sent events and Apollo's multipart, against a real server."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from gateway.subscribing import Payload, SubscriptionEnded
from tests.graph.streams.served import TICKS, Served, served, subscription

SSE = "text/event-stream"
MULTIPART = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
URQL = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
APOLLO = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9"
GRAPHQL = "application/graphql-response+json"
FEED = "subscription { feed }"
PART = b"\r\ncontent-type: application/json\r\n\r\n"


def post(
    server: Served, query: str, accept: str, headers: dict[str, str] | None = None, **variables: Any
) -> httpx2.Response:
    """The whole answer."""
    sent = {"accept": accept, "content-type": "application/json", **(headers or {})}
    return httpx2.post(server.url, content=subscription(query, **variables), headers=sent, timeout=10)


class Raw:
    """An answer as it comes, read by hand: only the head is taken in at once."""

    def __init__(self, server: Served, query: str, accept: str, **headers: str) -> None:
        self.socket = socket.create_connection((server.host, server.port), 5)
        body = subscription(query)
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self.file.readline().decode().strip():
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value

    def chunk(self) -> bytes:
        """The next chunk; empty at the end of the answer."""
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        assert self.file.readline() == b"\r\n"
        return data

    def close(self) -> None:
        """Go away."""
        self.file.close()
        self.socket.close()


@contextmanager
def raw(server: Served, query: str, accept: str = SSE, **headers: str) -> Iterator[Raw]:
    """An open answer."""
    opened = Raw(server, query, accept, **headers)
    try:
        yield opened
    finally:
        opened.close()


def test_events_are_next_with_the_cursor_and_complete(server: Served) -> None:
    """Lines end in LF, each result has its cursor as id, and the end is told."""
    answer = post(server, TICKS, SSE, count=2)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-request-id"]
    assert answer.content == (
        b"retry: 2000\n\n"
        b'event: next\nid: e.1\ndata: {"data":{"ticks":1}}\n\n'
        b'event: next\nid: e.2\ndata: {"data":{"ticks":2}}\n\n'
        b"event: complete\ndata:\n\n"
    )


def test_parts_are_json_in_an_envelope(server: Served) -> None:
    """A boundary opens, each part is followed by one at once, and the last one closes."""
    answer = post(server, TICKS, APOLLO, count=2)
    assert answer.headers["content-type"] == MULTIPART
    parts = [b"{}", b'{"payload":{"data":{"ticks":1}}}', b'{"payload":{"data":{"ticks":2}}}']
    assert (
        answer.content == b"\r\n--graphql" + b"".join(PART + p + b"\r\n--graphql" for p in parts) + b"--\r\n"
    )


def test_a_subscription_by_get_is_what_a_browser_asks(server: Served) -> None:
    """EventSource can only GET."""
    params = {"query": TICKS, "variables": '{"count":1}'}
    answer = httpx2.get(server.url, params=params, headers={"accept": SSE})
    assert b"id: e.1\n" in answer.content


def test_a_returning_client_goes_on_after_what_it_saw_last(server: Served) -> None:
    """Last-Event-ID reaches the engine as extensions.lastEventId."""
    answer = post(server, TICKS, SSE, {"last-event-id": "e.2"}, count=4)
    assert server.feed.requests[-1].extensions == {"lastEventId": "e.2"}
    assert [line for line in answer.text.splitlines() if line.startswith("id")] == ["id: e.3", "id: e.4"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (URQL, SSE),
        (APOLLO, "multipart/mixed"),
        ("text/event-stream;q=0.1, application/json", SSE),
        (f"{SSE};q=0.5, {MULTIPART}", "multipart/mixed"),
        ("*/*", "application/json"),
        ("text/*", None),
        ("multipart/mixed", None),
        ("multipart/mixed;deferSpec=20220824, application/json", "application/json"),
        ("application/json, text/event-stream;q=0", "application/json"),
    ],
)
def test_a_subscription_streams_where_a_stream_is_named(
    server: Served, accept: str, kind: str | None
) -> None:
    """By the client's preference among streams; no wildcard stands for one."""
    answer = post(server, TICKS, accept, count=1)
    if kind is None:
        assert answer.status_code == 406
        return
    assert answer.headers["content-type"].startswith(kind)
    if kind == "application/json":
        assert answer.json()["errors"][0]["extensions"]["code"] == "SUBSCRIPTION_NEEDS_STREAM"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (URQL, GRAPHQL),
        (APOLLO, GRAPHQL),
        ("application/json, text/event-stream", "application/json"),
        ("text/event-stream;q=0.9, application/json", "application/json"),
        ("text/event-stream, application/json", SSE),
        ("text/event-stream, */*;q=0.1", SSE),
        (SSE, SSE),
        (MULTIPART, "multipart/mixed"),
    ],
)
def test_a_query_is_one_answer_unless_events_are_wished_first(server: Served, accept: str, kind: str) -> None:
    """Urql names text/event-stream in every request, last."""
    answer = post(server, "{ hello }", accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    if kind == SSE:
        assert (
            answer.content
            == b'event: next\ndata: {"data":{"hello":"hello you"}}\n\nevent: complete\ndata:\n\n'
        )
    assert b'{"data":{"hello":"hello you"}}' in answer.content


@pytest.mark.parametrize(
    "query", ["{", "{ unknown }", "subscription { unknown }", "subscription { refused }"]
)
def test_what_is_refused_at_once_has_a_status_for_whoever_reads_json(server: Served, query: str) -> None:
    """400 as JSON; who reads only events is told in an event, as the protocol demands."""
    answer = post(server, query, URQL)
    assert (answer.status_code, answer.headers["content-type"]) == (400, f"{GRAPHQL}; charset=utf-8")
    code = answer.json()["errors"][0]["extensions"]["code"]
    events = post(server, query, SSE)
    assert events.status_code == 200
    first, last = events.text.strip().split("\n\n")
    assert last == "event: complete\ndata:"
    assert json.loads(first.removeprefix("event: next\ndata: "))["errors"][0]["extensions"]["code"] == code
    parts = post(server, query, MULTIPART)
    assert b'{"payload":{"errors":[' in parts.content


def test_what_is_no_request_has_a_status_always(server: Served) -> None:
    """A mutation by GET, a wrong type, broken JSON, a stranger: JSON with the status, whatever is accepted."""
    headers = {"accept": SSE}
    assert (
        httpx2.get(server.url, params={"query": "mutation { slowBump }"}, headers=headers).status_code == 405
    )
    assert httpx2.post(server.url, content=b"{}", headers=headers).status_code == 415
    broken = httpx2.post(server.url, content=b"{", headers=headers | {"content-type": "application/json"})
    assert (broken.status_code, broken.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_JSON")
    stranger = post(server, FEED, SSE, {"x-who": "stranger"})
    assert (stranger.status_code, stranger.json()["errors"][0]["message"]) == (403, "You are a stranger.")


def test_what_is_refused_later_is_an_event(server: Served) -> None:
    """After the head is sent, the refusal is the first and last event."""
    query = "subscription Late($late: Float!) { refused(late: $late) }"
    events = post(server, query, URQL, late=0.5)
    assert events.status_code == 200
    assert '"code":"NOT_AUTHORIZED"' in events.text
    assert events.text.endswith("event: complete\ndata:\n\n")
    parts = post(server, query, APOLLO, late=0.5)
    assert b'"code":"NOT_AUTHORIZED"' in parts.content
    assert parts.content.endswith(b"--graphql--\r\n")


def test_an_ended_subscription_says_where_and_when_to_go_on(server: Served) -> None:
    """The cursor is the event's id, so that a browser goes on there."""
    entry = '{"message":"too slow","extensions":{"code":"EVENTS_GAP","cursor":"e.7","retryAfterSeconds":3}}'
    events = post(server, "subscription { gap }", SSE).text
    assert f'retry: 3000\n\nevent: next\nid: e.7\ndata: {{"errors":[{entry}]}}\n\nevent: complete' in events
    parts = post(server, "subscription { gap }", APOLLO).text
    assert f'{{"payload":null,"errors":[{entry}]}}' in parts


def test_faults_are_masked(server: Served) -> None:
    """What breaks in the middle is told with the id of the request."""
    for accept in (SSE, APOLLO):
        answer = post(server, "subscription { broken }", accept)
        assert "INTERNAL_SERVER_ERROR" in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("accept", "opening", "beat"),
    [
        (SSE, b"retry: 2000\n\n", b":\n\n"),
        (MULTIPART, b"\r\n--graphql" + PART + b"{}\r\n--graphql", PART + b"{}\r\n--graphql"),
    ],
)
def test_a_silent_stream_opens_soon_and_is_kept_alive(
    server: Served, accept: str, opening: bytes, beat: bytes
) -> None:
    """The head and something to read come at once, then a beat in every silence."""
    began = time.monotonic()
    with raw(server, FEED, accept) as stream:
        assert stream.status == 200
        assert stream.chunk() == opening
        assert time.monotonic() - began < 1
        assert stream.chunk() == beat
        server.feed.push(Payload(b'{"data":{"feed":"x"}}', "e.1"))
        found = stream.chunk()
        while found == beat:
            found = stream.chunk()
        assert b'{"data":{"feed":"x"}}' in found


def test_a_client_that_has_gone_is_noticed_at_once(server: Served) -> None:
    """Before anything was sent, and after."""
    with raw(server, FEED):
        server.feed.until("open", 1)
    server.feed.until("open", 0, 1)
    with raw(server, FEED) as stream:
        stream.chunk()
    server.feed.until("open", 0, 1)
    assert len(server.visits) == 0


@pytest.mark.parametrize("accept", [SSE, MULTIPART])
def test_a_client_that_does_not_read_costs_a_bounded_amount(server: Served, accept: str) -> None:
    """The source is asked for no more than fits in between, and the connection is cut off."""
    with raw(server, "subscription { flood }", accept):
        before = server.feed.flooded
        time.sleep(0.5)
        taken = server.feed.flooded
        time.sleep(0.2)
        assert server.feed.flooded == taken
        assert taken - before < 200
        server.feed.until("open", 0, 5)


def test_a_slow_reader_is_waited_for(server: Served) -> None:
    """Who reads now and then keeps the stream, and every byte."""
    with raw(server, "subscription { flood }") as stream:
        for _ in range(40):
            assert len(stream.chunk()) > 65_000
            time.sleep(0.05)


def test_expired_credentials_end_the_stream_without_complete(server: Served) -> None:
    """The client comes back, with new ones."""
    with raw(server, FEED, SSE, x_expires="0.5") as stream:
        said = b""
        while piece := stream.chunk():
            said += piece
        assert b"complete" not in said


def test_streams_are_counted_with_the_sockets() -> None:
    """There is no room for more than the setting says; then there is again."""
    with served(max_streams=1) as server:
        with raw(server, FEED) as stream:
            stream.chunk()
            refused = post(server, FEED, SSE)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_STREAMS"
            assert post(server, "{ hello }", "application/json").status_code == 200
        server.feed.until("open", 0)
        assert post(server, TICKS, SSE, count=1).status_code == 200


def test_on_shutdown_streams_are_ended_in_their_own_words() -> None:
    """Events stop without complete and say when to come back; parts say that the gateway ends; nothing waits."""
    with served() as server, raw(server, FEED) as events, raw(server, FEED, MULTIPART) as parts:
        assert events.chunk().startswith(b"retry")
        assert parts.chunk().startswith(b"\r\n--graphql")
        server.feed.until("open", 2)
        began = time.monotonic()
        server.stop()
        told = b"".join(iter(events.chunk, b""))
        assert told.endswith(b"retry: 3000\n\n")
        assert b"complete" not in told
        told = b"".join(iter(parts.chunk, b""))
        assert b'{"payload":null,"errors":[{"message":"The gateway is stopping."' in told
        assert told.endswith(b"--graphql--\r\n")
        assert server.stopped(3)
        assert time.monotonic() - began < 3
        assert server.feed.open == 0


def test_ends_of_the_engine_reach_every_subscriber(server: Served) -> None:
    """An end of all is told to each."""
    with raw(server, FEED) as one, raw(server, FEED) as two:
        for stream in (one, two):
            stream.chunk()
        server.feed.push(SubscriptionEnded("the end"))
        for stream in (one, two):
            told = b"".join(iter(stream.chunk, b""))
            assert b'"code":"SUBSCRIPTION_ENDED"' in told
