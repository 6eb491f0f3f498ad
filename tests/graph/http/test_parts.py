"""Answers in parts over real sockets: when each part arrives, its very bytes, and what a leaving client leaves behind."""

import email.parser
import io
import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import structlog
from graphql import DocumentNode, build_schema

from gateway.engine import SchemaEngine
from gateway.http import GraphQLEndpoint
from gateway.multipart import CURRENT, OF_2022, PLAIN, form_of
from gateway.operations import Operations
from gateway.request import GraphQLRequest
from gateway.telemetry import RequestLog, configure_logging
from resolvers.execution.incremental import DEFER, STREAM
from tests.graph.http.keeping import Gateway
from tests.graph.http.slow import CARD, ORDER, WHOLE, Served, SlowSystem, served
from tests.graph.parts import Client
from tests.serving import serving

TAKES = {"accept": "multipart/mixed, application/json;q=0.9"}
TRACED = {"crossdock": {"trace": True}}


OWN = re.compile("/graphql/|/resolvers/execution/|async_generator")
"""What an answer in parts has running for itself."""


def within(seconds: float, true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.01)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """A stream that receives the logs as JSON lines; logging is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("json", "info", stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def access(lines: io.StringIO, seconds: float = 2) -> dict[str, Any]:
    """The one access line."""
    within(seconds, lambda: '"request"' in lines.getvalue())
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    [found] = [line for line in said if line["event"] == "request"]
    return dict(found)


@pytest.fixture
def slow() -> Iterator[SlowSystem]:
    """A slow system."""
    made = SlowSystem()
    yield made
    made.close()


@pytest.fixture
def server(slow: SlowSystem) -> Iterator[Served]:
    """The endpoint over it."""
    with served(slow) as made:
        yield made


class Parser:
    """Multipart by the letter of RFC 2046, piece by piece; a part is whole with the delimiter that ends it."""

    def __init__(self, boundary: bytes = b"-") -> None:
        self._delimiter, self._buffer = b"\r\n--" + boundary, b"\r\n"
        self._begun = self.closed = False

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The parts that are whole now."""
        self._buffer += data
        found = []
        while not self.closed:
            before, delimiter, after = self._buffer.partition(self._delimiter)
            if not delimiter or len(after) < 2:
                break
            if self._begun:
                found.append(self._part(before))
            else:
                assert before == b"", "a preamble"
            self._begun = True
            self.closed = after.startswith(b"--")
            rest = after[2:]
            assert after[:2] in (b"--", b"\r\n"), after[:10]
            # The line end after a delimiter begins the next one where a part has no head: here each has one.
            self._buffer = rest
        if self.closed:
            assert self._buffer == b"\r\n", self._buffer
        return found

    @staticmethod
    def _part(raw: bytes) -> dict[str, Any]:
        head, separator, body = raw.partition(b"\r\n\r\n")
        assert separator
        headers = email.parser.BytesParser().parsebytes(head + b"\r\n\r\n")
        assert headers.items() == [("Content-Type", "application/json; charset=utf-8")]
        payload: dict[str, Any] = json.loads(body)
        return payload


def parts_of(response: httpx2.Response) -> Client:
    """What a strict client has put together of a whole response."""
    parser, client = Parser(), Client()
    for payload in parser.feed(response.content):
        client.take(payload)
    assert parser.closed
    assert not client.more
    return client


def test_the_first_part_arrives_before_the_slow_system_has_answered(server: Served) -> None:
    """Measured on the sockets: the fast systems' part is with the client while the slow system still thinks."""
    arrived, parser, client = [], Parser(), Client()
    with (
        httpx2.Client() as http,
        http.stream("POST", server.url, json={"query": CARD}, headers=TAKES) as response,
    ):
        assert response.headers["content-type"] == 'multipart/mixed; boundary="-"'
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["vary"] == "Accept"
        assert response.headers["transfer-encoding"] == "chunked"
        assert "etag" not in response.headers
        assert response.headers["x-request-id"]
        for data in response.iter_raw():
            for payload in parser.feed(data):
                arrived.append(time.monotonic())
                client.take(payload)
    assert parser.closed
    assert client.data == WHOLE
    assert len(arrived) == 2
    assert arrived[0] < server.slow.answered_at - 0.3, "the first part waited for the slow system"
    assert arrived[1] >= server.slow.answered_at


