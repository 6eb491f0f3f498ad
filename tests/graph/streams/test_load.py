"""Many at once, some of whom do not read."""

import time
from collections.abc import Callable

from gateway.subscribing import Payload
from tests.graph.streams.served import served
from tests.graph.streams.test_http import FEED, Raw
from tests.graph.streams.wire import Wire

FLOOD = "subscription { flood }"


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for something to be so: a stream is counted out a moment after it gave back what it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_does_not_read_costs_the_others_nothing() -> None:
    """A hundred hear everything, in order, while twenty read nothing; those are given up, and what they held is free."""
    with served() as server:
        stuck: list[Wire | Raw] = []
        for _ in range(10):
            wire = Wire(server)
            wire.init()
            wire.subscribe("1", FLOOD)
            stuck += [wire, Raw(server, FLOOD, "text/event-stream")]
        wires, streams = [], []
        for _ in range(50):
            wire = Wire(server)
            wire.init()
            wire.subscribe("1", FEED)
            wires.append(wire)
            streams.append(Raw(server, FEED, "text/event-stream"))
        server.feed.until("listening", 100)
        for stream in streams:
            assert stream.chunk().startswith(b"retry")
        for number in range(10):
            server.feed.push(Payload(b'{"data":{"feed":"%d"}}' % number))
            for wire in wires:
                assert wire.hear()["payload"] == {"data": {"feed": str(number)}}
            for stream in streams:
                while (chunk := stream.chunk()) == b":\n\n":
                    continue
                assert b'"feed":"%d"' % number in chunk
        server.feed.until("open", 100, 8)
        flooded = server.feed.flooded
        assert flooded * 65_536 < 20 * 12_000_000
        for one in (*stuck, *wires, *streams):
            one.close()
        server.feed.until("open", 0)
        until(lambda: len(server.visits) == 0)
        assert server.feed.flooded == flooded


def test_who_does_not_read_does_not_hold_up_the_end() -> None:
    """On shutdown nobody is waited for as long as before."""
    with served(graceful_seconds=20, unread_seconds=60) as server:
        wire = Wire(server)
        wire.init()
        wire.subscribe("1", FLOOD)
        stream = Raw(server, FLOOD, "text/event-stream")
        server.feed.until("open", 2)
        server.stop()
        assert server.stopped(8)
        assert server.feed.open == 0
        for one in (wire, stream):
            one.close()
