"""A JSON-over-HTTP system by configuration alone: its tables compiled into reads and searches."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, ClassVar, NamedTuple

from schema.base import KEYS
from schema.errors import (
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import Batch, Bundle, Page, Part, Query, Read, Search, Source
from sources.commands import CommandPort
from sources.events import Message, Told
from sources.http import Pairs, Transport
from sources.references import KINDS, referred
from sources.rest.assemble import Cells, Shape, Trouble, assemble_page, assemble_typed_page
from sources.rest.client import Payload, RestClient
from sources.rest.commands import command_ports
from sources.rest.config import ReadSpec, RestConfig, SearchSpec
from sources.rest.environment import Getter, environment
from sources.rest.events import Events
from sources.rest.filters import Filters
from sources.rest.keys import Call, calls, check_words, encoded, filled_body, key_parts, put, wanted_params
from sources.rest.mapping import Maker, compile_row
from sources.rest.paging import Pager, Turn, below, turn
from sources.rest.parts import link, parse_part
from sources.rest.paths import compile_rows
from sources.rest.typed import Typed, typed
from sources.settings import SystemConfig
from sources.spelling import KeySpelling, Spelling

_WHOLE = (SourceUnavailable, SourceTimeout, SourceThrottled, SourceForbidden)


class Rest(Source):
    """A system whose table says everything. Raises ConfigError where the table cannot be followed."""

    Config: ClassVar[type[SystemConfig]] = RestConfig
    spells: ClassVar[bool] = True

    def __init__(
        self, config: RestConfig, transport: Transport | None = None, *, reference: bool = False
    ) -> None:
        """``transport`` and ``reference``, whether rows are made without generated functions, are for tests."""
        super().__init__(config)
        self.env = environment(config, reference)
        self.client = RestClient(config, transport)
        self._spelled: dict[str, KeySpelling | None] = {}
        self._rows = {name: compile_row(name, spec, self.env) for name, spec in config.rows.items()}
        self._reads = {name: _Reading(self, name, spec) for name, spec in config.reads.items()}
        self._searches = {name: _Searching(self, name, spec) for name, spec in config.searches.items()}
        self._events = Events(config.events, self.env)
        self._commands = command_ports(config.commands, self.env, self.client, config.error_message)

    @property
    def unmapped(self) -> frozenset[tuple[str, str]]:
        """Codes seen that no table has a place for: (field, code)."""
        return frozenset(self.env.unmapped)

    async def open(self) -> None:
        """Resolve secrets and get ready; the system need not answer yet."""
        await self.client.http.open()

    async def close(self) -> None:
        """Give back connections."""
        await self.client.http.close()

    def told(self, message: Message) -> Sequence[Told] | None:
        """What a message says by ``events`` of the table."""
        return self._events.told(message)

    def commands(self) -> Sequence[CommandPort]:
        """The commands of the table."""
        return self._commands

    def clock_skew_ms(self) -> int | None:
        """What the dates of its answers tell."""
        return self.client.http.clock_skew_ms()

    async def ping(self) -> None:
        """Ask what ``ping`` names, else one row of the first list, else for a key that cannot be."""
        deadline = monotonic() + self.config.timeout_ms / 1000
        if self.config.ping is not None:
            params = list(self.config.ping.params.items())
            await self.client.call("GET", self.config.ping.path, deadline=deadline, params=params)
        elif self._searches:
            search = next(iter(self._searches.values()))
            await search.fetch(Query({}, 1, None, frozenset({search.parts[0].type}), deadline))
        else:
            read = next(iter(self._reads.values()))
            key = "/".join("0" for _ in read.keys.names)
            await read.fetch(Batch((key,), frozenset({read.parts[0].type}), deadline))

    def reads(self) -> Sequence[Read]:
        """The reads of the table."""
        return [Read(r.name, r.parts, r.fetch, r.spec.max_keys) for r in self._reads.values()]

    def searches(self) -> Sequence[Search]:
        """The searches of the table."""
        return [
            Search(s.name, s.parts, s.fetch, frozenset(s.spec.filters), s.spec.max_page, s.spec.read)
            for s in self._searches.values()
        ]

    def shape(self, read: str, wants: frozenset[type]) -> Typed | None:
        """The records into which the answers of a read are decoded; None where they are taken as they are."""
        return self._reads[read].typed(wants)

    def spelling(self, kind: str) -> KeySpelling | None:
        """As ``keys`` says, else as the reads that are asked by keys of this kind send them."""
        if kind not in self._spelled:
            found = [r.keys.spellings for r in self._reads.values() if r.kind is KINDS[kind]]
            plain = (Spelling(),) * len(KEYS[KINDS[kind]]["id"])
            fitting = [parts for parts in found if len(parts) == len(plain) and parts != plain]
            derived = KeySpelling(fitting[0]) if fitting else None
            self._spelled[kind] = super().spelling(kind) or derived
        return self._spelled[kind]

    def row(self, name: str, place: str) -> tuple[Mapping[type, Maker], Getter]:
        """The compiled row of this name."""
        if name not in self._rows:
            self.env.fail(place, f"row {name!r} is not in [systems.{self.code}.rows]", self._rows)
        return self._rows[name]


class _Calling:
    """What a read and a search have in common: the call, and the way to the rows."""

    def __init__(
        self, source: Rest, name: str, spec: ReadSpec | SearchSpec, place: str, row: str, parts: Any
    ) -> None:
        self.source = source
        self.name = name
        self.call_spec = spec
        env = source.env
        makers, provenance = source.row(row, place)
        self.parts: tuple[Part, ...] = tuple(parse_part(text, env, f"{place}.parts") for text in parts)
        self.shape = Shape(
            tuple(link(part, makers, env, f"{place}.parts") for part in self.parts),
            provenance,
            env,
            None if spec.row_error is None else Trouble(spec.row_error, env),
        )
        self.rows_of = compile_rows(spec.rows)
        self.pager = Pager(spec.paging)
        self.error = None if spec.error is None else Trouble(spec.error, env)
        self._row_name = row
        self._shapes: dict[frozenset[type], Typed | None] = {}
        for wanted in spec.wanted:
            if wanted not in {part.type.__name__ for part in self.parts}:
                env.fail(f"{place}.wanted", f"{wanted!r} is not among its parts")

    async def send(
        self,
        now: Turn,
        path: str,
        params: Pairs,
        headers: dict[str, str],
        body: dict[str, Any] | None,
        deadline: float,
        missing: frozenset[int] = frozenset(),
        answer_of: Callable[[bytes], tuple[list[Any], Any] | None] | None = None,
    ) -> Payload:
        """One page of the call."""
        spec, client = self.call_spec, self.source.client
        if now.url is not None:
            path, params = below(self.source.config.base_url, now.url)
        elif self.pager.spec.place == "body":
            for name, value in now.params:
                body = put(body or {}, name, _number(value))
        else:
            params = [*params, *now.params]
        sent = encoded(body, headers)
        return await client.call(
            spec.method,
            path,
            deadline=deadline,
            params=params,
            headers=headers,
            body=sent,
            missing=missing,
            answer_of=answer_of,
        )

    def rows(self, payload: Payload) -> list[Any]:
        """The raw rows of an answer; raises the error it carries."""
        if not payload.found:
            return []
        trouble = False if self.error is None else self.error.of(payload.value)
        if trouble is True:
            return []
        if trouble is not False:
            raise trouble
        try:
            return self.rows_of(payload.value)
        except ValueError as error:
            # A whole answer of another form is as good as none: it is the system that is not as agreed.
            raise SourceUnavailable(
                f"{self.source.code}: no rows at {self.call_spec.rows!r} of the answer: {error}"
            ) from error

    def typed(self, wants: frozenset[type]) -> Typed | None:
        """How answers are decoded into records where these classes are wanted; None where they are not."""
        if wants not in self._shapes:
            spec, row = self.call_spec, self.source.config.rows[self._row_name]
            plain = spec.error is None and spec.row_error is None
            place, paths = f"rows.{self._row_name}", self.pager.paths()
            self._shapes[wants] = (
                typed(self.shape.parts, wants, row, place, spec.rows, paths) if plain else None
            )
        return self._shapes[wants]


class _Piece(NamedTuple):
    """Rows of one answer; ``again`` gives them as they are in it where they are records."""

    rows: list[Any]
    again: Callable[[], list[Any]] | None


class _Reading(_Calling):
    """A read: keys in, bundle out."""

    def __init__(self, source: Rest, name: str, spec: ReadSpec) -> None:
        place = f"reads.{name}"
        super().__init__(source, name, spec, place, spec.row, spec.parts)
        self.spec = spec
        first = self.shape.first
        specs = source.config.rows[spec.row].types()[first.part.type.__name__].attributes()
        self.keys = key_parts(spec, first, specs, source.env, place)
        self.kind = referred(first.part.type, first.part.by)
        check_words(spec, self.keys, source.env, place)
        self.paged = spec.paging.style != "none"
        self.echo = spec.echo or (not first.positions and spec.keys is None)
        if spec.keys is not None and (self.echo or not first.positions):
            source.env.fail(
                place,
                f"the rows do not say which key they belong to: map {', '.join(first.attributes)} of "
                f"{first.part.type.__name__}, or leave out keys to make one call a key",
            )

    async def fetch(self, batch: Batch) -> Bundle:
        """The bundle of a batch; raises SourceError where the whole call failed."""
        asked = self.keys.ask(batch.keys)
        cells = Cells(self.shape, asked, batch.wants, self.kind, self.source.report)
        todo = calls(self.spec, self.keys, asked, batch.wants)
        if len(todo) == 1:
            answers = [await self._answer(todo[0], batch)]
        else:
            limit = asyncio.Semaphore(self.spec.parallel)
            answers = await _together([partial(self._in_turn, call, batch, limit) for call in todo])
        failures = [answer for answer in answers if isinstance(answer, SourceError)]
        if failures and len(failures) == len(todo) and (len(todo) == 1 or isinstance(failures[0], _WHOLE)):
            raise failures[0]
        for call, answer in zip(todo, answers, strict=True):
            if isinstance(answer, SourceError):
                cells.fail(call.places, answer)
            else:
                pieces, fetched_at = answer
                for piece in pieces:
                    self._add(cells, piece, fetched_at, call.places[0] if self.echo else None, batch.wants)
        return cells.finish()

    async def _answer(self, call: Call, batch: Batch) -> Any:
        """What one call brought, or why it failed."""
        try:
            return await self._pages(call, batch)
        except SourceError as error:
            return error

    async def _in_turn(self, call: Call, batch: Batch, limit: asyncio.Semaphore) -> Any:
        async with limit:
            return await self._answer(call, batch)

    def _add(
        self, cells: Cells, piece: _Piece, fetched_at: datetime, echo: int | None, wants: frozenset[type]
    ) -> None:
        shape = self.typed(wants)
        if piece.again is None or shape is None:
            cells.add(piece.rows, fetched_at, echo)
        else:
            cells.add_typed(shape, piece.rows, piece.again, fetched_at, echo)

    def _again(self, now: Turn, payload: Payload) -> list[Any]:
        """The rows of a page as they are in the answer."""
        rows = self.rows_of(payload.again())
        return self.pager.cut(now, rows, payload.value, payload.headers)[0] if self.paged else rows

    async def _pages(self, call: Call, batch: Batch) -> tuple[list[_Piece], datetime]:
        """All rows of one call, page by page where the answer goes on, and when the last was fetched."""
        spec, cursor, shape = self.spec, None, self.typed(batch.wants)
        missing = frozenset(spec.missing if spec.keys is None else ())
        answer_of = None if shape is None else shape.answer
        pieces: list[_Piece] = []
        for _ in range(spec.max_pages):
            now = turn(spec.paging, cursor, spec.page_size) if self.paged else Turn()
            payload = await self.send(
                now, call.path, call.params, call.headers, call.body, batch.deadline, missing, answer_of
            )
            rows = self.rows(payload) if payload.typed is None else payload.typed
            if self.paged:
                rows, cursor, _ = self.pager.cut(now, rows, payload.value, payload.headers)
            again = None if payload.typed is None else partial(self._again, now, payload)
            pieces.append(_Piece(rows, again))
            if cursor is None:
                return pieces, payload.fetched_at
        raise SourceRefused(
            f"{self.source.code} has more than {spec.max_pages * spec.page_size} rows for one call of {self.name}",
            hint=f"lower systems.{self.source.code}.reads.{self.name}.max_keys",
        )


async def _together(jobs: list[Any]) -> list[Any]:
    """The results of all jobs in order; none is left running when one is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job()) for job in jobs]
    return [task.result() for task in tasks]


