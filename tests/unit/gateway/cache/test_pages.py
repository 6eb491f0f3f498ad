"""Lists behind the tiers: a page is kept under its question, as long as its tightest part."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.codec import codec
from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.pages import asked, leaf_of, question
from gateway.cache.reading import Tiers
from gateway.cache.store import Entry
from schema.base import Provenance, SystemKind
from schema.errors import FreshnessNotMet, MappingError, SourceError, SourceUnavailable
from schema.material import Item
from schema.production import OrderPlanning, ProductionOrder
from sources.base import EVERYTHING, WHATEVER, Batch, Bundle, Filter, Need, Page, Part, Query, Read, Search
from sources.keeping import CacheRule
from sources.settings import SystemConfig
from tests.graph.fakes import pieces
from tests.unit.gateway.cache.shelf import Clock, settle

PARTS = (Part(ProductionOrder), Part(OrderPlanning, "order"))
WANTS = frozenset({ProductionOrder})
DOWN = SourceUnavailable("down")


class Orders:
    """An ERP that lists its orders; ``fault`` fails calls, ``bad`` is a row that cannot be mapped."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.numbers = ["1", "2", "3"]
        self.queries: list[Query] = []
        self.batches: list[Batch] = []
        self.fault: SourceError | None = None
        self.bad: str | None = None
        rules = {
            "*": CacheRule(max_age=10, stale_while_revalidate=5, stale_if_error=100),
            "OrderPlanning": CacheRule(max_age=3),
        }
        config = SystemConfig(code="ERP", adapter="rest", kind=SystemKind.ERP, cache=rules)
        self.caching = Caching(Tiers(Memory(clock=self.clock), None, self.clock))
        self.read, _ = self.caching.read(config, Read("orders", PARTS, self._read), self._read)
        self.list = self.caching.search(
            config, Search("orders_list", PARTS, self._list, frozenset({"plants"}), read="orders"), self._list
        )

    async def ask(
        self,
        filters: Mapping[str, Filter] | None = None,
        wants: frozenset[type] = WANTS,
        need: Need = WHATEVER,
        cursor: str | None = None,
    ) -> Page:
        """A page, as a request gets it."""
        return await self.list(
            Query(filters or {}, 2, cursor, wants, time.monotonic() + 5, EVERYTHING, need=need)
        )

    def _row(self, cls: type, number: str) -> Any:
        if number == self.bad:
            return MappingError("odd")
        where = Provenance("ERP", datetime.fromtimestamp(self.clock.time, UTC))
        if cls is ProductionOrder:
            return ProductionOrder("1710", number, "FG", provenance=where)
        return OrderPlanning("1710", number, pieces("1"), where)

    async def _read(self, batch: Batch) -> Bundle:
        self.batches.append(batch)
        return {cls: [self._row(cls, key.partition("/")[2]) for key in batch.keys] for cls in batch.wants}

    async def _list(self, query: Query) -> Page:
        query.tally.calls += 1
        self.queries.append(query)
        if self.fault is not None:
            raise self.fault
        start = int(query.cursor or 0)
        found = self.numbers[start : start + query.first]
        keys = [f"1710/{number}" for number in found]
        bundle = {cls: [self._row(cls, number) for number in found] for cls in query.wants}
        return Page(keys, bundle, str(start + len(found)), len(self.numbers))


def numbers(page: Page) -> list[str]:
    """The orders on a page."""
    return [row.number for row in page.bundle[ProductionOrder]]


async def test_the_same_question_is_asked_once() -> None:
    """Another filter, another page and other classes are other questions."""
    orders = Orders()
    for _ in range(2):
        page = await orders.ask()
        assert (numbers(page), page.cursor, page.total) == (["1", "2"], "2", 3)
    assert len(orders.queries) == 1
    await orders.ask({"plants": ("1710",)})
    await orders.ask(cursor="2")
    await orders.ask(wants=frozenset({ProductionOrder, OrderPlanning}))
    assert len(orders.queries) == 4


