"""Writes reach their owner: a real server that fails in every way, kept in SQLite and in a real PostgreSQL."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.app import make_crosswalk, make_sources
from gateway.commands.making import Writes
from gateway.config import Settings, load_settings
from gateway.tomlfile import TomlFile
from resolvers.context import Actor
from resolvers.mutations import Submitted, Wanted
from schema.base import Plant
from schema.integration import IntegrationTransaction, UserErrorCode, WriteOutcome
from schema.integration import TransactionState as State
from sources.base import Written
from sources.catalog import Catalog
from tests.contract.owner import (
    BROKEN,
    BUSY,
    EARLY,
    HANG,
    KEYED,
    LATE,
    LOST,
    OK,
    PROBED,
    REFUSED,
    RESET,
    SLOW,
    TROUBLES,
    Owner,
    owning,
    parsed,
)
from tests.postgres_server import PostgresServer

WHO = Actor("me")


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new database is."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.database()
    return f"sqlite:///{tmp_path}/writes.db"


class Rig:
    """A worker's writes over an owner, and what was let go from its caches."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.let_go: list[Written] = []
        sources = make_sources(settings)
        self.catalog = Catalog(sources, [Plant("P1", "Plant", "Europe/Berlin")])
        theirs = make_crosswalk(settings).layer(sources).theirs
        self.writes = Writes(url, settings.writes, self.catalog, theirs, self._invalidate)

    async def _invalidate(self, tags: Iterable[str], written: Written | None) -> None:
        assert written is not None
        self.let_go.append(written)

    async def submit(self, wanted: Wanted, seconds: float = 5.0, who: Actor = WHO) -> Submitted:
        """A write, waited for."""
        return await self.writes.service.submit(who, wanted, time.monotonic() + seconds)

    async def ended(self, number: str, seconds: float = 10.0) -> IntegrationTransaction:
        """The write once it is applied or nothing more happens to it by itself."""
        until = time.monotonic() + seconds
        while True:
            found = await asyncio.to_thread(self.writes.store.write, number)
            assert found is not None
            if found.parked or found.came_to(State.APPLIED):
                shown = await self.writes.service.transaction(number)
                assert shown is not None
                return shown
            assert time.monotonic() < until, found
            await asyncio.sleep(0.02)


@asynccontextmanager
async def rigged(
    owner: Owner, url: str, extra: str = KEYED, settle: float = 0.5, settings: TomlFile | None = None
) -> AsyncIterator[Rig]:
    """A running worker."""
    rig = Rig(load_settings(settings or parsed(owner, extra, settle), {}), url)
    await rig.catalog.open()
    try:
        async with rig.writes.running():
            yield rig
    finally:
        await rig.catalog.close()


def release(order: str = "1", key: str = "k", **options: Any) -> Wanted:
    """The release of an order."""
    wait = options.pop("wait_for", State.APPLIED)
    return Wanted("release_production_order", f"po:P1/{order}", {}, key, wait_for=wait, **options)


def report(order: str, amount: int, key: str, wait_for: State = State.RECEIVED) -> Wanted:
    """A change of the amount of an order: one that shows in its version alone."""
    values = {"quantity": {"value": str(amount), "unit": "H87"}}
    return Wanted("reschedule_production_order", f"po:P1/{order}", values, key, wait_for=wait_for)


def in_turn(*faults: str) -> Callable[[], str]:
    """These faults one after the other, then none."""
    left = list(faults)
    return lambda: left.pop(0) if left else OK


def states(transaction: IntegrationTransaction | None) -> list[State]:
    """The states of its steps."""
    assert transaction is not None
    return [step.state for step in transaction.steps]


