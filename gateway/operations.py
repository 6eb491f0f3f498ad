"""Between the engine and the graph: what a document asks for, and what an answer says about its sources and its age."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from graphql import DocumentNode, GraphQLSchema

from gateway.answers import Whole, merged, storable
from gateway.cost import Prices, cost_of
from gateway.request import GraphQLRequest
from resolvers.context import Context, Place, Unmet
from resolvers.costs import Price
from resolvers.scalars import write_datetime
from resolvers.selection import fields_of, is_dated, is_momentary, selected_types
from resolvers.trail import camel
from resolvers.within import Stated, stated
from schema.errors import FreshnessNotMet, RequestError

MAX_UNMET = 100
"""Most places of which the extensions say that a bound could not be met."""


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a document: the classes it loads, what it says of freshness, whether it tells of this moment
    (``momentary``) or counts from it (``dated``).
    """

    selected: frozenset[type]
    stated: Stated
    momentary: bool
    dated: bool
    prices: Prices


class Operations:
    """The engine's hooks over one schema. ``keeps``: whether somebody keeps whole answers."""

    def __init__(self, schema: GraphQLSchema, *, keeps: bool = False) -> None:
        self.schema = schema
        self._keeps = keeps

    def describe(self, document: DocumentNode) -> object:
        """What a document loads and says of freshness; raises ``RequestError`` where it says it wrongly."""
        said, fields = stated(document), fields_of(self.schema, document)
        selected = selected_types(self.schema, document)
        prices = Prices(self.schema, document)
        return Described(selected, said, is_momentary(fields), is_dated(fields), prices)

    def begin(self, context: Context, described: object, request: GraphQLRequest) -> None:
        """Tell the operation what its document selects, and what the request wants to be told."""
        context.traced, wants_cost = _wants(request.extensions)
        if isinstance(described, Described):
            described.stated.check(request.variables)
            context.fresh = described.stated.anywhere
            context.bounds.selected = described.selected
            context.momentary = described.momentary
            context.bounds.collects = self.keeps(described) and not context.traced
            # Nothing has been asked yet: a limit on what operations may cost belongs here.
            if wants_cost:
                context.price = self.price(context, described, request)

    @staticmethod
    def price(context: Context, described: Described, request: GraphQLRequest) -> Price:
        """What the operation may cost. Reckoned without asking anybody, and once for all requests that are alike."""
        name, variables = request.operation_name, request.variables
        return described.prices.of(context.systems, name, variables, context.aliases)

    def extensions(self, context: Context) -> dict[str, Any] | None:
        """Who is missing at the roots, where a bound was not met, and the trace, each only where there is something."""
        said: dict[str, Any] = {}
        if context.missed:
            said["sources"] = _missed(context)
        if context.unmet:
            said["freshness"] = [_unmet(context, *one) for one in _first(context.unmet)]
        if len(context.unmet) > MAX_UNMET:
            said["freshnessLeftOut"] = len(context.unmet) - MAX_UNMET
        if context.price is not None:
            said["cost"] = cost_of(context.price, hops_of(context))
        if context.traced:
            said["crossdock"] = trace_of(context)
        return said or None

    def until(self, context: Context) -> float:
        """When the operation's time is over, in seconds of ``time.monotonic()``."""
        return context.bounds.deadline

    def keeps(self, described: object) -> bool:
        """Whether an answer to such a document may be given again: it loads something and does not speak of this moment."""
        if not self._keeps or not isinstance(described, Described):
            return False
        return bool(described.selected) and not described.momentary and not described.dated

    def whole(self, context: Context) -> Whole | None:
        """What the answer is made of, if it may be given again to whoever asks the same with the same rights.

        None where it may not be stored at all, where it must show a write, and where some call does not tell.
        """
        life, bounds = context.tightest, context.bounds
        written = any(loaders.need.written is not None for loaders in context.asked.values())
        if not bounds.collects or life is None or context.flawed or written:
            return None
        parts = merged([call.tally.parts for call in bounds.calls])
        return None if parts is None else Whole(life, context.actor.rights, parts)

    def headers(self, context: Context) -> dict[str, str]:
        """How long the answer may be kept: as long as the part of it whose time is over first.

        Nothing where a part is missing, old, partial or not vouched for, nor where the document asks for this moment.
        A trace or a cost tells of one run and is not kept either.
        """
        barred = context.flawed or context.momentary or context.traced or context.price is not None
        life = context.tightest
        if barred or life is None:
            return {}
        age = max(0, int(context.arrived + context.elapsed - life.read_at))
        if age >= int(life.max_age):
            return {}
        return storable(life, age)


