"""Hostile and broken requests over a real socket: refused with a reason, never 500, never for ever."""

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

HEADERS = {"content-type": "application/json", "accept": "application/json"}


def send(client: httpx2.Client, body: bytes, **headers: str) -> httpx2.Response:
    """Posts raw bytes."""
    return client.post("/graphql", content=body, headers={**HEADERS, **headers})


def ask(client: httpx2.Client, query: str, **more: Any) -> dict[str, Any]:
    """The first error of a query."""
    started = time.monotonic()
    response = send(client, json.dumps({"query": query, **more}).encode())
    assert time.monotonic() - started < 3
    assert response.status_code < 500, response.text
    assert len(response.content) < 20_000
    error: dict[str, Any] = response.json()["errors"][0]
    return error


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("empty", b""),
        ("cut off", b'{"query": "'),
        ("invalid UTF-8", b'{"query": "\xff\xfe"}'),
        ("UTF-16", '{"query": "{ __typename }"}'.encode("utf-16")),
        ("lone surrogate", b'{"query": "\\ud800"}'),
        ("null", b"null"),
        ("number", b"7"),
        ("string", b'"{ __typename }"'),
        ("batch", b'[{"query": "{ __typename }"}]'),
        ("deep list", b"[" * 90_000),
        (
            "deep variables",
            b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 80 + b"]" * 80 + b"}}",
        ),
        ("long number", b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 90_000 + b"}}"),
        ("NaN", b'{"query": "{ __typename }", "variables": {"a": NaN}}'),
        ("Infinity", b'{"query": "{ __typename }", "variables": {"a": -Infinity}}'),
        ("infinite exponent", b'{"query": "{ __typename }", "variables": {"a": 1e999}}'),
        ("no query", b"{}"),
        ("null query", b'{"query": null}'),
        ("list as query", b'{"query": ["{ __typename }"]}'),
        ("number as operationName", b'{"query": "{ __typename }", "operationName": 1}'),
        ("string as variables", b'{"query": "{ __typename }", "variables": "{}"}'),
        ("list as extensions", b'{"query": "{ __typename }", "extensions": []}'),
    ],
)
def test_a_bad_body_is_400(client: httpx2.Client, name: str, body: bytes) -> None:
    """What is no GraphQL request is answered 400 with a coded JSON error."""
    response = send(client, body)
    assert response.status_code == 400, name
    assert set(response.json()) == {"errors"}
    assert response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain, application/json",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset",
        "application/json, application/json",
        "",
    ],
)
def test_only_json_is_read(client: httpx2.Client, world: Any, content_type: str) -> None:
    """What a foreign page can send without asking, or what merely mentions JSON, runs nothing: 415."""
    response = send(client, b'{"query": "mutation { bump }"}', **{"content-type": content_type})
    assert (response.status_code, world.mutations) == (415, 0)


@pytest.mark.parametrize(
    "content_type", ["APPLICATION/JSON", 'application/json; charset="UTF-8"', "application/json;"]
)
def test_json_is_json_however_it_is_written(client: httpx2.Client, content_type: str) -> None:
    """Case, quotes and a charset of UTF-8 make no difference."""
    assert send(client, b'{"query": "{ __typename }"}', **{"content-type": content_type}).status_code == 200


def test_a_compressed_body_is_415(client: httpx2.Client) -> None:
    """No decompression, no bomb."""
    assert send(client, b"\x1f\x8b", **{"content-encoding": "gzip"}).status_code == 415


def test_a_large_body_is_413(client: httpx2.Client) -> None:
    """A body beyond the limit is refused by its declared length and by what really arrives."""
    big = b'{"query": "' + b"x" * 200_000
    assert send(client, big).status_code == 413
    chunked = client.post("/graphql", content=iter([big[:50_000]] * 6), headers=HEADERS)
    assert chunked.status_code == 413


