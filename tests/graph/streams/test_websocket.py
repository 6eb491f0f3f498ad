"""GraphQL over WebSocket, message by message."""

import json
import socket
import time
from typing import Any

import pytest

from gateway.subscribing import Payload, SubscriptionEnded
from tests.graph.streams.served import TICKS, Served, served
from tests.graph.streams.wire import BINARY, CLOSE, PING, PONG, TEXT, Wire

DEEP = '{"type":"connection_init","payload":' + '{"a":' * 100_000 + "1" + "}" * 100_001
DEEP_VARIABLES: dict[str, Any] = {}
for _ in range(80):
    DEEP_VARIABLES = {"a": DEEP_VARIABLES}


def test_a_subscription_gives_its_results_in_order_and_completes(server: Served) -> None:
    """Every result is a next, in order, and then comes complete."""
    with Wire(server) as wire:
        assert (wire.status, wire.headers["sec-websocket-protocol"]) == (101, "graphql-transport-ws")
        wire.init()
        wire.subscribe("a", TICKS, count=3)
        assert wire.hears(4) == [
            *({"id": "a", "type": "next", "payload": {"data": {"ticks": n}}} for n in (1, 2, 3)),
            {"id": "a", "type": "complete"},
        ]


def test_queries_and_mutations_are_answered_too(server: Served) -> None:
    """One next and complete, and several operations go side by side."""
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("m", "mutation { slowBump }")
        wire.subscribe("q", '{ hello(name: "plant") }')
        assert wire.hears(2) == [
            {"id": "q", "type": "next", "payload": {"data": {"hello": "hello plant"}}},
            {"id": "q", "type": "complete"},
        ]
        assert wire.hear()["payload"]["data"]["slowBump"] == server.feed.bumps
        assert wire.hear() == {"id": "m", "type": "complete"}


def test_faults_are_masked(server: Served) -> None:
    """What breaks inside is not told; the request id is."""
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("f", "{ fault }")
        (error,) = wire.hear()["payload"]["errors"]
        assert error["message"] == "Internal error"
        assert len(error["extensions"]["requestId"]) == 32
        assert wire.hear()["type"] == "complete"
        wire.subscribe("b", "subscription { broken }")
        assert wire.hear()["payload"] == {"data": {"broken": 1}}
        said = wire.hear()
        assert said["type"] == "error"
        assert said["payload"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "hunter2" not in json.dumps(said)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_NAME_REQUIRED"),
        ("subscription { refused }", "NOT_AUTHORIZED"),
        ("subscription { ticks }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_a_mistake_in_an_operation_costs_only_that_operation(server: Served, query: str, code: str) -> None:
    """The id gets an error, and the socket goes on; the id is free again."""
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("x", query)
        said = wire.hear()
        assert (said["id"], said["type"]) == ("x", "error")
        assert said["payload"][0]["extensions"]["code"] == code
        wire.subscribe("x", "{ hello }")
        assert wire.hear()["payload"] == {"data": {"hello": "hello you"}}


def test_an_ended_subscription_says_where_to_go_on(server: Served) -> None:
    """Too slow is an error with the cursor and the time to wait."""
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("g", "subscription { gap }")
        assert wire.hear()["type"] == "next"
        assert wire.hear() == {
            "id": "g",
            "type": "error",
            "payload": [
                {
                    "message": "too slow",
                    "extensions": {"code": "EVENTS_GAP", "cursor": "e.7", "retryAfterSeconds": 3},
                }
            ],
        }


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        '"x"',
        "7",
        "",
        "{",
        "{}",
        '{"type":null}',
        '{"type":[]}',
        '{"type":"start","id":"1"}',
        '{"type":"connection_init","payload":"x"}',
        '{"type":"connection_init","payload":[1]}',
        '{"type":"ping","payload":"x"}',
        '{"type":"subscribe","payload":{"query":"{ hello }"}}',
        '{"type":"subscribe","id":7,"payload":{"query":"{ hello }"}}',
        '{"type":"subscribe","id":"","payload":{"query":"{ hello }"}}',
        '{"type":"subscribe","id":"%s","payload":{"query":"{ hello }"}}' % ("x" * 257),
        '{"type":"complete"}',
        '{"type":"complete","id":7}',
        DEEP[:99_000],
    ],
    ids=lambda text: str(text)[:50],
)
def test_what_is_no_message_closes_with_4400(server: Served, text: str) -> None:
    """Whatever else arrives, the close says that it was no message."""
    with Wire(server) as wire:
        wire.frame(TEXT, text.encode())
        closed = wire.hear()
        assert closed["close"] == 4400, closed
        assert closed["reason"].startswith("Invalid message: ")


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "x",
        {},
        {"query": 7},
        {"query": "{ hello }", "variables": []},
        {"query": "{ hello }", "operationName": 7},
        {"query": "{ hello }", "extensions": "x"},
        {"query": "{ hello }", "variables": DEEP_VARIABLES},
    ],
    ids=lambda payload: str(payload)[:50],
)
def test_a_payload_that_is_no_request_closes_with_4400(server: Served, payload: object) -> None:
    """An operation must be a request of GraphQL."""
    with Wire(server) as wire:
        wire.init()
        wire.say(type="subscribe", id="1", payload=payload)
        assert wire.hear()["close"] == 4400


