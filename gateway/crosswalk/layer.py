"""The crosswalk around every read and list: keys go out as the system's, rows come back with ours.

Two things are done for a system: the entries of the table, and the spelling of its keys where its adapter does not spell
itself. An entry wins. What neither has a word for passes as it is, and a system without entries costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.crosswalk.table import Table
from gateway.crosswalk.translation import Translation
from schema.base import split_key
from schema.commerce import Party
from schema.equipment import WorkCenter
from schema.errors import SourceError
from schema.matching import Reason, Unmatched
from schema.material import Item
from sources.base import (
    Batch,
    Bundle,
    Cell,
    Fetch,
    Filter,
    Listing,
    Page,
    Peek,
    Query,
    Read,
    Report,
    Search,
    Source,
)
from sources.matching import maybe_cut
from sources.references import referred
from sources.settings import SystemConfig

FILTERED: dict[str, type] = {
    "items": Item,
    "work_centers": WorkCenter,
    "carriers": Party,
    "customers": Party,
    "suppliers": Party,
    "ship_from": Party,
}
"""Filters of lists whose values are keys."""


class CrosswalkLayer:
    """Translates between our keys and the systems'. ``table`` gives the entries as they are now."""

    def __init__(self, sources: Sequence[Source], table: Callable[[], Table], report: Report) -> None:
        self._sources = {source.code: source for source in sources}
        self._table, self._report = table, report

    def read(self, config: SystemConfig, read: Read, fetch: Fetch) -> tuple[Fetch, Peek | None]:
        """The read with keys translated."""
        first = read.parts[0]
        kind = referred(first.type, first.by)

        async def translated(batch: Batch) -> Bundle:
            words = self._words(config.code)
            return await fetch(batch) if words is None else await _asked(words, kind, batch, fetch)

        return translated, None

    def search(self, config: SystemConfig, search: Search, fetch: Listing) -> Listing:
        """The list with the keys in filters and rows translated."""
        first = search.parts[0]
        kind = referred(first.type, first.by)

        async def translated(query: Query) -> Page:
            words = self._words(config.code)
            return await fetch(query) if words is None else await _listed(words, kind, query, fetch)

        return translated

    def ours(self, system: str, kind: type, theirs: str) -> str | None:
        """Our key for one that a system named.

        None where it looks like a key of ours that the system calls differently, and where the system may have cut it and
        no entry says whose it is: then it may be any of several.
        """
        side, source = self._table().sides.get(system), self._sources.get(system)
        known = side is not None and side.of_theirs(kind.__name__, theirs) is not None
        spelling = None if source is None or known else source.spelling(kind.__name__)
        if spelling is not None and maybe_cut(spelling, theirs):
            raw = split_key(theirs)[-1]
            self._report(Unmatched(system, kind.__name__, raw, theirs, Reason.TRUNCATED))
            return None
        words = self._words(system)
        return theirs if words is None else words.inward(kind, theirs)

    def theirs(self, system: str, kind: type, key: str) -> str | None:
        """Our key as the system is asked by it; None where its key of that look is another thing's."""
        words = self._words(system)
        return key if words is None else words.outward(kind, key)

    def _words(self, code: str) -> Translation | None:
        """What there is to translate for a system at this moment; None for most."""
        side = self._table().sides.get(code)
        source = self._sources.get(code)
        if source is None or (side is None and (source.spells or not source.config.keys)):
            return None
        return Translation(source, side, self._report)


async def _asked(words: Translation, kind: type | None, batch: Batch, fetch: Fetch) -> Bundle:
    """One batch: distinct keys of the system out, a cell for every key of ours back."""
    sent = [key if kind is None else words.outward(kind, key) for key in batch.keys]
    places: dict[str, list[int]] = {}
    for place, theirs in enumerate(sent):
        if theirs is not None:
            places.setdefault(theirs, []).append(place)
    found: Bundle = {}
    if places:
        found = await fetch(replace(batch, keys=tuple(places)))
    bundle: Bundle = {cls: [None] * len(batch.keys) for cls in batch.wants | set(found)}
    for at, (theirs, mine) in enumerate(places.items()):
        keys = [batch.keys[place] for place in mine]
        clash = words.clash(kind, theirs, keys) if len(mine) > 1 and kind is not None else None
        for cls, cells in found.items():
            for place in mine:
                bundle[cls][place] = clash or _cell(words, cells[at], (kind, theirs, batch.keys[place]))
    return bundle


async def _listed(words: Translation, kind: type | None, query: Query, fetch: Listing) -> Page:
    filters = _filters(words, query.filters)
    if filters is None:
        return Page([], {cls: [] for cls in query.wants}, None, 0)
    page = await fetch(replace(query, filters=filters))
    keys = [key if kind is None else words.inward(kind, key) for key in page.keys]
    kept = [place for place, key in enumerate(keys) if key is not None]
    bundle = {
        cls: [_cell(words, cells[place], (kind, page.keys[place], keys[place])) for place in kept]
        for cls, cells in page.bundle.items()
    }
    return replace(page, keys=[key for key in keys if key is not None], bundle=bundle)


def _filters(words: Translation, filters: Mapping[str, Filter]) -> dict[str, Filter] | None:
    """The filters in the system's keys; None where it has none of the wanted ones."""
    found = dict(filters)
    for name, kind in FILTERED.items():
        values = filters.get(name)
        if isinstance(values, tuple):
            known = [one for value in values if (one := words.outward(kind, value)) is not None]
            if values and not known:
                return None
            found[name] = tuple(dict.fromkeys(known))
    return found


Asked = tuple[type | None, str, str | None]


def _cell(words: Translation, cell: Cell, asked: Asked) -> Cell:
    if cell is None or isinstance(cell, SourceError):
        return cell
    if isinstance(cell, list):
        return [words.row(row, *asked) for row in cell]
    return words.row(cell, *asked)
