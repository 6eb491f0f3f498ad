"""Connections: Relay pages over the systems' own paging.

A page of the graph is cut from pages of the systems, asked one after the other. A cursor holds the place: which system,
which page of it, which row. Filters a system evaluates itself are pushed down; the others are applied to what it sends.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from resolvers.context import Context
from resolvers.freshness import Loads
from resolvers.loaders import Listed, older
from resolvers.pages import asked_page
from resolvers.sourcing import aged, failure, lacking, worse
from schema.base import SourceOutcome, SourceStatus, is_scoped
from schema.errors import BadCursor, BadPage, SourceError
from sources.base import Filter, Lister, Page, Query, Stale

T = TypeVar("T")
MAX_PAGES = 10
"""Most pages asked of the systems for one page of the graph; a rarer filter ends early and says partial."""


@dataclass(slots=True)
class PageInfo:
    """How a connection goes on (Relay)."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None = None
    end_cursor: str | None = None


@dataclass(slots=True)
class Edge(Generic[T]):
    """A row of a connection, and where it goes on behind it: on the page of a system, or from the row of a number on.

    ``following`` is the cursor of the system's next page, where the row is the last of its own.
    """

    page: "Place"
    node: T
    row: int
    following: str | None = None

    @property
    def cursor(self) -> str:
        """The place behind the row as text; written only where it is asked for."""
        if self.following is not None:
            return write_cursor(replace_place(self.page, cursor=self.following, row=0))
        return write_cursor(replace_place(self.page, row=self.row))


@dataclass(slots=True)
class Connection(Generic[T]):
    """A page of a list. ``partial`` when a system could not be asked to the end; ``sources`` says which and why."""

    edges: list[Edge[T]]
    page_info: PageInfo
    total_count: int | None = None
    partial: bool = False
    sources: list[SourceStatus] = field(default_factory=list)

    @property
    def nodes(self) -> list[T]:
        """The rows alone."""
        return [edge.node for edge in self.edges]


Count = Annotated[int, msgspec.Meta(ge=0)]


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on: the list's signature, tier and system, its page and size, and the row in it."""

    signature: str
    tier: Count = 0
    lister: Count = 0
    cursor: str | None = None
    size: Count = 0
    row: Count = 0


@dataclass(slots=True)
class Doubts:
    """Who failed while a filter looked at rows, and who answered with an older value than it should."""

    failures: dict[str, SourceError] = field(default_factory=dict)
    stale: dict[str, Stale] = field(default_factory=dict)

    def age(self, stale: Sequence[tuple[str, Stale]]) -> None:
        """Note older values, the worst of each system."""
        for system, old in stale:
            self.stale[system] = older(self.stale.get(system), old)


Keep = Callable[[Sequence[Any]], Awaitable[list[bool]]]


@dataclass(slots=True)
class Listing:
    """What is listed: the class, the filters by name, tests for those a system does not evaluate, and a last word.

    ``tests`` are per row; ``keep`` looks at a whole page and may load (filters on computed facts).
    """

    cls: type
    group: str
    filters: Mapping[str, Filter] = field(default_factory=dict)
    tests: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict)
    keep: Keep | None = None
    key: str = ""
    doubts: Doubts = field(default_factory=Doubts)
    """What ``keep`` could not be sure of."""

    @property
    def signature(self) -> str:
        """Tells cursors of one list and filter from those of another."""
        named = sorted((name, str(value)) for name, value in self.filters.items())
        return hashlib.blake2s(f"{self.group}|{named}|{self.key}".encode(), digest_size=6).hexdigest()


def page_size(first: int | None, limit: int, default: int = 25) -> int:
    """The size asked for; raises ``BadPage`` when it is out of bounds."""
    size = default if first is None else first
    if not 1 <= size <= limit:
        raise BadPage(
            f"first: {size} is out of bounds.", hint=f"Ask for 1 to {limit} rows and go on with 'after'."
        )
    return size


def write_cursor(place: Any) -> str:
    """The opaque text of a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(text: str, signature: str) -> Place:
    """The place a cursor holds; raises ``BadCursor`` when it is not one of this list."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        place = msgspec.json.decode(raw, type=Place)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise BadCursor(f"after: {text[:40]!r} is not a cursor.", hint="Pass endCursor of a page.") from None
    if place.signature != signature:
        raise BadCursor(
            f"after: {text[:40]!r} belongs to another list or another filter.", hint="Start without 'after'."
        )
    return place


