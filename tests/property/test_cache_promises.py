"""Ten thousand random writes and reads through the tiers: no value is ever older than what was promised of it.

One owner system holds the truth; one or two workers read it through tiers of their own, which share a real Redis where
there are two. Redis' clock cannot be moved by hand, so there time is real and the policies are in milliseconds; with one
worker and no Redis the clock is injected. Either way every check is exact: a value counts if it was the truth at some
instant not before the bound, and the bound is counted from when the request began.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import Redis

from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.cache.redis import RedisStore
from gateway.cache.store import Invalidation
from resolvers.tokens import read_token, write_token
from schema.base import Provenance, SourceOutcome, SystemKind, split_key
from schema.equipment import WorkCenter
from schema.errors import SourceError, SourceUnavailable
from schema.material import Item
from sources.base import ABSENT, EVERYTHING, Batch, Bundle, Cell, Need, Part, Read, Stale, Tally, Written
from sources.keeping import CacheRule
from sources.settings import SystemConfig
from tests.redis_server import RedisServer

STEPS = 50
OPERATIONS = 10_000
CLASSES: dict[type, str] = {Item: "item", WorkCenter: "wc"}
"""Items may be stale, work centres never."""
KEYS: dict[type, str] = {Item: "A", WorkCenter: "1710/A"}
MAX_AGE, AGING, ERROR, NEGATIVE = 4.0, 4.0, 36.0, 2.0
"""In units of time, which are seconds or milliseconds."""
FOREVER = float("inf")
EVERYTHING_TAG = "*"
SKEW = 0.01
"""By how many seconds an instant may seem earlier to the other worker."""


class Clock:
    """Seconds since the epoch: real ones, or ones that pass by hand and a moment with every look."""

    def __init__(self, real: bool) -> None:
        self.real, self.unit = real, 0.0025 if real else 1.0
        self._time = 1_800_000_000.0

    def __call__(self) -> float:
        if self.real:
            return time.time()
        self._time += 1e-5
        return self._time

    async def pass_(self, units: float) -> None:
        """Let time go by."""
        if self.real:
            await asyncio.sleep(units * self.unit)
        else:
            self._time += units * self.unit


@dataclass
class Owner:
    """The system: what it says of each key, and for how long it was the truth. ``held`` calls answer when told."""

    clock: Clock
    history: dict[tuple[type, str], list[tuple[str | None, float]]] = field(default_factory=dict)
    version: int = 0
    down: bool = False
    gate: asyncio.Event | None = None

    def __post_init__(self) -> None:
        for cls, key in KEYS.items():
            self.history[cls, key] = [("0", FOREVER)]

    def write(self, cls: type, key: str, gone: bool) -> tuple[str | None, str]:
        """Another truth from now on; the version before and after."""
        past = self.history[cls, key]
        before, _ = past[-1]
        past[-1] = before, self.clock()
        self.version += 1
        past.append((None if gone else str(self.version), FOREVER))
        return before, str(self.version)

    def true_until(self, cls: type, key: str, value: str | None) -> float:
        """The last instant at which this was the truth."""
        ends: list[float] = [until for said, until in self.history[cls, key] if said == value]
        return max(ends)

    async def fetch(self, cls: type, batch: Batch) -> Bundle:
        """Answer with what is true when the call comes in, now or when told."""
        batch.tally.calls += 1
        answer = [self._row(cls, key) for key in batch.keys]
        await (asyncio.sleep(0) if self.gate is None else self.gate.wait())
        if self.down:
            raise SourceUnavailable("the owner is down")
        return {cls: answer}

    def _row(self, cls: type, key: str) -> Cell:
        said = self.history[cls, key][-1][0]
        where = Provenance("ERP", datetime.fromtimestamp(self.clock(), UTC), version=said)
        if said is None:
            return None
        if cls is Item:
            return Item(key, said, provenance=where)
        plant, code = split_key(key)
        return WorkCenter(plant, code, said, provenance=where)


class Worker:
    """Tiers of one process over the owner, and the invalidations it has heard of, by tag."""

    def __init__(self, owner: Owner, clock: Clock, redis: str | None, namespace: str) -> None:
        self.memory = Memory(clock=clock)
        self.from_l2 = 0
        self.heard: dict[str, float] = {}
        self.store = None
        if redis is not None:
            self.store = RedisStore(
                redis, namespace=namespace, heard=self._hear, timeout=5.0, pause=0.05, clock=clock
            )
        self.caching = Caching(Tiers(self.memory, self.store, clock))
        unit = clock.unit
        rule_ = CacheRule(
            max_age=MAX_AGE * unit,
            stale_while_revalidate=AGING * unit,
            stale_if_error=ERROR * unit,
            negative_max_age=NEGATIVE * unit,
        )
        rules = {"Item": rule_, "WorkCenter": rule_.model_copy(update={"never_stale": True})}
        config = SystemConfig(code="ERP", adapter="rest", kind=SystemKind.ERP, cache=rules)
        self._reads = {cls: self._read(config, cls, owner) for cls in CLASSES}
        self._opening = self.caching.opening()

    async def open(self) -> None:
        """Begin."""
        await self._opening.__aenter__()

    async def close(self) -> None:
        """End."""
        await self._opening.__aexit__(None, None, None)

    def _read(self, config: SystemConfig, cls: type, owner: Owner) -> Any:
        async def fetch(batch: Batch) -> Bundle:
            return await owner.fetch(cls, batch)

        return self.caching.read(config, Read(cls.__name__, (Part(cls),), fetch), fetch)

    def _hear(self, invalidation: Invalidation) -> None:
        self.memory.marks.note(invalidation)
        for tag in invalidation.tags or (EVERYTHING_TAG,):
            self.heard[tag] = max(invalidation.at, self.heard.get(tag, 0.0))

    def heard_of(self, *tags: str) -> float:
        """When one of these was last said to have changed, as far as it has come to this worker."""
        return max([self.heard.get(tag, 0.0) for tag in (*tags, EVERYTHING_TAG)])

    async def invalidate(self, tag: str, written: Written | None) -> None:
        """Say that something changed."""
        at = self.caching.tiers.clock()
        await self.caching.invalidate([tag], written)
        self.heard[tag] = max(at, self.heard.get(tag, 0.0))

    async def ask(self, cls: type, key: str, need: Need) -> Cell:
        """What a request is given, as the loaders ask: at hand, or by a call."""
        call, peek = self._reads[cls]
        [cell] = peek(cls, [key], need, EVERYTHING, Tally())
        if cell is ABSENT:
            batch = Batch((key,), frozenset({cls}), time.monotonic() + 10.0, need=need)
            [cell] = (await call(batch))[cls]
            self.from_l2 += batch.tally.l2
        return cell


@dataclass(frozen=True)
class Asked:
    """A request: what it wants, when it began, and what its worker had heard by then."""

    cls: type
    key: str
    need: Need
    began: float
    invalidated: float
    up: bool

    def promised(self, stale: Stale | None, absent: bool, unit: float) -> float:
        """The instant since which the value given must have been the truth at some time."""
        need, bound = self.need, MAX_AGE * unit
        if need.within is not None:
            bound = min(need.within, bound) if self.cls is WorkCenter else need.within
        if absent:
            bound = min(bound, NEGATIVE * unit)
        if stale is not None and stale.reason is SourceOutcome.STALE:
            bound = max(bound, (MAX_AGE + AGING) * unit)
        elif stale is not None and not (stale.met and need.within is not None):
            bound = max(bound, (MAX_AGE + ERROR) * unit)
        seen = need.written.at if need.written is not None and (stale is None or stale.met) else 0.0
        return max(self.began - bound, self.invalidated, seen)


WORKERS, CLASS = st.integers(0, 1), st.sampled_from([Item, Item, WorkCenter])
NEEDS = st.sampled_from(
    ["policy", "policy", "policy", "live", "tight", "wide", "wide", "strict", "strict tight", "written"]
)


class Promises(RuleBasedStateMachine):
    """Writes, invalidations, outages, and reads that are checked."""

    redis: ClassVar[str | None] = None
    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock(self.redis is not None)
        self.owner = Owner(self.clock)
        self.waiting: list[tuple[Asked, asyncio.Task[Cell]]] = []
        self.token: dict[tuple[type, str], str] = {}
        self.emptied = 0.0
        self.namespace = uuid4().hex
        count = 1 if self.redis is None else 2
        self.workers = [Worker(self.owner, self.clock, self.redis, self.namespace) for _ in range(count)]

    @initialize()
    def begin(self) -> None:
        """Open the tiers."""
        for worker in self.workers:
            self.runner.run(worker.open())

    def teardown(self) -> None:
        """Close them."""
        try:
            self.runner.run(self._land())
            self.done["from L2"] += sum(worker.from_l2 for worker in self.workers)
        finally:
            for worker in self.workers:
                self.runner.run(worker.close())
            self.runner.close()

    @rule(
        cls=CLASS,
        gone=st.sampled_from([False, False, False, True]),
        how=st.sampled_from(["", "token", "said", "both"]),
        worker=WORKERS,
    )
    def write(self, cls: type, gone: bool, how: str, worker: int) -> None:
        """The owner changes: nobody is told, the writer has a token, a worker is told, or both."""
        key = KEYS[cls]
        tag = f"{CLASSES[cls]}:{key}"
        before, after = self._write(cls, gone)
        written = Written(self.clock(), frozenset({tag}), "ERP", after, before)
        if how in ("token", "both"):
            self.token[cls, key] = write_token(written)
        if how in ("said", "both"):
            self.runner.run(self._on(worker).invalidate(tag, written if how == "both" else None))

    @rule(cls=CLASS, worker=WORKERS, every=st.booleans())
    def invalidate(self, cls: type, worker: int, every: bool) -> None:
        """An operator has an object, or all of its kind, forgotten."""
        tag = f"{CLASSES[cls]}:{'*' if every else KEYS[cls]}"
        self.runner.run(self._on(worker).invalidate(tag, None))
        self.done["invalidate"] += 1

    @precondition(lambda self: self.redis is not None)
    @rule(worker=WORKERS)
    def hear(self, worker: int) -> None:
        """A worker comes to hear what was said elsewhere."""
        self.runner.run(self._heard(worker))
        self.done["hear"] += 1

    @rule(units=st.sampled_from([0.5, 1.0, 2.5, 4.5, 4.5, 9.0]))
    def wait(self, units: float) -> None:
        """Time goes by."""
        self.runner.run(self.clock.pass_(units))
        self.done["wait"] += 1

    @rule(
        cls=CLASS,
        worker=WORKERS,
        need=NEEDS,
        units=st.sampled_from([3.0, 5.0, 5.0, 7.0, 7.0, 9.0, 45.0]),
        down=st.booleans(),
    )
    def age(self, cls: type, worker: int, need: str, units: float, down: bool) -> None:
        """A value is read, changes unsaid, is left to age, and is asked for again, with the owner up or down."""
        self.owner.down = False
        self.read(cls, worker, "policy")
        self._write(cls, False)
        self.runner.run(self.clock.pass_(units))
        self.owner.down = down
        self.read(cls, worker, need)

    @rule(cls=CLASS, worker=WORKERS, units=st.sampled_from([1.0, 3.0]), need=NEEDS)
    def appear(self, cls: type, worker: int, units: float, need: str) -> None:
        """The owner is asked for what it does not know yet, gets it, and is asked again."""
        self.owner.down = False
        self._write(cls, True)
        self.read(cls, worker, "live")
        self._write(cls, False)
        self.runner.run(self.clock.pass_(units))
        self.read(cls, worker, need)

    @rule()
    def switch(self) -> None:
        """The owner goes down, or is up again."""
        self.owner.down = not self.owner.down
        self.done["switch"] += 1

    @precondition(lambda self: self.redis is not None)
    @rule()
    def lose(self) -> None:
        """Redis loses all it has."""
        self.runner.run(_emptied(self.redis or ""))
        self.emptied = self.clock()
        self.done["lose"] += 1

    @precondition(lambda self: self.redis is not None)
    @rule(cls=CLASS, worker=WORKERS, tell=st.booleans())
    def replace_worker(self, cls: type, worker: int, tell: bool) -> None:
        """A change is said, and a new worker comes that knows nothing of it but what is in Redis, where old values are."""
        self.read(cls, worker + 1, "live")
        self.write(cls, False, "said" if tell else "", worker + 1)
        self.runner.run(self._renewed(worker))
        self.read(cls, worker, "wide")
        self.done["replace"] += 1

    @rule(cls=CLASS, worker=WORKERS, need=NEEDS)
    def read(self, cls: type, worker: int, need: str) -> None:
        """A request, answered and checked at once."""
        self.runner.run(self._answered(worker, cls, KEYS[cls], need))
        self.done["read"] += 1

    @rule(cls=CLASS, worker=WORKERS, need=NEEDS)
    def read_again(self, cls: type, worker: int, need: str) -> None:
        """The same: most of what happens is reading."""
        self.read(cls, worker, need)

    @rule(cls=CLASS, worker=WORKERS, need=NEEDS)
    def ask(self, cls: type, worker: int, need: str) -> None:
        """A request whose call to the owner is answered later, after whatever comes in between."""
        self.runner.run(self._begun(worker, cls, KEYS[cls], need))
        self.done["ask"] += 1

    @rule()
    def land(self) -> None:
        """All that was asked is answered, and checked."""
        self.runner.run(self._land())
        self.done["land"] += 1

    def _write(self, cls: type, gone: bool) -> tuple[str | None, str]:
        self.done["write"] += 1
        return self.owner.write(cls, KEYS[cls], gone)

    def _on(self, worker: int) -> Worker:
        return self.workers[worker % len(self.workers)]

    async def _renewed(self, worker: int) -> None:
        await self._land()
        worker %= 2
        old = self.workers[worker]
        await old.close()
        new = self.workers[worker] = Worker(self.owner, self.clock, self.redis, self.namespace)
        await new.open()
        for known in (old, self.workers[1 - worker]):
            for tag, at in known.heard.items():
                new.heard[tag] = max(at, new.heard.get(tag, 0.0))

    def _asked(self, worker: Worker, cls: type, key: str, need: str) -> Asked:
        now, unit = self.clock(), self.clock.unit
        wants = {
            "policy": Need(None, now),
            "live": Need(0.0, now),
            "tight": Need(unit, now),
            "wide": Need(30 * unit, now),
            "strict": Need(None, now, allow_stale=False),
            "strict tight": Need(unit, now, allow_stale=False),
            "written": Need(None, now),
        }[need]
        token = self.token.get((cls, key))
        if need == "written" and token is not None:
            wants = replace(wants, written=read_token(token, now))
        heard = worker.heard_of(f"{CLASSES[cls]}:{key}", f"{CLASSES[cls]}:*")
        return Asked(cls, key, wants, now, heard, not self.owner.down)

    async def _answered(self, worker: int, cls: type, key: str, need: str) -> None:
        gate, self.owner.gate = self.owner.gate, None
        on = self._on(worker)
        asked = self._asked(on, cls, key, need)
        if gate is None:
            self._check(asked, await on.ask(cls, key, asked.need))
            return
        # It may share a call that is held back: then all that waits is answered.
        task = asyncio.ensure_future(on.ask(cls, key, asked.need))
        self.waiting.append((asked, task))
        self.owner.gate = gate
        await self._land()

    async def _begun(self, worker: int, cls: type, key: str, need: str) -> None:
        self.owner.gate = self.owner.gate or asyncio.Event()
        on = self._on(worker)
        asked = self._asked(on, cls, key, need)
        self.waiting.append((asked, asyncio.ensure_future(on.ask(cls, key, asked.need))))
        await asyncio.sleep(0.002 if self.redis is not None else 0)

    async def _land(self) -> None:
        if self.owner.gate is not None:
            self.owner.gate.set()
            self.owner.gate = None
        waiting, self.waiting = self.waiting, []
        for asked, task in waiting:
            self._check(replace(asked, up=False), await task)

    async def _heard(self, worker: int) -> None:
        if self.redis is None:
            return
        me, others = self._on(worker), [one for one in self.workers if one is not self._on(worker)]
        # What a Redis had that was emptied is missed within a second; nobody waits for that here.
        sure = me.heard.get(EVERYTHING_TAG, 0.0) >= self.emptied
        end = time.monotonic() + (10 if sure else 0.005)
        said = [(tag, at) for other in others for tag, at in other.heard.items() if tag != EVERYTHING_TAG]
        while late := [tag for tag, at in said if me.heard_of(tag) < at - SKEW]:
            if time.monotonic() > end:
                assert not sure, f"{late} was not heard"
                break
            await asyncio.sleep(0.001)

    def _check(self, asked: Asked, cell: Cell) -> None:
        """The heart: what was given is not older than promised."""
        if isinstance(cell, SourceError):
            assert not asked.up, f"{asked}: {cell!r} although the owner is up"
            self.done["error"] += 1
            return
        stale = cell if isinstance(cell, Stale) else None
        row = cell.value if isinstance(cell, Stale) else cell
        if stale is not None:
            assert asked.need.allow_stale, asked
            assert asked.cls is not WorkCenter or not stale.met, asked
            self.done["stale" if stale.met else "unmet"] += 1
        value = None if row is None else row.description
        until = self.owner.true_until(asked.cls, asked.key, value)
        since = asked.promised(stale, row is None, self.clock.unit)
        assert until >= since, f"{asked}: {cell!r} ended {since - until:.6f} s before what was promised"
        self.done["checked"] += 1


async def _emptied(url: str) -> None:
    async with Redis.from_url(url) as client:
        await client.flushall()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A real Redis."""
    with RedisServer() as server:
        yield server


def performed(url: str | None, examples: int) -> Counter[str]:
    """Run it, and say what was done."""

    class Run(Promises):
        redis, done = url, Counter()

    how = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Run, settings=how)
    print(dict(Run.done))
    return Run.done


RULES = ("write", "invalidate", "hear", "wait", "switch", "lose", "replace", "read", "ask", "land")


@pytest.mark.timeout(300)
def test_two_workers_and_redis_never_show_what_is_too_old(server: RedisServer) -> None:
    """10,000 operations on two workers that share a real Redis."""
    done = performed(server.url, 150)
    assert sum(done[name] for name in RULES) >= OPERATIONS
    assert done["from L2"] > 20
    assert min(done[name] for name in ("stale", "unmet", "error", "checked")) > 20


@pytest.mark.timeout(300)
def test_one_worker_never_shows_what_is_too_old() -> None:
    """10,000 operations on one worker without Redis, with an injected clock."""
    done = performed(None, 170)
    assert sum(done[name] for name in RULES) >= OPERATIONS
    assert min(done[name] for name in ("stale", "unmet", "error", "checked")) > 20
