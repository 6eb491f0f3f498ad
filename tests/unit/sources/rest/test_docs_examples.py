"""The examples of docs/rest-adapter.md run: the first against the sim, the others merged into it."""

import re
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schema.errors import SourceRefused
from schema.production import Operation, OrderPlanning, OrderStatus, ProductionOrder
from sources.base import Batch, Query
from sources.rest.config import RestConfig
from sources.rest.sim import make_app
from sources.rest.source import Rest
from tests.serving import serving

PAGE = (Path(__file__).parents[4] / "docs" / "rest-adapter.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [
    tomllib.loads(block)["systems"]["DOC"] for block in re.findall(r"```toml\n(.*?)```", PAGE, re.S)
]
STATUSES = ("NEW", "GO", "RUN", "END", "ODD")
ORDERS = [
    {
        "no": f"{n:08d}",
        "item": f"I{n % 2}",
        "qty": {"value": "5.0", "unit": "Stk"},
        "due": "2026-12-01",
        "status": STATUSES[n % 5],
        "changed": "2026-11-23T07:00:00",
        "steps": [{"step": 10, "text": "Cut"}, {"step": 20, "text": "Weld"}],
    }
    for n in range(1, 24)
]
WANTS = frozenset({ProductionOrder, OrderPlanning, Operation})


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """One table laid over another."""
    both = dict(base)
    for name, value in more.items():
        nested = isinstance(value, dict) and isinstance(both.get(name), dict) and name != "auth"
        both[name] = merged(both[name], value) if nested else value
    return both


def table() -> dict[str, Any]:
    """All examples but the credentials of the second as one table."""
    whole: dict[str, Any] = BLOCKS[0]
    for block in BLOCKS[3:]:
        whole = merged(whole, block)
    return whole


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The sim over a real socket."""
    with serving(make_app({"orders": ("no", ORDERS)}, "demo")) as url:
        yield url


@pytest.fixture
async def source(url: str) -> AsyncIterator[Rest]:
    """The system of the page."""
    source = Rest(RestConfig(code="DOC", **{**table(), "base_url": url}))
    await source.open()
    yield source
    await source.close()


def soon() -> float:
    """A deadline."""
    return time.monotonic() + 5


@pytest.mark.parametrize("block", range(1, len(BLOCKS)))
def test_every_example_compiles(block: int) -> None:
    """Each example of the page is accepted together with the first."""
    assert Rest(RestConfig(code="DOC", **merged(BLOCKS[0], BLOCKS[block]))).reads()


async def test_the_first_example_reads(source: Rest) -> None:
    """The example at the top of the page answers with canonical rows; unmapped codes become UNKNOWN."""
    orders = next(read for read in source.reads() if read.name == "orders")
    bundle = await orders.fetch(Batch(("P1/3", "P1/404", "P1/4"), WANTS, soon()))
    three, missing, four = bundle[OrderPlanning]
    assert missing is None
    assert (three.order, three.due_date, three.quantity.unit) == ("3", date(2026, 12, 1), "H87")
    assert (three.status, four.status) == (OrderStatus.COMPLETED, OrderStatus.UNKNOWN)
    assert [step.number for step in bundle[Operation][0]] == ["10", "20"]
    assert source.unmapped == {("rows.order.OrderPlanning.status", "ODD")}


@pytest.mark.parametrize("name", ["orders", "orders_repeated", "orders_body", "order"])
async def test_keys_travel_in_every_style(source: Rest, name: str) -> None:
    """Comma list, repeated parameter, JSON body and one call a key give the same."""
    read = next(read for read in source.reads() if read.name == name)
    keys = ("P1/9", "P1/404", "P1/1")
    cells = (await read.fetch(Batch(keys, frozenset({ProductionOrder}), soon())))[ProductionOrder]
    assert [cell and cell.number for cell in cells] == ["9", None, "1"]
    assert await read.fetch(Batch((), frozenset({ProductionOrder}), soon())) == {ProductionOrder: []}


@pytest.mark.parametrize("name", ["orders", "by_page", "by_cursor", "by_link", "by_next"])
@pytest.mark.parametrize("sizes", [(5,), (23,), (7, 3)])
async def test_lists_are_walked_exactly_once(source: Rest, name: str, sizes: tuple[int, ...]) -> None:
    """Every paging style gives every row once, also where the page size changes on the way."""
    search = next(search for search in source.searches() if search.name == name)
    seen: list[str] = []
    cursor, turn = None, 0
    while True:
        first = sizes[min(turn, len(sizes) - 1)]
        page = await search.fetch(Query({}, first, cursor, WANTS, soon()))
        assert len(page.keys) <= first
        seen += page.keys
        cursor, turn = page.cursor, turn + 1
        if cursor is None:
            break
    assert seen == [f"P1/{n}" for n in range(1, 24)]


async def test_filters_are_pushed_down(source: Rest) -> None:
    """A filter travels in the system's codes; one that nothing can match asks nobody."""
    search = next(search for search in source.searches() if search.name == "orders")
    page = await search.fetch(Query({"statuses": ("COMPLETED",)}, 50, None, WANTS, soon()))
    assert page.keys == ["P1/3", "P1/8", "P1/13", "P1/18", "P1/23"]
    nothing = await search.fetch(Query({"statuses": ("CLOSED",)}, 50, None, WANTS, soon()))
    assert (nothing.keys, nothing.total) == ([], 0)


async def test_a_refusal_is_told(url: str) -> None:
    """A 4xx names system, call and status."""
    settings = {**BLOCKS[0], "base_url": url}
    settings["reads"] = {"orders": {**settings["reads"]["orders"], "path": "/nowhere"}}
    source = Rest(RestConfig(code="DOC", **settings))
    await source.open()
    with pytest.raises(SourceRefused, match="DOC answered GET /nowhere with 404"):
        await source.reads()[0].fetch(Batch(("P1/1",), WANTS, soon()))
    await source.close()