async def listed(loads: Loads, listing: Listing, first: int | None, after: str | None) -> Connection[Any]:
    """A page of a list, cut from the pages of the systems that have it."""
    ctx = loads.ctx
    size = page_size(first, ctx.max_page)
    signature = listing.signature
    start = read_cursor(after, signature) if after is not None else Place(signature)
    plants = listing.filters.get("plants", ())
    tiers = ctx.systems.listers(listing.cls, plants if isinstance(plants, tuple) else ())
    walk = _Walk(loads, listing, size, start)
    for number, tier in enumerate(tiers[start.tier :], start.tier):
        await walk.tier(number, tier, start if number == start.tier else None)
        if walk.answered or after is not None:
            break  # a walk that has begun in a tier stays there: another tier would bring the same rows again
    if is_scoped(listing.cls, "id"):
        walk.admit(tiers, plants if isinstance(plants, tuple) and plants else tuple(ctx.systems.plants))
    if not tiers:
        message = f"No connected system lists {listing.cls.__name__}."
        walk.note("GATEWAY", SourceOutcome.NOT_MAPPED, message)
    return walk.connection(after is not None)


class _Walk:
    """One page in the making."""

    def __init__(self, loads: Loads, listing: Listing, size: int, start: Place) -> None:
        self.loads, self.ctx, self.listing, self.size, self.start = loads, loads.ctx, listing, size, start
        self.edges: list[Edge[Any]] = []
        self.statuses: dict[str, SourceStatus] = {}
        self.total: int | None = None
        self.several = False
        self.reached = 0
        self.answered = False
        self.more = False
        self.budget = MAX_PAGES
        self.exhausted = False
        self.resume: str | None = None

    def note(self, system: str, outcome: SourceOutcome, message: str | None = None) -> None:
        """Remember how a system answered."""
        group, good = self.listing.group, outcome is SourceOutcome.OK
        last = None if good else self.ctx.systems.last_good_at(system)
        affected = () if good else (group,)
        self.statuses[system] = SourceStatus(system, group, outcome, message, None, affected, last)

    def _failed(self, system: str, error: SourceError) -> None:
        """Remember that a system failed, or that its page was withheld for its age."""
        group = self.listing.group
        self.loads.failed(system, error)
        self.statuses[system] = failure(self.ctx, system, group, error, (group,))

    def _heard(self, system: str, page: Page) -> None:
        """Remember that a system answered, and whether a page of it is older than it should be."""
        if page.stale is not None:
            self.loads.stale(system, page.stale)
            self.statuses[system] = aged(self.ctx, system, self.listing.group, page.stale)
        elif system not in self.statuses:
            self.note(system, SourceOutcome.OK)

    def admit(self, tiers: Sequence[Sequence[Lister]], plants: Sequence[str]) -> None:
        """Say which systems were not asked though only they have the orders of some plant."""
        serving = self.ctx.systems.serving
        here, below = tiers[: self.reached + 1], tiers[self.reached + 1 :]
        asked = {plant for tier in here for lister in tier for plant in serving(lister.system)}
        left = [plant for plant in plants if plant not in asked]
        for lister in [lister for tier in below for lister in tier]:
            theirs = [plant for plant in left if plant in serving(lister.system)]
            if theirs:
                message = f"Not asked for {', '.join(theirs[:5])}: list these plants by themselves."
                self.note(lister.system, SourceOutcome.PARTIAL, message)

    async def tier(self, number: int, listers: Sequence[Lister], start: Place | None) -> None:
        """Walk the systems of a tier one after the other until the page is full."""
        begin = start.lister if start is not None else 0
        self.several, self.reached = len(listers) > 1, number
        for index, lister in enumerate(listers[begin:], begin):
            place = start if start is not None and index == begin else None
            place = place or Place(self.start.signature, number, index)
            try:
                await self._lister(lister, replace_place(place, tier=number, lister=index))
            except SourceError as error:
                self._failed(lister.system, error)
                continue
            self.answered = True
            if self.full:
                self.more = self.more or index + 1 < len(listers)
                return

    @property
    def full(self) -> bool:
        """Whether the page needs no more rows."""
        return len(self.edges) >= self.size or self.exhausted

    async def _lister(self, lister: Lister, place: Place) -> None:
        search = lister.search
        pushed = {name: value for name, value in self.listing.filters.items() if name in search.filters}
        tests = [
            (self.listing.tests[name], value)
            for name, value in self.listing.filters.items()
            if name not in search.filters and name in self.listing.tests
        ]
        sifted = bool(tests) or self.listing.keep is not None
        size = place.size or (100 if sifted else self.size)
        place = replace_place(place, size=min(search.max_page, size))
        selected = self.ctx.bounds.selected
        wants = frozenset(p.type for p in search.parts if p.type in selected) | {search.parts[0].type}
        while True:
            bounds = self.ctx.bounds
            need = self.loads.need
            limits = (bounds.deadline, bounds.scope, bounds.lane, need, bounds.tally(need))
            query = Query(pushed, place.size, place.cursor, wants, *limits)
            page = await asked_page(self.ctx, lister, query)
            self._heard(lister.system, page)
            loaders = self.loads.loaders
            if loaders.given is not None:
                loaders.given.append(Listed(lister, query, page) if page.stale is None else None)
            loaders.prime(lister, page)
            if not sifted and self.total is None and lister.search.filters >= set(self.listing.filters):
                self.total = page.total
            rows = [self._row(lister.system, cell) for cell in page.bundle[search.parts[0].type]]
            await self._take(rows, tests, place, page.cursor)
            if page.cursor is None:
                return
            self.budget -= 1
            if self.full or self.budget <= 0:
                self.exhausted = len(self.edges) < self.size
                self.more = True
                if self.exhausted:
                    self.resume = write_cursor(replace_place(place, cursor=page.cursor, row=0))
                return
            place = replace_place(place, cursor=page.cursor, row=0)

    def _row(self, system: str, cell: Any) -> Any:
        """The row in a cell of a page; a row that is older than the others is noted."""
        if not isinstance(cell, Stale):
            return cell
        self.loads.stale(system, cell)
        self.statuses[system] = aged(self.ctx, system, self.listing.group, cell)
        return cell.value

    async def _take(self, rows: Sequence[Any], tests: list[Any], place: Place, following: str | None) -> None:
        fresh = [
            (number, row)
            for number, row in enumerate(rows)
            if number >= place.row and row is not None and not isinstance(row, SourceError)
        ]
        for test, value in tests:
            fresh = [(number, row) for number, row in fresh if test(row, value)]
        if self.listing.keep is not None and fresh:
            kept = await self.listing.keep([row for _, row in fresh])
            fresh = [pair for pair, keep in zip(fresh, kept, strict=True) if keep]
        for number, row in fresh:
            if len(self.edges) == self.size:
                self.more = True
                return
            self.edges.append(Edge(place, row, number + 1, following if number + 1 == len(rows) else None))

    def connection(self, later: bool) -> Connection[Any]:
        """The page as it stands."""
        failed = any(lacking(status) for status in self.statuses.values())
        stuck = failed and not self.answered and later
        last = self.edges[-1].cursor if self.edges else write_cursor(self.start) if stuck else None
        info = PageInfo(
            self.more or stuck,
            later,
            self.edges[0].cursor if self.edges else None,
            self.resume or last,
        )
        total = None if self.several or failed else self.total
        partial = failed or self.exhausted or bool(self.listing.doubts.failures)
        self.ctx.flawed = self.ctx.flawed or partial
        return Connection(self.edges, info, total, partial, self._said())

    def _said(self) -> list[SourceStatus]:
        """How the systems answered, for the list itself and for the facts it is filtered by, the worse of the two."""
        ctx, group, doubts = self.ctx, self.listing.group, self.listing.doubts
        old = {s: aged(ctx, s, group, stale) for s, stale in doubts.stale.items()}
        failed = {s: failure(ctx, s, group, error, (group,)) for s, error in doubts.failures.items()}
        said = dict(self.statuses)
        for system, status in (old | failed).items():
            said[system] = worse(said.get(system), status)
        return list(said.values())


def replace_place(place: Place, **changes: Any) -> Place:
    """The place with some of its parts changed."""
    return msgspec.structs.replace(place, **changes)


def cut(ctx: Context, rows: Sequence[T], group: str, first: int | None, after: str | None) -> Connection[T]:
    """A page of rows that are all here already (computed lists, lists inside one payload)."""
    size = page_size(first, ctx.max_page)
    signature = hashlib.blake2s(group.encode(), digest_size=6).hexdigest()
    start = read_cursor(after, signature).row if after is not None else 0
    page = Place(signature)
    edges = [Edge(page, row, number) for number, row in enumerate(rows[start : start + size], start + 1)]
    info = PageInfo(
        start + size < len(rows),
        start > 0,
        edges[0].cursor if edges else None,
        edges[-1].cursor if edges else None,
    )
    return Connection(edges, info, len(rows))


def since(row: Any, moment: datetime) -> bool:
    """Whether a row changed at or after a moment, as far as its source says when."""
    changed = row.provenance.source_updated_at if row.provenance is not None else None
    return changed is None or changed >= moment
