"""The contract of every adapter, each against its own sim over a real socket."""

import asyncio
import importlib
import logging
import time
from collections.abc import Sequence
from typing import Any

import pytest

from schema.base import KEYS, Plant, keys_of
from schema.errors import (
    MappingError,
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources import ADAPTERS
from sources.base import Batch, Page, Part, Query, Read, Search, Source
from sources.catalog import Catalog
from sources.guard import Guard
from sources.http import HttpConfig
from tests.contract import faults as trouble
from tests.contract.case import Case
from tests.contract.conftest import CASES, Rig, made
from tests.contract.faults import Faults
from tests.proxy import Mode, Proxy

SOON = 5.0
SHORT = 0.3
"""Seconds: a deadline that a healthy sim keeps, and one for answers that do not come."""


def wants_of(parts: Sequence[Part]) -> frozenset[type]:
    """Every class that the parts deliver."""
    return frozenset(part.type for part in parts)


def asked(
    rig: Rig, keys: Sequence[str], seconds: float = SOON, wants: frozenset[type] | None = None
) -> Batch:
    """A batch for the read of the case."""
    return Batch(tuple(keys), wants or wants_of(rig.read.parts), time.monotonic() + seconds)


async def failure(rig: Rig, seconds: float = SOON) -> SourceError:
    """The error of a read that must fail, as a whole or key by key; neither late nor by accident."""
    began = time.monotonic()
    try:
        bundle = await rig.guard.read(rig.read, asked(rig, rig.case.keys, seconds))
    except SourceError as whole:
        error = whole
    else:
        cells = bundle[rig.read.parts[0].type]
        assert all(isinstance(cell, SourceError) for cell in cells), "a read that must fail gave rows"
        error = cells[0]
    assert time.monotonic() - began < seconds + 0.5
    assert "unexpectedly" not in str(error)
    assert str(error).strip(), "an error says what is wrong"
    return error


async def walked(rig: Rig, size: int) -> list[Page]:
    """Every page of the list of the case."""
    pages: list[Page] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        wants, deadline = wants_of(rig.search.parts), time.monotonic() + SOON
        query = Query(rig.case.filters, size, cursor, wants, deadline)
        pages.append(await rig.guard.search(rig.search, query))
        cursor = pages[-1].cursor
        assert len(pages) <= rig.case.total + 1, "the list does not end"
    return pages


def test_every_adapter_has_its_case() -> None:
    """Whoever adds an adapter adds its case, and the case is about that adapter."""
    assert set(CASES) >= set(ADAPTERS)
    for name, place in ADAPTERS.items():
        module, _, attribute = place.partition(":")
        assert CASES[name].source is getattr(importlib.import_module(module), attribute)


async def test_opens_pings_and_closes(rig: Rig) -> None:
    """A source that is open and in its right mind answers a ping."""
    await rig.source.ping()


async def test_opens_while_the_system_is_down(rig: Rig) -> None:
    """Opening sends nothing that could fail; asking fails with a connection error, and a ping too."""
    rig.proxy.down()
    source = made(rig.case, rig.proxy.url, rig.case.secret)
    await source.open()
    try:
        with pytest.raises(SourceUnavailable):
            await source.ping()
    finally:
        await source.close()


async def test_says_what_it_offers(rig: Rig) -> None:
    """Reads and searches have distinct names, parts with registered keys, and sane limits."""
    reads, searches = rig.source.reads(), rig.source.searches()
    ports: list[Read | Search] = [*reads, *searches]
    for names in ([read.name for read in reads], [search.name for search in searches]):
        assert len(set(names)) == len(names)
    for port in ports:
        assert port.parts, f"{port.name} delivers nothing"
        assert len(wants_of(port.parts)) == len(port.parts), f"{port.name} delivers a class twice"
    for read in reads:
        assert read.max_keys >= 1
        for part in read.parts:
            assert part.by in KEYS[part.type], f"{read.name}: {part.type.__name__} has no key {part.by}"
    assert all(search.read in {read.name for read in reads} | {None} for search in searches)


async def test_rows_come_in_the_order_of_the_keys(rig: Rig) -> None:
    """Forwards and backwards, each cell belongs to its key."""
    for keys in (rig.case.keys, rig.case.keys[::-1]):
        bundle = await rig.guard.read(rig.read, asked(rig, keys))
        for part in rig.read.parts:
            assert len(bundle[part.type]) == len(keys)
            for key, cell in zip(keys, bundle[part.type], strict=True):
                assert not isinstance(cell, SourceError), str(cell)
                belong(part, key, cell)
        first = bundle[rig.read.parts[0].type]
        assert None not in first, "the case's keys are known"


def belong(part: Part, key: str, cell: Any) -> None:
    """Every row of a cell has the key it was asked by."""
    rows = cell if part.many else [cell]
    for row in rows or ():
        if row is not None:
            assert key in keys_of(row, part.by), f"{part.type.__name__} {row!r} is not of {key}"


async def test_unknown_keys_are_none(rig: Rig) -> None:
    """Keys that the system does not know leave a gap in their place, wherever they stand."""
    one, two = rig.case.keys[:2]
    keys = (rig.case.unknown(0), one, rig.case.unknown(1), two)
    bundle = await rig.guard.read(rig.read, asked(rig, keys))
    found = [row is not None for row in bundle[rig.read.parts[0].type]]
    assert found == [False, True, False, True]
    for part in rig.read.parts:
        assert not bundle[part.type][0], f"{part.type.__name__} for a key nobody knows"


async def test_a_key_asked_twice_has_two_cells(rig: Rig) -> None:
    """Should a key come twice, both places have its row."""
    one, two = rig.case.keys[:2]
    first = rig.read.parts[0].type
    cells = (await rig.guard.read(rig.read, asked(rig, (one, two, one))))[first]
    assert cells[0] == cells[2] or cells[0].provenance.fetched_at != cells[2].provenance.fetched_at
    assert keys_of(cells[0], rig.read.parts[0].by) == keys_of(cells[2], rig.read.parts[0].by)


async def test_no_keys_cost_nothing(rig: Rig) -> None:
    """An empty batch sends no request."""
    bundle = await rig.guard.read(rig.read, asked(rig, ()))
    assert all(cells == [] for cells in bundle.values())
    assert rig.faults.requests == 0


async def test_one_key_costs_one_batch(rig: Rig) -> None:
    """A batch of one is a batch."""
    await rig.source.ping()
    before = rig.faults.requests
    bundle = await rig.guard.read(rig.read, asked(rig, rig.case.keys[:1]))
    assert bundle[rig.read.parts[0].type][0] is not None
    assert rig.faults.requests - before <= rig.case.calls_per_batch


async def test_five_hundred_keys_cost_batches_not_rows(rig: Rig) -> None:
    """Many keys, in chunks of the read's limit, cost a fixed number of requests a chunk."""
    await rig.source.ping()
    before = rig.faults.requests
    keys = [*rig.case.keys, *(rig.case.unknown(n) for n in range(500 - len(rig.case.keys)))]
    size = rig.read.max_keys
    chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
    found = 0
    for chunk in chunks:
        bundle = await rig.guard.read(rig.read, asked(rig, chunk))
        found += sum(row is not None for row in bundle[rig.read.parts[0].type])
    assert found == len(rig.case.keys)
    assert rig.faults.requests - before <= len(chunks) * rig.case.calls_per_batch


async def test_each_part_can_be_had_alone(rig: Rig) -> None:
    """A read delivers the classes wanted, whichever they are."""
    whole = await rig.guard.read(rig.read, asked(rig, rig.case.keys))
    for part in rig.read.parts:
        bundle = await rig.guard.read(rig.read, asked(rig, rig.case.keys, wants=frozenset({part.type})))
        assert [bool(cell) for cell in bundle[part.type]] == [bool(cell) for cell in whole[part.type]]


@pytest.mark.parametrize("size", ["small", "largest"])
async def test_pages_walk_the_whole_list_once(rig: Rig, size: str) -> None:
    """Page by page every row comes exactly once, and no page is longer than asked."""
    first = rig.case.page if size == "small" else rig.search.max_page
    pages = await walked(rig, first)
    keys = [key for page in pages for key in page.keys]
    assert len(keys) == len(set(keys)) == rig.case.total
    assert all(len(page.keys) <= first for page in pages)
    assert {page.total for page in pages} <= {None, rig.case.total}
    head = rig.search.parts[0]
    for page in pages:
        for key, cell in zip(page.keys, page.bundle[head.type], strict=True):
            belong(head, key, cell)


async def test_pages_can_be_asked_again(rig: Rig) -> None:
    """A cursor is a place in the list, not a one-time ticket."""
    assert rig.case.page < rig.case.total, "the case's pages leave something to go on with"
    once, twice = await walked(rig, rig.case.page), await walked(rig, rig.case.page)
    assert [page.keys for page in once] == [page.keys for page in twice]


async def test_what_a_page_brought_is_what_the_read_gives(rig: Rig) -> None:
    """A list shares its rows with the read it names, so they need not be fetched again."""
    if rig.search.read is None:
        return
    read = next(read for read in rig.source.reads() if read.name == rig.search.read)
    page = (await walked(rig, rig.case.page))[0]
    wants = wants_of(rig.search.parts) & wants_of(read.parts)
    batch = Batch(tuple(page.keys), wants, time.monotonic() + SOON)
    bundle = await rig.guard.read(read, batch)
    for wanted in wants:
        assert [bool(cell) for cell in page.bundle[wanted]] == [bool(cell) for cell in bundle[wanted]]


@pytest.mark.parametrize("how", ["no answer", "slow body", "silent"])
async def test_the_deadline_is_kept(rig: Rig, how: str) -> None:
    """However slowly the answer comes, nobody waits for it past the deadline."""
    await rig.source.ping()
    rig.faults.delay = 2.0 if how == "no answer" else 0.0
    rig.proxy.mode = {"slow body": Mode.SLOW, "silent": Mode.SILENT}.get(how, Mode.PASS)
    assert isinstance(await failure(rig, SHORT), SourceTimeout)


async def test_the_adapter_itself_keeps_the_deadline(rig: Rig) -> None:
    """The adapter ends its request by itself; the guard is a second pair of hands."""
    await rig.source.ping()
    rig.proxy.mode = Mode.SILENT
    async with asyncio.timeout(SHORT + 0.5):
        with pytest.raises(SourceTimeout):
            await rig.read.fetch(asked(rig, rig.case.keys, SHORT))


async def test_cancelling_leaves_no_task(rig: Rig) -> None:
    """A caller that goes away takes its request along; the next call is as good as ever."""
    await rig.source.ping()
    before = asyncio.all_tasks()
    rig.proxy.mode = Mode.SILENT
    call = asyncio.create_task(rig.guard.read(rig.read, asked(rig, rig.case.keys)))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() <= before
    rig.proxy.mode = Mode.PASS
    await rig.guard.read(rig.read, asked(rig, rig.case.keys))


async def test_closing_leaves_no_task_and_no_connection(case: Case, proxy: Proxy) -> None:
    """After closing nothing of the source is left in the loop."""
    before = asyncio.all_tasks()
    source = made(case, proxy.url, case.secret)
    await source.open()
    await source.ping()
    await source.close()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() <= before


async def test_wrong_credentials_are_forbidden(rig: Rig) -> None:
    """A refused secret is SourceForbidden, in a read and in a ping, and is not in the words."""
    wrong = "wrong-" + rig.case.secret[::-1]
    source = made(rig.case, rig.proxy.url, wrong)
    await source.open()
    try:
        refused = Rig(rig.case, source, Guard(source.config), rig.faults, rig.proxy)
        error = await failure(refused)
        assert isinstance(error, SourceForbidden)
        assert wrong not in f"{error!r} {error.hint}"
        with pytest.raises(SourceForbidden):
            await source.ping()
    finally:
        await source.close()


WRONG_ANSWERS = {
    "429": (trouble.THROTTLED, (SourceThrottled,)),
    "500": (trouble.BROKEN, (SourceUnavailable,)),
    "503": (trouble.AWAY, (SourceUnavailable,)),
    "garbage": (trouble.GARBAGE, (MappingError, SourceUnavailable)),
    "login page": (trouble.LOGIN_PAGE, (MappingError, SourceUnavailable)),
    "not UTF-8": (trouble.NOT_UTF8, (MappingError, SourceUnavailable)),
    "empty": (trouble.EMPTY, (MappingError, SourceUnavailable)),
    "redirect": (trouble.ELSEWHERE, (SourceRefused, SourceUnavailable, MappingError)),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
async def test_wrong_answers_are_the_right_errors(rig: Rig, name: str) -> None:
    """A throttled, broken or senseless answer is told apart, and the next good one is taken."""
    await rig.source.ping()
    rig.faults.canned, classes = WRONG_ANSWERS[name]
    error = await failure(rig)
    assert isinstance(error, classes), f"{type(error).__name__}: {error}"
    if isinstance(error, SourceThrottled):
        assert error.retry_after == 7.0
    rig.faults.canned = None
    await Guard(rig.source.config).read(rig.read, asked(rig, rig.case.keys))


@pytest.mark.parametrize("mode", [Mode.HALF, Mode.RESET])
async def test_broken_connections_are_unavailable(rig: Rig, mode: Mode) -> None:
    """A body that ends halfway and a connection that is reset are no answer; the next one is."""
    await rig.source.ping()
    rig.proxy.mode = mode
    assert isinstance(await failure(rig), SourceUnavailable)
    rig.proxy.mode = Mode.PASS
    await rig.guard.read(rig.read, asked(rig, rig.case.keys))


async def test_down_and_up_again(rig: Rig) -> None:
    """While the system is down the read fails at once; when it is up again the same source answers."""
    await rig.guard.read(rig.read, asked(rig, rig.case.keys))
    rig.proxy.down()
    assert isinstance(await failure(rig, 1.0), SourceUnavailable)
    rig.proxy.up()
    await rig.guard.read(rig.read, asked(rig, rig.case.keys))
    assert rig.guard.health().healthy


async def test_the_deadline_of_a_request_reaches_the_system(case: Case, faults: Faults, proxy: Proxy) -> None:
    """Where the client is ours and a header is named, the system learns how many milliseconds are left of it."""
    ours = issubclass(case.source.Config, HttpConfig)
    source = made(case, proxy.url, case.secret, **({"deadline_header": "X-Left-Ms"} if ours else {}))
    await source.open()
    rig = Rig(case, source, Guard(source.config), faults, proxy)
    try:
        await rig.guard.read(rig.read, asked(rig, case.keys, 3.0))
        left = int(faults.headers.get(b"x-left-ms", 0))
        assert 2000 < left <= 3000 if ours else left == 0
    finally:
        await source.close()


async def test_its_clock_is_compared_with_ours(rig: Rig) -> None:
    """Where the client is ours the health has the difference of the clocks: none, as the sim runs on this machine."""
    catalog = Catalog([rig.source], [Plant(code, code, "UTC") for code in rig.source.config.plants])
    system = catalog.systems[rig.source.code]
    before = catalog.system(system.code)
    assert before is not None
    assert (before.lag_seconds, before.clock_skew_ms) == (None, None)
    await system.guard.read(rig.read, asked(rig, rig.case.keys))
    after = catalog.system(system.code)
    assert after is not None
    told = 0 if isinstance(rig.source.config, HttpConfig) else None
    assert (after.lag_seconds, after.clock_skew_ms) == (0, told)


async def test_many_calls_at_once_share_the_source(rig: Rig) -> None:
    """Concurrent batches do not mix up their rows."""
    batches = [asked(rig, rig.case.keys[n % 3 :: 2]) for n in range(12)]
    bundles = await asyncio.gather(*[rig.guard.read(rig.read, batch) for batch in batches])
    head = rig.read.parts[0]
    for batch, bundle in zip(batches, bundles, strict=True):
        for key, cell in zip(batch.keys, bundle[head.type], strict=True):
            belong(head, key, cell)


async def test_secrets_are_never_in_logs(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever happens and however much is logged, the secret is nowhere to be read."""
    caplog.set_level(logging.DEBUG)
    words = [repr(rig.source.config), str(rig.source.config), repr(rig.source)]
    await rig.source.ping()
    await rig.guard.read(rig.read, asked(rig, rig.case.keys))
    for canned in (trouble.BROKEN, trouble.GARBAGE, trouble.LOGIN_PAGE, trouble.ELSEWHERE):
        rig.faults.canned = canned
        words.append(repr(await failure(rig)))
    rig.proxy.down()
    words.append(repr(await failure(rig)))
    assert rig.case.secret not in "\n".join([caplog.text, *words])


def test_source_is_the_port(case: Case) -> None:
    """An adapter is a Source with a Config of its own that refuses settings nobody knows."""
    assert issubclass(case.source, Source)
    assert case.source.Config.model_config.get("extra") == "forbid"
