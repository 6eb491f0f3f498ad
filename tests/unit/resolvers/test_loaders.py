"""Loading: one call a hop, whoever asks, and failures that are part of the answer."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from resolvers.hops import Bounds
from resolvers.loaders import Loaders, older
from schema.base import SourceOutcome
from schema.errors import MappingError, SourceNotMapped, SourceUnavailable
from schema.material import BalanceView, InventoryBalance, Item, Lot, LotMaster
from sources.base import (
    EVERYTHING,
    Batch,
    Bundle,
    Lifetime,
    Lister,
    Page,
    Part,
    Provider,
    Providers,
    Read,
    Search,
    Stale,
    Tally,
)
from tests.unit.resolvers.making import HERE, amount


class System:
    """A system whose reads answer each key with itself, unless told otherwise."""

    def __init__(self, code: str = "ERP", max_keys: int = 100) -> None:
        self.code = code
        self.batches: list[Batch] = []
        self.called, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.answer: Callable[[type, str], Any] = lambda cls, key: cls(*key.split("/"))
        self.fault: Exception | None = None
        self.read = Read("lots", (Part(Lot), Part(LotMaster, "lot")), self.call, max_keys)

    async def call(self, batch: Batch) -> Bundle:
        """One upstream call."""
        self.batches.append(batch)
        self.called.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return {cls: [self.answer(cls, key) for key in batch.keys] for cls in batch.wants}

    def provider(self, part: Part | None = None) -> Provider:
        """As the catalog lists it."""
        return Provider(self.code, self.read, part or self.read.parts[0], self.call)


def loaders(*tiers: tuple[System, ...], selected: frozenset[type] = frozenset()) -> Loaders:
    """Loaders over systems in tiers."""
    route: Providers = tuple(tuple(system.provider() for system in tier) for tier in tiers)
    bounds = Bounds(time.monotonic() + 5, EVERYTHING, selected)
    return Loaders(lambda cls, by, key: route, {}, bounds)


def master(cls: type, key: str) -> Any:
    """A row of either class."""
    item, lot = key.split("/")
    return Lot(item, lot) if cls is Lot else LotMaster(item, lot, HERE)


def _always(rows: list[Any], _cls: type, _key: str) -> list[Any]:
    return rows


async def test_several_classes_of_one_payload_are_one_call() -> None:
    """Two classes of the same read asked in the same turn are one call that wants both."""
    system = System()
    system.answer = master
    loading = loaders((system,))
    one, other = await asyncio.gather(loading.one(Lot, "i/1"), loading.one(LotMaster, "i/1", "lot"))
    assert (type(one.value), type(other.value)) == (Lot, LotMaster)
    [batch] = system.batches
    assert batch.keys == ("i/1",)
    assert batch.wants == {Lot, LotMaster}


async def test_what_the_document_selects_comes_along() -> None:
    """A class selected deeper in the document is brought by the first call, and never asked for again."""
    system = System()
    system.answer = master
    loading = loaders((system,), selected=frozenset({Lot, LotMaster}))
    await loading.one(Lot, "i/1")
    assert (await loading.one(LotMaster, "i/1", "lot")).value is not None
    assert len(system.batches) == 1


async def test_what_is_on_its_way_is_not_asked_again() -> None:
    """A class that a running call brings along waits for it."""
    system = System()
    system.answer = master
    system.gate.clear()
    loading = loaders((system,), selected=frozenset({Lot, LotMaster}))
    first = asyncio.create_task(loading.one(Lot, "i/1"))
    await system.called.wait()
    second = asyncio.create_task(loading.one(LotMaster, "i/1", "lot"))
    await asyncio.sleep(0.01)
    system.gate.set()
    await asyncio.gather(first, second)
    assert len(system.batches) == 1


async def test_keys_are_distinct_and_cut_into_chunks() -> None:
    """Duplicates are asked once; more keys than the read takes become several calls; the order is the caller's."""
    system = System(max_keys=3)
    keys = [f"i/{n % 7}" for n in range(14)]
    answers = await loaders((system,)).each(Lot, keys)
    assert [answer.value.number for answer in answers if answer.value] == [key[2:] for key in keys]
    assert [len(batch.keys) for batch in system.batches] == [3, 3, 1]


async def test_a_failed_key_is_its_own_answer() -> None:
    """An error in one cell costs one key; None is an answer, an error is not."""
    system = System()
    odd: dict[str, Any] = {"i/1": MappingError("odd"), "i/2": None}
    system.answer = lambda cls, key: odd.get(key, Lot("i", key))
    bad, none, good = await loaders((system,)).each(Lot, ["i/1", "i/2", "i/3"])
    assert (bad.known, none.known, good.known) == (False, True, True)
    assert isinstance(dict(bad.failures)["ERP"], MappingError)
    assert good.value is not None


async def test_a_failed_call_is_the_answer_of_its_keys() -> None:
    """A failed call raises nothing: every key of it carries the error."""
    system = System()
    system.fault = SourceUnavailable("down")
    answers = await loaders((system,)).each(Lot, ["i/1", "i/2"])
    assert [dict(answer.failures)["ERP"] for answer in answers] == [system.fault] * 2
    assert [answer.value for answer in answers] == [None, None]


