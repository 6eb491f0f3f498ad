"""The cache as a layer of the catalog, and the one place to invalidate it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from gateway.cache.pages import CachedSearch
from gateway.cache.policy import Policy, policy_of
from gateway.cache.reading import CachedRead, Subject, Tiers
from gateway.cache.store import Invalidation, Tell
from gateway.cache.tags import tags_of, touched
from sources.base import Fetch, Listing, Part, Peek, Read, Search, Written
from sources.keeping import CacheRule
from sources.settings import SystemConfig


class Caching:
    """Two tiers around every read and list. ``rules`` hold for all systems, below what each says itself."""

    def __init__(self, tiers: Tiers, rules: Mapping[str, CacheRule] | None = None) -> None:
        self.tiers = tiers
        self._rules = rules or {}
        self._reads: dict[tuple[str, str], CachedRead] = {}
        self._telling: set[asyncio.Task[tuple[str, ...]]] = set()

    def read(self, config: SystemConfig, read: Read, fetch: Fetch) -> tuple[Fetch, Peek | None]:
        """The read behind the tiers."""
        made = CachedRead(self._subject(config, read.name, read.parts, read.max_keys), fetch, self.tiers)
        self._reads[config.code, read.name] = made
        return made.call, made.peek

    def search(self, config: SystemConfig, search: Search, fetch: Listing) -> Listing:
        """The list behind the tiers."""
        subject = self._subject(config, search.name, search.parts, 1)
        row_read = partial(self._reads.get, (config.code, search.read or ""))
        return CachedSearch(subject, search, fetch, self.tiers, row_read).call

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Connected to the shared store, where there is one; does not fail because it is down."""
        store = self.tiers.store
        if store is not None:
            await store.open()
        try:
            yield
        finally:
            if store is not None:
                await store.close()

    def changed(self, tags: Iterable[str]) -> None:
        """Let go of what speaks of these ids: here at once, elsewhere as soon as it is said there."""
        found = tuple(tags)
        self.tiers.memory.marks.note(Invalidation(touched(found), self.tiers.clock()))
        if self.tiers.store is not None:
            telling = asyncio.get_running_loop().create_task(self.invalidate(found))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def invalidate(self, tags: Iterable[str], written: Written | None = None) -> tuple[str, ...]:
        """Let go of what speaks of these ids, in every worker; returns all tags concerned. Raises RequestError.

        With ``written``, what is read later is not kept either until the owner's version has passed the write.
        """
        found = touched(tags)
        invalidation = Invalidation(found, self.tiers.clock(), written)
        if self.tiers.store is not None:
            await self.tiers.store.invalidate(invalidation)
        else:
            self.tiers.memory.marks.note(invalidation)
        return found

    def _subject(self, config: SystemConfig, name: str, parts: tuple[Part, ...], max_keys: int) -> Subject:
        types: dict[type, Any] = {}
        made: dict[Policy, Policy] = {}
        for part in parts:
            cls: Any = part.type
            types[part.type] = (list[cls] if part.many else cls) | None
        policies = {part.type: policy_of(part.type, config.cache, self._rules) for part in parts}
        return Subject(
            config.code,
            name,
            types,
            # Equal policies are one: what a request accepts is worked out once for all classes under it.
            {cls: made.setdefault(policy, policy) for cls, policy in policies.items()},
            {part.type: _telling(config.code, part) for part in parts},
            max_keys,
            config.timeout_ms / 1000,
            config.shared_calls,
        )


def _telling(system: str, part: Part) -> Tell:
    cls, by = part.type, part.by

    def tell(key: str, cell: Any) -> tuple[str, ...]:
        rows = cell if isinstance(cell, list) else () if cell is None else (cell,)
        return tags_of(system, cls, by, key, rows)

    return tell
