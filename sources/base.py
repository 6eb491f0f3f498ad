"""The port: what the gateway asks of a system, and nothing else.

A source offers *reads*: a batch of keys in, a bundle of canonical rows out. One payload often serves several classes
(an ERP order is identity, planning and posting at once), so a read states its *parts*, and a hop is counted per
(system, read), never per class. *Searches* list keys page by page and bring the same parts along.

Adapters raise ``schema.errors.SourceError`` for a whole call, or put one into the bundle for a single key. They do not
retry, cache or limit: policy is the guard's. They do not split large batches: the caller honours ``max_keys``.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar

from schema.base import KEYS, SourceOutcome
from schema.matching import Unmatched
from sources.commands import CommandPort
from sources.events import Message, Told
from sources.references import KINDS
from sources.settings import SystemConfig
from sources.spelling import KeySpelling, Spelling

Cell: TypeAlias = Any
"""A row, None (the system does not know the key), a list of rows (many), or a SourceError for this key.

Above the layers (see ``Layer``) it may also be a ``Stale``: a value older than it should be, with the reason.
"""
Bundle: TypeAlias = dict[type, list[Cell]]
"""Per class one cell a key, in the order of the keys."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The actor's effective row filter; None means no restriction. Part of every call and of every cache key."""

    plants: frozenset[str] | None = None
    parties: frozenset[str] | None = None


EVERYTHING = Scope()


class Lane(IntEnum):
    """Who waits for a call, the most urgent first. Where a system is busy, the smaller number goes first."""

    SHOP_FLOOR = 0
    APP = 1
    ANALYTICS = 2
    BACKGROUND = 3


@dataclass(frozen=True, slots=True)
class Written:
    """A write that must be visible: what it touched, when, and how the owner's version tells that it has arrived.

    ``tags`` are ids of the gateway. ``version`` is the owner's version after the write, ``before`` the one before it,
    where they are known; ``at`` is in seconds since the epoch. Without tags it touches everything.
    """

    at: float
    tags: frozenset[str] = frozenset()
    system: str | None = None
    version: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """How fresh values must be.

    ``within``: oldest acceptable age in seconds when the request arrived; None leaves it to the policy of the system.
    ``arrived``: when the request did, in seconds since the epoch. ``allow_stale``: whether an older value may be given,
    marked, where no fresh one can be had.
    """

    within: float | None = None
    arrived: float = 0.0
    allow_stale: bool = True
    written: Written | None = None


WHATEVER = Need()
"""As fresh as the policy of each system says."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A value that is older than it should be, given because no fresh one could be had (or is on its way).

    ``met`` tells whether the request's own need is met all the same; if not, the path says FRESHNESS_NOT_MET.
    The rows inside carry ``stale_reason`` in their provenance.
    """

    value: Any
    read_at: float
    reason: SourceOutcome
    message: str
    met: bool = True
    retry_after: float | None = None


class Lifetime(NamedTuple):
    """How long a value may be used: ``max_age`` seconds from when it was read, in seconds since the epoch."""

    max_age: float
    read_at: float

    @property
    def ends(self) -> float:
        """When it is over, in seconds since the epoch."""
        return self.read_at + self.max_age


Receipt: TypeAlias = Callable[[Need, Scope, "Tally"], bool]
"""Whether a peek would give the very cells again that it gave (it may say no without need); tallied as the peek is."""


@dataclass(slots=True)
class Tally:
    """What a call cost: cells found in the tiers of the cache, calls made to the system, and calls shared with others.

    ``tightest`` is the lifetime that ends first of all cells the call (or the peek) gave, absent and empty ones
    included. A layer that vouches says so with ``lasts``, once a cell or once for many: where it vouches for some cells
    only, it says that the others last 0 seconds. None: nobody vouches, and no answer made of it may be stored.
    ``within`` is the request's own bound: nothing lasts longer for it.
    ``parts`` is a list where somebody wants to know what the cells came from: a cache adds its entry of every cell that
    it vouches for. It stays None, and costs nothing, where nobody does.
    ``receipts`` is a list where somebody will ask for the same again: a peek that gave a cell for every key may add one.
    """

    l1: int = 0
    l2: int = 0
    calls: int = 0
    shared: int = 0
    tightest: Lifetime | None = None
    within: float | None = None
    parts: list[Any] | None = None
    receipts: list[Receipt] | None = None

    def lasts(self, max_age: float, read_at: float) -> None:
        """Vouch for cells that were read at a moment: they may be used for so many seconds from then."""
        life = Lifetime(max_age if self.within is None else min(max_age, self.within), read_at)
        if self.tightest is None or life.ends < self.tightest.ends:
            self.tightest = life


