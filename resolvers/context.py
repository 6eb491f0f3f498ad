"""What one operation carries: who asks, until when, and its loaders."""

import copy
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

from resolvers.costs import Price
from resolvers.hops import Bounds, Call
from resolvers.loaders import Loaders
from schema.base import Plant, SourceOutcome, SourceStatus, SourceSystem
from schema.errors import FreshnessNotMet
from schema.integration import BusinessEvent
from sources.base import EVERYTHING, Lane, Lifetime, Listers, Need, Providers, Scope, Written


class Systems(Protocol):
    """What the graph asks of the catalog."""

    plants: dict[str, Plant]

    def route(self, cls: type, by: str, key: str) -> Providers:
        """The systems to ask for a key, in tiers of precedence."""
        ...

    def tiers(self, cls: type, by: str) -> Providers:
        """The systems to ask when no plant narrows them, in tiers of precedence."""
        ...

    def listers(self, cls: type, plants: Iterable[str] = ()) -> Listers:
        """The systems that list a class, in tiers of precedence."""
        ...

    def system(self, code: str) -> SourceSystem | None:
        """A system and its health; the gateway itself is GATEWAY."""
        ...

    def serving(self, code: str) -> list[str]:
        """The plants a system speaks for."""
        ...

    def all_systems(self) -> list[SourceSystem]:
        """Every connected system and its health."""
        ...

    def last_good_at(self, code: str) -> datetime | None:
        """When the system last gave a good answer."""
        ...


class Happenings(Protocol):
    """What the graph asks of the event log."""

    @property
    def providers(self) -> Providers:
        """Who gives events by their number."""
        ...

    async def about(self, id: str, most: int) -> list[BusinessEvent]:
        """The kept events that touch an object, in the order in which they came. Raises SourceUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks."""

    subject: str = "anonymous"
    scopes: tuple[str, ...] = ()
    plants: tuple[str, ...] | None = None
    party: str | None = None
    filter: Scope = EVERYTHING

    @property
    def rights(self) -> Hashable:
        """All that decides on what an answer may show: everything but the name."""
        return self.scopes, self.plants, self.party, self.filter


@dataclass(frozen=True, slots=True)
class Unmet:
    """What one system gave at one place was older than the place asked for, or was withheld for that (``served``)."""

    system: str
    read_at: float | None
    within: float | None
    reason: SourceOutcome
    message: str
    served: bool


Place: TypeAlias = tuple[str | int, ...]
"""A path in the answer."""


@dataclass(slots=True)
class Context:
    """One operation. Make it inside the running loop.

    ``started`` is the moment at which facts are judged, and tests may make it stand still. ``arrived`` is when the
    request really came, in seconds since the epoch: ages are counted from there.
    """

    systems: Systems
    deadline_ms: int = 5000
    actor: Actor = field(default_factory=Actor)
    aliases: dict[str, str] = field(default_factory=dict)
    selected: frozenset[type] = frozenset()
    max_page: int = 500
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    lane: Lane = Lane.APP
    arrived: float = field(default_factory=time.time)
    memo: dict[Any, Any] = field(default_factory=dict)
    missed: list[tuple[str, SourceStatus]] = field(default_factory=list)
    """Root fields that are null because an owner could not be asked."""
    fresh: bool = False
    """Whether the document says @fresh somewhere."""
    asked: dict[str, Loaders] = field(default_factory=dict)
    """The loaders for what the ``freshness`` of a root asks for, by the root's response key."""
    unmet: dict[tuple[Place, str], Unmet] = field(default_factory=dict)
    """Where a bound could not be met, by path and system."""
    withheld: dict[Place, FreshnessNotMet] = field(default_factory=dict)
    """The paths that got nothing for that."""
    flawed: bool = False
    """Whether some part is missing, partial or older than it should be."""
    momentary: bool = False
    """Whether the document asks for something that is only true now."""
    written: Written | None = None
    """What everything that is loaded must show at least."""
    events: Happenings | None = None
    """The event log, where there is one."""
    traced: bool = False
    """Whether the request asked what it cost."""
    webhooks: Any = None
    """Who keeps the partner webhooks (``resolvers.webhooks.Webhooks``); None where there are none."""
    writes: Any = None
    """Who keeps the writes (``resolvers.mutations.Writes``); None where none are taken."""
    price: Price | None = None
    """What the operation may cost, reckoned before it asks for anything; only where somebody wants to know."""
    unplanned: str | None = None
    """Why the operation was not executed by a plan; None where it was."""
    bounds: Bounds = field(init=False)
    loaders: Loaders = field(init=False)
    began: float = field(default_factory=time.perf_counter)
    arrived_at: datetime = field(init=False)
    _others: dict[Need, Loaders] = field(default_factory=dict)

    def __post_init__(self) -> None:
        deadline = time.monotonic() + self.deadline_ms / 1000
        self.arrived_at = datetime.fromtimestamp(self.arrived, UTC)
        self.bounds = Bounds(deadline, self.actor.filter, self.selected, self.lane)
        self.loaders = self._loading(Need(arrived=self.arrived, written=self.written))

    def loading(self, need: Need) -> Loaders:
        """The loaders for one need; they share nothing with those for another."""
        if need == self.loaders.need:
            return self.loaders
        found = self._others.get(need)
        if found is None:
            found = self._others[need] = self._loading(need)
        return found

    def _loading(self, need: Need) -> Loaders:
        local = {Plant: self.systems.plants.get, SourceSystem: self.systems.system}
        return Loaders(self._route, local, self.bounds, need)

    def _route(self, cls: type, by: str, key: str) -> Providers:
        if cls is BusinessEvent and by == "id" and self.events is not None:
            return self.events.providers
        return self.systems.route(cls, by, key)

    @property
    def now(self) -> datetime:
        """The one moment that all facts of the operation are computed at."""
        return self.started

    @property
    def elapsed(self) -> float:
        """Seconds since the operation began."""
        return time.perf_counter() - self.began

    def moments(self, asked: Iterable[str]) -> dict[str, datetime]:
        """The moments that a fact asks for by name."""
        return {name: self.started if name == "now" else self.arrived_at for name in asked}

    @property
    def calls(self) -> list[Call]:
        """The upstream calls made so far."""
        return self.bounds.calls

    @property
    def tightest(self) -> Lifetime | None:
        """The lifetime that ends first of everything that was loaded; None where nobody vouches for some of it."""
        first: Lifetime | None = None
        for call in self.calls:
            life = call.tally.tightest
            if life is None:
                return None
            if first is None or life.ends < first.ends:
                first = life
        return first

    def forget_notes(self) -> None:
        """Forget what was noted for the answer: the operation is executed anew, over what is loaded already."""
        self.missed.clear()
        self.unmet.clear()
        self.withheld.clear()
        self.flawed = False

    def ahead(self) -> "Context":
        """The same operation with notes of its own, for a run that only loads: loaders, bounds and memo are shared."""
        other = copy.copy(self)
        other.missed, other.unmet, other.withheld = [], {}, {}
        return other

    def hurry(self, deadline_ms: int) -> None:
        """Shorten the deadline to what the client allows."""
        self.bounds.deadline = min(self.bounds.deadline, time.monotonic() + deadline_ms / 1000)
