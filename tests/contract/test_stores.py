"""Every store of entries keeps the same promises: memory, and a real Redis that several stores share."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.cache.memory import Memory
from gateway.cache.redis import RedisStore
from gateway.cache.store import Entry, Invalidation, Place, Shelf, Store
from schema.base import Provenance, Quantity
from schema.production import OrderPlanning
from sources.base import Written
from tests.redis_server import RedisServer

ORDERS = Shelf("SAP_DE/orders/OrderPlanning/all", OrderPlanning | None)
LISTS = Shelf("SAP_DE/orders_by_item/OrderPlanning/all", list[OrderPlanning] | None)
OTHERS = Shelf("SAP_DE/orders/OrderPlanning/plants=1710", OrderPlanning | None)
LIFE = 60.0


@dataclass(slots=True)
class Ring:
    """A clock of one's own, and what was heard of invalidations."""

    ahead: float = 0.0
    heard: list[Invalidation] = field(default_factory=list)

    def now(self) -> float:
        """The time, as this machine believes."""
        return time.time() + self.ahead


Making = Callable[[Ring], AbstractAsyncContextManager[Store]]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis for all tests; each has a namespace of its own in it."""
    with RedisServer() as server:
        yield server


def redis_stores(server: RedisServer) -> Making:
    """Stores that share a namespace nobody else has."""
    namespace = uuid4().hex

    @asynccontextmanager
    async def store(ring: Ring) -> AsyncIterator[Store]:
        # A machine that is busy with other tests is no outage.
        made = RedisStore(
            server.url, namespace=namespace, heard=ring.heard.append, clock=ring.now, timeout=5.0
        )
        await made.open()
        try:
            async with Redis.from_url(server.url) as client:
                # As if this Redis had been in use for long: otherwise only what is read from now on would count.
                await client.set(f"cd:{namespace}:floor", 0)
            yield made
        finally:
            await made.close()

    return store


def memories(_: RedisServer) -> Making:
    """A store in this process, which nobody shares."""

    @asynccontextmanager
    async def store(ring: Ring) -> AsyncIterator[Store]:
        yield Memory(clock=ring.now)

    return store


MAKERS: dict[str, Callable[[RedisServer], Making]] = {"memory": memories, "redis": redis_stores}
"""Each kind of store; a maker gives stores that share what can be shared."""
SHARED = ["redis"]


@pytest.fixture(params=MAKERS)
def making(request: pytest.FixtureRequest, server: RedisServer) -> Making:
    """Each kind of store in turn."""
    return MAKERS[request.param](server)


@pytest.fixture(params=SHARED)
def sharing(request: pytest.FixtureRequest, server: RedisServer) -> Making:
    """Those kinds that share with other processes."""
    return MAKERS[request.param](server)


@pytest.fixture
def ring() -> Ring:
    """The clock and the ears of the store under test."""
    return Ring()


@pytest.fixture
async def store(making: Making, ring: Ring) -> AsyncIterator[Store]:
    """One open store."""
    async with making(ring) as store:
        yield store


def row(number: str) -> OrderPlanning:
    """The planning of one order."""
    found = Provenance("SAP_DE", datetime(2025, 5, 6, 12, tzinfo=UTC), number)
    return OrderPlanning("1710", number, Quantity("12.5", "ST", "H87"), found, status_codes=("REL",))


def entry(number: str, *tags: str, age: float = 0.0, now: float | None = None) -> Entry:
    """A row that was read so long ago."""
    return Entry(row(number), (time.time() if now is None else now) - age, tags)


def cells(entries: list[Entry | None]) -> list[Any]:
    """What is in them; an absent entry is said as a word, since None can be a cell."""
    return ["absent" if each is None else each.cell for each in entries]


async def keep(store: Store, **rows: Entry) -> None:
    """Keep entries under their names."""
    await store.put([((ORDERS, name), kept, LIFE) for name, kept in rows.items()])


def places(*names: str) -> list[Place]:
    """Places on the shelf of orders."""
    return [(ORDERS, name) for name in names]


async def test_what_was_put_is_given_as_it_was(store: Store) -> None:
    """Rows, lists of rows and the knowledge that there is none come back equal, with their age and tags."""
    put = [entry("1", "po:1710/1", "item:A", age=3), Entry([row("2"), row("3")], time.time()), entry("4")]
    put[2].cell = None
    where = [(ORDERS, "1"), (LISTS, "A"), (ORDERS, "4")]
    await store.put([(place, each, LIFE) for place, each in zip(where, put, strict=True)])
    given = await store.get(where)
    assert cells(given) == [each.cell for each in put]
    for each, was in zip(given, put, strict=True):
        assert each is not None
        assert each.tags == was.tags
        assert each.read_at == pytest.approx(was.read_at, abs=0.05)


async def test_an_age_is_never_understated(store: Store) -> None:
    """An entry is never given as younger than it is."""
    await keep(store, a=(put := entry("1")))
    (given,) = await store.get(places("a"))
    assert given is not None
    assert given.read_at <= put.read_at


async def test_order_and_duplicates(store: Store) -> None:
    """Answers stand in the order of the places, absent ones as None, asked twice given twice."""
    await keep(store, a=entry("1"), b=entry("2"))
    given = await store.get([*places("b", "none", "a", "b"), (LISTS, "a")])
    assert cells(given) == [row("2"), "absent", row("1"), row("2"), "absent"]


@pytest.mark.parametrize("count", [0, 1, 500])
async def test_batches_of_any_size(store: Store, count: int) -> None:
    """Nothing, one and five hundred are all a batch."""
    names = [f"1710/{number}" for number in range(count)]
    await store.put([((ORDERS, name), entry(name, f"po:{name}"), LIFE) for name in names])
    assert cells(await store.get(places(*names))) == [row(name) for name in names]
    assert await store.claim(places(*names), 5) == [None] * count
    await store.release(places(*names))


async def test_the_later_put_counts(store: Store) -> None:
    """An entry takes the place of the one before."""
    await keep(store, a=entry("1"))
    await keep(store, a=entry("2"))
    assert cells(await store.get(places("a"))) == [row("2")]


async def test_what_is_given_is_ones_own_to_keep(store: Store) -> None:
    """Whoever puts or gets may not see a change that another one makes to the store's entries by putting anew."""
    await keep(store, a=(put := entry("1")))
    before = copy.deepcopy(put.cell)
    (given,) = await store.get(places("a"))
    await keep(store, a=entry("2"))
    assert given is not None
    assert given.cell == before == put.cell


