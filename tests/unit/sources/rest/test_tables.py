"""Mistakes in a table are refused with its place and the mend; mistakes in a payload cost their cell."""

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from schema.errors import ConfigError, MappingError, SourceThrottled, SourceTimeout, SourceUnavailable
from schema.logistics import Shipment
from schema.production import OrderPlanning, ProductionOrder
from sources.base import Batch
from sources.credentials import Secret
from sources.http import retry_after
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.transport import mocked


def table(**rows: Any) -> dict[str, Any]:
    """A small system with these fields."""
    return {
        "code": "X",
        "adapter": "rest",
        "kind": "ERP",
        "plants": ["P1"],
        "base_url": "http://127.0.0.1:1",
        "units": {"PC": "H87"},
        "rows": {"order": {"ProductionOrder": {"number": "no", "item": "item"}, **rows}},
        "reads": {
            "orders": {
                "row": "order",
                "parts": ["ProductionOrder", *rows],
                "path": "/o",
                "keys": {"param": "no", "join": ","},
                "rows": "rows",
            }
        },
    }


def refused(settings: dict[str, Any]) -> str:
    """What is said about a table that cannot be followed."""
    with pytest.raises((ConfigError, ValidationError)) as caught:
        Rest(RestConfig(**settings))
    return str(caught.value)


async def read(
    settings: dict[str, Any], answer: httpx2.Response, *keys: str, cls: type = ProductionOrder
) -> Any:
    """The cells of the read over a transport that always gives this answer."""
    source = Rest(RestConfig(**settings), mocked(lambda request: answer))
    await source.open()
    try:
        bundle = await source.reads()[0].fetch(Batch(keys, frozenset({cls}), time.monotonic() + 2))
        return bundle[cls]
    finally:
        await source.close()


def test_unknown_words_are_refused_with_their_place() -> None:
    """Attributes, classes, spellings, rows and options that do not exist are named with what was meant."""
    quantity = {"quantity": {"quantity": "q", "unit": "u"}}
    assert "rows.order.OrderPlanning: 'quantiti'" in refused(
        table(OrderPlanning={**quantity, "quantiti": "q"})
    )
    assert "did you mean quantity?" in refused(table(OrderPlanning={**quantity, "quantiti": "q"}))
    assert "OrderPlanning needs quantity" in refused(table(OrderPlanning={"priority": "p"}))
    assert "spelling 'nope'" in refused(
        table(OrderPlanning={**quantity, "order": {"path": "o", "key": "nope"}})
    )
    assert "'GONE' is not a OrderStatus" in refused(
        table(OrderPlanning={**quantity, "status": {"path": "s", "codes": {"a": "GONE"}}})
    )
    assert "pth" in refused(table(OrderPlanning={**quantity, "priority": {"pth": "p"}}))


def test_a_read_that_cannot_tell_its_rows_apart_is_refused() -> None:
    """A batch needs rows that say their key; a template names only parts of the key."""
    settings = table()
    settings["rows"]["order"]["ProductionOrder"] = {"item": "item"}
    assert "do not say which key they belong to" in refused(settings)
    settings = table()
    settings["reads"]["orders"]["path"] = "/o/{nr}"
    assert "{nr} is no part of its key; there are 0, 1, number, plant" in refused(settings)


def test_a_secret_in_the_table_is_refused_away_from_this_machine() -> None:
    """A literal secret is for loopback only, and is not repeated in the error."""
    settings = {
        **table(),
        "base_url": "https://erp.example",
        "auth": {"type": "bearer", "token": {"value": "s3cr3t"}},
    }
    said = refused(settings)
    assert "auth.token is written out" in said
    assert "s3cr3t" not in said
    assert "s3cr3t" not in refused({**settings, "auth": {"type": "bearer", "token": "s3cr3t"}})