def test_the_bytes_are_those_of_the_rfc(server: Served) -> None:
    """Delimiter, head, JSON; each part leaves with the delimiter after it; the last one closes the body."""
    body = json.dumps({"query": CARD}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: multipart/mixed\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(head + body)
        raw = b""
        while piece := connection.recv(65_536):
            raw += piece
    _, _, chunked = raw.partition(b"\r\n\r\n")
    chunks = []
    while True:
        size, _, rest = chunked.partition(b"\r\n")
        if not int(size, 16):
            break
        chunks.append(rest[: int(size, 16)])
        chunked = rest[int(size, 16) + 2 :]
    kind = b"Content-Type: application/json; charset=utf-8\r\n\r\n"
    place = (
        b'{"data":{"productionOrder":{"number":"1000000"}},"pending":[{"id":"0","path":["productionOrder"]}]'
    )
    assert chunks == [
        b"---\r\n" + kind + place + b',"hasNext":true}\r\n---\r\n',
        kind + b'{"incremental":[{"data":{"execution":{"good":{"value":"50"}}},"id":"0"}],'
        b'"completed":[{"id":"0"}],"hasNext":false}\r\n-----\r\n',
    ]


def test_a_get_is_answered_in_parts_too(server: Served) -> None:
    """The method makes no difference."""
    server.slow.seconds = 0.01
    with httpx2.Client() as http:
        response = http.get(server.url, params={"query": CARD}, headers=TAKES)
    assert parts_of(response).data == WHOLE


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/graphql-response+json, application/json;q=0.9",
        "multipart/mixed;q=0, application/json",
        "multipart/mixed;deferSpec=20990101, application/json",
        "multipart/form-data, */*",
    ],
)
def test_who_does_not_take_parts_gets_one_answer(server: Served, accept: str | None) -> None:
    """One JSON with everything in it, by the plan, as if the directives were not there."""
    server.slow.seconds = 0.01
    with httpx2.Client() as http:
        del http.headers["accept"]
        headers = {} if accept is None else {"accept": accept}
        response = http.post(server.url, json={"query": CARD, "extensions": TRACED}, headers=headers)
    assert response.status_code == 200
    assert "json" in response.headers["content-type"]
    assert response.json()["data"] == WHOLE
    assert response.json()["extensions"]["crossdock"]["executor"] == "plan"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (CARD.replace("@defer", "@defer(if: false)"), {}),
        ("query($d: Boolean!) " + CARD.replace("@defer", "@defer(if: $d)"), {"d": False}),
        ("query($d: Boolean!) " + CARD.replace("@defer", "@defer @include(if: $d) { id } ..."), {"d": False}),
    ],
)
def test_what_puts_nothing_off_is_one_answer_for_all(
    server: Served, query: str, variables: dict[str, Any]
) -> None:
    """A client that takes parts gets JSON where there is but one, executed by the plan."""
    server.slow.seconds = 0.01
    asked = {"query": query, "variables": variables, "extensions": TRACED}
    with httpx2.Client() as http:
        response = http.post(server.url, json=asked, headers=TAKES)
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json()["data"] == WHOLE
    assert response.json()["extensions"]["crossdock"]["executor"] == "plan"


def test_the_trace_of_an_answer_in_parts_stands_in_its_last(server: Served) -> None:
    """It tells of both systems, and that the parts were made by the reference."""
    server.slow.seconds = 0.05
    with httpx2.Client() as http:
        response = http.post(server.url, json={"query": CARD, "extensions": TRACED}, headers=TAKES)
    client = parts_of(response)
    assert {hop["system"] for hop in client.extensions["crossdock"]["hops"]} == {"ERP", "MES"}
    assert sum(hop["calls"] for hop in client.extensions["crossdock"]["hops"]) == 2
    assert client.extensions["crossdock"]["executor"] == "reference"


@pytest.mark.parametrize(
    "query", ["{ nothing }", "{", CARD.replace("@defer", "@defer(if: 1)"), "subscription { x }"]
)
def test_a_refused_request_is_one_json(server: Served, query: str) -> None:
    """Nothing was executed: there are no parts, whatever the client takes."""
    with httpx2.Client() as http:
        response = http.post(server.url, json={"query": query}, headers=TAKES)
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["errors"]
    assert "data" not in response.json()


