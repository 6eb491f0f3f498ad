"""GraphQL over HTTP: media types, status codes, methods and masking, over a real socket."""

import hashlib
from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


def post(client: httpx2.Client, body: Any, accept: str | None = None, **headers: str) -> httpx2.Response:
    """Posts a JSON body; ``accept`` None sends no Accept header."""
    extra = {"accept": accept} if accept else {}
    return client.post("/graphql", json=body, headers={**extra, **headers})


def code(response: httpx2.Response) -> str:
    """The code of the first error."""
    return str(response.json()["errors"][0]["extensions"]["code"])


def test_a_post_is_answered(client: httpx2.Client) -> None:
    """A query by POST is answered with its data, uncached, with a request id and without a banner."""
    response = post(client, {"query": "query Q($t: String!) { echo(text: $t) }", "variables": {"t": "hi ✓"}})
    assert (response.status_code, response.json()) == (200, {"data": {"echo": "hi ✓"}})
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept"
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert len(response.headers["x-request-id"]) == 32
    assert "server" not in response.headers


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.5, {GRAPHQL};q=0.8", GRAPHQL),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{JSON};q=0, */*;q=0.1", GRAPHQL),
        (f"{GRAPHQL}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed", GRAPHQL),
    ],
)
def test_the_accepted_type_is_answered(client: httpx2.Client, accept: str | None, expected: str) -> None:
    """The answer has the type the client wishes most; JSON where it has no opinion."""
    response = post(client, {"query": "{ __typename }"}, accept)
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "accept", ["text/html", "text/event-stream", f"{JSON};q=0", f"{JSON}; charset=utf-16"]
)
def test_what_cannot_be_accepted_is_said(client: httpx2.Client, accept: str) -> None:
    """Where no acceptable type can be answered the status is 406, as JSON."""
    response = post(client, {"query": "{ __typename }"}, accept)
    assert (response.status_code, code(response)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nope }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query($n: Int!) { plus(number: $n) }"}, "BAD_USER_INPUT"),
        ({"query": "query($n: Int!) { plus(number: $n) }", "variables": {"n": "x"}}, "BAD_USER_INPUT"),
        ({"query": "query A { __typename } query B { __typename }"}, "OPERATION_NAME_REQUIRED"),
        ({"query": "query A { __typename }", "operationName": "C"}, "OPERATION_NOT_FOUND"),
        ({"query": "fragment F on Query { __typename }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "subscription { ticks }"}, "SUBSCRIPTION_NEEDS_STREAM"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab"}}}, "PERSISTED_QUERY_NOT_FOUND"),
        (
            {"query": "{ __typename }", "extensions": {"persistedQuery": {"sha256Hash": "ab"}}},
            "PERSISTED_QUERY_HASH_MISMATCH",
        ),
    ],
)
def test_a_request_error_has_no_data(client: httpx2.Client, body: dict[str, Any], expected: str) -> None:
    """A request that cannot be executed has a code, no data, 400 for new clients and 200 for old ones."""
    for accept, status in ((GRAPHQL, 400), (JSON, 200)):
        response = post(client, body, accept)
        assert (response.status_code, code(response)) == (status, expected)
        assert "data" not in response.json()


def test_a_persisted_query_is_found_again(client: httpx2.Client) -> None:
    """A query sent once with its text runs by its hash alone from then on."""
    query = "query Again { __typename }"
    sha256 = hashlib.sha256(query.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256}}
    assert code(post(client, {"extensions": extensions})) == "PERSISTED_QUERY_NOT_FOUND"
    assert "data" in post(client, {"query": query, "extensions": extensions}).json()
    assert post(client, {"extensions": extensions}).json() == {"data": {"__typename": "Query"}}


def test_the_named_operation_runs(client: httpx2.Client) -> None:
    """Of several operations the one that operationName names is run, and an empty name is none."""
    query = "query A { a: __typename } query B { b: __typename }"
    assert post(client, {"query": query, "operationName": "B"}).json() == {"data": {"b": "Query"}}
    assert code(post(client, {"query": query, "operationName": ""})) == "OPERATION_NAME_REQUIRED"


def test_a_get_is_answered(client: httpx2.Client) -> None:
    """A query by GET takes variables as JSON in the query string."""
    params = {"query": "query($t: String!) { echo(text: $t) }", "variables": '{"t": "a b"}', "cache": "no"}
    assert client.get("/graphql", params=params).json() == {"data": {"echo": "a b"}}


@pytest.mark.parametrize("accept", [JSON, GRAPHQL, "*/*"])
def test_a_mutation_by_get_is_refused(client: httpx2.Client, world: Any, accept: str) -> None:
    """A GET never writes: 405 and Allow, and the resolver has not run; by POST it does."""
    query = "query Q { __typename } mutation M { bump }"
    params = {"query": query, "operationName": "M"}
    response = client.get("/graphql", params=params, headers={"accept": accept})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert "data" not in response.json()
    assert world.mutations == 0
    assert post(client, params).json() == {"data": {"bump": 1}}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client: httpx2.Client, method: str) -> None:
    """Anything but GET and POST is answered 405 with the methods there are."""
    response = client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


