"""Whatever happens in whatever order: an answer that is given is one that somebody could have got within the bound."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schema.material import Item
from schema.production import OrderExecution
from tests.graph.fakes import pieces
from tests.graph.http.keeping import Gateway
from tests.graph.plant import PLANT, number

AGE = 60
ORDERS = [0, 2]
READ = """query Read($id: ID!, $bound: Int) { productionOrder(id: $id, freshness: {maxAgeSeconds: $bound}) {
  item { description } execution { good { value } } } }"""

Steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("read"),
            st.sampled_from(ORDERS),
            st.sampled_from([None, 5]),
            st.sampled_from(["", "1710"]),
        ),
        st.tuples(st.just("execution"), st.sampled_from(ORDERS), st.booleans()),
        st.tuples(st.just("item"), st.sampled_from(ORDERS), st.booleans()),
        st.tuples(st.just("pass"), st.sampled_from([1, 4, 29])),
        st.tuples(st.just("forget")),
    ),
    min_size=12,
    max_size=60,
)


class Story:
    """The plant, and what every fact was from when to when; a change that is told forbids what was before it."""

    def __init__(self) -> None:
        self.gateway = Gateway()
        self.count = 0
        self.facts: dict[Any, list[tuple[float, str]]] = {}
        self.told: dict[Any, float] = {}
        for index in ORDERS:
            self.facts["execution", index] = [(0.0, "50")]
            self.facts["item", index] = [(0.0, {0: "Pump", 2: "Filter"}[index])]
        self.gateway.plant.erp.rows.append(Item("FG-2", "Filter", base_unit="H87"))

    async def run(self, steps: list[tuple[Any, ...]]) -> None:
        """One step after the other, half a second apart."""
        for kind, *rest in steps:
            self.gateway.clock.pass_(0.5)
            match kind:
                case "read":
                    await self.read(*rest)
                case "pass":
                    self.gateway.clock.pass_(rest[0])
                case "forget":
                    self.gateway.forget_values()
                case _:
                    await self.write(kind, *rest)

    async def write(self, kind: str, index: int, told: bool) -> None:
        """A fact changes, and the gateway hears of it or does not."""
        self.count += 1
        words = str(1000 + self.count)
        plant = self.gateway.plant
        if kind == "execution":
            rows, tag = plant.mes.rows, f"po:{PLANT}/{number(index)}"
            place = next(
                at
                for at, row in enumerate(rows)
                if isinstance(row, OrderExecution) and row.order == number(index)
            )
            rows[place] = replace(rows[place], good=pieces(words))
        else:
            rows, tag = plant.erp.rows, f"item:FG-{index}"
            place = next(
                at for at, row in enumerate(rows) if isinstance(row, Item) and row.number == f"FG-{index}"
            )
            rows[place] = replace(rows[place], description=words)
        now = self.gateway.clock()
        self.facts[kind, index].append((now, words))
        if told:
            await self.gateway.caching.invalidate([tag])
            self.told[kind, index] = now

    async def read(self, index: int, bound: int | None, plants: str) -> None:
        """Ask, and see that every fact was so at some moment within the bound and not before what was told."""
        variables = {"id": f"po:{PLANT}/{number(index)}", "bound": bound}
        response = await self.gateway.post(READ, {"x-plants": plants}, variables=variables)
        body = response.json()
        assert "errors" not in body
        order = body["data"]["productionOrder"]
        oldest = self.gateway.clock() - min(AGE, AGE if bound is None else bound)
        said = {"execution": order["execution"]["good"]["value"], "item": order["item"]["description"]}
        for kind, words in said.items():
            known, told = self.facts[kind, index], self.told.get((kind, index), 0.0)
            ends = [since for since, _ in known[1:]] + [float("inf")]
            since = max(oldest, told)
            possible = {was for (_, was), end in zip(known, ends, strict=True) if end > since}
            assert words in possible, (kind, words, possible)


@settings(max_examples=40, deadline=None)
@given(Steps)
def test_no_answer_contradicts_a_fresh_one(steps: list[tuple[Any, ...]]) -> None:
    """Reads with bounds and rights, writes that are told or not, time that passes and memory that is lost: every fact in
    every answer was true within the bound, and nothing from before a word about it is ever given after it.
    """
    asyncio.run(Story().run(steps))
