"""Reading what a message only pointed at: the system's own rows, live, when nobody more urgent needs it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.events.concluding import CONCLUDE, subject_of
from schema.errors import ConfigError, SourceError, SourceUnavailable
from sources.base import Batch, Lane, Need, Provider, Stale
from sources.catalog import Catalog


class Reader:
    """Reads rows of one system through everything that stands around it: crosswalk, cache, guard.

    What is read is kept by the cache like any other answer, so that those who are told next find it there.
    """

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = time.time) -> None:
        self._catalog, self._clock = catalog, clock

    def provider(self, system: str, cls: type) -> Provider:
        """How a system is asked for rows of a class. Raises ConfigError where it cannot be."""
        if cls in CONCLUDE:
            for tier in self._catalog.tiers(cls, subject_of(cls)[1]):
                for provider in tier:
                    if provider.system == system:
                        return provider
        told = ", ".join(sorted(one.__name__ for one in CONCLUDE))
        raise ConfigError(
            f"systems.{system}.events: nothing can be concluded from {cls.__name__}",
            hint=f"It is one of {told}, and the system has a read of it by its subject.",
        )

    async def rows(
        self, system: str, wanted: Mapping[type, Sequence[str]]
    ) -> dict[tuple[type, str], list[Any] | SourceError]:
        """(class, key) → its rows as they are now, none where the system knows none, or why they could not be had."""
        asked: dict[str, tuple[Provider, dict[str, None], set[type]]] = {}
        for cls, keys in wanted.items():
            provider = self.provider(system, cls)
            place = asked.setdefault(provider.read.name, (provider, {}, set()))
            place[1].update(dict.fromkeys(keys))
            place[2].add(cls)
        found: dict[tuple[type, str], list[Any] | SourceError] = {}
        for provider, named, classes in asked.values():
            every, most = list(named), provider.read.max_keys
            for begin in range(0, len(every), most):
                found |= await self._chunk(system, provider, every[begin : begin + most], frozenset(classes))
        return found

    async def _chunk(
        self, system: str, provider: Provider, keys: Sequence[str], classes: frozenset[type]
    ) -> dict[tuple[type, str], list[Any] | SourceError]:
        timeout = self._catalog.systems[system].source.config.timeout_ms / 1000
        batch = Batch(
            tuple(keys),
            classes,
            time.monotonic() + timeout,
            lane=Lane.BACKGROUND,
            need=Need(within=0.0, arrived=self._clock(), allow_stale=False),
        )
        try:
            bundle = await provider.call(batch)
        except SourceError as error:
            return {(cls, key): error for cls in classes for key in keys}
        return {
            (cls, key): _rows(system, cell)
            for cls in classes
            for key, cell in zip(keys, bundle[cls], strict=True)
        }


def _rows(system: str, cell: Any) -> list[Any] | SourceError:
    if isinstance(cell, SourceError):
        return cell
    if isinstance(cell, Stale):
        return SourceUnavailable(f"{system}: {cell.message}", retry_after=cell.retry_after)
    if cell is None:
        return []
    return list(cell) if isinstance(cell, list) else [cell]