def test_a_fault_is_masked(client: httpx2.Client) -> None:
    """An unexpected exception costs its field, tells nothing, and names the request id that finds it in the log."""
    response = post(
        client, {"query": '{ secretFault echo(text: "x") }'}, GRAPHQL, **{"x-request-id": "req-7"}
    )
    assert response.status_code == 200
    assert response.json()["data"] == {"secretFault": None, "echo": "x"}
    assert response.headers["x-request-id"] == "req-7"
    (error,) = response.json()["errors"]
    assert error["message"] == "Internal error"
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "req-7"}
    assert error["path"] == ["secretFault"]
    assert "hunter2" not in response.text


def test_a_value_its_type_cannot_hold_is_our_fault(client: httpx2.Client) -> None:
    """A resolver's impossible value is masked; an argument's is told to the client."""
    response = post(client, {"query": "{ overflow }"})
    assert code(response) == "INTERNAL_SERVER_ERROR"
    assert "1099511627776" not in response.text
    query = "query($n: Int) { plus(number: $n) }"
    assert code(post(client, {"query": query, "variables": {"n": None}})) == "GRAPHQL_VALIDATION_FAILED"
    query = "query($n: Int = 1) { plus(number: $n) }"
    response = post(client, {"query": query, "variables": {"n": None}})
    assert code(response) == "BAD_USER_INPUT"
    assert "number" in response.json()["errors"][0]["message"]


def test_our_own_errors_are_shown(client: httpx2.Client) -> None:
    """An error raised on purpose keeps its message, its code and its hint."""
    (error,) = post(client, {"query": "{ badId }"}).json()["errors"]
    assert error["message"] == "The id 'zzz' is not one of ours."
    assert error["extensions"] == {"code": "BAD_ID", "hint": "Take it from a field 'id'."}


def test_the_context_is_made_from_the_request(client: httpx2.Client) -> None:
    """Resolvers see what make_context made of the HTTP request."""
    assert post(client, {"query": "{ who }"}, **{"x-who": "mia"}).json() == {"data": {"who": "mia"}}


def test_an_insane_request_id_is_replaced(client: httpx2.Client) -> None:
    """A request id that could forge log lines or headers is not taken over."""
    for given in ("a b", "x" * 300, '"><script>'):
        assert post(client, {"query": "{ who }"}, **{"x-request-id": given}).headers["x-request-id"] != given


def test_closed_introspection_hides_the_schema(closed: httpx2.Client) -> None:
    """With introspection off, __schema, __type, _service and suggestions are gone; __typename is not."""
    for query in (
        "{ __schema { types { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ _service { sdl } }",
    ):
        assert code(post(closed, {"query": query})) == "INTROSPECTION_DISABLED"
    for query in ("{ nod { id } }", "{ echo(txt: 1) }", "query($x: Strin) { echo(text: $x) }"):
        response = post(closed, {"query": query})
        assert code(response) == "GRAPHQL_VALIDATION_FAILED"
        assert "Did you mean" not in response.text
    assert post(closed, {"query": "{ __typename }"}).json() == {"data": {"__typename": "Query"}}


def test_open_introspection_answers_the_standard_query(client: httpx2.Client) -> None:
    """Code generators get the whole schema, and federation its SDL, while introspection is on."""
    query = get_introspection_query(specified_by_url=True, input_value_deprecation=True)
    assert post(client, {"query": query}).json()["data"]["__schema"]["queryType"]["name"] == "Query"
    assert post(client, {"query": "{ _service { sdl } }"}).json() == {
        "data": {"_service": {"sdl": "type Query"}}
    }


def test_a_query_stops_when_its_client_leaves(client: httpx2.Client, world: Any) -> None:
    """The resolver of a client that has gone away is cancelled."""
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/graphql", json={"query": "{ slow }"}, timeout=httpx2.Timeout(5, read=0.2))
    assert world.started.is_set()
    assert world.cancelled.wait(2)


def test_a_mutation_is_carried_through(client: httpx2.Client, world: Any) -> None:
    """A write that has begun is not cut in half because its client went away."""
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/graphql", json={"query": "mutation { slowBump }"}, timeout=httpx2.Timeout(5, read=0.1))
    assert world.started.is_set()
    assert world.written.wait(2)


def test_health_tells_alive_from_ready(client: httpx2.Client, world: Any) -> None:
    """Live is 200 as long as the process answers; ready is 503 with the reason while it cannot work."""
    assert client.get("/health/live").json() == {"alive": True}
    assert client.get("/health/ready").status_code == 200
    world.ready = False
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["systems"]) == (503, {"erp": "down"})
