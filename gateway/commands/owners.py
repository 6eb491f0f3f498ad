"""The owners of what is written: which system takes a write, and how it sees the object right now."""

import time
from typing import Any

from gateway.commands.rules import VIEWS
from schema.base import KEYS, join_key, split_key
from schema.commands import Action, CommandRefused
from schema.errors import SourceError, SourceUnavailable
from schema.integration import UserErrorCode
from sources.base import Batch, Lane, Need, Provider, Stale
from sources.catalog import Catalog
from sources.writing import Taker, Takers

UNSEEN: Any = object()
"""The system offers no view of the object, so that nothing can be said of it."""


class Owners:
    """The connected systems as those who write need them."""

    def __init__(self, catalog: Catalog, takers: Takers) -> None:
        self._catalog, self._takers = catalog, takers

    def taker(self, system: str, action: str) -> Taker | None:
        """The command of a system; None where it is connected no more, or offers it no more."""
        return self._takers.at(system, action)

    async def choose(self, action: Action, key: str, deadline: float) -> Taker:
        """The system that takes an action on an object: of several, the one that holds it.

        Raises CommandRefused where none does, SourceError where that cannot be told now.
        """
        takers = self._takers.of(action, key)
        if not takers:
            raise CommandRefused(
                UserErrorCode.NOT_MAPPED,
                f"No connected {action.owner} takes this write of {key[:80]} through this gateway.",
            )
        if len(takers) == 1:
            return takers[0]
        failed: SourceError | None = None
        for taker in takers:
            try:
                if await self.view(taker.code, action.name, key, deadline) not in (None, UNSEEN):
                    return taker
            except SourceError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        raise CommandRefused(UserErrorCode.NOT_FOUND, "No system that takes this write knows this object.")

    async def view(self, system: str, action: str, key: str, deadline: float) -> Any:
        """The object as a system sees it at this moment: a row, None where it does not know it, or ``UNSEEN``.

        Raises SourceError. ``deadline`` is a ``time.monotonic()`` instant.
        """
        view = VIEWS[action]
        provider = self._catalog.provider(system, view)
        if provider is None:
            return UNSEEN
        parts = split_key(key)
        asked = join_key(*parts[: len(next(iter(KEYS[view].values())))])
        cell = await _read(provider, view, asked, deadline)
        if not provider.part.many:
            return cell
        return next((row for row in cell or () if row.number == parts[-1]), None)


async def _read(provider: Provider, view: type, key: str, deadline: float) -> Any:
    need = Need(within=0.0, arrived=time.time(), allow_stale=False)
    batch = Batch((key,), frozenset({view}), deadline, lane=Lane.APP, need=need)
    cell = (await provider.call(batch))[view][0]
    if isinstance(cell, Stale):
        raise SourceUnavailable(f"{provider.system} could only be read as it was: {cell.message}")
    if isinstance(cell, SourceError):
        raise cell
    return cell
