"""Lists behind the tiers: a page is a cell like any other, under the question that it answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from gateway.cache.labels import labelled
from gateway.cache.policy import tightest
from gateway.cache.reading import CachedRead, Subject, Tiers
from gateway.cache.store import Tell
from gateway.cache.tags import list_tags, tags_of
from schema.errors import SourceError
from sources.base import Batch, Bundle, Cell, Filter, Listing, Page, Part, Query, Search, Stale

MOST_COLUMNS = 64
"""More combinations of wanted classes than these are not kept apart; documents ask for few."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the pages of one combination of wanted classes look like."""

    types: tuple[type, ...]
    leaf: type
    read: CachedRead


class CachedSearch:
    """One list of one system with its tiers. ``row_read`` is the read whose rows these are, where there is one."""

    def __init__(
        self,
        subject: Subject,
        search: Search,
        fetch: Listing,
        tiers: Tiers,
        row_read: Callable[[], CachedRead | None],
    ) -> None:
        self._subject = subject
        self._search = search
        self._fetch = fetch
        self._tiers = tiers
        self._row_read = row_read
        self._by_wants: dict[frozenset[type], _Columns] = {}

    async def call(self, query: Query) -> Page:
        """A page, as fresh as needed; raises SourceError."""
        columns = self._columns(query.wants)
        batch = Batch(
            (question(query),),
            frozenset({columns.leaf}),
            query.deadline,
            query.scope,
            query.lane,
            query.need,
            query.tally,
        )
        cell = (await columns.read.call(batch))[columns.leaf][0]
        if isinstance(cell, SourceError):
            raise cell
        return _page(columns, cell)

    def _columns(self, wants: frozenset[type]) -> _Columns:
        known = self._by_wants.get(wants)
        if known is None:
            if len(self._by_wants) >= MOST_COLUMNS:
                self._by_wants.clear()
            known = self._by_wants[wants] = self._made(wants)
        return known

    def _made(self, wants: frozenset[type]) -> _Columns:
        subject = self._subject
        parts = [part for part in self._search.parts if part.type in wants]
        types = tuple([part.type for part in parts])
        leaf = leaf_of(parts)
        policy = tightest([subject.policies[cls] for cls in types])
        names = "+".join([cls.__name__ for cls in types])

        async def fetch(batch: Batch) -> Bundle:
            return {leaf: await asyncio.gather(*[self._leaf(leaf, types, key, batch) for key in batch.keys])}

        read = CachedRead(
            Subject(
                subject.system,
                f"{self._search.name}({names})",
                {leaf: leaf | None},
                {leaf: policy},
                {leaf: self._tell(parts)},
                max_keys=1,
                timeout=subject.timeout,
                shared=subject.shared,
                sound=_sound,
            ),
            fetch,
            self._tiers,
        )
        return _Columns(types, leaf, read)

    async def _leaf(self, leaf: type, types: Sequence[type], key: str, batch: Batch) -> Cell:
        """Ask for one page. Its rows are kept by themselves as well; a page with failed rows is not kept whole."""
        query = asked(key, frozenset(types), batch)
        sent = self._tiers.clock()
        page = await self._fetch(query)
        batch.tally.calls += query.tally.calls
        row_read = self._row_read()
        if row_read is not None:
            row_read.adopt(page.keys, page.bundle, sent, batch.scope)
        return leaf(page.keys, page.cursor, page.total, *[page.bundle[cls] for cls in types])

    def _tell(self, parts: Sequence[Part]) -> Tell:
        system, kind = self._subject.system, parts[0].type

        def tell(_: str, leaf: Any) -> tuple[str, ...]:
            found: dict[str, None] = dict.fromkeys(list_tags([kind]))
            for part, column in zip(parts, leaf.columns, strict=True):
                for key, cell in zip(leaf.keys, column, strict=True):
                    rows = cell if isinstance(cell, list) else () if cell is None else (cell,)
                    found.update(dict.fromkeys(tags_of(system, part.type, part.by, key, rows)))
            return tuple(found)

        return tell


def _sound(leaf: Any) -> bool:
    return not any(issubclass(kind, SourceError) for column in leaf.columns for kind in {*map(type, column)})


def leaf_of(parts: Sequence[Part]) -> type:
    """The class of a kept page of these parts: its keys, how to go on, and one column a part."""
    names = [f"column_{number}" for number in range(len(parts))]
    cells: list[Any] = []
    for part in parts:
        cls: Any = part.type
        cells.append(list[list[cls] | None] if part.many else list[cls | None])
    columns = attrgetter(*names) if len(names) > 1 else lambda leaf: (getattr(leaf, names[0]),)
    return make_dataclass(
        "KeptPage",
        [("keys", list[str]), ("cursor", str | None), ("total", int | None), *zip(names, cells, strict=True)],
        namespace={"columns": property(columns)},
        slots=True,
    )


def question(query: Query) -> str:
    """What a page answers, as text: two queries with the same text have the same answer for the same scope."""
    filters = {name: _plain(value) for name, value in sorted(query.filters.items())}
    return msgspec.json.encode([filters, query.first, query.cursor]).decode()


def asked(text: str, wants: frozenset[type], batch: Batch) -> Query:
    """The query of a text, to be asked within a batch's bounds."""
    filters, first, cursor = msgspec.json.decode(text)
    said: dict[str, Filter] = {name: _filter(value) for name, value in filters.items()}
    return Query(said, first, cursor, wants, batch.deadline, batch.scope, batch.lane)


def _plain(value: Filter) -> Any:
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    return value if isinstance(value, str) else list(value)


def _filter(value: Any) -> Filter:
    if isinstance(value, Mapping):
        return datetime.fromisoformat(value["at"])
    return value if isinstance(value, str) else tuple(value)


def _page(columns: _Columns, cell: Any) -> Page:
    leaf = cell.value if isinstance(cell, Stale) else cell
    rows: list[list[Cell]] = list(leaf.columns)
    if not isinstance(cell, Stale):
        return Page(leaf.keys, dict(zip(columns.types, rows, strict=True)), leaf.cursor, leaf.total)
    marked = [[_labelled(found, cell) for found in column] for column in rows]
    return Page(leaf.keys, dict(zip(columns.types, marked, strict=True)), leaf.cursor, leaf.total, cell)


def _labelled(cell: Cell, stale: Stale) -> Cell:
    if isinstance(cell, list):
        return [labelled(row, stale.reason) for row in cell]
    return cell if cell is None or isinstance(cell, SourceError) else labelled(cell, stale.reason)