def test_binary_frames_and_broken_text_close_with_4400(server: Served) -> None:
    """Messages are text in UTF-8."""
    for kind, data in ((BINARY, b'{"type":"connection_init"}'), (TEXT, b'{"type":"\xff\xfe"}')):
        with Wire(server) as wire:
            wire.frame(kind, data)
            assert wire.hear()["close"] == 4400


def test_a_message_in_pieces_is_one_message(server: Served) -> None:
    """Fragments are put together, even inside a character."""
    text = '{"type":"ping","payload":{"é":1}}'.encode()
    cut = text.index(b"\xc3") + 1
    with Wire(server) as wire:
        wire.frame(TEXT, text[:cut], final=False)
        wire.frame(0, text[cut:])
        assert wire.hear() == {"type": "pong", "payload": {"é": 1}}


def test_a_frame_beyond_the_limit_is_refused_by_its_head(server: Served) -> None:
    """1009, before the frame is read."""
    with Wire(server) as wire:
        wire.frame(TEXT, b"x" * 100_001)
        assert wire.hear()["close"] == 1009


def test_init_may_have_any_payload_that_is_an_object_or_none(server: Served) -> None:
    """Null is nothing, and what the doorkeeper says comes back."""
    payloads: list[dict[str, Any]] = [{}, {"payload": None}, {"payload": {}}]
    for payload in payloads:
        with Wire(server) as wire:
            wire.say(type="connection_init", **payload)
            assert wire.hear() == {"type": "connection_ack"}
    with Wire(server) as wire:
        wire.say(type="connection_init", payload={"who": "me"})
        assert wire.hear() == {"type": "connection_ack", "payload": {"who": "me"}}


def test_each_breach_of_the_order_has_its_code(server: Served) -> None:
    """4401 before the acknowledgement, 4429 for a second beginning, 4403 for strangers, 4409 for an id in use."""
    with Wire(server) as wire:
        wire.subscribe("1", "{ hello }")
        assert wire.hear() == {"close": 4401, "reason": "Unauthorized"}
    with Wire(server) as wire:
        wire.init()
        wire.say(type="connection_init")
        assert wire.hear() == {"close": 4429, "reason": "Too many initialisation requests"}
    with Wire(server) as wire:
        wire.say(type="connection_init", payload={"who": "stranger"})
        assert wire.hear() == {"close": 4403, "reason": "You are a stranger."}
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("1", "subscription { feed }")
        wire.subscribe("1", "subscription { feed }")
        assert wire.hear() == {"close": 4409, "reason": "Subscriber for 1 already exists"}


def test_who_does_not_begin_is_closed_with_4408(server: Served) -> None:
    """Pings do not help."""
    with Wire(server) as wire:
        began = time.monotonic()
        wire.say(type="ping")
        assert wire.hear() == {"type": "pong"}
        assert wire.hear() == {"close": 4408, "reason": "Connection initialisation timeout"}
        assert 0.3 < time.monotonic() - began < 2