async def test_a_page_lives_as_long_as_its_tightest_part() -> None:
    """With planning it is old after three seconds, without it after ten."""
    orders = Orders()
    both = frozenset({ProductionOrder, OrderPlanning})
    await orders.ask(wants=both)
    await orders.ask()
    orders.clock.pass_(4)
    assert (await orders.ask()).stale is None
    aged = await orders.ask(wants=both)
    assert aged.stale is not None
    assert aged.bundle[OrderPlanning][0].provenance.stale_reason is not None
    await settle()


async def test_the_rows_of_a_page_are_known_by_key_as_well() -> None:
    """What a list brought is not fetched again by key."""
    orders = Orders()
    await orders.ask()
    bundle = await orders.read(Batch(("1710/1", "1710/3"), WANTS, time.monotonic() + 5))
    assert [row.number for row in bundle[ProductionOrder]] == ["1", "3"]
    assert [batch.keys for batch in orders.batches] == [("1710/3",)]


async def test_a_change_of_any_order_lets_its_lists_go() -> None:
    """An order that is not on the page may belong there now; an item that is not in it changes nothing."""
    orders = Orders()
    await orders.ask()
    orders.clock.pass_(1)
    await orders.caching.invalidate(["item:X"])
    await orders.ask()
    assert len(orders.queries) == 1
    orders.numbers.insert(0, "0")
    await orders.caching.invalidate(["po:1710/0"])
    assert numbers(await orders.ask()) == ["0", "1"]


async def test_a_dead_system_lists_what_it_last_listed() -> None:
    """Labelled, rows and page; and not for a client that refuses it."""
    orders = Orders()
    await orders.ask()
    orders.fault = DOWN
    orders.clock.pass_(50)
    page = await orders.ask()
    assert page.stale is not None
    assert page.stale.message == "down"
    assert page.bundle[ProductionOrder][0].provenance.stale_reason is not None
    with pytest.raises(FreshnessNotMet):
        await orders.ask(need=Need(None, orders.clock.time, allow_stale=False))
    with pytest.raises(SourceUnavailable):
        await orders.ask(cursor="2")


async def test_a_page_with_a_failed_row_is_not_kept() -> None:
    """It is given as it is, and asked anew the next time; its good rows are known by key."""
    orders = Orders()
    orders.bad = "2"
    first = await orders.ask()
    assert isinstance(first.bundle[ProductionOrder][1], MappingError)
    orders.bad = None
    assert numbers(await orders.ask()) == ["1", "2"]
    assert len(orders.queries) == 2


async def test_a_page_goes_through_redis_and_back() -> None:
    """Keys, rows and the way on, and what is not there as None; another model's pages are told apart."""
    orders = Orders()
    page = await orders.ask(wants=frozenset({ProductionOrder, OrderPlanning}))
    made = leaf_of(PARTS)
    leaf = made(
        page.keys, page.cursor, None, page.bundle[ProductionOrder], [None, *page.bundle[OrderPlanning][1:]]
    )
    kept = codec(made | None)
    [back] = kept.entries([kept.data(Entry(leaf, 1.0, ("po:#",)), 1_000_000)], 0.0)
    assert back == Entry(leaf, 1.0, ("po:#",))
    assert back is not None
    assert back.cell.columns[1][0] is None
    assert kept.fingerprint != codec(leaf_of(PARTS[:1]) | None).fingerprint


FILTERS = st.dictionaries(
    st.text(max_size=8),
    st.lists(st.text(max_size=8), max_size=3).map(tuple)
    | st.text(max_size=12)
    | st.datetimes(timezones=st.just(UTC)),
    max_size=4,
)


@given(FILTERS, st.integers(1, 500), st.none() | st.text(max_size=20))
def test_a_question_survives_being_written_down(
    filters: dict[str, Filter], first: int, cursor: str | None
) -> None:
    """What is asked of the system is what was asked of us; the order of the filters does not matter."""
    query = Query(filters, first, cursor, WANTS, 1.0)
    batch = Batch((question(query),), frozenset({Item}), 1.0)
    assert asked(question(query), WANTS, batch) == query
    turned = Query(dict(reversed(filters.items())), first, cursor, WANTS, 1.0)
    assert question(turned) == question(query)
