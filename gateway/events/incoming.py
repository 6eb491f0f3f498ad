"""Everything by which changes come in, made from the settings: the routes, the intake, the looks for changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.routing import Route

from gateway.config import Settings
from gateway.crosswalk.service import CrosswalkService
from gateway.events.admin import event_admin_routes
from gateway.events.intake import Intake, check
from gateway.events.interest import Interests
from gateway.events.log import EventLog
from gateway.events.polling import Polling, lister_of
from gateway.events.publishing import Invalidate
from gateway.events.reading import Reader
from gateway.ingest import ingest_routes
from sources.catalog import Catalog


class Incoming:
    """The way in. ``interests`` is where subscriptions say what they wait for. Raises ConfigError."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        crosswalk: CrosswalkService,
        events: EventLog,
        invalidate: Invalidate,
    ) -> None:
        keys = crosswalk.layer([system.source for system in catalog.systems.values()])
        # Half of the room for parked messages is for those that wait: they must never be the ones to go.
        most = max(1, settings.events.max_parked // 2)
        self.interests = Interests()
        self.intake = Intake(catalog, keys, events, invalidate, _now, most)
        self.polling = Polling(catalog, events, self.intake.publisher, self.interests, _now)
        self.routes: list[Route] = [
            *ingest_routes(settings, self.intake),
            *event_admin_routes(settings, events, self.intake),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as the application runs, inside the lives of the log, the cache and the sources."""
        async with self.intake.running(), self.polling.running():
            yield


def check_tables(catalog: Catalog) -> None:
    """Refuse what the systems' tables say of messages and changes, where no gateway would start with it. Raises ConfigError."""
    check(catalog, Reader(catalog))
    for system in catalog.systems.values():
        for name, config in system.source.config.changes.items():
            lister_of(catalog, system, config.search, f"systems.{system.code}.changes.{name}")


def _now() -> datetime:
    return datetime.now(UTC)