class _Searching(_Calling):
    """A search: a page of keys and what came along."""

    def __init__(self, source: Rest, name: str, spec: SearchSpec) -> None:
        place = f"searches.{name}"
        read = None if spec.read is None else source.config.reads.get(spec.read)
        if spec.read is not None and read is None:
            source.env.fail(place, f"read {spec.read!r} does not exist", source.config.reads)
        row = spec.row or (read.row if read is not None else "")
        parts = spec.parts or (read.parts if read is not None else ())
        super().__init__(source, name, spec, place, row, parts)
        self.spec = spec
        self.filters = Filters(spec, source.env, place)
        first = self.shape.first
        if len(first.positions) != len(first.attributes):
            source.env.fail(place, f"a list needs {', '.join(first.attributes)} of its rows mapped")

    async def fetch(self, query: Query) -> Page:
        """One page; raises SourceError, or BadCursor."""
        filters = self.filters.params(query.filters)
        if filters is None:
            return Page([], {wanted: [] for wanted in query.wants}, None, 0)
        now = turn(self.spec.paging, query.cursor, min(query.first, self.spec.max_page))
        records = self.typed(query.wants)
        payload = await self._ask(now, filters, query, records)
        found = self.rows(payload) if payload.typed is None else payload.typed
        rows, cursor, total = self.pager.cut(now, found, payload.value, payload.headers)
        if payload.typed is None or records is None:
            page = assemble_page(self.shape, rows, query.wants, payload.fetched_at)
        else:
            again = partial(self._again, now, payload)
            page = assemble_typed_page(self.shape, records, rows, again, query.wants, payload.fetched_at)
        page.cursor, page.total = cursor, total
        return page

    def _again(self, now: Turn, payload: Payload) -> list[Any]:
        """The rows of the page as they are in the answer."""
        return self.pager.cut(now, self.rows_of(payload.again()), payload.value, payload.headers)[0]

    async def _ask(
        self, now: Turn, filters: list[tuple[str, str]], query: Query, records: Typed | None
    ) -> Payload:
        spec = self.spec
        params = [*spec.params.items(), *wanted_params(spec, query.wants)]
        body = None if spec.body is None else filled_body(spec.body, {})
        if spec.paging.place == "body":
            grouped: dict[str, list[str]] = {}
            for name, value in filters:
                grouped.setdefault(name, []).append(value)
            for name, values in grouped.items():
                single = self.spec.filters_are_texts(name)
                body = put(body or {}, name, values[0] if single else values)
        else:
            params += filters
        answer_of = None if records is None else records.answer
        headers = dict(spec.headers)
        return await self.send(now, spec.path, params, headers, body, query.deadline, answer_of=answer_of)


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
