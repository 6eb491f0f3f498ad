"""A receipt is good exactly where a look would give the very same cells, and then it counts and vouches like the look."""

import pytest

from gateway.cache.receipts import TOUCHED
from gateway.cache.store import Invalidation
from schema.material import Item
from sources.base import EVERYTHING, WHATEVER, Need, Receipt, Scope, Tally, Written
from tests.unit.gateway.cache.shelf import Bench


async def receipt_of(bench: Bench, *keys: str) -> Receipt:
    """The receipt for some keys that are here."""
    await bench.cells(*keys)
    tally = Tally(receipts=[])
    bench.peek(Item, keys, WHATEVER, EVERYTHING, tally)
    assert tally.receipts is not None
    [receipt] = tally.receipts
    return receipt


async def test_it_counts_and_vouches_like_a_look() -> None:
    """Values and absences: cells found, the lifetime that ends first, and the entries where somebody wants them."""
    bench = Bench()
    good = await receipt_of(bench, "A", "X", "B")
    looked, given = Tally(parts=[], within=5.0), Tally(parts=[], within=5.0)
    bench.peek(Item, ["A", "X", "B"], WHATEVER, EVERYTHING, looked)
    assert good(WHATEVER, EVERYTHING, given)
    assert given == looked
    assert given.l1 == 3


async def test_there_is_none_where_a_key_is_missing() -> None:
    """A look that could not give all of it is no look to repeat."""
    bench = Bench()
    await bench.cells("A")
    tally = Tally(receipts=[])
    bench.peek(Item, ["A", "B"], WHATEVER, EVERYTHING, tally)
    assert tally.receipts == []


@pytest.mark.parametrize(("key", "seconds"), [("A", 10.1), ("X", 2.1)])
async def test_it_is_no_good_when_its_time_is_over(key: str, seconds: float) -> None:
    """A value after max_age, an absence after negative_max_age; a request may accept less."""
    bench = Bench()
    good = await receipt_of(bench, key)
    bench.clock.pass_(seconds - 0.2)
    assert good(WHATEVER, EVERYTHING, Tally())
    assert not good(bench.within(0.5), EVERYTHING, Tally())
    bench.clock.pass_(0.2)
    assert not good(WHATEVER, EVERYTHING, Tally())


async def test_it_is_no_good_for_others() -> None:
    """Other rights, and a request that must show a write."""
    bench = Bench()
    good = await receipt_of(bench, "A")
    assert good(WHATEVER, Scope(), Tally())
    assert not good(WHATEVER, Scope(plants=frozenset({"1710"})), Tally())
    assert not good(Need(written=Written(bench.clock.time)), EVERYTHING, Tally())


async def test_it_goes_with_what_it_speaks_of() -> None:
    """An invalidation of one of its items; not one of another."""
    bench = Bench()
    good = await receipt_of(bench, "A", "B")
    bench.memory.marks.note(Invalidation(("item:C",), bench.clock.time))
    assert good(WHATEVER, EVERYTHING, Tally())
    bench.memory.marks.note(Invalidation(("item:B",), bench.clock.time))
    assert not good(WHATEVER, EVERYTHING, Tally())


async def test_a_newer_value_takes_its_place() -> None:
    """A value that somebody read anew is given from then on, though the older one would be fresh enough."""
    bench = Bench()
    good = await receipt_of(bench, "A")
    bench.clock.pass_(1)
    bench.world.items["A"] = "two"
    assert await bench.words("A", need=bench.within(0)) == ["two"]
    assert not good(WHATEVER, EVERYTHING, Tally())


async def test_now_and_then_a_look_is_wanted() -> None:
    """So that what is used does not count as unused."""
    bench = Bench()
    good = await receipt_of(bench, "A")
    assert [good(WHATEVER, EVERYTHING, Tally()) for _ in range(TOUCHED)] == [True] * (TOUCHED - 1) + [False]
