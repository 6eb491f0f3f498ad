"""Generated functions and the interpreter they were made from give the same rows, the same errors and the same doubts."""

import asyncio
import copy
import dataclasses
import time
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.base import KEYS, keys_of
from schema.errors import SourceError
from schema.matching import Unmatched
from sources.base import Batch, Page, Query
from sources.http import Answer, Heard, Request
from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.references import referred
from sources.rest.config import RestConfig
from sources.rest.source import Rest

DEMO = tomllib.loads((Path(__file__).parents[4] / "gateway" / "demo.toml").read_text(encoding="utf-8"))
TABLES: dict[str, dict[str, Any]] = DEMO["systems"]
ROWS = 3
"""Rows of a payload that is mutated."""
ODD: list[Any] = [
    None, "", " ", "X", "-", "0", "1", "007", " 12 ", "12-", "1e3", "1e99", "NaN", "9" * 30, "??", "PT5M", "/Date(1)/",
    "/Date(9999999999999999)/", "2026-02-30", "20260101000000", 0, 1, -1, 7, 10**17, 1.5, True, False, [], {}, [None],
    ["a", "b"], {"a": 1}, [[1]], [{}], [{"number": "1"}], "a|b", "1710/7", "ä", "x" * 200,
]  # fmt: skip


@dataclass
class Canned:
    """A transport that answers every request with the body at hand."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, request: Request, heard: Heard) -> Answer:
        """Answer."""
        return Answer(200, self.headers, self.body)


@dataclass
class Port:
    """A read or list with a payload of the demo, and the keys that were asked."""

    system: str
    name: str
    payload: Any
    keys: tuple[str, ...] | None


class Ports(list[Port]):
    """All of them; too many to be shown."""

    def __repr__(self) -> str:
        return f"<{len(self)} ports>"


class Pair:
    """A system as it is, and as the reference has it, in front of the same answers."""

    def __init__(self, system: str) -> None:
        self.canned = Canned()
        config = RestConfig(code=system, **TABLES[system])
        self.both = [Rest(config, self.canned, reference=reference) for reference in (False, True)]
        self.told: list[list[Unmatched]] = [[], []]
        for source, told in zip(self.both, self.told, strict=True):
            source.report = told.append

    async def outcomes(self, port: Port, body: bytes) -> list[Any]:
        """What both say to a body."""
        self.canned.body = body
        return [await self._outcome(source, port) for source in self.both]

    async def _outcome(self, source: Rest, port: Port) -> Any:
        await source.open()
        soon = time.monotonic() + 20
        try:
            if port.keys is None:
                search = next(one for one in source.searches() if one.name == port.name)
                wants = frozenset(part.type for part in search.parts)
                return shown(await search.fetch(Query({}, 50, None, wants, soon)))
            read = next(one for one in source.reads() if one.name == port.name)
            return shown(
                await read.fetch(Batch(port.keys, frozenset(part.type for part in read.parts), soon))
            )
        except SourceError as error:
            return shown(error)
        finally:
            await source.close()


def shown(value: Any) -> Any:
    """A result to the last detail, but for the time at which it was fetched."""
    if isinstance(value, BaseException):
        return type(value).__name__, str(value), getattr(value, "hint", None)
    if isinstance(value, Page):
        return value.keys, shown(value.bundle), value.cursor, value.total
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in dataclasses.fields(value) if one.name != "fetched_at"]
        return type(value).__name__, [(name, shown(getattr(value, name))) for name in names]
    if isinstance(value, dict):
        return {key.__name__: shown(cells) for key, cells in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [shown(one) for one in value]
    return type(value).__name__, repr(value)


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


PAIRS = {code: Pair(code) for code in TABLES}


async def test_the_payloads_of_the_demo_are_mapped_alike(ports: Ports) -> None:
    """Every list and read of all eight systems."""
    assert {port.system for port in ports} == set(TABLES)
    assert len(ports) > 20
    for port in ports:
        quick, plain = await PAIRS[port.system].outcomes(port, msgspec.json.encode(port.payload))
        assert quick == plain, (port.system, port.name)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a payload, the payload itself left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, one in inner for place in ((*way, name), *places(one, (*way, name)))]


def mutated(payload: Any, place: tuple[Any, ...], odd: Any, drop: bool) -> None:
    """Put something odd at a place, or nothing, as far as it is still there."""
    at = payload
    for name in place[:-1]:
        if not isinstance(at, dict | list) or (isinstance(at, dict) and name not in at):
            return
        if isinstance(at, list) and not (isinstance(name, int) and name < len(at)):
            return
        at = at[name]
    if isinstance(at, dict) and drop:
        at.pop(place[-1], None)
    elif isinstance(at, dict) or (
        isinstance(at, list) and isinstance(place[-1], int) and place[-1] < len(at)
    ):
        at[place[-1]] = copy.deepcopy(odd)


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