@dataclass(frozen=True, slots=True)
class Part:
    """One class that a read delivers: one row a key, or many."""

    type: type
    by: str = "id"
    many: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A call for keys. Keys are canonical and distinct; ``wants`` are the classes asked for, a subset of the parts.

    ``deadline`` is a ``time.monotonic()`` instant after which nobody waits for the answer. ``need`` and ``tally`` are
    for the layers above the guard, ``lane`` is for the guard.
    """

    keys: tuple[str, ...]
    wants: frozenset[type]
    deadline: float
    scope: Scope = EVERYTHING
    lane: Lane = Lane.APP
    need: Need = WHATEVER
    tally: Tally = field(default_factory=Tally, compare=False)


Filter: TypeAlias = tuple[str, ...] | str | datetime
"""Values to choose from, a text, or a lower bound in time."""


@dataclass(frozen=True, slots=True)
class Query:
    """A call for a page of a list. ``cursor`` is the source's own, as its last page gave it."""

    filters: Mapping[str, Filter]
    first: int
    cursor: str | None
    wants: frozenset[type]
    deadline: float
    scope: Scope = EVERYTHING
    lane: Lane = Lane.APP
    need: Need = WHATEVER
    tally: Tally = field(default_factory=Tally, compare=False)


@dataclass(slots=True)
class Page:
    """A page: the keys found, the rows that came along, and how to go on (None at the end).

    ``stale`` is set where a layer gave an older page for want of a fresh one.
    """

    keys: list[str]
    bundle: Bundle
    cursor: str | None = None
    total: int | None = None
    stale: Stale | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A batched read. ``max_keys`` is the most the system takes in one call, ``types`` are the classes of its parts."""

    name: str
    parts: tuple[Part, ...]
    fetch: Callable[[Batch], Awaitable[Bundle]]
    max_keys: int = 100
    types: frozenset[type] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", frozenset([part.type for part in self.parts]))


@dataclass(frozen=True, slots=True)
class Search:
    """A paged list of the first part's class. ``filters`` are those the system evaluates itself.

    ``read`` names the read whose rows these are, so that what a page brought is not fetched again by key.
    """

    name: str
    parts: tuple[Part, ...]
    fetch: Callable[[Query], Awaitable[Page]]
    filters: frozenset[str] = frozenset()
    max_page: int = 100
    read: str | None = None


Fetcher = TypeVar("Fetcher", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class _Mark:
    search: bool
    parts: tuple[Part, ...]
    options: dict[str, Any] = field(default_factory=dict)


def batch(*parts: Part, max_keys: int = 100) -> Callable[[Fetcher], Fetcher]:
    """Mark a method ``async (Batch) -> Bundle`` of a source as a read of these parts."""

    def mark(method: Fetcher) -> Fetcher:
        method.__dict__["__port__"] = _Mark(False, parts, {"max_keys": max_keys})
        return method

    return mark


def search(
    *parts: Part, filters: Sequence[str] = (), max_page: int = 100, read: str | None = None
) -> Callable[[Fetcher], Fetcher]:
    """Mark a method ``async (Query) -> Page`` of a source as a list of the first part's class."""

    def mark(method: Fetcher) -> Fetcher:
        options = {"filters": frozenset(filters), "max_page": max_page, "read": read}
        method.__dict__["__port__"] = _Mark(True, parts, options)
        return method

    return mark


