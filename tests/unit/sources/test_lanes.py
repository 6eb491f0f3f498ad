"""The gate: the most urgent first, shares kept, no slot ever lost."""

import asyncio
import random
from collections import Counter

import pytest

from sources.base import Lane
from sources.lanes import Gate, NoTurn

SHARES = (1.0, 1.0, 0.5, 0.25)
SHOP, APP, ANALYTICS, BACKGROUND = Lane


async def enter_all(gate: Gate, lanes: list[Lane], order: list[Lane]) -> list[asyncio.Task[None]]:
    """One waiter for each lane, in this order of arrival; those let in write themselves down."""

    async def one(lane: Lane) -> None:
        await gate.enter(lane)
        order.append(lane)

    tasks = []
    for lane in lanes:
        tasks.append(asyncio.create_task(one(lane)))
        await asyncio.sleep(0)
    return tasks


async def test_the_most_urgent_goes_first() -> None:
    """A slot goes to the most urgent lane, whoever came first."""
    gate, order = Gate(1, SHARES), list[Lane]()
    await gate.enter(APP)
    tasks = await enter_all(gate, [BACKGROUND, ANALYTICS, APP, SHOP], order)
    last = APP
    for expected in Lane:
        gate.leave(last)
        await asyncio.sleep(0)
        last = expected
    await asyncio.gather(*tasks)
    assert order == list(Lane)


async def test_within_a_lane_it_is_the_order_of_arrival() -> None:
    """Nobody of the same lane is overtaken, not by one who comes when a slot is free either."""
    gate, order = Gate(1), list[int]()

    async def one(number: int) -> None:
        await gate.enter(APP)
        order.append(number)
        await asyncio.sleep(0)
        gate.leave(APP)

    await asyncio.gather(*[one(number) for number in range(20)])
    assert order == list(range(20))


@pytest.mark.parametrize(
    ("size", "held"),
    [(16, {SHOP: 16, APP: 16, ANALYTICS: 8, BACKGROUND: 4}), (2, {APP: 2, ANALYTICS: 1, BACKGROUND: 1})],
)
async def test_a_lane_holds_no_more_than_its_share(size: int, held: dict[Lane, int]) -> None:
    """A burst of a lane takes its share of the slots, one at least, and the rest waits."""
    for lane, most in held.items():
        gate, order = Gate(size, SHARES), list[Lane]()
        tasks = await enter_all(gate, [lane] * 20, order)
        assert (len(order), gate.waiting) == (most, 20 - most)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gate.waiting == 0


async def test_a_share_holds_for_all_less_urgent_lanes_together() -> None:
    """Analytics and background do not add up to more than the share of analytics: the app finds its room."""
    gate, order = Gate(8, SHARES), list[Lane]()
    tasks = await enter_all(gate, [BACKGROUND] * 9 + [ANALYTICS] * 9 + [APP] * 4, order)
    assert Counter(order) == {BACKGROUND: 2, ANALYTICS: 2, APP: 4}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_slot_is_enough_for_everyone() -> None:
    """With a single slot every lane still gets it."""
    gate = Gate(1, SHARES)
    for lane in Lane:
        await gate.enter(lane)
        gate.leave(lane)
    assert gate.running == 0


class Turns:
    """A quota with a script: seconds to wait, or an error; then turns for ever. It takes its time to answer."""

    def __init__(self, *waits: float | Exception) -> None:
        self.waits = list(waits)
        self.asked: list[Lane] = []

    async def take(self, lane: Lane) -> float:
        self.asked.append(lane)
        await asyncio.sleep(0)
        wait = self.waits.pop(0) if self.waits else 0.0
        if isinstance(wait, Exception):
            raise wait
        return wait


async def test_a_turn_goes_to_the_most_urgent() -> None:
    """One who comes while a turn is waited for does not queue behind a hundred less urgent ones."""
    gate, order = Gate(200, quota=Turns(0.05, 0.0, 0.05, 0.05)), list[Lane]()
    tasks = await enter_all(gate, [ANALYTICS] * 100, order)
    tasks += await enter_all(gate, [APP, SHOP], order)
    await asyncio.gather(*tasks)
    assert order[:2] == [SHOP, APP]
    assert gate.running == 102


async def test_turns_are_asked_for_one_by_one() -> None:
    """However many wait, a turn that is refused is asked for once, and again when its time has come."""
    turns = Turns(0.05)
    gate, order = Gate(50, quota=turns), list[Lane]()
    tasks = await enter_all(gate, [APP] * 50, order)
    assert turns.asked == [APP]
    await asyncio.gather(*tasks)
    assert len(turns.asked) == 51


async def test_who_would_wait_in_vain_is_told_at_once() -> None:
    """A turn that comes after the deadline is not waited for, by the first who asks and by those after."""
    turns = Turns(3600.0)
    gate = Gate(8, quota=turns)
    for _ in range(3):
        with pytest.raises(NoTurn) as caught:
            await gate.enter(APP, asyncio.get_running_loop().time() + 1)
        assert 3590 < caught.value.seconds <= 3600
    assert len(turns.asked) == 1
    assert (gate.waiting, gate.running) == (0, 0)


async def test_a_quota_that_fails_fails_one_call() -> None:
    """A mistake in a quota reaches the call that it was asked for, and the next one goes on."""
    gate = Gate(1, quota=Turns(KeyError("rate")))
    with pytest.raises(KeyError):
        await gate.enter(APP)
    await gate.enter(APP)
    assert gate.running == 1


async def test_a_pause_ends_when_nobody_is_left() -> None:
    """The last one who gives up leaves no task behind."""
    before = asyncio.all_tasks()
    gate = Gate(1, quota=Turns(3600.0))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await gate.enter(APP)
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("limited", [False, True], ids=["slots", "slots and turns"])
@pytest.mark.parametrize("seed", range(10))
async def test_no_slot_is_ever_lost(seed: int, limited: bool) -> None:
    """Callers that are cancelled and run out of time at every moment leave the gate as it was."""
    rng = random.Random(seed)
    gate = Gate(4, SHARES, Turns(*[0.001, 0.0, 0.0] * 50) if limited else None)
    most: Counter[Lane] = Counter()
    held: Counter[Lane] = Counter()

    async def one(lane: Lane, patience: float, work: float) -> None:
        async with asyncio.timeout(patience):
            await gate.enter(lane)
        try:
            held[lane] += 1
            most[lane] = max(most[lane], held[lane])
            assert held.total() <= 4
            await asyncio.sleep(work)
        finally:
            held[lane] -= 1
            gate.leave(lane)

    tasks = []
    for _ in range(200):
        lane = rng.choice(list(Lane))
        tasks.append(asyncio.create_task(one(lane, rng.uniform(0, 0.01), rng.choice([0, 0, 0.001]))))
        if rng.random() < 0.4:
            rng.choice(tasks).cancel()
        await asyncio.sleep(rng.choice([0, 0, 0.0005]))
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError, TimeoutError}
    assert (gate.running, gate.waiting) == (0, 0)
    assert most[ANALYTICS] <= 2
    assert most[BACKGROUND] <= 1
    for _ in range(4):
        await gate.enter(SHOP)
    assert gate.running == 4
