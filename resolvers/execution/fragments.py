"""The bytes of rows that come again: a row out of a cache is the same object at every request, and is written once.

Bounded for the whole process: where all that is kept grows too large, all of it is let go.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from operator import is_
from typing import Any
from weakref import WeakSet

from resolvers.context import Context
from resolvers.loaders import Given, Listed, Loaders
from resolvers.pages import same_page

MOST_BYTES = 64 << 20
ROW_BYTES = 600
"""About what a row takes that nobody else holds any more."""
MOST_LEVELS = 1_000
"""More levels of one selection than these are not told apart at a time."""


class _Kept(ABC):
    """Something that is let go when all that is kept grows too large."""

    __slots__ = ("__weakref__",)

    def __init__(self) -> None:
        _all.add(self)

    @abstractmethod
    def clear(self) -> None:
        """Let go of everything."""


class Fragments(_Kept):
    """What one selection has written of its rows: the row (so that its place in memory is its own) and the bytes."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, tuple[Any, Any]] = {}

    def keep(self, row: Any, data: Any, size: int) -> tuple[Any, Any]:
        """Keep the bytes of a row, and give back what is kept."""
        _budget.spend(size + ROW_BYTES)
        kept = self.rows[id(row)] = (row, data)
        return kept

    def clear(self) -> None:
        """Let go of everything."""
        self.rows.clear()


class Whole:
    """The JSON of some rows with all that is below them, and the page and the cells that it was made of, in their order."""

    __slots__ = ("_context", "_given", "_page", "data", "rows")

    def __init__(
        self,
        rows: list[Any],
        data: list[bytes],
        page: Listed | None,
        given: Sequence[Given],
        context: Context,
    ) -> None:
        self.rows, self.data = rows, data
        self._page, self._given = page, given
        self._context = _settings(context)

    async def holds(self, loaders: Loaders, context: Context) -> bool:
        """Whether it would be made of the very same cells now.

        All of them are loaded as for an answer that is put together anew, so that everything said of them is said.
        """
        if self._context != _settings(context):
            return False
        if self._page is not None and not await same_page(context, loaders, self._page):
            return False
        return all(map(loaders.gives, self._given))


def _settings(context: Context) -> tuple[object, ...]:
    """What decides on an answer besides the document and what is loaded: how the gateway is configured."""
    return context.systems, context.aliases, context.max_page


class Levels(_Kept):
    """What comes again of one selection: the very same rows, over the very same cells.

    Each stands at a place of its own. It is kept when its place comes for the second time: what is read for one
    request only never does.
    """

    __slots__ = ("_kept", "_seen")

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[Hashable, Whole] = {}
        self._seen: dict[Hashable, None] = {}

    def find(self, place: Hashable, rows: Sequence[Any]) -> Whole | None:
        """What is kept of these rows."""
        whole = self._kept.get(place)
        return whole if whole is not None and all(map(is_, whole.rows, rows)) else None

    def expected(self, place: Hashable) -> bool:
        """Whether a place was here before. It is, from now on."""
        if place in self._seen:
            return True
        if len(self._seen) >= MOST_LEVELS:
            self._seen.clear()
            self._kept.clear()
        self._seen[place] = None
        return False

    def keep(
        self,
        place: Hashable,
        rows: Sequence[Any],
        data: list[bytes],
        given: Sequence[Given | Listed | None],
        context: Context,
    ) -> None:
        """Keep what needed no waiting, unless something went into it that is not to be given again."""
        pages = [one for one in given if isinstance(one, Listed)]
        sound = not (context.flawed or context.missed or context.unmet)
        if sound and None not in given and len(pages) <= 1:
            # Facts and edges beside each other read the same: it is looked at once.
            cells_of = [one for one in given if isinstance(one, Given)]
            told = list({(id(one.provider), one.cls, *one.keys): one for one in cells_of}.values())
            cells = len(rows) + sum([len(one.keys) for one in told])
            _budget.spend(sum(map(len, data)) + ROW_BYTES * cells)
            self._kept[place] = Whole(list(rows), data, pages[0] if pages else None, told, context)

    def clear(self) -> None:
        """Let go of everything."""
        self._seen.clear()
        self._kept.clear()


class _Budget:
    def __init__(self) -> None:
        self.used = 0

    def spend(self, size: int) -> None:
        self.used += size
        if self.used > MOST_BYTES:
            for kept in list(_all):
                kept.clear()
            self.used = size


_all: WeakSet[_Kept] = WeakSet()
_budget = _Budget()
