"""Shapes of payloads that become records: whole keys, lists that say whose they are, lists of values, and lists.

Each is read by generated functions and by the reference, as it is and with something odd in it; both must agree.
"""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.logistics import Shipment
from schema.production import Operation, OrderExecution
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.unit.sources.rest.differing import ODD, Pair, Port, mutated, places

TABLE: dict[str, Any] = {
    "code": "X",
    "adapter": "rest",
    "kind": "WMS",
    "plants": ["P1"],
    "base_url": "http://127.0.0.1:1",
    "units": {"PC": "H87"},
    "spellings": {"bare": {"strip_zeros": True}},
    "rows": {
        "execution": {
            "provenance": {"source_key": "order", "updated_at": "at"},
            "OrderExecution": {"order": "order", "good": {"quantity": "good", "unit": "u"}},
            "Operation": {"each": "ops", "order": "^order", "number": "no", "description": "^order"},
            "OperationActual": {
                "each": "ops",
                "where": {"state": ["RUN", "END"]},
                "order": "^order",
                "number": "no",
                "good": {"quantity": "good", "unit": {"path": "u", "default": "PC"}},
            },
        },
        "shipment": {
            "Shipment": {
                "number": "no",
                "direction": {"const": "OUTBOUND"},
                "orders": {"each": "orders", "ref": ["=P1", "."]},
            },
        },
        "delivery": {
            "Shipment": {
                "number": "no",
                "direction": {"const": "OUTBOUND"},
                "orders": {"each": "lines", "ref": ["=P1", "order.no:bare"]},
            },
        },
    },
    "reads": {
        "executions": {
            "row": "execution",
            "parts": ["OrderExecution", "Operation* by order", "OperationActual* by order"],
            "path": "/e",
            "keys": {"param": "no", "join": ","},
            "rows": "rows",
        },
        "shipments": {
            "row": "shipment",
            "parts": ["Shipment* by order"],
            "path": "/s",
            "key": ["plant", "order"],
            "keys": {"param": "no", "join": ","},
            "rows": "rows",
        },
        "deliveries": {
            "row": "delivery",
            "parts": ["Shipment* by order"],
            "path": "/d",
            "key": ["plant", "order"],
            "keys": {"param": "no", "join": ","},
            "rows": "rows",
        },
    },
    "searches": {
        "executions": {
            "read": "executions",
            "path": "/e",
            "rows": "rows",
            "paging": {"style": "offset", "offset": "from", "size": "size", "total": "total"},
        },
    },
}
EXECUTIONS = [
    {
        "order": order,
        "at": "2026-03-01T06:00:00Z",
        "good": "5",
        "u": "PC",
        "ops": [
            {"no": "10", "state": "RUN", "good": "1", "u": "PC"},
            {"no": "20", "state": "NEW", "good": "2"},
        ],
    }
    for order in ("1", "2", "3")
]
SHIPMENTS: list[dict[str, Any]] = [
    {"no": "S1", "orders": ["1"]},
    {"no": "S2", "orders": ["2", "1", "2"]},
    {"no": "S3", "orders": ["3", "9", "a/b"]},
    {"no": "S4", "orders": None},
]
DELIVERIES: list[dict[str, Any]] = [
    {"no": "D1", "lines": [{"order": {"no": "001"}}, {"order": {"no": "1"}}]},
    {"no": "D2", "lines": [{"order": {"no": "2"}}, {"order": None}]},
]
KEYS = ("P1/1", "P1/2", "P1/3", "P1/a%2Fb")
PORTS = [
    Port("X", "executions", {"rows": EXECUTIONS, "total": 7}, KEYS),
    Port("X", "executions", {"rows": EXECUTIONS, "total": 7}, ("P1/1", "P1/1 ", "P1/2")),
    Port("X", "executions", {"rows": EXECUTIONS, "total": 7}, None),
    Port("X", "executions", {"rows": [*EXECUTIONS, EXECUTIONS[0]], "total": 7}, None),
    Port("X", "shipments", {"rows": SHIPMENTS}, KEYS),
    Port("X", "deliveries", {"rows": DELIVERIES}, KEYS),
]
PAIR = Pair(RestConfig(**TABLE))


@pytest.mark.parametrize("name", TABLE["reads"])
def test_all_of_these_are_records(name: str) -> None:
    """Otherwise this module would compare the reference with itself."""
    source = Rest(RestConfig(**TABLE))
    [read] = [one for one in source.reads() if one.name == name]
    assert source.shape(name, frozenset(part.type for part in read.parts)) is not None


@pytest.mark.parametrize("port", PORTS)
async def test_they_are_read_as_the_reference_reads_them(port: Port) -> None:
    """As they are; and something is found in each."""
    quick, plain = await PAIR.outcomes(port, msgspec.json.encode(port.payload))
    assert quick == plain
    assert "number" in str(quick)


async def test_a_row_of_several_keys_is_found_under_each() -> None:
    """Once under each, in the order of the rows."""
    source = Rest(RestConfig(**TABLE), PAIR.canned)
    found = {}
    for name, rows in {"shipments": SHIPMENTS, "deliveries": DELIVERIES}.items():
        PAIR.canned.body = msgspec.json.encode({"rows": rows})
        await source.open()
        bundle = await PAIR.bundle(source, name, KEYS)
        found[name] = [[one.number for one in cell] for cell in bundle[Shipment]]
    await source.close()
    assert found["shipments"] == [["S1", "S2"], ["S2"], ["S3"], ["S3"]]
    assert found["deliveries"] == [["D1"], ["D2"], [], []]


async def test_entries_that_say_the_key_of_their_row_are_its_own() -> None:
    """And the first row of a key counts where there can be only one."""
    source = Rest(RestConfig(**TABLE), PAIR.canned)
    twice = [EXECUTIONS[0], {**EXECUTIONS[0], "good": "9"}]
    PAIR.canned.body = msgspec.json.encode({"rows": twice})
    await source.open()
    bundle = await PAIR.bundle(source, "executions", ("P1/1", "P1/2"))
    await source.close()
    one, other = bundle[OrderExecution]
    assert (one.good.source_value, other) == ("5", None)
    assert [[step.number for step in cell or ()] for cell in bundle[Operation]] == [
        ["10", "20", "10", "20"],
        [],
    ]


ANY = st.integers(0, 2**32)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    which=ANY, changes=st.lists(st.tuples(ANY, st.sampled_from(ODD), st.booleans()), min_size=1, max_size=4)
)
async def test_odd_payloads_are_read_alike(which: int, changes: list[tuple[int, Any, bool]]) -> None:
    """Whatever is missing, null or of a wrong type."""
    port = PORTS[which % len(PORTS)]
    payload = copy.deepcopy(port.payload)
    where = places(payload)
    for place, odd, drop in changes:
        mutated(payload, where[place % len(where)], odd, drop)
    quick, plain = await PAIR.outcomes(port, msgspec.json.encode(payload))
    assert quick == plain
    assert PAIR.both[0].unmapped == PAIR.both[1].unmapped
    assert PAIR.told[0] == PAIR.told[1]
