"""GraphQL over HTTP, audited: the specification's list in Python, and the npm suite."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.node import installed, said

HERE = Path(__file__).parent
PACKAGES = ("graphql-http@1.22.4", "graphql@16.11.0")
AUDITS = 60
GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
ASK = {"query": "{ __typename }"}
NAMED = "query Type($name: String!) { __type(name: $name) { name } }"
UNKNOWN = "{ 8f31403dfe404bccbb0e835f2629c6a7 }"
COERCE = {"query": "query CoerceFailure($id: ID!){ __typename }", "variables": {"id": None}}
EMOJI = {"query": '{ __type(name: "Run🏃Swim🏊") { name } }'}


@dataclass(frozen=True)
class Audit:
    """One demand: what is sent, and which statuses and type must come back."""

    name: str
    body: Any = None
    accept: str | None = None
    statuses: tuple[int, ...] = (200,)
    content_type: str | None = JSON
    answer_type: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    data: bool | None = None


def wrong_types(name: str, values: list[Any]) -> list[Audit]:
    """A parameter of a wrong type is 400, as every parameter has exactly one."""
    return [Audit(f"MAY 400 on {name}={v!r}", ASK | {name: v}, statuses=(400,), data=False) for v in values]


def nulls(name: str) -> list[Audit]:
    """An optional parameter may be null, whatever is accepted."""
    return [
        Audit(f"MUST allow null {name} for {a}", ASK | {name: None}, a, data=True) for a in (GRAPHQL, JSON)
    ]


def refused(name: str, body: dict[str, Any]) -> list[Audit]:
    """A request error is 400 without data for new clients, 200 without data for old ones."""
    return [
        Audit(f"SHOULD 400 on {name} for {GRAPHQL}", body, GRAPHQL, (400,), answer_type=GRAPHQL, data=False),
        Audit(f"SHOULD 200 on {name} for {JSON}", body, JSON, answer_type=JSON, data=False),
    ]


LIST = [
    Audit("MUST accept graphql-response+json and answer in it", ASK, GRAPHQL, answer_type=GRAPHQL, data=True),
    Audit("MUST accept json and answer in it", ASK, JSON, answer_type=JSON, data=True),
    Audit("SHOULD answer */* as json", ASK, "*/*", answer_type=JSON),
    Audit("SHOULD assume json without Accept", ASK, answer_type=JSON),
    Audit("MUST accept UTF-8 by name", EMOJI, content_type="application/json; charset=utf-8", data=True),
    Audit("MUST assume UTF-8", EMOJI, data=True),
    Audit("MAY answer GET", params={"query": "{ __typename }"}, data=True),
    Audit("MAY answer GET with variables", params={"query": NAMED, "variables": '{"name": "x"}'}, data=True),
    Audit(
        "MUST NOT mutate by GET", params={"query": "mutation { __typename }"}, statuses=(400, 405), data=False
    ),
    Audit("MAY 4xx without content type", content_type=None, raw=b"", statuses=(400, 415), data=False),
    Audit("MAY 400 without body", raw=b"", statuses=(400,), data=False),
    Audit("MAY 400 without query", {"notquery": "{ __typename }"}, GRAPHQL, (400,), data=False),
    Audit("MAY 400 on broken JSON", raw=b'{ "not a JSON', statuses=(400,), data=False),
    Audit("MUST allow variables", {"query": NAMED, "variables": {"name": "x"}}, GRAPHQL, data=True),
    Audit("MUST allow variables for json", {"query": NAMED, "variables": {"name": "x"}}, JSON, data=True),
    Audit(
        "MUST allow operationName", {"query": "query Q { __typename }", "operationName": "Q"}, JSON, data=True
    ),
    Audit("MUST allow extensions", ASK | {"extensions": {"some": "value"}}, JSON, data=True),
    *wrong_types("query", [{"obj": "ect"}, 0, False, ["array"]]),
    *wrong_types("operationName", [{"obj": "ect"}, 0, False, ["array"]]),
    *wrong_types("variables", ["string", 0, False, ["array"]]),
    *wrong_types("extensions", ["string", 0, False, ["array"]]),
    *nulls("variables"),
    *nulls("operationName"),
    *nulls("extensions"),
    *refused("a syntax error", {"query": "{"}),
    *refused("an unreadable name", {"query": UNKNOWN}),
    *refused("an unknown field", {"query": "{ unknown }"}),
    *refused("variables that cannot be coerced", COERCE),
]


@pytest.mark.parametrize("audit", LIST, ids=lambda audit: audit.name)
def test_the_specification_is_kept(endpoint: str, audit: Audit) -> None:
    """Each demand of the specification is met."""
    headers = {"accept": audit.accept} if audit.accept else {}
    with httpx2.Client() as client:
        del client.headers["accept"]
        if audit.params:
            response = client.get(endpoint, params=audit.params, headers=headers)
        else:
            body = json.dumps(audit.body).encode() if audit.raw is None else audit.raw
            headers |= {"content-type": audit.content_type} if audit.content_type else {}
            response = client.post(endpoint, content=body, headers=headers)
    assert response.status_code in audit.statuses, response.text
    response.content.decode("utf-8")
    if audit.answer_type:
        assert response.headers["content-type"].startswith(audit.answer_type)
    if audit.data is not None:
        assert ("data" in response.json(), "errors" in response.json()) == (audit.data, not audit.data)


def test_the_npm_audits_pass(endpoint: str) -> None:
    """Every audit of the reference suite is answered ok."""
    packages = installed("audit", PACKAGES)
    results = [json.loads(line) for line in said(HERE / "audit.mjs", str(packages), endpoint).splitlines()]
    assert [r for r in results if r["status"] != "ok"] == []
    assert len(results) == AUDITS