async def test_an_entry_ends_when_its_time_is_over(store: Store) -> None:
    """Lifetimes count from when an entry was read, not from when it was put."""
    await store.put(
        [
            ((ORDERS, "over"), entry("1", age=10), 9.9),
            ((ORDERS, "soon"), entry("2", age=10), 10.3),
            ((ORDERS, "long"), entry("3", age=10), 100),
        ]
    )
    assert cells(await store.get(places("over", "long"))) == ["absent", row("3")]
    await asyncio.sleep(0.4)
    assert cells(await store.get(places("soon", "long"))) == ["absent", row("3")]


async def test_shelves_do_not_mix(store: Store) -> None:
    """What was read with other rights, or is of another shape, stands elsewhere, whatever its key looks like."""
    await keep(store, a=entry("1"))
    assert cells(await store.get([(OTHERS, "a"), (LISTS, "a"), (ORDERS, "a")])) == [
        "absent",
        "absent",
        row("1"),
    ]
    one, other = Shelf("a", OrderPlanning | None), Shelf("a:b", OrderPlanning | None)
    await store.put([((one, "b:c"), entry("1"), LIFE)])
    assert cells(await store.get([(other, "c"), (one, "b:c")])) == ["absent", row("1")]


async def test_a_tag_takes_all_that_speak_of_it(store: Store) -> None:
    """An invalidation reaches every entry with one of its tags and no other."""
    await keep(store, a=entry("1", "item:A", age=1), b=entry("2", "po:2", "item:A", age=1))
    await keep(store, c=entry("3", "item:B", age=1), d=entry("4", age=1), e=entry("5", "po:9", age=1))
    await store.invalidate(Invalidation(("item:A", "po:9"), time.time()))
    assert cells(await store.get(places("a", "b", "c", "d", "e"))) == [
        "absent",
        "absent",
        row("3"),
        row("4"),
        "absent",
    ]


async def test_an_invalidation_without_tags_takes_everything(store: Store) -> None:
    """Without tags it speaks of everything that was read up to then."""
    await keep(store, a=entry("1", "item:A", age=1), b=entry("2", age=1))
    await store.invalidate(Invalidation((), time.time() - 0.5))
    assert cells(await store.get(places("a", "b"))) == ["absent"] * 2
    await keep(store, a=entry("3"))
    assert cells(await store.get(places("a"))) == [row("3")]


async def test_an_answer_under_way_when_its_subject_changed_is_not_given(store: Store) -> None:
    """What was read before an invalidation and lands after it is not given; what was read later is."""
    await store.invalidate(Invalidation(("item:A",), time.time()))
    await keep(store, a=entry("1", "item:A", age=1))
    assert cells(await store.get(places("a"))) == ["absent"]
    await asyncio.sleep(0.05)
    await keep(store, a=entry("2", "item:A"))
    assert cells(await store.get(places("a"))) == [row("2")]