async def test_a_write_is_applied_and_says_so(url: str) -> None:
    """The owner did it once, it was read back, the caches let go, and the token speaks of it; later it is reconciled."""
    async with owning() as owner, rigged(owner, url) as rig:
        said = await rig.submit(release())
        assert (said.outcome, said.errors) == (WriteOutcome.APPLIED, ())
        assert owner.orders["1"]["status"] == "RELEASED"
        assert [done.action for done in owner.done] == ["release"]
        assert said.transaction is not None
        assert states(said.transaction)[:5] == [
            State.RECEIVED,
            State.VALIDATED,
            State.SENT,
            State.ACCEPTED,
            State.APPLIED,
        ]
        assert said.transaction.steps[-1].source_document == "D0"
        assert said.transaction.write_token is not None
        assert said.written == rig.let_go[0]
        assert said.written is not None
        assert (said.written.version, said.written.before, said.written.system) == ("2", "1", "ERP")
        assert said.written.tags == {"po:P1/1"}
        again = await rig.submit(release(wait_for=State.RECONCILED))
        assert again.transaction is not None
        assert again.transaction.state is State.RECONCILED


@pytest.mark.parametrize("extra", [KEYED, PROBED], ids=["keys", "probe"])
@pytest.mark.parametrize("fault", TROUBLES)
async def test_trouble_does_not_keep_a_write_from_being_done_exactly_once(
    fault: str, extra: str, tmp_path: Path
) -> None:
    """Whatever becomes of the first attempt, the write ends applied, and was carried out once."""
    url = f"sqlite:///{tmp_path}/writes.db"
    async with owning(fault=in_turn(fault), hang=0.7) as owner, rigged(owner, url, extra) as rig:
        owner.keyed = extra == KEYED
        said = await rig.submit(report("1", 5, "k"))
        assert said.transaction is not None
        ended = await rig.ended(said.transaction.number)
        assert ended.state in (State.APPLIED, State.RECONCILED), ended
        await asyncio.sleep(0.8)
        assert len(owner.done) == 1
        assert owner.orders["1"]["good"] == 5
        assert len({came.reference for came in owner.came}) == 1
        if extra == KEYED:
            assert {came.key for came in owner.came} == {ended.number}
        assert ended.attempts == len(owner.came)


@pytest.mark.parametrize("fault", [LOST, RESET, LATE, BROKEN, EARLY, HANG])
async def test_without_key_and_probe_the_unknown_stays_visible(fault: str, tmp_path: Path) -> None:
    """What nobody can find out is never sent again: it waits as OUTCOME_UNKNOWN for a person."""
    url = f"sqlite:///{tmp_path}/writes.db"
    async with owning(fault=in_turn(fault), keyed=False, hang=0.7) as owner, rigged(owner, url, "") as rig:
        said = await rig.submit(report("1", 5, "k", State.APPLIED))
        assert said.outcome is WriteOutcome.OUTCOME_UNKNOWN
        assert [error.code for error in said.errors] == [UserErrorCode.OUTCOME_UNKNOWN]
        await asyncio.sleep(0.8)
        assert len(owner.came) == 1
        assert said.transaction is not None
        assert said.transaction.state is State.OUTCOME_UNKNOWN
        # Its object is not blocked for ever by it.
        assert (await rig.submit(report("1", 7, "other", State.APPLIED))).outcome is WriteOutcome.APPLIED


async def test_absence_proves_nothing_while_the_owner_may_still_be_at_work(tmp_path: Path) -> None:
    """The answer comes too late and the owner commits after that: asking finds it, and it is not sent twice."""
    url = f"sqlite:///{tmp_path}/writes.db"
    async with (
        owning(fault=in_turn(SLOW), keyed=False, hang=1.0) as owner,
        rigged(owner, url, PROBED, settle=2.0) as rig,
    ):
        said = await rig.submit(report("1", 5, "k", State.APPLIED), 10)
        assert said.outcome is WriteOutcome.APPLIED
        assert (len(owner.came), len(owner.done)) == (1, 1)


