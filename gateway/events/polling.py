"""Changes of systems that do not tell them: a list is asked what changed, for all who wait, no oftener than it deserves.

The place of a look is the latest change it saw, by the system's own clock, and the next look reaches back behind it a
little, so that nothing that was written late or has the same time is missed; what was seen is not told again. The first
look takes the state as it is: it tells only what is newer than what the log knows. Looks go in the background lane and
count against the system's rate and budgets like every other call.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.events.concluding import CONCLUDE, Look, Witness, compared, concluded, subject_of
from gateway.events.inbox import known
from gateway.events.interest import Interests
from gateway.events.log import EventLog, EventLogDown
from gateway.events.publishing import Publisher
from gateway.events.sorting import flawless
from schema.errors import ConfigError, SourceError
from sources.base import Lane, Lister, Need, Query
from sources.catalog import Catalog, System
from sources.intake import ChangesConfig

log = logging.getLogger("crossdock.events")

FILTER = "changed_since"
MOST_PAGES = 1000
MOST_SEEN = 50_000
"""Facts that a look remembers, so that the log need not be asked about them again."""


class Polling:
    """Looks for changes in all lists that the systems' tables name. Raises ConfigError where one cannot be asked so."""

    def __init__(
        self,
        catalog: Catalog,
        events: EventLog,
        publisher: Publisher,
        interests: Interests,
        now: Callable[[], datetime],
    ) -> None:
        self.looks = [
            ChangeLook(catalog, system, name, config, events, publisher, interests, now)
            for system in catalog.systems.values()
            for name, config in system.source.config.changes.items()
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the application runs, inside the lives of the log and the sources."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(look.run(), name=f"changes of {look.place}") for look in self.looks]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class ChangeLook:
    """One list of one system, and how far it was seen."""

    def __init__(
        self,
        catalog: Catalog,
        system: System,
        name: str,
        config: ChangesConfig,
        events: EventLog,
        publisher: Publisher,
        interests: Interests,
        now: Callable[[], datetime],
    ) -> None:
        self.place = f"systems.{system.code}.changes.{name}"
        self._system, self._config = system, config
        self._events, self._publisher, self._interests, self._now = events, publisher, interests, now
        self._lister = lister_of(catalog, system, config.search, self.place)
        told = [part.type for part in self._lister.search.parts if part.type in CONCLUDE]
        if not told:
            raise ConfigError(
                f"{self.place}: nothing can be concluded from the rows of {config.search}",
                hint=f"They must be of {', '.join(sorted(cls.__name__ for cls in CONCLUDE))}.",
            )
        self._wants = frozenset(part.type for part in self._lister.search.parts)
        self._told = tuple(told)
        self.kinds = frozenset(subject_of(cls)[0] for cls in told)
        self._begin: datetime | None = None
        self._since: datetime | None = None
        self._seen: dict[str, None] = {}
        self._interval = config.min_seconds
        self._wake = asyncio.Event()
        self._failing = False
        interests.listen(self._wake.set)

    async def run(self) -> None:
        """Look again and again, while somebody waits."""
        while True:
            if not (self._config.always or self._interests.strength(self.kinds)):
                self._wake.clear()
                await self._wake.wait()
                continue
            began = time.monotonic()
            pause = await self._tried()
            self._wake.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue
            # Somebody new waits: sooner, but never sooner than agreed.
            await asyncio.sleep(max(0.0, self._config.min_seconds - (time.monotonic() - began)))

    async def _tried(self) -> float:
        """Look once; returns how long to wait then."""
        try:
            changes = await self.look()
        except (SourceError, EventLogDown) as error:
            if not self._failing:
                self._failing = True
                log.warning("%s cannot be asked for changes: %s", self.place, error)
            self._interval = self._config.max_seconds
            return max(self._interval, getattr(error, "retry_after", None) or 0.0)
        except Exception:
            log.exception("%s: a look for changes failed", self.place)
            return self._config.max_seconds
        if self._failing:
            self._failing = False
            log.warning("%s can be asked for changes again", self.place)
        return self.next_pause(changes)

    def next_pause(self, changes: int) -> float:
        """How long to wait after a look that saw so many changes: half as long as before, or half as long again.

        The more wait for it, the shorter the longest wait.
        """
        config, watching = self._config, self._interests.strength(self.kinds)
        longest = max(config.min_seconds, config.max_seconds / (1 + watching) ** 0.5)
        step = self._interval / 2 if changes else self._interval * 1.5
        self._interval = min(max(step, config.min_seconds), longest)
        return self._interval

    async def look(self) -> int:
        """Ask once, and tell what is new; returns how many events. Raises SourceError, EventLogDown."""
        first, at = self._begin is None, self._now()
        theirs = at + timedelta(milliseconds=self._system.source.clock_skew_ms() or 0)
        self._begin = self._begin or theirs - timedelta(seconds=self._config.lookback_seconds)
        overlap = timedelta(seconds=self._config.overlap_seconds)
        reached = self._begin if self._since is None else max(self._begin, self._since - overlap)
        look = Look(self._system.code, at, synthesized=True)
        latest, found, timeless = self._since, list[Witness](), False
        async for row in self._rows(reached):
            timeless = timeless or row.provenance.source_updated_at is None
            changed_at = row.provenance.source_updated_at
            if changed_at is not None:
                latest = changed_at if latest is None else max(latest, changed_at)
            found += [one for one in concluded(row, look) if one.event.fact not in self._seen]
        before = await known(self._events, found)
        news = [one for one in found if not first or any(before.get(asked) for asked in one.asks())]
        events, problem = flawless(compared(news, before))
        if problem is not None:
            log.warning("%s: what was seen breaks its contract: %s", self.place, problem)
        appended = await self._publisher.publish(events)
        self._remember(one.event.fact for one in found)
        # Where rows have no time of their own, the time of the look must do; where there are none, nothing has passed.
        self._since = theirs if latest is None and timeless else latest
        return sum(one.duplicate_of is None for one in appended)

    def _remember(self, facts: Iterator[str]) -> None:
        for fact in facts:
            self._seen[fact] = None
        for fact in list(self._seen)[: max(0, len(self._seen) - MOST_SEEN)]:
            del self._seen[fact]

    async def _rows(self, since: datetime) -> AsyncIterator[Any]:
        """The rows that changed since, page after page."""
        cursor: str | None = None
        timeout = self._system.source.config.timeout_ms / 1000
        for _ in range(MOST_PAGES):
            query = Query(
                {FILTER: since.astimezone(UTC)},
                min(self._config.page, self._lister.search.max_page),
                cursor,
                self._wants,
                time.monotonic() + timeout,
                lane=Lane.BACKGROUND,
                need=Need(within=0.0, arrived=time.time(), allow_stale=False),
            )
            page = await self._lister.call(query)
            for cls in self._told:
                for row in _cells(page.bundle.get(cls, ())):
                    if isinstance(row, SourceError):
                        log.warning("%s: a row that changed cannot be read: %s", self.place, row)
                    else:
                        yield row
            cursor = page.cursor
            if cursor is None:
                return
        log.warning(
            "%s: more than %d pages changed; the rest is seen when it changes again", self.place, MOST_PAGES
        )


def _cells(cells: Any) -> Iterator[Any]:
    for cell in cells:
        rows = cell if isinstance(cell, list) else (cell,)
        for row in rows:
            if row is not None:
                yield row


def lister_of(catalog: Catalog, system: System, name: str, place: str) -> Lister:
    """How a list is asked for changes. Raises ConfigError, naming the place, where it cannot be."""
    searches = {search.name: search for search in system.source.searches()}
    search = searches.get(name)
    if search is None:
        known_names = ", ".join(searches) or "none"
        raise ConfigError(f"{place}: {system.code} has no list {name!r}", hint=f"There are {known_names}.")
    if FILTER not in search.filters:
        raise ConfigError(
            f"{place}: the list {name} takes no {FILTER}", hint=f"Add the filter {FILTER} to it."
        )
    for tier in catalog.listers(search.parts[0].type):
        for lister in tier:
            if lister.system == system.code and lister.search.name == name:
                return lister
    raise ConfigError(
        f"{place}: {system.code} is not asked for {search.parts[0].type.__name__}", hint="See [ownership]."
    )
