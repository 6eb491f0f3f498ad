"""Freshness: how new a place of the document wants its values, and what is said where they are not.

A place's need is the ``freshness`` of its root, with the age taken from the nearest ``@fresh`` on the field itself or
above it. Where one field of the answer is written down several times, the tightest of its ``@fresh`` counts. Every
distinct need has loaders of its own, which share nothing but the layers below.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from graphql import GraphQLResolveInfo
from strawberry.types import Info

from resolvers.context import Context, Place, Unmet
from resolvers.inputs import Freshness
from resolvers.loaders import Answer, Loaders
from resolvers.tokens import read_token
from resolvers.trail import Trail, Trails, trail_of
from resolvers.within import ARGUMENT, NAME, seconds
from schema.errors import FreshnessNotMet, RequestError, SourceError, SourceNotMapped
from sources.base import Need, Stale

T = TypeVar("T")
MEND = "Ask again later, accept older values, or set allowStale to get the last known ones, marked."


class Loads:
    """The loaders as one place of the document needs them. What it gets that is older than it asked for is noted."""

    __slots__ = ("ctx", "info", "loaders")

    def __init__(self, ctx: Context, info: Info, loaders: Loaders) -> None:
        self.ctx, self.info, self.loaders = ctx, info, loaders

    @property
    def need(self) -> Need:
        """How fresh the values of this place must be."""
        return self.loaders.need

    async def one(self, cls: type[T], key: str, by: str = "id") -> Answer[T]:
        """The row of a key."""
        return self.heard(await self.loaders.one(cls, key, by))

    async def many(self, cls: type[T], key: str, by: str) -> Answer[list[T]]:
        """The rows of a key."""
        return self.heard(await self.loaders.many(cls, key, by))

    async def each(self, cls: type[T], keys: Iterable[str], by: str = "id") -> list[Answer[T]]:
        """The row of every key."""
        return await self.load_set(cls, by, list(keys), False)

    async def load_set(self, cls: type, by: str, keys: Sequence[str], many: bool) -> list[Answer[Any]]:
        """One answer a key, in order."""
        return [self.heard(answer) for answer in await self.loaders.load_set(cls, by, keys, many)]

    def heard(self, answer: Answer[T], *below: int) -> Answer[T]:
        """Note what is not as it should be in an answer for this place, or for a place in its list."""
        for system, stale in answer.stale:
            self.stale(system, stale, *below)
        for system, error in answer.failures:
            self.failed(system, error, *below)
        return answer

    def stale(self, system: str, stale: Stale, *below: int) -> None:
        """Note that a system's part is older than it should be."""
        self.ctx.flawed = True
        if not stale.met:
            self._note(system, stale.read_at, stale.reason, stale.message, True, below)

    def failed(self, system: str, error: SourceError, *below: int) -> None:
        """Note that a system's part is missing; where that is for want of freshness the path will say so."""
        # That no system provides it is how the gateway is configured: asking again would not tell more.
        self.ctx.flawed = self.ctx.flawed or not isinstance(error, SourceNotMapped)
        if isinstance(error, FreshnessNotMet):
            self._note(system, error.read_at, error.reason, str(error), False, below)
            self.ctx.withheld[self._place(below)] = error

    def _note(
        self,
        system: str,
        read_at: float | None,
        reason: Any,
        message: str,
        served: bool,
        below: Sequence[int],
    ) -> None:
        """Keep the worst of what one system gave at one place."""
        place = (self._place(below), system)
        known = self.ctx.unmet.get(place)
        worse = known is None or (served, read_at or 0.0) < (known.served, known.read_at or 0.0)
        if worse:
            self.ctx.unmet[place] = Unmet(system, read_at, self.need.within, reason, message, served)

    def _place(self, below: Sequence[int]) -> Place:
        return (*self.info._raw_info.path.as_list(), *below)


