"""Generated functions and the interpreter they were made from give the same rows, the same errors and the same doubts."""

import asyncio
import copy
import time
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.base import KEYS, keys_of
from sources.base import Batch, Query
from sources.http import Answer, Heard, Request
from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.references import referred
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.unit.sources.rest.differing import ODD, Pair, Port, mutated, places

DEMO = tomllib.loads((Path(__file__).parents[4] / "gateway" / "demo.toml").read_text(encoding="utf-8"))
TABLES: dict[str, dict[str, Any]] = DEMO["systems"]
ROWS = 3
"""Rows of a payload that is mutated."""


class Ports(list[Port]):
    """All of them; too many to be shown."""

    def __repr__(self) -> str:
        return f"<{len(self)} ports>"


async def recorded() -> AsyncIterator[Port]:
    """Every list of the demo, and every read that can be asked by keys seen in the lists so far."""
    world = build_world()
    known: dict[type | None, set[str]] = {}
    for code, table in TABLES.items():
        bodies: list[bytes] = []
        app = httpx2.ASGITransport(app=SYSTEMS[code](world, Knobs()))
        async with httpx2.AsyncClient(transport=app) as client:

            async def carry(
                request: Request,
                heard: Heard,
                client: httpx2.AsyncClient = client,
                bodies: list[bytes] = bodies,
            ) -> Answer:
                said = await client.request(
                    request.method, request.url, headers=dict(request.headers), content=request.body
                )
                bodies.append(said.content)
                return Answer(said.status_code, {k.lower(): v for k, v in said.headers.items()}, said.content)

            source = Rest(RestConfig(code=code, **table), carry)
            await source.open()
            async for port in _ports(source, bodies, known):
                yield port
            await source.close()


async def _ports(
    source: Rest, bodies: list[bytes], known: dict[type | None, set[str]]
) -> AsyncIterator[Port]:
    soon = time.monotonic() + 60
    for search in source.searches():
        wants = frozenset(part.type for part in search.parts)
        page = await search.fetch(Query({}, ROWS, None, wants, soon))
        yield Port(source.code, search.name, msgspec.json.decode(bodies[-1]), None)
        known.setdefault(referred(search.parts[0].type, search.parts[0].by), set()).update(page.keys)
        for row in [row for cells in page.bundle.values() for cell in cells for row in listed(cell)]:
            for by in KEYS[type(row)]:
                known.setdefault(referred(type(row), by), set()).update(keys_of(row, by))
    for read in source.reads():
        keys = tuple(sorted(known.get(referred(read.parts[0].type, read.parts[0].by), ())))[:ROWS]
        if keys:
            await read.fetch(Batch(keys, frozenset(part.type for part in read.parts), soon))
            yield Port(source.code, read.name, msgspec.json.decode(bodies[-1]), keys)


def listed(cell: Any) -> list[Any]:
    """The rows of a cell."""
    return cell if isinstance(cell, list) else [] if cell is None else [cell]


@pytest.fixture(scope="module")
def ports() -> Ports:
    """All ports of the demo with their payloads."""

    async def all_of_them() -> Ports:
        return Ports([port async for port in recorded()])

    return asyncio.run(all_of_them())


PAIRS = {code: Pair(RestConfig(code=code, **table)) for code, table in TABLES.items()}


async def test_the_payloads_of_the_demo_are_mapped_alike(ports: Ports) -> None:
    """Every list and read of all eight systems."""
    assert {port.system for port in ports} == set(TABLES)
    assert len(ports) > 20
    for port in ports:
        quick, plain = await PAIRS[port.system].outcomes(port, msgspec.json.encode(port.payload))
        assert quick == plain, (port.system, port.name)


ANY = st.integers(0, 2**32)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    which=ANY, changes=st.lists(st.tuples(ANY, st.sampled_from(ODD), st.booleans()), min_size=1, max_size=4)
)
async def test_odd_payloads_are_mapped_alike(
    ports: Ports, which: int, changes: list[tuple[int, Any, bool]]
) -> None:
    """Whatever is missing, null, of a wrong type or an odd number: rows, errors, unmapped codes and reports agree."""
    port = ports[which % len(ports)]
    payload = copy.deepcopy(port.payload)
    where = places(payload)
    for place, odd, drop in changes if where else ():
        mutated(payload, where[place % len(where)], odd, drop)
    pair = PAIRS[port.system]
    quick, plain = await pair.outcomes(port, msgspec.json.encode(payload))
    assert quick == plain
    assert pair.both[0].unmapped == pair.both[1].unmapped
    assert pair.told[0] == pair.told[1]