async def test_a_refusal_in_an_answer_of_status_200_is_a_refusal(url: str) -> None:
    """It ends FAILED, in the closed words, with the owner's own code; the same key tells the same."""
    async with owning(fault=in_turn(REFUSED)) as owner, rigged(owner, url) as rig:
        for _ in range(2):
            said = await rig.submit(release())
            assert said.outcome is WriteOutcome.REJECTED
            [error] = said.errors
            assert (error.code, error.source_code, error.retryable) == (
                UserErrorCode.INSUFFICIENT_STOCK,
                "CO/101",
                False,
            )
            assert "components are missing" in error.message
        assert len(owner.came) == 1
        assert owner.orders["1"]["status"] == "CREATED"


async def test_the_same_key_is_the_same_write(url: str) -> None:
    """One key, one write, at once and later; another payload under it is refused; another actor's key is another."""
    async with owning() as owner, rigged(owner, url) as rig:
        many = await asyncio.gather(*[rig.submit(release()) for _ in range(8)])
        assert len({said.transaction.number for said in many if said.transaction}) == 1
        assert sorted(said.outcome for said in many) == [WriteOutcome.APPLIED] + [WriteOutcome.DUPLICATE] * 7
        assert len(owner.came) == 1
        other = await rig.submit(release("2"))
        assert [error.code for error in other.errors] == [UserErrorCode.IDEMPOTENCY_MISMATCH]
        assert other.errors[0].path == ("input", "options", "idempotencyKey")
        assert (await rig.submit(release("2"), who=Actor("you"))).outcome is WriteOutcome.APPLIED


async def test_what_was_refused_before_it_was_kept_leaves_its_key_free(url: str) -> None:
    """A conflict, an unknown version and a key that is too long are not stored."""
    async with owning() as owner, rigged(owner, url) as rig:
        conflict = await rig.submit(release(expected_version="9"))
        assert [error.code for error in conflict.errors] == [UserErrorCode.CONFLICT]
        assert "version 1" in conflict.errors[0].message
        assert conflict.transaction is None
        assert owner.came == []
        long = await rig.submit(release(key="x" * 256))
        assert long.errors[0].code is UserErrorCode.INVALID_INPUT
        assert (
            await rig.submit(release(key="x" * 255, expected_version="1"))
        ).outcome is WriteOutcome.APPLIED
        assert (await rig.submit(release("2"))).outcome is WriteOutcome.APPLIED


async def test_a_dry_run_checks_everything_and_touches_nothing(url: str) -> None:
    """DRY_RUN_OK where it would be sent, the refusal where not; the key stays free."""
    async with owning() as owner, rigged(owner, url) as rig:
        assert (await rig.submit(release(dry_run=True))).outcome is WriteOutcome.DRY_RUN_OK
        assert owner.came == []
        assert (await rig.submit(release())).outcome is WriteOutcome.APPLIED
        [error] = (await rig.submit(release(key="k2", dry_run=True))).errors
        assert error.code is UserErrorCode.INVALID_STATE


async def test_writes_on_one_object_keep_their_order(url: str) -> None:
    """However the attempts fail, what was accepted first is carried out first; other objects do not wait."""
    chance = random.Random(7)
    faults = [OK, OK, BUSY, BROKEN, LOST, RESET, EARLY]
    async with owning(fault=lambda: chance.choice(faults)) as owner, rigged(owner, url) as rig:
        numbers = []
        for n in range(6):
            for order in ("1", "2"):
                said = await rig.submit(report(order, n + 1, f"{order}-{n}"))
                assert said.transaction is not None
                numbers.append(said.transaction.number)
        for number in numbers:
            assert (await rig.ended(number, 30)).state in (State.APPLIED, State.RECONCILED)
        for order in ("1", "2"):
            assert [d.body["good"] for d in owner.done if d.order == order] == [str(n + 1) for n in range(6)]
            assert owner.most_at_once[order] == 1


