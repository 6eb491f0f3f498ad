"""GraphQL over HTTP: media types, status codes, methods and masking, over a real socket."""

from typing import Any

import httpx2

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