async def test_a_cancelled_waiter_does_not_cancel_the_load() -> None:
    """Of two who wait for the same key one gives up; the other gets the row, from the one call."""
    system = System()
    system.gate.clear()
    loading = loaders((system,))
    leaving, staying = (asyncio.create_task(loading.one(Lot, "i/1")) for _ in range(2))
    await system.called.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    system.gate.set()
    assert (await staying).value == Lot("i", "1")
    assert len(system.batches) == 1


async def test_the_next_tier_is_asked_for_what_is_left() -> None:
    """Only the keys that the first tier failed on or did not know go to the second."""
    first, second = System("ERP"), System("MES")
    found: dict[str, Any] = {"i/1": Lot("i", "1"), "i/2": None, "i/3": SourceUnavailable("down")}
    first.answer = lambda cls, key: found[key]
    one, two, three = await loaders((first,), (second,)).each(Lot, ["i/1", "i/2", "i/3"])
    assert [batch.keys for batch in second.batches] == [("i/2", "i/3")]
    assert (one.systems, two.systems, three.systems) == (("ERP",), ("ERP", "MES"), ("ERP", "MES"))
    assert three.value is not None
    assert [system for system, _ in three.failures] == ["ERP"]


async def test_systems_of_a_tier_are_merged() -> None:
    """Lists of several systems in one tier stand side by side, and one that fails is named."""
    first, second, third = System("ERP"), System("WMS"), System("MES")
    for system in (first, second):
        row = InventoryBalance("P", "i", system.code, BalanceView.BOOK, amount("1"), HERE)
        system.answer = partial(_always, [row])
    third.fault = SourceUnavailable("down")
    answer = await loaders((first, second, third)).many(InventoryBalance, "i", "item")
    assert [row.location for row in answer.value or ()] == ["ERP", "WMS"]
    assert [system for system, _ in answer.failures] == ["MES"]


async def test_nobody_to_ask_is_said() -> None:
    """A class that no system provides is a failure of the gateway's own, and names the class."""
    answer = await loaders().one(Item, "i")
    [(system, error)] = answer.failures
    assert system == "GATEWAY"
    assert isinstance(error, SourceNotMapped)
    assert "Item" in str(error)


async def test_a_page_stands_for_the_read_of_its_rows() -> None:
    """Rows that a search brought are not fetched again by key."""
    system = System()

    async def never(_: Any) -> Page:
        raise AssertionError

    loading = loaders((system,))
    search = Search("list", system.read.parts, never, read="lots")
    page = Page(["i/1", "i/2"], {Lot: [Lot("i", "1"), MappingError("odd")]})
    loading.prime(Lister("ERP", search, never), page)
    assert (await loading.one(Lot, "i/1")).value == Lot("i", "1")
    assert system.batches == []
    assert (await loading.one(Lot, "i/2")).value is not None
    assert len(system.batches) == 1


def aged(read_at: float, met: bool = True) -> Stale:
    """A value that is older than it should be."""
    return Stale(None, read_at, SourceOutcome.STALE, "old", met)


def test_the_worse_of_two_ages() -> None:
    """What misses the request's need is worse than what is merely older; of equals the older one is."""
    assert older(None, aged(5)) == aged(5)
    assert older(aged(5), aged(3)) == older(aged(3), aged(5)) == aged(3)
    assert older(aged(3), aged(9, met=False)) == older(aged(9, met=False), aged(3)) == aged(9, met=False)


def test_the_tightest_lifetime_is_kept() -> None:
    """Of all that layers vouch for, what ends first counts, and nothing lasts longer than the request allows."""
    assert Tally().tightest is None
    tally = Tally()
    for max_age, read_at in ((60, 100.0), (300, 10.0), (10, 149.0)):
        tally.lasts(max_age, read_at)
    assert tally.tightest == Lifetime(10, 149.0)
    bounded = Tally(within=30)
    bounded.lasts(10, 100.0)
    bounded.lasts(300, 70.0)
    assert bounded.tightest == Lifetime(30, 70.0)


async def test_rows_of_an_old_page_are_as_old() -> None:
    """What an older page brought along is stale under its read, too; what is newer in it keeps its own age."""
    erp = System()
    made = loaders((erp,))
    search = Search("all", erp.read.parts, erp.call, read="lots")  # type: ignore[arg-type]
    own = Stale(Lot("I", "2"), 7.0, SourceOutcome.TIMEOUT, "older")
    page = Page(["I/1", "I/2"], {Lot: [Lot("I", "1"), own]}, stale=aged(50.0, met=False))
    made.prime(Lister("ERP", search, erp.call), page)  # type: ignore[arg-type]
    one, two = await made.each(Lot, ["I/1", "I/2"])
    assert one.value == Lot("I", "1")
    assert [(stale.read_at, stale.met) for _, stale in one.stale] == [(50.0, False)]
    assert two.stale == (("ERP", own),)
    assert erp.batches == []
