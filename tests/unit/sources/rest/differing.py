"""What the tests of generated functions share: a system beside its reference, and payloads with something odd in them."""

import copy
import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any

from schema.errors import SourceError
from schema.matching import Unmatched
from sources.base import Batch, Bundle, Page, Query
from sources.http import Answer, Heard, Request
from sources.rest.config import RestConfig
from sources.rest.source import Rest

ODD: list[Any] = [
    None, "", " ", "X", "-", "0", "1", "007", " 12 ", "12-", "1e3", "1e99", "NaN", "9" * 30, "??", "PT5M", "/Date(1)/",
    "/Date(9999999999999999)/", "2026-02-30", "20260101000000", 0, 1, -1, 7, 10**17, 1.5, True, False, [], {}, [None],
    ["a", "b"], {"a": 1}, [[1]], [{}], [{"number": "1"}], "a|b", "1710/7", "ä", "x" * 200,
]  # fmt: skip


@dataclass
class Canned:
    """A transport that answers every request with the body at hand."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, request: Request, heard: Heard) -> Answer:
        """Answer."""
        return Answer(200, self.headers, self.body)


@dataclass
class Port:
    """A read or list with a payload of the demo, and the keys that were asked."""

    system: str
    name: str
    payload: Any
    keys: tuple[str, ...] | None


class Pair:
    """A system as it is, and as the reference has it, in front of the same answers."""

    def __init__(self, config: RestConfig) -> None:
        self.canned = Canned()
        self.both = [Rest(config, self.canned, reference=reference) for reference in (False, True)]
        self.told: list[list[Unmatched]] = [[], []]
        for source, told in zip(self.both, self.told, strict=True):
            source.report = told.append

    async def outcomes(self, port: Port, body: bytes) -> list[Any]:
        """What both say to a body."""
        self.canned.body = body
        return [await self._outcome(source, port) for source in self.both]

    @staticmethod
    async def bundle(source: Rest, name: str, keys: tuple[str, ...]) -> Bundle:
        """What an open source says of some keys."""
        read = next(one for one in source.reads() if one.name == name)
        wants = frozenset(part.type for part in read.parts)
        return await read.fetch(Batch(keys, wants, time.monotonic() + 20))

    async def _outcome(self, source: Rest, port: Port) -> Any:
        await source.open()
        soon = time.monotonic() + 20
        try:
            if port.keys is None:
                search = next(one for one in source.searches() if one.name == port.name)
                wants = frozenset(part.type for part in search.parts)
                return shown(await search.fetch(Query({}, 50, None, wants, soon)))
            read = next(one for one in source.reads() if one.name == port.name)
            return shown(
                await read.fetch(Batch(port.keys, frozenset(part.type for part in read.parts), soon))
            )
        except SourceError as error:
            return shown(error)
        finally:
            await source.close()


def shown(value: Any) -> Any:
    """A result to the last detail, but for the time at which it was fetched."""
    if isinstance(value, BaseException):
        return type(value).__name__, str(value), getattr(value, "hint", None)
    if isinstance(value, Page):
        return value.keys, shown(value.bundle), value.cursor, value.total
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in dataclasses.fields(value) if one.name != "fetched_at"]
        return type(value).__name__, [(name, shown(getattr(value, name))) for name in names]
    if isinstance(value, dict):
        return {key.__name__: shown(cells) for key, cells in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [shown(one) for one in value]
    return type(value).__name__, repr(value)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a payload, the payload itself left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, one in inner for place in ((*way, name), *places(one, (*way, name)))]


def mutated(payload: Any, place: tuple[Any, ...], odd: Any, drop: bool) -> None:
    """Put something odd at a place, or nothing, as far as it is still there."""
    at = payload
    for name in place[:-1]:
        if not isinstance(at, dict | list) or (isinstance(at, dict) and name not in at):
            return
        if isinstance(at, list) and not (isinstance(name, int) and name < len(at)):
            return
        at = at[name]
    if isinstance(at, dict) and drop:
        at.pop(place[-1], None)
    elif isinstance(at, dict) or (
        isinstance(at, list) and isinstance(place[-1], int) and place[-1] < len(at)
    ):
        at[place[-1]] = copy.deepcopy(odd)
