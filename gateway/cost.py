"""What an operation costs: its price before it runs, kept with its document, and what it really asked.

A price depends on the document, on the values of a few variables (page sizes, @skip and @include, how many ids of which
classes) and on the systems that are connected. It is reckoned once for all requests that agree in these.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from graphql import DocumentNode, GraphQLSchema

from resolvers.context import Systems
from resolvers.costs import Cost, Price
from resolvers.explain import explain
from resolvers.rooted import reduced

MOST_PRICES = 64
"""Prices kept for one document, the least recently used let go first."""


class Prices:
    """The prices of one document's operations."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._document = document
        self._systems: Systems | None = None
        self._kept: OrderedDict[tuple[str | None, bytes], Price] = OrderedDict()

    def of(
        self, systems: Systems, name: str | None, variables: Mapping[str, Any], aliases: Mapping[str, str]
    ) -> Price:
        """The price of one operation: the one of that name, or the only one."""
        if systems is not self._systems:
            self._systems = systems
            self._kept.clear()
        values = reduced(dict(variables), systems, aliases)
        key = (name, orjson.dumps(values, option=orjson.OPT_SORT_KEYS))
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        price = explain(self._schema, systems, self._document, values, name, aliases).price
        self._kept[key] = price
        if len(self._kept) > MOST_PRICES:
            self._kept.popitem(last=False)
        return price


def cost_of(price: Price, hops: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``extensions.cost``: what was reckoned beforehand, and what was asked (``hops`` as a trace has them)."""
    actual: dict[str, int] = {}
    for hop in hops:
        actual[hop["system"]] = actual.get(hop["system"], 0) + hop["calls"]
    asked = [{"system": system, "calls": calls} for system, calls in actual.items()]
    systems = [{"system": system, **_said(cost)} for system, cost in price.systems.items()]
    return {
        "requested": {**_said(price.cost), "systems": systems},
        "actual": {"calls": sum(actual.values()), "systems": asked},
    }


def _said(cost: Cost) -> dict[str, int]:
    return {"calls": cost.calls, "rows": cost.rows}