def test_secrets_come_from_where_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, file and command give the secret; a place without one is named."""
    monkeypatch.setenv("X_KEY", "one")
    (tmp_path / "key").write_text("two\n")
    assert Secret(env="X_KEY").resolve() == "one"
    assert Secret(file=tmp_path / "key").resolve() == "two"
    assert Secret(command=("echo", "three")).resolve() == "three"
    with pytest.raises(ConfigError, match="environment variable NO_KEY"):
        Secret(env="NO_KEY").resolve()


async def test_a_broken_row_costs_its_own_cell() -> None:
    """A mapping error names table, field and a short sample, and leaves the other keys alone."""
    settings = table(OrderPlanning={"quantity": {"quantity": "q", "unit": "u"}})
    rows = [
        {"no": "1", "item": "A", "q": 5, "u": "PC"},
        {"no": "2", "item": "B", "q": "five", "u": "PC"},
        {"no": "3", "item": "C", "q": 5, "u": "??", "text": "x" * 500},
        {"no": "77", "item": "never asked"},
    ]
    answer = httpx2.Response(200, json={"rows": rows})
    good, bad, unit = await read(settings, answer, "P1/1", "P1/2", "P1/3", cls=OrderPlanning)
    assert good.quantity.source_value == "5"
    assert isinstance(bad, MappingError)
    assert "systems.X.rows.order.OrderPlanning.quantity: 'five' is not a number" in str(bad)
    assert "unit '??' is not in [systems.X.units]" in str(unit)
    assert len(str(unit)) < 250


async def test_numbers_are_kept_as_written() -> None:
    """A fraction of the payload never goes through a float."""
    settings = table(OrderPlanning={"quantity": {"quantity": "q", "unit": "u"}})
    body = b'{"rows": [{"no": "1", "item": "A", "q": 0.1000000000000000055511151231, "u": "PC"}]}'
    (cell,) = await read(settings, httpx2.Response(200, content=body), "P1/1", cls=OrderPlanning)
    assert cell.quantity.source_value == "0.1000000000000000055511151231"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx2.Response(200, content=b"<html>"), SourceUnavailable),
        (httpx2.Response(200, content=b"[" * 100_000), SourceUnavailable),
        (httpx2.Response(200, content=b'{"rows": "none"}'), SourceUnavailable),
        (httpx2.Response(500), SourceUnavailable),
        (httpx2.Response(429, headers={"Retry-After": "7"}), SourceThrottled),
    ],
)
async def test_nonsense_is_the_right_error(answer: httpx2.Response, error: type[Exception]) -> None:
    """What is no answer is told as unavailable or throttled."""
    with pytest.raises(error):
        await read(table(), answer, "P1/1")


async def test_a_passed_deadline_is_a_timeout() -> None:
    """Nobody is asked after the deadline."""
    source = Rest(RestConfig(**table()), mocked(lambda request: httpx2.Response(200)))
    await source.open()
    with pytest.raises(SourceTimeout):
        await source.reads()[0].fetch(Batch(("P1/1",), frozenset({ProductionOrder}), time.monotonic() - 1))
    await source.close()


async def test_rows_of_several_keys_go_to_each() -> None:
    """A shipment for two orders is in the list of both."""
    settings = table()
    settings["rows"] = {
        "s": {"Shipment": {"number": "no", "orders": {"each": "orders", "ref": ["=P1", "."]}}}
    }
    settings["reads"] = {
        "ships": {
            "row": "s",
            "parts": ["Shipment* by order"],
            "path": "/s",
            "key": ["plant", "order"],
            "keys": {"param": "o"},
        }
    }
    rows = [{"no": "S1", "orders": ["1", "2"]}, {"no": "S2", "orders": ["2"]}]
    cells = await read(settings, httpx2.Response(200, json=rows), "P1/1", "P1/2", "P1/3", cls=Shipment)
    assert [[row.number for row in cell] for cell in cells] == [["S1"], ["S1", "S2"], []]


def test_retry_after_is_read_in_both_forms() -> None:
    """Seconds or a date; nonsense is no promise."""
    assert retry_after({"retry-after": "3"}) == 3
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
