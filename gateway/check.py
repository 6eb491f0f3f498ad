"""``crossdock check``: what a configuration is worth, before anyone depends on it.

Every system is pinged, every list is asked for its first rows, and every read is tried with keys that the systems'
own rows name. Nothing is written. The table says for each what came back, and which vendor codes no mapping knows.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from gateway.app import make_catalog
from gateway.config import Settings, warnings_of
from gateway.events.incoming import check_tables
from gateway.events.polling import FILTER
from gateway.sampling import Keys
from schema.errors import SourceError
from sources.base import Batch, Bundle, Query, Read, Search
from sources.catalog import Catalog, System

SAMPLE = 5
ROUNDS = 3
MAPPING_LOGGER = "crossdock.mapping"
FAILED, EMPTY, GOOD = "failed", "empty", "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table."""

    system: str
    what: str
    result: str
    detail: str


@dataclass(slots=True)
class Check:
    """One run over all systems; ``timeout`` in seconds for each call."""

    catalog: Catalog
    timeout: float = 10.0
    keys: Keys = field(default_factory=Keys)
    findings: list[Finding] = field(default_factory=list)
    tried: set[tuple[str, str]] = field(default_factory=set)

    async def run(self) -> list[Finding]:
        """Everything there is to find, in the order it was found."""
        alive = [system for system in self.catalog.systems.values() if await self._ping(system)]
        for system in alive:
            for search in system.source.searches():
                await self._search(system, search)
        for _ in range(ROUNDS):
            # Rows of one read name the keys of the next.
            for system in alive:
                for read in system.source.reads():
                    await self._read(system, read)
        for system in alive:
            self._untried(system)
            await self._changes(system)
        for system in self.catalog.systems.values():
            self._messages(system)
        return self.findings

    def _note(self, system: System, what: str, result: str, detail: str) -> None:
        self.findings.append(Finding(system.code, what, result, detail))

    async def _ping(self, system: System) -> bool:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                await system.source.ping()
        except SourceError as error:
            self._note(system, "reachable", FAILED, f"{error.outcome}: {_said(error)}")
        except TimeoutError:
            self._note(system, "reachable", FAILED, f"no answer within {self.timeout:g} s")
        else:
            self._note(system, "reachable", GOOD, f"{(time.monotonic() - began) * 1000:.0f} ms")
            return True
        return False

    async def _search(self, system: System, search: Search) -> None:
        query = Query({}, SAMPLE, None, frozenset(part.type for part in search.parts), self._deadline())
        what = f"list {search.name}"
        try:
            page = await system.guard.search(search, query)
        except SourceError as error:
            self._note(system, what, FAILED, f"{error.outcome}: {_said(error)}")
            return
        self._learn(system, what, page.bundle, len(page.keys))

    async def _read(self, system: System, read: Read) -> None:
        part = read.parts[0]
        keys = self.keys.some(part.type, part.by, system.source.config.plants, min(SAMPLE, read.max_keys))
        if not keys or (system.code, read.name) in self.tried:
            return
        self.tried.add((system.code, read.name))
        wants = frozenset(part.type for part in read.parts)
        what = f"read {read.name}"
        try:
            bundle = await system.guard.read(read, Batch(keys, wants, self._deadline()))
        except SourceError as error:
            self._note(system, what, FAILED, f"{error.outcome}: {_said(error)}")
            return
        self._learn(system, what, bundle, len(keys))

    def _learn(self, system: System, what: str, bundle: Bundle, asked: int) -> None:
        rows = list(_rows(bundle))
        self.keys.learn(rows)
        errors = [cell for cells in bundle.values() for cell in cells if isinstance(cell, SourceError)]
        counts = Counter(type(row).__name__ for row in rows)
        detail = (
            ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            or f"no rows for {asked} keys"
        )
        if errors:
            self._note(system, what, FAILED, f"{detail}; {_said(errors[0])}")
        else:
            self._note(system, what, GOOD if rows else EMPTY, detail)

    def _untried(self, system: System) -> None:
        for read in system.source.reads():
            if (system.code, read.name) not in self.tried:
                part = read.parts[0]
                detail = f"no row seen names a key of {part.type.__name__} by {part.by}"
                self._note(system, f"read {read.name}", EMPTY, detail)

    async def _changes(self, system: System) -> None:
        """Ask the lists that are looked at for changes as a look would."""
        searches = {search.name: search for search in system.source.searches()}
        for name, config in system.source.config.changes.items():
            search, what = searches[config.search], f"changes {name}"
            since = datetime.now(UTC) - timedelta(seconds=config.lookback_seconds)
            wants = frozenset(part.type for part in search.parts)
            query = Query({FILTER: since}, SAMPLE, None, wants, self._deadline())
            try:
                page = await system.guard.search(search, query)
            except SourceError as error:
                self._note(system, what, FAILED, f"{error.outcome}: {_said(error)}")
            else:
                self._learn(system, what, page.bundle, len(page.keys))

    def _messages(self, system: System) -> None:
        """Say which messages are understood, where the system may send any."""
        ingest = system.source.config.ingest
        if ingest is not None:
            kinds = list(getattr(system.source.config, "events", ()))
            detail = f"{ingest.auth}; {', '.join(kinds) or 'no kind is understood'}"
            self._note(system, "messages", GOOD if kinds else EMPTY, detail)

    def _deadline(self) -> float:
        return time.monotonic() + self.timeout


async def run_check(settings: Settings, out: TextIO) -> int:
    """Checks and prints; 0 if nothing failed, else 1. Raises ConfigError for tables that no start would accept."""
    for sentence in warnings_of(settings):
        print(f"note: {sentence}", file=out)
    catalog = make_catalog(settings)
    check_tables(catalog)
    with unmapped() as codes:
        await catalog.open()
        try:
            findings = await Check(catalog).run()
        finally:
            await catalog.close()
    print(table(findings), file=out)
    for code in codes:
        print(f"unmapped: {code}", file=out)
    failed = sum(finding.result == FAILED for finding in findings)
    print(f"{len(settings.systems)} systems, {len(findings)} checks, {failed} failed", file=out)
    return 1 if failed else 0


@contextmanager
def unmapped() -> Iterator[list[str]]:
    """Collects what mappings say about codes they do not know."""
    found: list[str] = []
    handler = _Collector(found)
    logger = logging.getLogger(MAPPING_LOGGER)
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


def table(findings: Sequence[Finding]) -> str:
    """The findings in columns."""
    rows = [
        ("SYSTEM", "CHECK", "RESULT", "DETAIL"),
        *((f.system, f.what, f.result, f.detail) for f in findings),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )


def _rows(bundle: Bundle) -> Iterator[Any]:
    for cells in bundle.values():
        for cell in cells:
            if isinstance(cell, list):
                yield from cell
            elif cell is not None and not isinstance(cell, SourceError):
                yield cell


def _said(error: SourceError) -> str:
    return f"{error} {error.hint}" if error.hint else str(error)
