"""What a request is given: fresh values, older ones with a label, or the truth that there are none."""

import asyncio

import pytest

from schema.base import SourceOutcome
from schema.errors import (
    FreshnessNotMet,
    MappingError,
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from schema.material import Item
from sources.base import ABSENT, EVERYTHING, WHATEVER, Lane, Need, Scope, Stale, Tally, Written
from sources.keeping import CacheRule
from tests.unit.gateway.cache.shelf import RULE, Bench, settle

DOWN = SourceUnavailable("ERP is down")
STRICT = RULE.model_copy(update={"never_stale": True})


async def test_what_is_fresh_is_not_asked_again() -> None:
    """Within max_age a value is given from here, and one second later it is not."""
    bench = Bench()
    assert await bench.words("A") == ["one"]
    bench.world.items["A"] = "two"
    bench.clock.pass_(9.9)
    assert await bench.words("A") == ["one"]
    assert (bench.tally.l1, bench.tally.calls) == (1, 0)
    assert len(bench.world.asked) == 1


async def test_a_partial_hit_fetches_only_what_is_missing() -> None:
    """Of three keys of which one is here, two are asked for."""
    bench = Bench()
    await bench.cells("B")
    assert await bench.words("A", "B", "C") == ["one", "one", "one"]
    assert bench.world.keys == [("B",), ("A", "C")]


async def test_peek_gives_what_is_fresh_and_nothing_else() -> None:
    """Without waiting: the fresh cell, a known absence, and ABSENT for what is unknown, old, or must show a write."""
    bench = Bench()
    await bench.cells("A", "X")
    [known, unknown, missing] = bench.peek(Item, ["A", "B", "X"], WHATEVER, EVERYTHING, Tally())
    assert known.description == "one"
    assert unknown is ABSENT
    assert missing is None
    bench.clock.pass_(10.1)
    assert bench.peek(Item, ["A", "X"], WHATEVER, EVERYTHING, Tally()) == [ABSENT, ABSENT]
    assert bench.peek(Item, ["A"], bench.within(60), EVERYTHING, Tally())[0].description == "one"
    written = Need(None, bench.clock.time, written=Written(bench.clock.time))
    assert bench.peek(Item, ["A"], written, EVERYTHING, Tally()) == [ABSENT]


async def test_an_aging_value_is_given_at_once_and_read_anew() -> None:
    """Past max_age and within stale_while_revalidate: the old value, labelled, and one call in the background."""
    bench = Bench()
    await bench.cells("A")
    bench.world.items["A"] = "two"
    bench.clock.pass_(11)
    for _ in range(3):
        [cell] = await bench.cells("A")
        assert isinstance(cell, Stale)
        assert (cell.value.description, cell.reason, cell.met) == ("one", SourceOutcome.STALE, True)
        assert cell.value.provenance.stale_reason is SourceOutcome.STALE
    await settle()
    assert await bench.words("A") == ["two"]
    assert [batch.lane for batch in bench.world.asked] == [Lane.APP, Lane.BACKGROUND]


async def test_the_label_is_on_a_copy() -> None:
    """Whoever was given the row while it was fresh keeps a row without a label."""
    bench = Bench()
    [fresh] = await bench.cells("A")
    bench.clock.pass_(11)
    [stale] = await bench.cells("A")
    assert stale.value is not fresh
    assert fresh.provenance.stale_reason is None
    await settle()


async def test_a_failed_refresh_is_not_tried_again_at_once() -> None:
    """A system that cannot answer is left alone for a second by those who need nothing better."""
    bench = Bench()
    await bench.cells("A")
    bench.world.fault = DOWN
    bench.clock.pass_(11)
    for _ in range(5):
        await bench.cells("A")
        await settle()
    assert len(bench.world.asked) == 2
    bench.clock.pass_(1.1)
    await bench.cells("A")
    await settle()
    assert len(bench.world.asked) == 3


async def test_a_dead_system_is_spoken_for_by_what_it_last_said() -> None:
    """Past all that, with the system down: the last value with the reason, until stale_if_error is over too."""
    bench = Bench()
    await bench.cells("A")
    bench.world.fault = DOWN
    bench.clock.pass_(109)
    [cell] = await bench.cells("A")
    assert isinstance(cell, Stale)
    assert (cell.value.description, cell.reason, cell.message) == (
        "one",
        SourceOutcome.UNAVAILABLE,
        "ERP is down",
    )
    assert cell.met
    bench.clock.pass_(2)
    assert await bench.cells("A") == [DOWN]


@pytest.mark.parametrize(
    "error", [DOWN, SourceTimeout("late"), SourceThrottled("slow down", retry_after=3.0)], ids=type
)
async def test_trouble_lets_older_values_through(error: SourceError) -> None:
    """No connection, no answer in time, too many requests: the reason is the trouble, its retry time kept."""
    bench = Bench()
    await bench.cells("A")
    bench.world.fault = error
    bench.clock.pass_(50)
    [cell] = await bench.cells("A")
    assert isinstance(cell, Stale)
    assert (cell.reason, cell.retry_after) == (error.outcome, error.retry_after)


@pytest.mark.parametrize(
    "error", [SourceForbidden("no"), SourceRefused("bad"), MappingError("odd")], ids=type
)
async def test_a_refusal_lets_nothing_through(error: SourceError) -> None:
    """What the system refuses to us now, we do not give out from before."""
    bench = Bench()
    await bench.cells("A")
    bench.world.fault = error
    bench.clock.pass_(50)
    assert await bench.cells("A") == [error]


async def test_what_must_never_be_stale_is_not() -> None:
    """With never_stale there is no old value: not while it is read anew, not in an outage, not for a patient client."""
    bench = Bench(rule=STRICT)
    await bench.cells("A")
    bench.world.items["A"] = "two"
    bench.clock.pass_(11)
    assert await bench.words("A") == ["two"]
    bench.clock.pass_(11)
    bench.world.fault = DOWN
    assert await bench.cells("A") == [DOWN]
    [cell] = await bench.cells("A", need=bench.within(3600))
    assert cell is DOWN, "long past its time nothing is even known"


async def test_errors_are_not_kept_and_absence_is_briefly() -> None:
    """A failed key is asked again at once; an unknown key is not for two seconds, and never given past them."""
    bench = Bench()
    bench.world.key_faults["A"] = SourceUnavailable("locked")
    assert [type(cell) for cell in await bench.cells("A", "X")] == [SourceUnavailable, type(None)]
    del bench.world.key_faults["A"]
    assert await bench.words("A", "X") == ["one", None]
    assert bench.world.keys == [("A", "X"), ("A",)]
    bench.world.items["X"] = "born"
    bench.clock.pass_(2.1)
    assert await bench.words("X") == ["born"]


async def test_a_client_may_be_stricter_than_the_policy() -> None:
    """MaxAgeSeconds below the policy's: read anew; zero: read after the request arrived."""
    bench = Bench()
    await bench.cells("A")
    bench.world.items["A"] = "two"
    bench.clock.pass_(5)
    assert await bench.words("A", need=bench.within(6)) == ["one"]
    assert await bench.words("A", need=bench.within(4)) == ["two"]
    bench.world.items["A"] = "three"
    bench.clock.pass_(0.001)
    assert await bench.words("A", need=bench.within(0)) == ["three"]


async def test_a_client_may_be_more_patient_than_the_policy() -> None:
    """MaxAgeSeconds above the policy's: given from here without a label and without a call."""
    bench = Bench()
    await bench.cells("A")
    bench.clock.pass_(60)
    assert await bench.words("A", need=bench.within(70)) == ["one"]
    await settle()
    assert len(bench.world.asked) == 1


async def test_an_unmet_bound_is_said() -> None:
    """The system is down and the client wanted better: the old value marked as not meeting the need."""
    bench = Bench()
    await bench.cells("A")
    bench.world.fault = DOWN
    bench.clock.pass_(30)
    [cell] = await bench.cells("A", need=bench.within(20))
    assert isinstance(cell, Stale)
    assert not cell.met
    [cell] = await bench.cells("A", need=bench.within(40))
    assert cell.description == "one"


async def test_a_client_may_refuse_older_values() -> None:
    """AllowStale false: no aging value, and in an outage FRESHNESS_NOT_MET says how old what is known would be."""
    bench = Bench()
    await bench.cells("A")
    need = Need(None, bench.clock.time, allow_stale=False)
    bench.world.items["A"] = "two"
    bench.clock.pass_(11)
    assert await bench.words("A", need=need) == ["two"]
    bench.world.fault = DOWN
    bench.clock.pass_(11)
    [cell] = await bench.cells("A", need=need)
    assert isinstance(cell, FreshnessNotMet)
    assert "11 s old" in str(cell)
    [never_known] = await bench.cells("B", need=need)
    assert never_known is DOWN


async def test_a_write_is_seen_by_who_made_it() -> None:
    """With the write's token what was read before it does not count, other objects do."""
    bench = Bench()
    await bench.cells("A", "B")
    bench.world.items.update(A="two", B="two")
    bench.clock.pass_(1)
    need = Need(None, bench.clock.time, written=Written(bench.clock.time, frozenset({"item:A"})))
    bench.clock.pass_(1)
    assert await bench.words("A", "B", need=need) == ["two", "one"]
    assert bench.world.keys[1:] == [("A",)]


async def test_an_owner_that_lags_behind_a_write_is_not_believed() -> None:
    """Until the owner's version has passed the write: marked as not met, or FRESHNESS_NOT_MET, and never kept."""
    bench = Bench()
    bench.world.version = "7"
    await bench.cells("A")
    written = Written(bench.clock.time, frozenset({"item:A"}), "ERP", version="8", before="7")
    await bench.caching.invalidate(["item:A"], written)
    bench.clock.pass_(0.5)
    need = Need(None, bench.clock.time, written=written)
    [cell] = await bench.cells("A", need=need)
    assert isinstance(cell, Stale)
    assert not cell.met
    strict = Need(None, bench.clock.time, allow_stale=False, written=written)
    [refused] = await bench.cells("A", need=strict)
    assert isinstance(refused, FreshnessNotMet)
    before = len(bench.world.asked)
    await bench.cells("A")
    assert len(bench.world.asked) == before + 1, "an old version is not kept for others either"
    bench.world.version, bench.world.items["A"] = "8", "two"
    bench.clock.pass_(0.5)
    assert await bench.words("A", need=need) == ["two"]
    before = len(bench.world.asked)
    assert await bench.words("A") == ["two"]
    assert len(bench.world.asked) == before


async def test_what_changed_is_let_go() -> None:
    """An invalidated object is read anew at the next request, others are not."""
    bench = Bench()
    await bench.cells("A", "B")
    bench.world.items.update(A="two", B="two")
    bench.clock.pass_(1)
    await bench.caching.invalidate(["item:A"])
    assert await bench.words("A", "B") == ["two", "one"]


async def test_an_answer_that_was_under_way_during_a_change_is_not_kept() -> None:
    """Sent before the change, landed after it: given to who waited for it, not to who comes later."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    waiting = asyncio.create_task(bench.words("A"))
    await settle()
    bench.clock.pass_(0.1)
    bench.world.items["A"] = "two"
    await bench.caching.invalidate(["item:A"])
    bench.clock.pass_(0.1)
    bench.world.gate.set()
    assert await waiting == ["one"]
    assert await bench.words("A") == ["two"]


async def test_who_asks_after_a_change_does_not_share_a_call_from_before_it() -> None:
    """Who waited already is given what was asked for; who comes after the change is given what is true since then."""
    bench = Bench()
    bench.world.gate = asyncio.Event()
    before = asyncio.create_task(bench.words("A"))
    await settle()
    bench.clock.pass_(0.1)
    bench.world.items["A"] = "two"
    await bench.caching.invalidate(["item:A"])
    bench.clock.pass_(0.1)
    after = asyncio.create_task(bench.words("A"))
    await settle()
    bench.world.gate.set()
    assert await before == ["one"]
    assert await after == ["two"]
    assert len(bench.world.asked) == 2


async def test_rights_keep_values_apart() -> None:
    """What was read under one row filter is not given under another."""
    bench = Bench()
    mine, theirs = Scope(parties=frozenset({"C1"})), Scope(parties=frozenset({"C2"}))
    await bench.cells("A", scope=mine)
    await bench.cells("A", scope=theirs)
    await bench.cells("A", scope=mine)
    assert [batch.scope for batch in bench.world.asked] == [mine, theirs]


async def test_nothing_is_kept_where_nothing_may_be() -> None:
    """With max_age 0 and no grace every request asks; they still share a call that leaves together."""
    bench = Bench(rule=CacheRule(max_age=0, stale_while_revalidate=0, stale_if_error=0, negative_max_age=0))
    await bench.cells("A")
    await asyncio.gather(bench.cells("A"), bench.cells("A"), bench.cells("X"))
    assert bench.world.keys == [("A",), ("A", "X")]
    assert len(bench.memory) == 0
