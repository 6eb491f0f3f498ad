"""The need of every load, for documents that say @fresh anywhere: by a second, simpler reckoning."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.fakes import context, data
from tests.graph.layers import ARRIVED, FakeCache
from tests.graph.plant import number, systems

Hop = tuple[str, str]
SCALARS = {"execution": "percentComplete", "actual": "actualStart", "holds": "number", "component": "number"}
TREE: dict[str, tuple[Hop, tuple[str, ...]]] = {
    "execution": (("MES", "orders"), ()),
    "operations": (("ERP", "operations"), ("actual",)),
    "actual": (("MES", "actuals"), ()),
    "holds": (("QMS", "holds"), ()),
    "materials": (("ERP", "materials"), ("component",)),
    "component": (("ERP", "items"), ()),
}
"""What each field loads, and the fields below it that load."""
TOPS = ("execution", "operations", "holds", "materials")
WITHIN = st.none() | st.integers(0, 9)


@dataclass
class Writing:
    """One place where a field of the answer is written: its bound, whether it is left in, its fragment."""

    within: int | None
    shown: bool
    wrapped: bool
    below: list["Written"] = field(default_factory=list)


@dataclass
class Written:
    """A field of the answer with all places where it is written."""

    name: str
    writings: list[Writing]

    def shown(self) -> list[Writing]:
        """The places that count."""
        return [writing for writing in self.writings if writing.shown]


@st.composite
def written(draw: st.DrawFn, name: str) -> Written:
    """A field written one to three times; what is below it stands in one of the places."""
    flags = st.tuples(WITHIN, st.booleans(), st.booleans())
    made = Written(name, [Writing(*drawn) for drawn in draw(st.lists(flags, min_size=1, max_size=3))])
    for child in TREE[name][1]:
        place = draw(st.sampled_from(made.writings))
        place.below.append(draw(written(child)))
    return made


ROOTS = st.lists(st.sampled_from(TOPS), unique=True).flatmap(lambda names: st.tuples(*map(written, names)))


def text(one: Written) -> str:
    """The field as a document spells it."""
    return " ".join(_text(one.name, writing) for writing in one.writings)


def _text(name: str, writing: Writing) -> str:
    fresh = "" if writing.within is None else f'@fresh(within: "{writing.within}s")'
    shown = "@include(if: $yes)" if writing.shown else "@skip(if: $yes)"
    inner = " ".join([SCALARS.get(name, "__typename"), *map(text, writing.below)])
    spelled = f"{name} {fresh} {'' if writing.wrapped else shown} {{ {inner} }}"
    return f"... {shown} {{ {spelled} }}" if writing.wrapped else spelled


def reckoned(one: Written, above: float | None) -> Iterator[tuple[Hop, float | None]]:
    """What each load should ask for: the tightest bound written on the field, or else the one above it."""
    shown = one.shown()
    if not shown:
        return
    bounds = [writing.within for writing in shown if writing.within is not None]
    need = float(min(bounds)) if bounds else above
    yield TREE[one.name][0], need
    for writing in shown:
        for child in writing.below:
            yield from reckoned(child, need)


@given(ROOTS, WITHIN, WITHIN)
@settings(deadline=None, max_examples=150)
def test_every_load_has_its_need(roots: tuple[Written, ...], asked: int | None, fresh: int | None) -> None:
    """Whatever is written where, a load asks for the nearest bound, and no load is made that nobody asked for."""
    freshness = "" if asked is None else f", freshness: {{maxAgeSeconds: {asked}}}"
    on_root = "" if fresh is None else f'@fresh(within: "{fresh}s")'
    fields = " ".join(["number", *map(text, roots)])
    order = f'productionOrder(id: "po:1710/{number(1)}"{freshness}) {on_root} {{ {fields} }}'
    cache = FakeCache()
    asyncio.run(_asked(cache, f"query ($yes: Boolean!) {{ {order} other: __typename @skip(if: $yes) }}"))
    top = fresh if fresh is not None else asked
    need = None if top is None else float(top)
    expected = {(("ERP", "orders"), need), *[pair for one in roots for pair in reckoned(one, need)]}
    assert {((code, read), batch.need.within) for code, read, batch in cache.calls} == expected


async def _asked(cache: FakeCache, document: str) -> None:
    await data(context(*systems().all, layers=[cache], arrived=ARRIVED), document, yes=True)