async def test_an_owner_that_is_down_gets_it_later_after_it_is_checked_again(url: str) -> None:
    """Accepted while the owner is down; when it is back, what is no longer possible is refused, the rest is done."""
    async with owning(down=True) as owner, rigged(owner, url) as rig:
        first = await rig.submit(release("1", "a", wait_for=State.ACCEPTED))
        second = await rig.submit(release("2", "b", wait_for=State.ACCEPTED))
        for said in (first, second):
            assert said.outcome is WriteOutcome.ACCEPTED
            assert said.transaction is not None
            assert said.transaction.state is State.RETRYING
        owner.order("2")["status"] = "CANCELLED"
        owner.down = False
        assert first.transaction is not None
        assert second.transaction is not None
        assert (await rig.ended(first.transaction.number)).state in (State.APPLIED, State.RECONCILED)
        ended = await rig.ended(second.transaction.number)
        assert ended.state is State.FAILED
        assert ended.steps[-1].error is not None
        assert ended.steps[-1].error.code is UserErrorCode.INVALID_STATE
        assert [done.order for done in owner.done] == ["1"]


async def test_several_workers_share_the_work(url: str) -> None:
    """Three workers over one database: every write is carried out once, in the order of its object."""
    chance = random.Random(3)
    faults = [OK, OK, OK, BROKEN, LOST, RESET]
    async with (
        owning(fault=lambda: chance.choice(faults)) as owner,
        rigged(owner, url) as one,
        rigged(owner, url) as two,
        rigged(owner, url) as three,
    ):
        numbers = []
        for n in range(15):
            rig = (one, two, three)[n % 3]
            said = await rig.submit(report(str(n % 4), n + 1, f"k{n}"))
            assert said.transaction is not None
            numbers.append(said.transaction.number)
        for number in numbers:
            assert (await one.ended(number, 30)).state in (State.APPLIED, State.RECONCILED)
        assert sorted(int(done.body["good"]) for done in owner.done) == list(range(1, 16))
        for order in map(str, range(4)):
            goods = [int(done.body["good"]) for done in owner.done if done.order == order]
            assert goods == sorted(goods)


async def test_waiting_ends_when_the_time_is_up(url: str) -> None:
    """An owner that hangs does not hold up the answer: it says how far the write came."""
    async with owning(fault=in_turn(LATE), hang=0.35) as owner, rigged(owner, url) as rig:
        began = time.monotonic()
        said = await rig.submit(release(timeout=0.1))
        assert time.monotonic() - began < 0.35
        assert said.outcome is WriteOutcome.ACCEPTED
        assert said.transaction is not None
        assert (await rig.ended(said.transaction.number)).state in (State.APPLIED, State.RECONCILED)
        assert len(owner.done) == 1


@pytest.mark.parametrize(
    ("fault", "state"), [(BUSY, State.DEAD_LETTERED), (LOST, State.OUTCOME_UNKNOWN)], ids=["busy", "lost"]
)
async def test_after_too_long_a_write_is_given_up_visibly(fault: str, state: State, tmp_path: Path) -> None:
    """What was surely not carried out is a dead letter; what nobody knows of stays unknown. Others go on after it."""
    url = f"sqlite:///{tmp_path}/writes.db"
    faults = [fault]
    async with owning(fault=lambda: faults[0]) as owner:
        owner.keyed = False
        settings = parsed(owner, KEYED)
        settings.data["writes"]["give_up_after"] = 0.5
        async with rigged(owner, url, settings=settings) as rig:
            said = await rig.submit(report("1", 5, "k", State.APPLIED))
            assert said.transaction is not None
            assert said.transaction.state is state
            assert said.errors[0].code in (UserErrorCode.RATE_LIMITED, UserErrorCode.OUTCOME_UNKNOWN)
            faults[0] = OK
            assert (await rig.submit(report("1", 6, "n", State.APPLIED))).outcome is WriteOutcome.APPLIED