def at(info: Info) -> Loads:
    """The loaders for the place of a resolver."""
    ctx: Context = info.context
    return Loads(ctx, info, loaders_at(info))


def heard(info: Info, answer: Answer[T]) -> Answer[T]:
    """The answer; what is not as it should be in it is noted for the place of a resolver."""
    return at(info).heard(answer) if answer.stale or answer.failures else answer


def loaders_at(info: Info, *keys: str) -> Loaders:
    """The bare loaders for a place, or for the field of that response key beside it; nothing is noted."""
    return loaders_along(info.context, info._raw_info, *keys)


def loaders_along(ctx: Context, raw: GraphQLResolveInfo[Any], *keys: str) -> Loaders:
    """The same, where graphql-core says where it stands."""
    if not ctx.fresh:
        return ctx.asked.get(_root(raw), ctx.loaders) if ctx.asked else ctx.loaders
    trail = trail_of(raw.path)
    if keys:
        trail = (*trail[:-1], *[(trail[-1][0], key) for key in keys])
    trails = trails_of(ctx, raw)
    known: Loaders | None = trails.memo.get(trail)
    if known is None:
        known = trails.memo[trail] = ctx.loading(_need(ctx, trails, trail))
    return known


def trails_of(ctx: Context, raw: GraphQLResolveInfo[Any]) -> Trails:
    """What the running operation says along its trails."""
    # What goes ahead of an answer in parts runs the same operation written otherwise.
    known: Trails | None = ctx.memo.get(id(raw.operation))
    if known is None or known.operation is not raw.operation:
        known = ctx.memo[id(raw.operation)] = Trails(raw)
    return known


def _need(ctx: Context, trails: Trails, trail: Trail) -> Need:
    """The need of the root, within the nearest bound that a @fresh states."""
    root = ctx.asked.get(trail[0][1], ctx.loaders).need
    for end in range(len(trail), 0, -1):
        said = [trails.directive(node, NAME) for node in trails.nodes(trail[:end])]
        bounds = [seconds(one[ARGUMENT]) for one in said if one is not None]
        if bounds:
            return Need(min(bounds), root.arrived, root.allow_stale, root.written)
    return root


def bounded(info: Info, freshness: Freshness | None) -> None:
    """Take a root's ``freshness`` to heart: its need holds for the root and everything below, its deadline for all."""
    if freshness is None:
        return
    ctx: Context = info.context
    if freshness.deadline_ms is not None:
        if freshness.deadline_ms < 1:
            raise RequestError(
                f"freshness.deadlineMs: {freshness.deadline_ms} must be at least 1.",
                hint="Give milliseconds, e.g. 1500.",
            )
        ctx.hurry(freshness.deadline_ms)
    within = freshness.max_age_seconds
    if within is not None and within < 0:
        raise RequestError(
            f"freshness.maxAgeSeconds: {within} must not be negative.",
            hint="Give seconds; 0 asks for live values only.",
        )
    token = freshness.after_write
    need = Need(
        None if within is None else float(within),
        ctx.arrived,
        freshness.allow_stale is not False,
        None if token is None else read_token(token, ctx.arrived),
    )
    ctx.asked[_root(info._raw_info)] = ctx.loading(need)


def _root(raw: GraphQLResolveInfo[Any]) -> str:
    """The response key of the root that a place is below."""
    path: Any = raw.path
    while path.prev is not None:
        path = path.prev
    return str(path.key)


def unless_withheld(info: Info, value: T, *below: int) -> T:
    """The value; where there is none for want of freshness, the path says so: raises ``FreshnessNotMet``."""
    ctx: Context = info.context
    if value is None and ctx.withheld:
        error = ctx.withheld.get((*info._raw_info.path.as_list(), *below))
        if error is not None:
            # The cell's own error may be shared with other paths and operations: each raises one of its own.
            raise FreshnessNotMet(str(error), hint=error.hint or MEND, retry_after=error.retry_after)
    return value