Report: TypeAlias = Callable[[Unmatched], None]
"""Takes a key that could not be matched; cheap, never raises."""


def unheard(unmatched: Unmatched) -> None:
    """Report to nobody."""


class Source(ABC):
    """A connected system. Subclasses set ``Config`` and mark their methods, or override ``reads`` and ``searches``.

    ``report`` takes the keys that could not be matched; the catalog sets it. ``spells`` is true where the adapter itself
    turns the system's spelling into ours and back; else it is done for it, as ``keys`` of its settings say.
    """

    Config: ClassVar[type[SystemConfig]] = SystemConfig
    spells: ClassVar[bool] = False

    def __init__(self, config: Any) -> None:
        self.config = config
        self.code: str = config.code
        self.report: Report = unheard

    def spelling(self, kind: str) -> KeySpelling | None:
        """How the system spells the keys of a kind; None where nothing is known of it."""
        parts = self.config.keys.get(kind)
        if parts is None:
            return None
        return KeySpelling(tuple([parts.get(name, Spelling()) for name in KEYS[KINDS[kind]]["id"]]))

    @abstractmethod
    async def open(self) -> None:
        """Get ready for calls; must not fail because the system is down."""

    @abstractmethod
    async def close(self) -> None:
        """Give back connections."""

    @abstractmethod
    async def ping(self) -> None:
        """Ask the system something cheap; raise SourceError when it does not answer as it should."""

    def clock_skew_ms(self) -> int | None:
        """How far the system's clock is ahead of ours, in milliseconds; None where nothing tells."""
        return None

    def told(self, message: Message) -> Sequence[Told] | None:
        """What a message of the system says; None where it is of a kind that nobody said how to read. Pure.

        Raises MappingError where it is not as expected.
        """
        return None

    def reads(self) -> Sequence[Read]:
        """The batched reads it offers."""
        return [Read(name, m.parts, fetch, **m.options) for name, m, fetch in self._marked() if not m.search]

    def searches(self) -> Sequence[Search]:
        """The lists it offers."""
        return [Search(name, m.parts, fetch, **m.options) for name, m, fetch in self._marked() if m.search]

    def commands(self) -> Sequence[CommandPort]:
        """The commands that it takes."""
        return ()

    def _marked(self) -> list[tuple[str, _Mark, Callable[..., Awaitable[Any]]]]:
        found = []
        for name in dir(type(self)):
            mark = getattr(getattr(type(self), name), "__port__", None)
            if isinstance(mark, _Mark):
                found.append((name, mark, getattr(self, name)))
        return found


ABSENT: Any = object()
"""In the answer of a ``peek``: nothing good enough is at hand for this key."""

Fetch: TypeAlias = Callable[[Batch], Awaitable[Bundle]]
Listing: TypeAlias = Callable[[Query], Awaitable[Page]]
Peek: TypeAlias = Callable[[type, Sequence[str], Need, Scope, Tally], list[Cell]]
"""What is at hand without waiting: one cell a key, ``ABSENT`` where there is none. The tally counts and vouches for
what is given, as in a call.
"""


class Layer(Protocol):
    """What stands between the graph and the guard of every system: a cache, a translation of keys."""

    def read(self, config: SystemConfig, read: Read, fetch: Fetch) -> tuple[Fetch, Peek | None]:
        """The read with the layer around it, and a way to look without waiting where the layer has one."""
        ...

    def search(self, config: SystemConfig, search: Search, fetch: Listing) -> Listing:
        """The list with the layer around it."""
        ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A part that one system delivers through one read; ``call`` is the read with all policy around it."""

    system: str
    read: Read
    part: Part
    call: Fetch
    peek: Peek | None = None


@dataclass(frozen=True, slots=True)
class Lister:
    """A list of one system; ``call`` is the search with all policy around it."""

    system: str
    search: Search
    call: Listing


Providers: TypeAlias = tuple[tuple[Provider, ...], ...]
"""Providers to ask together, tier after tier of precedence."""
Listers: TypeAlias = tuple[tuple[Lister, ...], ...]
