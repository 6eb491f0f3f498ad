"""What is given again is what would be made anew: whatever happened in between, both executors say the same."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.cache.store import Invalidation
from resolvers.context import Actor, Context
from resolvers.execution.fragments import Whole
from resolvers.ids import encode
from schema.material import Item, Lot
from schema.production import OperationActual, OrderExecution, OrderPlanning
from sources.base import EVERYTHING, Scope
from sources.catalog import Catalog
from sources.keeping import CacheRule
from tests.graph.fakes import EXECUTION, PLANTS, ask, pieces, valid
from tests.graph.plant import PLANT, number, systems
from tests.unit.gateway.cache.shelf import Clock

AGE = 60
RULE = CacheRule(max_age=AGE, stale_while_revalidate=0, stale_if_error=0, negative_max_age=AGE)
CARD = "number status item { number description } planning { priority } execution { good { value } }"
MORE = "operations { number status actual { good { value } } } outputs { id number item { description } }"
DOCUMENTS = (
    f"query One($n: ID!) {{ productionOrder(id: $n) {{ {CARD} {MORE} shipments {{ number status }} }} }}",
    f"query Two($n: ID!) {{ a: productionOrder(id: $n) {{ {CARD} }} b: productionOrder(id: $n) {{ {MORE} }} }}",
    f"query Page {{ productionOrders(first: 5) {{ nodes {{ {CARD} {MORE} }} pageInfo {{ endCursor }} totalCount }} }}",
    f"query Sifted {{ productionOrders(first: 3, filter: {{statuses: [IN_PROGRESS]}}) {{ nodes {{ {CARD} }} }} }}",
    f"query Bound($n: ID!) {{ productionOrder(id: $n, freshness: {{maxAgeSeconds: 5}}) {{ {CARD} }} }}",
    'query Fresh($n: ID!) { productionOrder(id: $n) { number execution @fresh(within: "5s") { good { value } } } }',
    "query Now($n: ID!) { productionOrder(id: $n) { outputs { status } checkpoints { kind state } "
    "execution { provenance { ageSeconds } } } }",
    "query Due { productionOrders(first: 5, filter: {checkpoint: SHIPPED, checkpointState: DONE}) { nodes { number } } }",
)
Steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, len(DOCUMENTS) - 1), st.sampled_from([0, 1, 2])),
        st.tuples(st.just("again"), st.just(0), st.just(0)),
        st.tuples(st.just("change"), st.integers(0, 4), st.sampled_from([0, 1, 2])),
        st.tuples(st.just("pass"), st.sampled_from([1, 4, 29, 61]), st.just(0)),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
    ),
    min_size=12,
    max_size=40,
)


ORDERED = (OrderExecution, OperationActual, OrderPlanning)


class Story:
    """The plant behind a cache, asked the same things over and over while it changes."""

    def __init__(self) -> None:
        self.clock, self.plant = Clock(), systems()
        self.caching = Caching(Tiers(Memory(clock=self.clock), None, self.clock), {"*": RULE})
        self.catalog = Catalog(self.plant.all, PLANTS, layers=[self.caching])
        self.last = (0, 0)
        self.count = 0

    def context(self, scope: Scope = EVERYTHING) -> Context:
        """The context of one operation."""
        return Context(self.catalog, arrived=self.clock(), actor=Actor(filter=scope))

    async def read(self, document: int, index: int, times: int = 1) -> Any:
        """Ask, by both executors."""
        self.last, data = (document, index), None
        variables = {"n": f"po:{PLANT}/{number(index)}"} if "$n" in DOCUMENTS[document] else {}
        for _ in range(times):
            result = await ask(self.context(), DOCUMENTS[document], **variables)
            assert result.errors is None, result.errors
            data = result.data
        return data

    async def change(self, what: int, index: int) -> None:
        """A row of a system becomes another, and the gateway hears of it."""
        self.count += 1
        cls = (OrderExecution, Item, OperationActual, Lot, OrderPlanning)[what]
        for system in self.plant.all:
            found = [at for at, row in enumerate(system.rows) if type(row) is cls]
            if found:
                place = found[min(index, len(found) - 1)]
                row = system.rows[place]
                system.rows[place] = changed(row, str(self.count))
                about = f"po:{PLANT}/{row.order}" if isinstance(row, ORDERED) else encode(row)
                await self.caching.invalidate([about])

    async def run(self, steps: list[tuple[str, int, int]]) -> None:
        """One step after the other, half a second apart."""
        for kind, one, other in steps:
            self.clock.pass_(0.5)
            match kind:
                case "read":
                    await self.read(one, other)
                case "again":
                    await self.read(*self.last, times=3)
                case "change":
                    await self.change(one, other)
                case "pass":
                    self.clock.pass_(one)
                case _:
                    self.caching.tiers.memory.marks.note(Invalidation((), self.clock()))


def changed(row: Any, words: str) -> Any:
    """The row as the system has it from now on."""
    match row:
        case OrderExecution() | OperationActual():
            return replace(row, good=pieces(words))
        case Item():
            return replace(row, description=words)
        case OrderPlanning():
            return replace(row, priority=int(words))
        case _:
            return replace(row)


@settings(max_examples=25, deadline=None)
@given(Steps)
def test_what_is_given_again_is_what_would_be_made_anew(steps: list[tuple[str, int, int]]) -> None:
    """Changes, ages, bounds and moments in any order: the plan gives what the reference makes of the same loads."""
    asyncio.run(Story().run(steps))


async def test_what_is_asked_again_is_kept_from_the_second_time_on() -> None:
    """The first time proves nothing, the second is kept, the third is given; a change makes it anew."""
    story, document = Story(), DOCUMENTS[0] + "# kept"
    before = ""
    for expected in (False, False, True, True):
        assert (whole(document) is not None) is expected
        before = await execution(story, document)
    first = whole(document)
    await execution(story, document)
    assert whole(document) is first
    await story.change(0, 0)
    story.clock.pass_(0.5)
    assert await execution(story, document) != before
    await execution(story, document)
    assert whole(document) is not first


async def test_what_was_made_for_one_scope_is_not_given_to_another() -> None:
    """Cells of other rights are other cells, and are asked for by themselves."""
    story, document = Story(), DOCUMENTS[0] + "# scoped"
    for _ in range(3):
        await execution(story, document)
    asked = len(story.plant.mes.asked)
    await execution(story, document, Scope(plants=frozenset({PLANT})))
    assert len(story.plant.mes.asked) > asked


async def execution(story: Story, document: str, scope: Scope = EVERYTHING) -> str:
    """What the shop floor says of the first order."""
    result = await ask(story.context(scope), document, n=f"po:{PLANT}/{number(0)}")
    assert result.data is not None
    return str(result.data["productionOrder"]["execution"])


def whole(document: str) -> Whole | None:
    """What is kept of the first root of a document, for the first order."""
    operation = valid(document).definitions[0]
    for plan in EXECUTION.plans():
        if plan.operation is operation and plan.root is not None:
            asking = plan.root.columns[0].asking
            levels = asking.levels if asking is not None else None
            return None if levels is None else levels.find((f"po:{PLANT}/{number(0)}",), [None])
    return None