def test_other_subprotocols_are_refused_with_4406(server: Served) -> None:
    """The legacy protocol, another, or none."""
    for protocol in ("graphql-ws", "mqtt", None):
        with Wire(server, protocol) as wire:
            assert "sec-websocket-protocol" not in wire.headers
            assert wire.hear()["close"] == 4406
    with Wire(server, "graphql-ws, graphql-transport-ws") as wire:
        assert wire.headers["sec-websocket-protocol"] == "graphql-transport-ws"


def test_pings_go_both_ways(server: Served) -> None:
    """A ping is answered with what it brought, as a message and as a frame; a silent socket hears one."""
    with Wire(server) as wire:
        wire.init()
        wire.say(type="ping", payload={"n": 1})
        assert wire.hear() == {"type": "pong", "payload": {"n": 1}}
        wire.frame(PING, b"abc")
        assert wire.read() == (PONG, b"abc")
        assert wire.hear(pings=True) == {"type": "ping"}
        wire.say(type="pong")
        wire.subscribe("1", "{ hello }")
        assert wire.hear()["type"] == "next"


def test_complete_gives_everything_back_and_frees_the_id(server: Served) -> None:
    """The generator is closed, nothing more is said under the id, and it may be used again."""
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("1", "subscription { feed }")
        server.feed.until("open", 1)
        server.feed.push(Payload(b'{"data":{"feed":"one"}}'))
        assert wire.hear()["payload"]["data"] == {"feed": "one"}
        wire.say(type="complete", id="1")
        server.feed.until("open", 0)
        wire.say(type="complete", id="unknown")
        wire.subscribe("1", "{ hello }")
        assert wire.hears(2)[1] == {"id": "1", "type": "complete"}


def test_a_client_that_has_gone_is_noticed_at_once(server: Served) -> None:
    """With or without a close, every subscription and every query of the socket ends."""
    for polite in (True, False):
        before = server.feed.cancelled
        with Wire(server) as wire:
            wire.init()
            for number in range(3):
                wire.subscribe(str(number), "subscription { feed }")
            wire.subscribe("q", "{ slow }")
            server.feed.until("open", 3)
            if polite:
                wire.frame(CLOSE, b"\x03\xe8")
                assert wire.read()[0] == CLOSE
        server.feed.until("open", 0, 1)
        server.feed.until("cancelled", before + 1, 1)


def test_a_query_ends_when_it_is_completed_a_mutation_does_not(server: Served) -> None:
    """What has begun to write is carried through."""
    before, bumped = server.feed.cancelled, server.feed.bumps
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("q", "{ slow }")
        wire.subscribe("m", "mutation { slowBump }")
        time.sleep(0.1)
        wire.say(type="complete", id="q")
        wire.say(type="complete", id="m")
        server.feed.until("cancelled", before + 1, 1)
    server.feed.until("bumps", bumped + 1, 2)


def test_foreign_pages_open_no_socket(server: Served) -> None:
    """A browser would let any page; ours and programs may."""
    with Wire(server, origin="https://evil.example") as wire:
        assert wire.status == 403
    with Wire(server, origin=f"http://{server.host}:{server.port}") as wire:
        wire.init()
    with (
        served(allowed_origins=["https://portal.example"]) as other,
        Wire(other, origin="https://portal.example") as wire,
    ):
        wire.init()


