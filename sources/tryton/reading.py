"""What every read of Tryton needs: the client, the settings, and one way to search and to page."""

import time
from datetime import UTC, datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from schema.errors import SourceRefused
from sources.base import Batch, Query, Source
from sources.settings import SystemConfig
from sources.tryton import domains
from sources.tryton.client import Client, Row
from sources.tryton.config import TrytonConfig
from sources.tryton.mapping import Rules


class Reading(Source):
    """A Tryton database that is searched."""

    Config: ClassVar[type[SystemConfig]] = TrytonConfig
    config: TrytonConfig

    def __init__(self, config: TrytonConfig) -> None:
        super().__init__(config)
        self.client = Client(config)
        self._zone = ZoneInfo(config.time_zone)
        self._codes = {plant: code for code, plant in config.warehouses.items()}
        self._prefixes = config.shipment_prefixes

    async def open(self) -> None:
        """Resolve the secrets and make the client."""
        await self.client.open()

    async def close(self) -> None:
        """Give back the connections."""
        await self.client.close()

    def clock_skew_ms(self) -> int | None:
        """What the dates of its answers tell."""
        return self.client.clock_skew_ms()

    async def ping(self) -> None:
        """Read one company."""
        deadline = time.monotonic() + self.config.timeout_ms / 1000
        await self.client.page("company.company", [], ["id"], deadline, first=1)

    def _rules(self) -> Rules:
        config = self.config
        return Rules(
            self.code,
            datetime.now(UTC),
            self._zone,
            config.warehouses,
            config.units,
            self._prefixes.outbound,
            self._prefixes.inbound,
            frozenset(config.quarantine),
        )

    def _place(self, key: str) -> tuple[str, str]:
        """Warehouse code and number of a canonical key plant/number."""
        plant, number = domains.pair(key)
        return self._codes.get(plant, plant), number

    async def _find(self, model: str, domain: domains.Domain, names: list[str], asked: Batch) -> list[Row]:
        """Every record of a domain; none where the domain is empty by itself, without a call."""
        if not asked.keys or domains.NOTHING[0] in domain:
            return []
        return await self.client.search(model, domain, names, asked.deadline)

    async def _page(
        self, model: str, domain: domains.Domain, names: list[str], query: Query, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """A page in the order of the record ids, and where it goes on."""
        offset = self._offset(cursor or query.cursor)
        if domains.NOTHING[0] in domain:
            return [], None
        rows = await self.client.page(
            model, domain, names, query.deadline, first=query.first + 1, offset=offset
        )
        more = len(rows) > query.first
        return rows[: query.first], str(offset + query.first) if more else None

    def _offset(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if not cursor.isdecimal():
            raise SourceRefused(f"{cursor!r} is not a cursor of {self.code}")
        return int(cursor)
