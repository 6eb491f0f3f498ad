"""Answers become records where their tables have a shape; nothing a table says becomes code."""

import time
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from schema.errors import MappingError, SourceUnavailable
from schema.production import Operation, OrderPlanning, ProductionOrder
from sources.base import Batch
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.transport import mocked

DEMO = tomllib.loads((Path(__file__).parents[4] / "gateway" / "demo.toml").read_text(encoding="utf-8"))
RECORDS = [
    ("SAP_PRD", "orders"),
    ("SAP_PRD", "items"),
    ("SAP_PRD", "stock_by_item"),
    ("MES_KAS", "executions"),
    ("MES_ZWO", "jobs"),
    ("WMS_CEN", "stock_by_lot"),
    ("QMS_LAB", "holds_by_lot"),
    ("SUP_PORT", "commits"),
]
ODD = "q'\"\\\n{0}); raise SystemExit #"
"""A field's name that would do harm in source text."""


def table(quantity: str = "q", each: str = "steps") -> dict[str, Any]:
    """Orders with their operations."""
    return {
        "code": "X",
        "adapter": "rest",
        "kind": "ERP",
        "plants": ["P1"],
        "base_url": "http://127.0.0.1:1",
        "units": {"PC": "H87"},
        "rows": {
            "order": {
                "ProductionOrder": {"number": "no", "item": "item.code"},
                "OrderPlanning": {"quantity": {"quantity": quantity, "unit": "u"}, "priority": "p"},
                "Operation": {
                    "each": each,
                    "where": {"kind": ["a", "b"]},
                    "number": "no",
                    "description": "^no",
                },
            }
        },
        "reads": {
            "orders": {
                "row": "order",
                "parts": ["ProductionOrder", "OrderPlanning", "Operation* by order"],
                "path": "/o",
                "keys": {"param": "no", "join": ","},
                "rows": "data.rows",
            }
        },
    }


async def read(settings: dict[str, Any], rows: Any, *keys: str) -> dict[type, list[Any]]:
    """The bundle over a transport that always gives these rows."""
    body = msgspec.json.encode({"data": {"rows": rows, "more": [1, 2]}, "skipped": {"deep": [{}]}})
    source = Rest(RestConfig(**settings), mocked(lambda request: httpx2.Response(200, content=body)))
    await source.open()
    port = source.reads()[0]
    bundle = await port.fetch(Batch(keys, frozenset(part.type for part in port.parts), time.monotonic() + 2))
    await source.close()
    return bundle


@pytest.mark.parametrize(("system", "name"), RECORDS)
def test_the_main_reads_of_the_demo_are_decoded_into_records(system: str, name: str) -> None:
    """With all their parts, and with the first alone."""
    source = Rest(RestConfig(code=system, **DEMO["systems"][system]))
    parts = next(read for read in source.reads() if read.name == name).parts
    assert source.shape(name, frozenset(part.type for part in parts)) is not None
    assert source.shape(name, frozenset({parts[0].type})) is not None


def test_only_what_is_wanted_is_read() -> None:
    """A record has the fields of the wanted parts, of their key and of the provenance, and no others."""
    source = Rest(RestConfig(**table()))
    body = msgspec.json.encode({"data": {"rows": [{"no": "1", "q": "5", "steps": [{"no": "10"}]}]}})
    fields = {}
    for wanted in (ProductionOrder, OrderPlanning, Operation):
        shape = source.shape("orders", frozenset({wanted}))
        assert shape is not None
        answer = shape.answer(body)
        assert answer is not None
        fields[wanted] = {one.encode_name for one in msgspec.structs.fields(answer[0][0])}
    assert fields == {
        ProductionOrder: {"no", "item"},
        OrderPlanning: {"no", "q", "u", "p"},
        Operation: {"no", "steps"},
    }


async def test_an_odd_row_among_records_is_told_in_its_own_words() -> None:
    """The row is shown as it is in the answer, its neighbours are as good as ever."""
    good = {"no": "1", "item": {"code": "A"}, "q": 5, "u": "PC", "steps": [{"no": "10", "kind": "b"}]}
    rows = [good, {**good, "no": "2", "q": "five"}, {**good, "no": "3", "steps": [{"no": "9", "kind": "c"}]}]
    bundle = await read(table(), rows, "P1/1", "P1/2", "P1/3")
    one, two, three = bundle[OrderPlanning]
    assert (one.quantity.source_value, three.quantity.source_value) == ("5", "5")
    assert isinstance(two, MappingError)
    assert 'quantity: \'five\' is not a number; in {"no":"2","item":{"code":"A"}' in str(two)
    assert [[step.number for step in cell] for cell in bundle[Operation]] == [["10"], ["10"], []]
    assert bundle[Operation][0][0].description == "1"


async def test_an_answer_of_another_shape_is_taken_as_it_is() -> None:
    """One object where a list is usual is one row, for the table that says so and for all others."""
    row = {"no": "1", "item": {"code": "A"}, "q": 5, "u": "PC", "steps": {"no": "10", "kind": "a"}}
    bundle = await read(table(), row, "P1/1")
    assert [order.item for order in bundle[ProductionOrder]] == ["A"]
    assert [step.number for step in bundle[Operation][0]] == ["10"]


@pytest.mark.parametrize(
    "body", [b'{"data": {"rows": [], "x": "\xff"}}', b'{"rows": "\xff"}', b'{"data": {"rows": [{"x": nul}]}}']
)
async def test_what_is_skipped_must_be_sound_all_the_same(body: bytes) -> None:
    """An answer that is no JSON somewhere is no answer."""
    source = Rest(RestConfig(**table()), mocked(lambda request: httpx2.Response(200, content=body)))
    await source.open()
    with pytest.raises(SourceUnavailable, match="not JSON"):
        await source.reads()[0].fetch(Batch(("P1/1",), frozenset({Operation}), time.monotonic() + 2))
    await source.close()


async def test_the_words_of_a_table_never_become_code() -> None:
    """A name with quotes and braces is a name."""
    row = {"no": "1", "item": {"code": "A"}, ODD: 5, "u": "PC", f"l{ODD}": [{"no": "10", "kind": "a"}]}
    bundle = await read(table(ODD, f"l{ODD}".replace(".", "\\.")), [row], "P1/1")
    assert bundle[OrderPlanning][0].quantity.source_value == "5"
    assert [step.number for step in bundle[Operation][0]] == ["10"]
