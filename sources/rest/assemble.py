"""From the raw rows of an answer to the cells of a bundle: every row to the key it belongs to. Pure."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schema.base import Provenance, join_key
from schema.errors import MappingError, SourceError, SourceRefused, SourceUnavailable
from sources.base import Bundle, Page, Report, unheard
from sources.rest.conditions import word
from sources.rest.config import ErrorSpec
from sources.rest.doubts import Doubts
from sources.rest.environment import Context, Environment, Getter
from sources.rest.filling import whole_keys
from sources.rest.parts import Asked, Linked
from sources.rest.paths import compile_path
from sources.rest.typed import Typed

log = logging.getLogger("crossdock.mapping")
MESSAGE = 120
_NOT_YET: Any = None


class Trouble:
    """Finds the error a row or an answer of status 200 carries."""

    def __init__(self, spec: ErrorSpec, env: Environment) -> None:
        self._env = env
        self._path = compile_path(spec.path)
        self._message = compile_path(spec.message or spec.path)
        self._missing = frozenset(spec.missing)

    def of(self, row: Any) -> SourceError | bool:
        """The error; True where it only means that the key is not known; False where there is none."""
        ctx: Any = None
        if not isinstance(row, dict):
            return False
        try:
            code = self._path(row, None, ctx)
        except (ValueError, AttributeError):
            return False
        if code is None or code == "" or code is False:
            return False
        if word(code) in self._missing:
            return True
        said = self._message(row, None, ctx)
        text = (
            said
            if isinstance(said, str)
            else word(code)
            if not isinstance(code, (dict, list))
            else "an error"
        )
        return SourceUnavailable(f"{self._env.system} said: {text[:MESSAGE]}")


@dataclass(slots=True)
class Shape:
    """A row of an answer and the parts made of it."""

    parts: tuple[Linked, ...]
    provenance: Getter
    env: Environment
    trouble: Trouble | None = None

    @property
    def first(self) -> Linked:
        """The part whose keys are asked."""
        return self.parts[0]

    def context(self, row: Any, fetched_at: datetime) -> Context:
        """The context of a raw row, with its provenance."""
        ctx = Context(fetched_at, _NOT_YET)
        try:
            ctx.provenance = self.provenance(row, None, ctx)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            # Only the age of the payload is lost: the facts themselves are still worth showing.
            ctx.provenance = Provenance(self.env.system, fetched_at)
            self.env.unknown("provenance", str(error))
        return ctx


@dataclass(slots=True)
class Cells:
    """The bundle of one batch while it is filled."""

    shape: Shape
    asked: Asked
    wants: frozenset[type]
    kind: type | None = None
    report: Report = unheard
    bundle: Bundle = field(init=False)
    stray: SourceError | None = None
    doubts: Doubts = field(init=False)
    _found: set[int] = field(default_factory=set)
    _simple: bool = False

    def __post_init__(self) -> None:
        size = len(self.asked.ours)
        self._simple = self.asked.simple
        self.doubts = Doubts(self.asked, self.shape.env.system, self.kind, self.report)
        self.bundle = {linked.part.type: [None] * size for linked in self._wanted()}

    def _wanted(self) -> list[Linked]:
        return [linked for linked in self.shape.parts if linked.part.type in self.wants]

    def fail(self, places: Iterable[int], error: SourceError) -> None:
        """Put an error where keys have nothing yet."""
        for cells in self.bundle.values():
            for place in places:
                if cells[place] is None or isinstance(cells[place], list):
                    cells[place] = error

    def add(self, rows: Sequence[Any], fetched_at: datetime, echo: int | None) -> None:
        """Take in the raw rows of one answer; with ``echo`` all belong to that key."""
        wanted = self._wanted()
        for row in rows:
            ctx = self.shape.context(row, fetched_at)
            try:
                places = self._places(row, ctx, echo)
            except MappingError as error:
                self.stray = error
                continue
            trouble = False if self.shape.trouble is None else self.shape.trouble.of(row)
            if trouble is True:
                continue
            if trouble is not False:
                self._blame(places, trouble)
                continue
            doubts = self.doubts.row
            for linked in wanted:
                if len(places) == 1 and self._quick(linked, row, ctx, places[0], echo):
                    continue
                self.doubts.row = doubts
                self._part(linked, row, ctx, places, echo)

    def add_typed(
        self,
        shape: Typed,
        rows: Sequence[Any],
        again: Callable[[], list[Any]],
        fetched_at: datetime,
        echo: int | None,
    ) -> None:
        """Take in the rows of one answer as records; one that is not regular as it is in the answer."""
        raw: list[Any] = []

        def odd(at: int) -> None:
            if not raw:
                raw.extend(again())
            self.add([raw[at]], fetched_at, echo)

        places = self._places_of(echo)
        if places is None:
            self.add(again(), fetched_at, echo)
            return
        columns = [self.bundle[linked.part.type] for linked in self._wanted()]
        several = self.asked.several if echo is None else lambda _: [echo]
        ctx, asked = Context(fetched_at, _NOT_YET), self.asked
        shape.fill(rows, ctx, places, several, asked.expected, self._found, columns, odd)

    def _places_of(self, echo: int | None) -> Mapping[Any, int] | None:
        """What rows say of their key → its place, as generated functions look it up; None where they must not."""
        first, asked = self.shape.first, self.asked
        if not self._simple:
            return None
        if whole_keys(first):
            return {}
        size = len(first.attributes)
        if echo is None:
            return asked.single(first.positions, size)
        return _Always(echo) if len(asked.expected[echo]) == size else None

    def _quick(self, linked: Linked, row: Any, ctx: Context, place: int, echo: int | None) -> bool:
        """Make all of a part by its generated function; False where anything is out of the ordinary."""
        key, cells = self.asked.expected[place], self.bundle[linked.part.type]
        if place in self.asked.cut or not _fits(linked, cells[place], key) or _own(linked, echo):
            return False
        try:
            made = linked.cell(row, ctx, key)
        except Exception:
            return False
        _put(linked, cells, place, made)
        return True

    def _blame(self, places: list[int], error: SourceError) -> None:
        if places:
            self.fail(places, error)
        else:
            self.stray = error

    def _places(self, row: Any, ctx: Context, echo: int | None) -> list[int]:
        first = self.shape.first
        if echo is not None:
            told = first.keys(row, None, ctx) if first.positions and not first.maker.each else []
            if not self.doubts.may_be(echo, first.positions, told):
                self.doubts.unasked(first, told[0])
                return []
            places = self.doubts.settled([echo], first.positions, told)
        elif first.maker.each:
            return []
        else:
            places = self._match(first, row, None, ctx)
        for place in places:
            if place not in self._found:
                self._found.add(place)
                self._list(place)
        return places

    def _list(self, place: int) -> None:
        for linked in self._wanted():
            cells = self.bundle[linked.part.type]
            if linked.part.many and cells[place] is None:
                cells[place] = []

    def _match(self, linked: Linked, row: Any, up: Any, ctx: Context) -> list[int]:
        keys = linked.keys(row, up, ctx)
        if self._simple and len(keys) == 1 and (known := self.asked.find(linked.positions, keys[0])):
            return known
        found: dict[int, None] = {}
        for key in keys:
            if self.doubts.sound(linked, key):
                found.update(dict.fromkeys(self.asked.find(linked.positions, key)))
        if keys and not found and not linked.maker.each:
            self.doubts.unasked(linked, keys[0])
        return self.doubts.settled(list(found), linked.positions, keys)

    def _part(self, linked: Linked, row: Any, ctx: Context, places: list[int], echo: int | None) -> None:
        cells = self.bundle[linked.part.type]
        own = _own(linked, echo)
        try:
            for entry, around in linked.maker.rows(row, None, ctx):
                for place in self._match(linked, entry, around, ctx) if own else places:
                    self._put(linked, cells, place, entry, around, ctx)
        except (MappingError, ValueError, TypeError, AttributeError, LookupError) as error:
            found = (
                error
                if isinstance(error, MappingError)
                else MappingError(f"systems.{self.shape.env.system}.{linked.maker.place}.each: {error}")
            )
            for place in places:
                cells[place] = found
            if not places:
                self.stray = found

    def _put(
        self, linked: Linked, cells: list[Any], place: int, entry: Any, around: Any, ctx: Context
    ) -> None:
        held = cells[place]
        if isinstance(held, SourceError) or (held is not None and not linked.part.many):
            return
        try:
            made = linked.make(entry, around, ctx, self.asked, place)
        except MappingError as error:
            cells[place] = error
            return
        self.doubts.mark(made, place)
        if linked.part.many:
            cells[place] = [made] if held is None else held
            if held is not None:
                held.append(made)
        else:
            cells[place] = made

    def finish(self) -> Bundle:
        """The bundle: what no row spoke of is not known; a list nothing was found for is empty."""
        if self.stray is not None:
            # A row without a readable key may be any of those not found: they are unknown, not absent.
            self.fail([i for i in range(len(self.asked.ours)) if i not in self._found], self.stray)
            log.warning("%s", self.stray)
        clashes = self.doubts.clashes()
        for cells in self.bundle.values() if clashes else ():
            for place in clashes:
                cells[place] = SourceRefused(f"{self.shape.env.system} cannot tell these keys apart")
        if self.shape.first.part.many:
            for linked in self._wanted():
                cells = self.bundle[linked.part.type]
                cells[:] = [[] if cell is None and linked.part.many else cell for cell in cells]
        return self.bundle


class _Always(dict[Any, int]):
    """The one place that every row belongs to."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._place = place

    def __missing__(self, _: Any) -> int:
        return self._place