@pytest.mark.parametrize(
    "query_string",
    [
        "query=%ff",
        "query={a}&query={b}",
        "query={__typename}&variables=[1]",
        "query={__typename}&variables={",
        "x=1",
    ],
)
def test_a_bad_query_string_is_400(client: httpx2.Client, query_string: str) -> None:
    """A GET is read as strictly as a POST."""
    response = client.get(f"/graphql?{query_string}", headers={"accept": "application/json"})
    assert response.status_code == 400, response.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ node " + "{ child " * 40 + "{ id }" + " }" * 40 + " }", "QUERY_TOO_DEEP"),
        ("{ node " + "{ child " * 4000, "QUERY_TOO_DEEP"),
        ("{ " + "id " * 9000 + "}", "TOO_MANY_TOKENS"),
        ("#\n" * 9000 + "{ __typename }", "TOO_MANY_TOKENS"),
        ("{ " + " ".join(f"a{i}: __typename" for i in range(400)) + "}", "TOO_MANY_ALIASES"),
        ("{ " + "__typename " * 400 + "}", "TOO_MANY_ROOT_FIELDS"),
        ("{ node { " + "id " * 2500 + "} }", "QUERY_TOO_LARGE"),
        ("{ node { ...F } } fragment F on Node { child { ...F } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ echo(text: " + "9" * 90_000 + ") }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ plus(number: " + "9" * 90_000 + ") }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ " + "x" * 90_000 + " }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ echo(text: " + "[" * 3000 + ") }", "QUERY_TOO_DEEP"),
        ('{ echo(text: "' + "x" * 50_000 + '" !) }', "GRAPHQL_PARSE_FAILED"),
        ('{ plus(number: "' + "x" * 50_000 + '") }', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_an_expensive_document_is_refused(client: httpx2.Client, query: str, code: str) -> None:
    """Deep, wide and long documents are refused at once, with a short message."""
    error = ask(client, query)
    assert error["extensions"]["code"] == code
    assert len(error["message"]) <= 300


def test_long_values_do_not_come_back(client: httpx2.Client) -> None:
    """A 5 kB value is not echoed in the error about it."""
    error = ask(client, "query($n: Int!) { plus(number: $n) }", variables={"n": "v" * 5_000})
    assert len(error["message"]) <= 300
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


def test_deep_variables_are_coerced_or_refused(client: httpx2.Client) -> None:
    """Input nested as deep as it may be is coerced, without running out of stack."""
    shape: dict[str, Any] = {"name": "s"}
    for _ in range(60):
        shape = {"name": "s", "inner": shape}
    query = "query($s: Shape!) { shape(shape: $s) }"
    body = json.dumps({"query": query, "variables": {"s": shape}}).encode()
    assert send(client, body).json() == {"data": {"shape": "s"}}


def talk(url: str, sent: bytes, later: bytes = b"") -> tuple[bytes, float]:
    """Sends bytes, and more after the first answer; what came back until the server closed, after which seconds."""
    parts = urlsplit(url)
    started, got = time.monotonic(), b""
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.settimeout(3)
        connection.sendall(sent)
        if later:
            got += connection.recv(65536)
            connection.sendall(later)
        while piece := connection.recv(65536):
            got += piece
    return got, time.monotonic() - started


def test_a_half_sent_head_is_ended(http_url: str) -> None:
    """A client that stops in the middle of its head is answered 408 and closed, not waited for."""
    got, seconds = talk(http_url, b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert got.startswith(b"HTTP/1.1 408 ")
    assert 0.3 < seconds < 2


def test_a_silent_connection_is_ended(http_url: str) -> None:
    """A connection that never says anything is closed too."""
    assert talk(http_url, b"")[1] < 2


def test_the_second_head_is_timed_too(http_url: str) -> None:
    """A request answered in time does not buy the next one unlimited time."""
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    got, seconds = talk(http_url, first + b"GET /health/live HTTP/1.1\r\nX-Sl")
    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in got
    assert seconds < 2


def test_line_ends_do_not_keep_a_connection(http_url: str) -> None:
    """Empty lines after an answer are no request: the connection is closed all the same."""
    got, seconds = talk(http_url, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", later=b"\r\n")
    assert got.startswith(b"HTTP/1.1 200 ")
    assert seconds < 2


def test_a_body_nobody_reads_is_ended(http_url: str) -> None:
    """A request refused before its body was read cannot trickle that body for ever."""
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n{"
    got, seconds = talk(http_url, head)
    assert got.startswith(b"HTTP/1.1 415 ")
    assert seconds < 2


def test_an_endless_head_is_ended(http_url: str) -> None:
    """Headers beyond the bound are answered 431."""
    got, _ = talk(http_url, b"GET /graphql HTTP/1.1\r\nX-Long: " + b"x" * 20_000)
    assert got.startswith(b"HTTP/1.1 431 ")


def test_a_half_sent_body_is_ended(http_url: str) -> None:
    """A body that does not arrive is answered 408 as JSON, and the connection closed."""
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    got, seconds = talk(http_url, head)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"REQUEST_TIMEOUT" in got
    assert seconds < 2


@pytest.mark.parametrize(
    "head", [b"\x00\x01\x02\r\n\r\n", b"GET /graphql\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_is_400(http_url: str, head: bytes) -> None:
    """Bytes that are no HTTP are answered 400 and closed."""
    assert talk(http_url, head)[0].startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