def test_a_client_that_takes_nothing_else_gets_any_answer_as_a_part(server: Served) -> None:
    """One part, and the closing delimiter."""
    only = {"accept": "multipart/mixed"}
    with httpx2.Client() as http:
        answer = http.post(server.url, json={"query": "{ __typename }"}, headers=only)
        refusal = http.post(server.url, json={"query": "{ nothing }"}, headers=only)
    assert Parser().feed(answer.content) == [{"data": {"__typename": "Query"}}]
    [said] = Parser().feed(refusal.content)
    assert said["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert answer.status_code == 200


def test_too_many_parts_are_refused() -> None:
    """Each stands for a part for every row: a document has at most so many, fragments expanded."""
    spread = "...Late @defer " * 7
    query = f"""{{ {" ".join(f"a{n}: {ORDER} {{ {spread} }}" for n in range(8))} }}
        fragment Late on ProductionOrder {{ number }}"""
    made = SlowSystem()
    with served(made) as server, httpx2.Client() as http:
        response = http.post(server.url, json={"query": query}, headers=TAKES)
    made.close()
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "TOO_MANY_PARTS"
    assert "56" in error["message"]


def test_a_client_that_leaves_ends_the_rest(server: Served, lines: io.StringIO) -> None:
    """When it has gone, nothing of its answer runs on but the load that others may share; the log says it left."""
    server.slow.seconds = 1.5
    with (
        httpx2.Client() as http,
        http.stream("POST", server.url, json={"query": CARD}, headers=TAKES) as response,
    ):
        # The connection is closed with the iterator: it must live until the client leaves.
        pieces = response.iter_raw()
        next(pieces)
        assert server.slow.asked.wait(5)
        assert [place for place in server.tasks() if OWN.search(place)]
    within(1, lambda: not [place for place in server.tasks() if OWN.search(place)])
    assert access(lines)["status"] == 499
    assert server.slow.answered_at == 0.0, "the slow system had answered before anybody looked"
    within(
        3, lambda: not [place for place in server.tasks() if "/sources/" in place or "/resolvers/" in place]
    )
    assert server.slow.answered_at > 0, "the shared load was called back"


def test_the_deadline_bounds_the_last_part(slow: SlowSystem) -> None:
    """The slow system is given up when the time of the request is over, and the answer ends in order."""
    slow.seconds = 3
    with served(slow, deadline_ms=300) as server, httpx2.Client() as http:
        began = time.monotonic()
        response = http.post(
            server.url,
            json={"query": CARD.replace("execution {", "sources { outcome } execution {")},
            headers=TAKES,
        )
    assert time.monotonic() - began < 1.5
    client = parts_of(response)
    assert client.data["productionOrder"]["execution"] is None
    assert {"outcome": "TIMEOUT"} in client.data["productionOrder"]["sources"]


class Hasty(Operations):
    """Hooks of a schema of next to nothing, whose operations have little time."""

    def describe(self, document: DocumentNode) -> object:
        """Nothing is known."""
        return None

    def begin(self, context: Any, described: object, request: GraphQLRequest) -> None:
        """Nothing to tell."""

    def extensions(self, context: Any) -> dict[str, Any] | None:
        """Nothing to say."""
        return None

    def until(self, context: Any) -> float:
        """Soon."""
        return float(context)


def test_a_reader_that_takes_nothing_is_given_up(lines: io.StringIO) -> None:
    """When the time of the operation is over and the reader has not taken what was sent, its answer ends."""
    schema = build_schema("type Query { big: [String!]! }")
    schema.directives += (DEFER, STREAM)
    schema.type_map["Query"].fields["big"].resolve = lambda *_: ["x" * 100_000] * 400  # type: ignore[attr-defined]
    engine = SchemaEngine(schema, lambda _: time.monotonic() + 0.1, hooks=Hasty(schema))
    body = json.dumps({"query": "{ big @stream }"}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: multipart/mixed\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        serving(RequestLog(GraphQLEndpoint(engine), tags=False)) as url,
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5) as connection,
    ):
        began = time.monotonic()
        connection.sendall(head.encode() + body)
        assert access(lines, 4)["status"] == 499
        assert 0.9 < time.monotonic() - began < 3


def test_the_access_line_counts_until_the_last_part(server: Served, lines: io.StringIO) -> None:
    """One line, with the time of the slow system in it, though the first part left long before."""
    with httpx2.Client() as http:
        http.post(server.url, json={"query": "query Card " + CARD}, headers=TAKES)
    said = access(lines)
    assert said["ms"] > 500
    assert (said["status"], said["operation"], said["kind"]) == (200, "Card", "query")


async def test_an_answer_in_parts_is_never_kept() -> None:
    """It is no-store, has no tag, and the next client is asked for anew; a whole answer is kept and given to all."""
    gateway = Gateway()
    first = await gateway.post(CARD, TAKES)
    assert first.headers["content-type"].startswith("multipart/mixed")
    assert len(gateway.answers) == 0
    gateway.forget_values()
    second = await gateway.post(CARD, TAKES)
    assert any(system.asked for system in gateway.plant.all)
    assert second.headers["cache-control"] == "no-store"
    assert "etag" not in second.headers
    assert "age" not in second.headers
    whole = await gateway.post(CARD, {"accept": "application/json"})
    assert whole.headers["cache-control"].startswith("private")
    gateway.forget_values()
    again = await gateway.post(CARD, TAKES)
    assert not gateway.asked
    assert again.content == whole.content


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, None),
        ("application/json", None),
        ("*/*, multipart/*", None),
        ("multipart/mixed", PLAIN),
        ("Multipart/Mixed; boundary=x", PLAIN),
        ("multipart/mixed;deferSpec=20220824,application/json", OF_2022),
        ('multipart/mixed; deferspec="20220824"', OF_2022),
        ("multipart/mixed;incrementalSpec=v0.2, application/json", CURRENT),
        ("multipart/mixed;incrementalSpec=v9, multipart/mixed;q=0.5", PLAIN),
        ("multipart/mixed;incrementalSpec=v9", None),
        ("multipart/mixed;q=0", None),
        ("multipart/mixed;deferSpec=20220824;q=0.1, multipart/mixed;incrementalSpec=v0.2", CURRENT),
        ("x/y, " * 100 + "multipart/mixed", PLAIN),
    ],
)
def test_the_client_chooses_the_form(accept: str | None, form: Any) -> None:
    """By name, and by the draft it says; a wildcard is no wish for parts."""
    assert form_of(accept) is form
