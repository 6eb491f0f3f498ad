"""No operation asks the systems more often than its price says, whatever it asks for."""

import asyncio
from collections import Counter

import pytest
from graphql import parse
from hypothesis import given

from resolvers.explain import explain
from resolvers.graph import graphql_schema
from schema.errors import CrossdockError
from tests.graph.fakes import ask, context, hops
from tests.graph.plant import systems
from tests.property.test_executors import USUAL, documents, is_valid

SEEN: Counter[str] = Counter()


async def within_price(document: str) -> None:
    """Run a document over a plant where nothing is kept, and hold its calls against its price."""
    ctx = context(*systems().all)
    found = explain(graphql_schema(), ctx.systems, parse(document))
    try:
        await ask(ctx, document)
    except CrossdockError:
        return  # @fresh with an odd bound: before anything is executed
    asked = hops(ctx)
    priced = {(hop.system, hop.read): hop.cost.calls for hop in found.hops}
    for hop, calls in Counter(asked).items():
        assert calls <= priced.get(hop, 0), (hop, calls, priced, document)
    SEEN["exact" if found.price.cost.calls == len(asked) else "less"] += 1


@pytest.mark.timeout(300)
@USUAL
@given(document=documents())
def test_no_document_asks_for_more_than_its_price(document: str) -> None:
    """Hop by hop: every call was foreseen."""
    if is_valid(document):
        asyncio.run(within_price(document))


def test_prices_are_met_now_and_then() -> None:
    """A price is no mere exaggeration: many documents cost exactly what was reckoned."""
    assert SEEN["exact"] >= 20, SEEN
