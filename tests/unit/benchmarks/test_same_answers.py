"""The gateway and the baseline it is measured against give the same answers: else the comparison says nothing."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp

from benchmarks import baseline, plant, queries
from benchmarks.gateway import COLD, WARM, inside, write_config

ANALYTICS_ROWS = 40
"""Fewer than are measured; the rows are all alike."""
CASES: list[tuple[str, dict[str, Any]]] = [
    (queries.SINGLE, {"id": plant.id_of(0)}),
    (queries.SINGLE, {"id": plant.id_of(1999)}),
    (queries.SINGLE, {"id": "po:K1/A00-9999"}),
    (queries.PAGE, {"first": 50, "search": "B03"}),
    (queries.ANALYTICS, {"first": ANALYTICS_ROWS, "search": "D"}),
]


async def asked(app: ASGIApp, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """What an application answers, by path: the order of fields does not count, that of rows does."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
        answer = await client.post("/graphql", json={"query": query, "variables": variables})
    body = answer.json()
    assert "errors" not in body, body["errors"][:1]
    return flat(body["data"])


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The values of an answer by their paths."""
    if isinstance(value, dict):
        parts = [(f"{path}.{name}", part) for name, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}.{place}", part) for place, part in enumerate(value)]
    else:
        return {path: value}
    return {name: leaf for at, part in parts for name, leaf in flat(part, at).items()}


@pytest.mark.parametrize("mode", [COLD, WARM])
async def test_gateway_and_baseline_agree(tmp_path: Path, mode: str) -> None:
    """Every question, cold, and twice where the second answer is kept."""
    server = await plant.serve()
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    other = baseline.make_app(address)
    async with (
        server,
        inside(write_config(tmp_path, address, mode)) as gateway,
        other.router.lifespan_context(other),
    ):
        for query, variables in CASES:
            expected = await asked(other, query, variables)
            for _ in range(2):
                assert await asked(gateway.endpoint(), query, variables) == expected
            if "first" in variables:
                assert 39 * variables["first"] <= len(expected) <= 45 * variables["first"]
