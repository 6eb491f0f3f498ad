"""What one operation carries: who asks, until when, and its loaders."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from resolvers.loaders import Bounds, Call, Loaders
from schema.base import Plant, SourceStatus, SourceSystem
from sources.base import EVERYTHING, Lister, Listers, Page, Providers, Scope


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


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks."""

    subject: str = "anonymous"
    scopes: tuple[str, ...] = ()
    plants: tuple[str, ...] | None = None
    party: str | None = None
    filter: Scope = EVERYTHING


@dataclass(slots=True)
class Context:
    """One operation. Make it inside the running loop."""

    systems: Systems
    deadline_ms: int = 5000
    actor: Actor = field(default_factory=Actor)
    aliases: dict[str, str] = field(default_factory=dict)
    selected: frozenset[type] = frozenset()
    max_page: int = 500
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    max_age_seconds: int | None = None
    memo: dict[Any, Any] = field(default_factory=dict)
    missed: list[tuple[str, SourceStatus]] = field(default_factory=list)
    """Root fields that are null because an owner could not be asked."""
    bounds: Bounds = field(init=False)
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        deadline = time.monotonic() + self.deadline_ms / 1000
        self.bounds = Bounds(deadline, self.actor.filter, self.selected)
        local = {Plant: self.systems.plants.get, SourceSystem: self.systems.system}
        self.loaders = Loaders(self.systems.route, local, self.bounds)

    @property
    def now(self) -> datetime:
        """The one moment that all facts of the operation are computed at."""
        return self.started

    @property
    def calls(self) -> list[Call]:
        """The upstream calls made so far."""
        return self.bounds.calls

    def prime(self, lister: Lister, page: Page) -> None:
        """Keep what a page brought, so that the read it belongs to is not asked again for these keys."""
        self.loaders.prime(lister, page)

    def hurry(self, deadline_ms: int) -> None:
        """Shorten the deadline to what the client allows."""
        self.bounds.deadline = min(self.bounds.deadline, time.monotonic() + deadline_ms / 1000)
