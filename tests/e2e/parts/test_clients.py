"""Clients that others use understand our parts, and have the first one while the slow system still thinks."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.graph.http.slow import CARD, WHOLE, Served, SlowSystem, served
from tests.node import installed, said

HERE = Path(__file__).parent
PACKAGES = ("@apollo/client@4.3.8", "graphql@16.11.0", "rxjs@7.8.2", "meros@1.3.2")
FIRST = {"productionOrder": {"number": "1000000"}}
STREAM = "{ productionOrders(first: 4) { nodes @stream(initialCount: 1) { number execution { good { value } } } } }"


@pytest.fixture
def server() -> Iterator[Served]:
    """The endpoint over a slow system."""
    slow = SlowSystem()
    with served(slow) as made:
        yield made
    slow.close()


def told(server: Served, client: str, query: str) -> list[dict[str, Any]]:
    """What the client was told, and when, on the clock of the slow system."""
    shift = time.time() - time.monotonic()
    folder = str(installed("clients", PACKAGES))
    lines = map(json.loads, said(HERE / "clients.mjs", folder, server.url, client, query).splitlines())
    return [line | {"at": line["at"] / 1000 - shift} for line in lines]


@pytest.mark.parametrize("client", ["alpha9", "2022"])
def test_apollo_client_puts_the_parts_together(server: Served, client: str) -> None:
    """By either of its handlers: first what is fast, then all of it."""
    lines = [line for line in told(server, client, CARD) if line.get("data")]
    assert [(plain(line["data"]), line["dataState"]) for line in lines] == [
        (FIRST, "streaming"),
        (WHOLE, "complete"),
    ]
    assert lines[0]["at"] < server.slow.answered_at - 0.2 < lines[1]["at"]


@pytest.mark.parametrize("client", ["alpha9", "2022"])
def test_apollo_client_gets_the_whole_list(server: Served, client: str) -> None:
    """Streamed to the one that says the current draft, whole to the other."""
    server.slow.seconds = 0.05
    last = told(server, client, STREAM)[-1]
    assert last["dataState"] == "complete"
    assert [node["number"] for node in last["data"]["productionOrders"]["nodes"]] == [
        f"100000{index}" for index in range(4)
    ]


def test_meros_reads_each_part_when_it_comes(server: Served) -> None:
    """The parser of urql, GraphiQL and others."""
    first, last = told(server, "meros", CARD)
    assert first["json"]
    assert last["json"]
    assert first["body"]["data"] == FIRST
    assert first["body"]["hasNext"] is True
    assert last["body"]["incremental"][0]["data"] == {"execution": {"good": {"value": "50"}}}
    assert last["body"]["hasNext"] is False
    assert first["at"] < server.slow.answered_at - 0.2 < last["at"]


def plain(data: Any) -> Any:
    """The data without what Apollo Client asks for besides."""
    if isinstance(data, list):
        return [plain(each) for each in data]
    if not isinstance(data, dict):
        return data
    return {name: plain(inner) for name, inner in data.items() if name != "__typename"}