def _fits(linked: Linked, held: Any, key: tuple[str, ...]) -> bool:
    """Whether a cell is still open for a row of an ordinary key."""
    free = held is None or (linked.part.many and held.__class__ is list)
    return free and len(key) == len(linked.attributes)


def _put(linked: Linked, cells: list[Any], place: int, made: Any) -> None:
    """Put a row into its open cell, or add rows to it."""
    if linked.part.many and cells[place] is not None:
        cells[place] += made
    else:
        cells[place] = made


def _own(linked: Linked, echo: int | None) -> bool:
    """Whether every entry of a nested list says itself whose it is."""
    return echo is None and bool(linked.positions) and bool(linked.maker.each)


def assemble_typed_page(
    shape: Shape,
    records: Typed,
    rows: Sequence[Any],
    again: Callable[[], list[Any]],
    wants: frozenset[type],
    fetched_at: datetime,
) -> Page:
    """The same of rows that are records."""
    ctx = Context(fetched_at, _NOT_YET)
    try:
        keys = list(dict.fromkeys([records.told(row, None, ctx) for row in rows]))
    except Exception:
        return assemble_page(shape, again(), wants, fetched_at)
    if whole_keys(shape.first) or not all(None not in key for key in keys):
        return assemble_page(shape, again(), wants, fetched_at)
    cells = Cells(shape, Asked(keys, keys, keys), wants)
    cells.add_typed(records, rows, again, fetched_at, None)
    return Page([join_key(*key) for key in keys], cells.finish())


def assemble_page(shape: Shape, rows: Sequence[Any], wants: frozenset[type], fetched_at: datetime) -> Page:
    """The keys of a page's rows and what came along."""
    first = shape.first
    slots: dict[tuple[str, ...], None] = {}
    good: list[Any] = []
    for row in rows:
        ctx = shape.context(row, fetched_at)
        try:
            for entry, around in first.maker.rows(row, None, ctx):
                slots.update(dict.fromkeys(first.keys(entry, around, ctx)))
            good.append(row)
        except MappingError as error:
            # Without its key a row has no place on the page; it is told, not hidden.
            log.warning("%s", error)
    keys = list(slots)
    cells = Cells(shape, Asked(keys, keys, keys), wants)
    cells.add(good, fetched_at, None)
    return Page([join_key(*key) for key in keys], cells.finish())