def test_sockets_elsewhere_are_refused(server: Served) -> None:
    """There is one path."""
    with Wire(server, path="/elsewhere") as wire:
        assert wire.status == 403


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /graphql HTTP/1.1\r\nHost: x", b"405"),
        (b"GET /graphql HTTP/1.1\r\nHost: x", b"400"),
        (b"GET /graphql HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 10_000, b"400"),
    ],
    ids=["another method", "no key", "a header too long to be a handshake's"],
)
def test_a_handshake_that_is_none_is_refused(server: Served, head: bytes, status: bytes) -> None:
    """It is answered at once, with a status, and the connection is closed."""
    with socket.create_connection((server.host, server.port), 3) as raw:
        raw.sendall(head + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        said = b""
        while piece := raw.recv(10_000):
            said += piece
        assert said.split()[1] == status


def test_a_socket_outlives_the_time_for_a_head(server: Served) -> None:
    """The clock of an HTTP head stops where the connection becomes a socket."""
    with Wire(server) as wire:
        wire.init()
        time.sleep(0.8)
        wire.subscribe("1", "{ hello }")
        assert wire.hear()["type"] == "next"


def test_the_numbers_of_sockets_and_operations_are_bounded() -> None:
    """429 for one client, 503 for all, and an error for one operation too many."""
    with served(max_streams=2, max_streams_per_client=1, max_operations=2) as server:
        with Wire(server) as wire:
            wire.init()
            for number in ("1", "2", "3"):
                wire.subscribe(number, "subscription { feed }")
            said = wire.hear()
            assert (said["id"], said["payload"][0]["extensions"]["code"]) == ("3", "TOO_MANY_OPERATIONS")
            with Wire(server) as second:
                assert (second.status, second.headers["retry-after"]) == (429, "2")
            wire.say(type="complete", id="1")
            server.feed.until("open", 1)
            wire.subscribe("3", "{ hello }")
            assert wire.hear()["type"] == "next"
        server.feed.until("open", 0)
    with served(max_streams=1) as server, Wire(server), Wire(server) as second:
        assert second.status == 503


def test_expired_credentials_end_the_socket(server: Served) -> None:
    """4403, which clients take for: come back with new ones."""
    with Wire(server) as wire:
        wire.init(expires=0.3)
        wire.subscribe("1", "subscription { feed }")
        assert wire.hear()["close"] == 4403


def test_a_client_that_does_not_read_costs_a_bounded_amount(server: Served) -> None:
    """The source is not asked for more than fits in between, and the socket is given up."""
    with Wire(server) as wire:
        wire.init()
        before = server.feed.flooded
        wire.subscribe("1", "subscription { flood }")
        server.feed.until("open", 1)
        time.sleep(0.5)
        taken = server.feed.flooded - before
        time.sleep(0.2)
        assert server.feed.flooded - before == taken < 200
        server.feed.until("open", 0, 5)
        wire.socket.settimeout(5)
        heard = {}
        try:
            while "close" not in heard:
                heard = wire.hear()
        except (ConnectionResetError, ValueError):
            heard = {"close": 1006}
        assert heard["close"] in (1013, 1006)


def test_a_slow_reader_is_waited_for(server: Served) -> None:
    """Who reads now and then keeps the socket, and every result."""
    with Wire(server) as wire:
        wire.init()
        wire.subscribe("1", "subscription { flood }")
        for _ in range(40):
            assert wire.hear()["type"] == "next"
            time.sleep(0.05)
        wire.say(type="complete", id="1")


def test_on_shutdown_sockets_close_and_answers_are_finished() -> None:
    """1012 with the time to come back; a mutation is answered first, a subscription gets no complete."""
    with served() as server, Wire(server) as wire:
        wire.init()
        wire.subscribe("s", "subscription { feed }")
        wire.subscribe("m", "mutation { slowBump }")
        server.feed.until("open", 1)
        time.sleep(0.1)
        began = time.monotonic()
        server.stop()
        assert wire.hear() == {"id": "m", "type": "next", "payload": {"data": {"slowBump": 1}}}
        assert wire.hear() == {"id": "m", "type": "complete"}
        closed = wire.hear()
        assert closed["close"] == 1012
        assert "3 s" in closed["reason"]
        assert server.stopped(3)
        assert time.monotonic() - began < 3
        assert server.feed.open == 0


def test_ends_of_the_engine_reach_every_subscriber(server: Served) -> None:
    """An end of all is told to each."""
    with Wire(server) as one, Wire(server) as two:
        for wire in (one, two):
            wire.init()
            wire.subscribe("1", "subscription { feed }")
        server.feed.until("open", 2)
        server.feed.push(SubscriptionEnded("the end"))
        for wire in (one, two):
            assert wire.hear()["payload"][0]["extensions"] == {"code": "SUBSCRIPTION_ENDED"}
