"""The writes that the settings ask for, and what runs with them for as long as the gateway does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.commands.carrying import Carrier, Invalidate
from gateway.commands.owners import Owners
from gateway.commands.running import Runner
from gateway.commands.service import WriteService
from gateway.commands.settings import WriteSettings
from gateway.commands.store import WriteStore
from gateway.database import Database
from gateway.threads import in_thread
from sources.catalog import Catalog
from sources.writing import Outward, Takers


class Writes:
    """The writes of one worker: the service for the graph, and the work behind it."""

    def __init__(
        self, url: str, rule: WriteSettings, catalog: Catalog, outward: Outward, invalidate: Invalidate
    ) -> None:
        self.store = WriteStore(Database(url, durable=True))
        owners = Owners(catalog, Takers(catalog, outward))
        self._runner = Runner(self.store, Carrier(self.store, owners, invalidate, rule), rule)
        self.service = WriteService(self.store, owners, rule, self._runner.look)
        self._runner.moved = self.service.moved

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carries writes for as long as the application runs. Raises ConfigError without a database."""
        await in_thread(self.store.open)
        try:
            async with self._runner.running():
                yield
        finally:
            await in_thread(self.store.close)