async def test_invalidations_never_move_backwards(store: Store) -> None:
    """One that is told late, of an earlier instant, does not bring back what a later one took."""
    now = time.time()
    await keep(store, a=entry("1", "item:A", age=5))
    await store.invalidate(Invalidation(("item:A",), now))
    await store.invalidate(Invalidation(("item:A",), now - 60))
    assert cells(await store.get(places("a"))) == ["absent"]


async def test_claims_end_when_given_back(store: Store) -> None:
    """Whoever holds a claim may ask again, and give it back more than once."""
    assert await store.claim(places("a", "b"), 5) == [None, None]
    assert await store.claim(places("a"), 5) == [None]
    await store.release(places("a", "b", "c"))
    await store.release(places("a"))
    assert await store.claim(places("a"), 5) == [None]


async def test_our_own_invalidations_are_heard_at_once_and_once(sharing: Making) -> None:
    """Who invalidates hears it before it has waited for anything, and not again from the stream."""
    ring, other = Ring(), Ring()
    async with sharing(ring) as store, sharing(other):
        said = Invalidation(("item:A",), time.time())
        waiting = asyncio.ensure_future(store.invalidate(said))
        await asyncio.sleep(0)
        assert ring.heard == [said]
        await waiting
        await heard(other, 1)
        await asyncio.sleep(0.1)
        assert (len(ring.heard), len(other.heard)) == (1, 1)


async def heard(ring: Ring, count: int) -> list[Invalidation]:
    """Wait until so many were heard."""
    for _ in range(5000):
        if len(ring.heard) >= count:
            return ring.heard
        await asyncio.sleep(0.001)
    raise AssertionError(f"{len(ring.heard)} of {count} were heard within 5 s")


async def test_others_share_entries_and_hear_invalidations_within_100_ms(sharing: Making) -> None:
    """What one puts another one gets; what one invalidates the other one hears soon, with the write it is about."""
    ring, other = Ring(), Ring()
    async with sharing(ring) as here, sharing(other) as there:
        await keep(here, a=entry("1", "item:A", age=1))
        assert cells(await there.get(places("a"))) == [row("1")]
        delays = []
        for count in range(1, 21):
            at = time.time()
            written = Written(at, frozenset({"item:A"}), "SAP_DE", "7", "6")
            began = time.perf_counter()
            await here.invalidate(Invalidation(("item:A", "po:1"), at, written))
            last = (await heard(other, count))[-1]
            delays.append(time.perf_counter() - began)
            assert last.tags == ("item:A", "po:1")
            assert last.at == pytest.approx(at, abs=0.05)
            assert last.written is not None
            assert last.written.at == pytest.approx(at, abs=0.05)
            assert (last.written.tags, last.written.version) == (frozenset({"item:A"}), "7")
        # The median: what a busy machine adds to a few is not ours.
        assert sorted(delays)[len(delays) // 2] < 0.1
        assert cells(await there.get(places("a"))) == ["absent"]


async def test_a_claim_is_one_workers(sharing: Making) -> None:
    """Of two who ask, one reads; the other learns since when, and gets it when it is given back or over."""
    async with sharing(Ring()) as here, sharing(Ring()) as there:
        began = time.time()
        assert await here.claim(places("a", "b"), 0.5) == [None, None]
        (since, ours) = await there.claim(places("a", "c"), 0.5)
        assert ours is None
        assert since == pytest.approx(began, abs=0.2)
        await there.release(places("a"))
        assert (await there.claim(places("a"), 0.5))[0] is not None
        await here.release(places("a"))
        assert await there.claim(places("a"), 0.5) == [None]
        await asyncio.sleep(0.6)
        assert await there.claim(places("b"), 0.5) == [None]


async def test_machines_with_other_clocks_agree(sharing: Making) -> None:
    """With clocks ten minutes apart, ages, lifetimes, invalidations and claims mean the same moments."""
    ring, ahead = Ring(), Ring(ahead=600.0)
    async with sharing(ring) as here, sharing(ahead) as there:
        await keep(here, a=entry("1", "item:A", age=30), b=entry("2", "item:B", age=30))
        given = await there.get(places("a", "b"))
        assert [ahead.now() - each.read_at for each in given if each] == pytest.approx([30, 30], abs=0.2)
        await there.invalidate(Invalidation(("item:A",), ahead.now() - 10))
        assert cells(await here.get(places("a", "b"))) == ["absent", row("2")]
        (told,) = await heard(ring, 1)
        assert time.time() - told.at == pytest.approx(10, abs=0.2)
        await keep(there, a=entry("3", "item:A", age=11, now=ahead.now()))
        assert cells(await here.get(places("a"))) == ["absent"]
        await keep(there, a=entry("4", "item:A", age=9, now=ahead.now()))
        assert cells(await here.get(places("a"))) == [row("4")]
        await here.claim(places("c"), 5)
        (since,) = await there.claim(places("c"), 5)
        assert since == pytest.approx(ahead.now(), abs=0.2)