def _first(unmet: Mapping[tuple[Place, str], Unmet]) -> list[tuple[tuple[Place, str], Unmet]]:
    """The first places by their paths, whatever order they were noted in."""

    def order(one: tuple[tuple[Place, str], Unmet]) -> list[tuple[bool, str | int]]:
        path, system = one[0]
        return [(isinstance(step, str), step) for step in (*path, system)]

    return sorted(unmet.items(), key=order)[:MAX_UNMET]


def _missed(context: Context) -> list[dict[str, Any]]:
    """Why a root field is null, where its owner could not be asked."""
    entries = []
    for field, status in sorted(context.missed, key=lambda one: (one[0], one[1].system)):
        said = {camel(key): value for key, value in asdict(status).items() if value not in (None, ())}
        if status.last_good_at is not None:
            said["lastGoodAt"] = write_datetime(status.last_good_at)
        entries.append({"path": [camel(field)], **said})
    return entries


def _unmet(context: Context, place: tuple[Place, str], unmet: Unmet) -> dict[str, Any]:
    """One place that got something older than it asked for, or nothing for that."""
    path, system = place
    age = None if unmet.read_at is None else max(0, int(context.arrived - unmet.read_at))
    bound = unmet.within
    said = {
        "path": list(path),
        "code": FreshnessNotMet.code,
        "system": system,
        "ageSeconds": age,
        "maxAgeSeconds": int(bound) if bound is not None and bound.is_integer() else bound,
        "reason": unmet.reason,
        "message": unmet.message,
        "served": unmet.served,
    }
    return {name: value for name, value in said.items() if value is not None}


def hops_of(context: Context) -> list[dict[str, Any]]:
    """What the operation asked of the systems, hop by hop: calls, keys, what the tiers of the cache had, and the time."""
    hops: dict[tuple[str, str], dict[str, Any]] = {}
    for call in context.calls:
        empty = {"calls": 0, "keys": 0, "l1": 0, "l2": 0, "shared": 0, "ms": 0.0}
        hop = hops.setdefault((call.system, call.read), {"system": call.system, "read": call.read, **empty})
        tally = call.tally
        hop["calls"] += tally.calls
        hop["keys"] += call.keys
        hop["l1"] += tally.l1
        hop["l2"] += tally.l2
        hop["shared"] += tally.shared
        hop["ms"] = round(hop["ms"] + call.seconds * 1000, 3)
    return list(hops.values())


def trace_of(context: Context) -> dict[str, Any]:
    """The hops of the operation, and how it was executed."""
    ms = round(context.elapsed * 1000, 3)
    executor = {"executor": "plan"} if context.unplanned is None else {"executor": "reference"}
    return {"hops": hops_of(context), "ms": ms, "lane": context.lane.name.lower(), **executor}


def _wants(extensions: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a request asks for its trace, and whether for its cost."""
    asked = extensions.get("crossdock")
    if not asked:
        return False, False
    if isinstance(asked, dict):
        trace, cost = asked.get("trace"), asked.get("cost")
        if all(flag is None or isinstance(flag, bool) for flag in (trace, cost)):
            return bool(trace), bool(cost)
    raise RequestError(
        "extensions.crossdock must be an object whose 'trace' and 'cost' are true or false.",
        hint='Send {"extensions": {"crossdock": {"trace": true, "cost": true}}}.',
    )
