"""A JSON system never seen before is connected by a table alone."""

import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schema.errors import SourceError, SourceForbidden
from schema.material import InventoryBalance
from schema.production import Operation, OrderPlanning, OrderStatus, ProductionOrder
from sources.base import Batch, Query, Read
from sources.rest.config import RestConfig
from sources.rest.source import Rest

HERE = Path(__file__).parent
WANTS = frozenset({ProductionOrder, OrderPlanning, Operation})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The foreign system in a process of its own."""
    with subprocess.Popen([sys.executable, HERE / "server.py"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


def connect(port: int) -> Rest:
    """The system as its table says."""
    table = tomllib.loads((HERE / "jobpilot.toml").read_text())["systems"]["JOBPILOT"]
    table["base_url"] = f"http://127.0.0.1:{port}"
    return Rest(RestConfig(code="JOBPILOT", **table))


@pytest.fixture
async def source(port: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rest]:
    """The connected system."""
    monkeypatch.setenv("JOBPILOT_KEY", "letmein")
    source = connect(port)
    await source.open()
    yield source
    await source.close()


def read(source: Rest, name: str) -> Read:
    """One of its reads."""
    return next(one for one in source.reads() if one.name == name)


def soon() -> float:
    """A deadline."""
    return time.monotonic() + 5


async def test_orders_come_by_key_in_order(source: Rest) -> None:
    """Keys go out in the system's spelling, rows come back in any order, and each finds its key."""
    keys = ("K1/2", "K1/nope", "K1/7", "K1/99")
    bundle = await read(source, "jobs").fetch(Batch(keys, WANTS, soon()))
    two, nope, seven, broken = bundle[ProductionOrder]
    assert (two.number, two.item, two.plant) == ("2", "P-2", "K1")
    assert nope is None
    assert seven.number == "7"
    assert isinstance(broken, SourceError)
    assert "Satz gesperrt" in str(broken)


async def test_every_group_is_mapped(source: Rest) -> None:
    """Quantities, days, flags, rules, durations and spellings come out canonical, with provenance."""
    bundle = await read(source, "jobs").fetch(Batch(("K1/7", "K1/1"), WANTS, soon()))
    planning = bundle[OrderPlanning][0]
    assert (planning.quantity.source_value, planning.quantity.unit) == ("17.5", "H87")
    assert planning.due_date == date(2026, 12, 8)
    assert planning.status is OrderStatus.ON_HOLD
    assert planning.status_codes == ("gestartet", "gesperrt")
    assert bundle[OrderPlanning][1].status is OrderStatus.CREATED
    assert planning.provenance.source_key == "#00007"
    assert planning.provenance.source_updated_at == datetime(2026, 11, 23, 7, 7, tzinfo=UTC)
    saw, mill = bundle[Operation][0]
    assert (saw.order, saw.number, saw.work_center, saw.plan.setup) == ("7", "0010", "SAW-1", "PT12M30S")
    assert mill.plan.setup == "PT1H30M"


async def test_the_list_is_walked_once(source: Rest) -> None:
    """Pages follow the cursor in the body and bring every order exactly once."""
    search = source.searches()[0]
    keys: list[str] = []
    cursor = None
    while True:
        page = await search.fetch(Query({}, 4, cursor, WANTS, soon()))
        assert len(page.bundle[Operation]) == len(page.keys) <= 4
        keys += page.keys
        cursor = page.cursor
        if cursor is None:
            break
    assert keys == [f"K1/{n}" for n in range(1, 10)]


async def test_one_call_a_key(source: Rest) -> None:
    """Where the system takes one key at a time, its rows belong to the key that was asked."""
    cells = (
        await read(source, "stock").fetch(Batch(("P-1", "P-2", "P-9"), frozenset({InventoryBalance}), soon()))
    )[InventoryBalance]
    assert [(b.item, b.plant, b.location, str(b.on_hand.value)) for b in cells[0]] == [
        ("P-1", "K1", "L1", "7.5"),
        ("P-1", "K1", "L2", "1"),
    ]
    assert cells[1:] == [[], []]


async def test_a_wrong_secret_is_told_without_it(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused credentials name the system and the setting, never the secret."""
    monkeypatch.setenv("JOBPILOT_KEY", "hunter2-secret")
    source = connect(port)
    await source.open()
    with pytest.raises(SourceForbidden) as caught:
        await read(source, "jobs").fetch(Batch(("K1/1",), WANTS, soon()))
    await source.close()
    assert "systems.JOBPILOT.auth" in str(caught.value.hint)
    assert "hunter2" not in str(caught.value)
