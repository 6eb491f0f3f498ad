"""Whole answers, kept as the bytes that were sent: the cheapest way to answer a question is to have answered it.

An answer is kept under its question: the document's hash, the operation, the variables in one spelling, and the rights
of the one who asked. It is given again within the lifetime of the part whose time is over first, and goes with the
first word about anything that it speaks of. What a request says of freshness stands in its document and variables, so
it is part of the question, and it has bounded the lifetime already.

Nothing here decides what may be kept: the graph does (``Operations.whole``).
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import orjson

from gateway.cache.marks import Marks
from gateway.cache.store import Entry
from gateway.media import GRAPHQL
from gateway.request import LANE
from sources.base import Lifetime

T = TypeVar("T")
Header: TypeAlias = tuple[bytes, bytes]
Rights: TypeAlias = Callable[[Mapping[str, Any]], Hashable]
"""What the sender of a request (its ASGI scope) may see: two senders are given the same answers only if it is equal.
May raise HttpRefusal. Cheap: it is asked before anything else is done.
"""

VARY = f"Accept, Authorization, {LANE}"
"""What a stored answer depends on besides the request itself."""
OVERHEAD, TAG, ENVELOPE = 1_500, 90, 500
"""About what an answer takes besides its bytes and variables, each of its tags, and a request that is known again."""


class Question(NamedTuple):
    """What an answer answers. ``variables`` are JSON with sorted names, as the request gave them."""

    document: str
    operation: str | None
    variables: bytes
    rights: Hashable


TOUCHED = 16
"""After so many uses of its bytes an answer counts as used."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What an answer that may be kept is made of: the lifetime that ends first, the rights it was made with, and the
    cache's entries in it.
    """

    life: Lifetime
    rights: Hashable
    parts: tuple[Entry, ...]


class Head(NamedTuple):
    """The header lines of an answer in one media type that do not change: of the whole, and of a 304. ``tag`` is its
    ETag.
    """

    tag: str
    whole: bytes
    unmodified: bytes


@dataclass(slots=True, eq=False)
class Kept:
    """An answer that may be given again, before ``until``. ``epoch``: up to which change of the marks it is known to be
    good.
    """

    question: Question
    body: bytes
    life: Lifetime
    tags: tuple[str, ...]
    epoch: int
    until: float
    uses: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    """The headers that do not change, by media type."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        said = len(self.body) + len(self.question.variables)
        return OVERHEAD + said + sum([TAG + len(tag) for tag in self.tags])


class Bounded(Generic[T]):
    """A table that lets the least recently used go; bounded by the sum of the sizes. ``gone`` is told what it lets go."""

    def __init__(self, max_size: int, gone: Callable[[T], None] = lambda _: None) -> None:
        self._max, self._size = max_size, 0
        self._gone = gone
        self._held: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """The sum of the sizes."""
        return self._size

    def get(self, key: Hashable) -> T | None:
        """What stands under a key; it has just been used."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: T, size: int) -> bool:
        """Put something in the place of what stands there; False where it alone is too large."""
        self.drop(key)
        if size > self._max:
            return False
        self._held[key] = value, size
        self._size += size
        while self._size > self._max:
            _, (value, freed) = self._held.popitem(last=False)
            self._size -= freed
            self._gone(value)
        return True

    def drop(self, key: Hashable) -> None:
        """Let go of what stands under a key, if there is anything."""
        found = self._held.pop(key, None)
        if found is not None:
            self._size -= found[1]
            self._gone(found[0])


class Answers:
    """The kept answers of one process. ``rights`` tells whose they are, ``marks`` what was invalidated.

    ``clock`` gives seconds since the epoch and is the one that the entries were read by.
    """

    def __init__(
        self, rights: Rights, marks: Marks, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self.rights = rights
        self._marks = marks
        self._clock = clock
        self._kept: Bounded[Kept] = Bounded(max_bytes - max_bytes // 8, _emptied)
        self._envelopes: Bounded[tuple[Kept, str]] = Bounded(max_bytes // 8)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """About how many bytes all of it takes."""
        return self._kept.size + self._envelopes.size

    def find(self, question: Question) -> Kept | None:
        """The answer to a question; None where there is none or it is not good any more."""
        kept = self._kept.get(question)
        return kept if kept is not None and self._good(kept, self._clock()) else None

    def _good(self, kept: Kept, now: float) -> bool:
        """Whether an answer may still be given; it is let go where not."""
        epoch = self._marks.epoch
        if now < kept.until:
            if kept.epoch == epoch:
                return True
            if self._marks.silent(kept.tags, kept.epoch):
                kept.epoch = epoch
                return True
        if kept.until > 0:
            self._kept.drop(kept.question)
        return False

    def age(self, kept: Kept) -> int:
        """How old the part of an answer is whose time is over first, in whole seconds, as HTTP says it."""
        return max(0, int(self._clock() - kept.life.read_at))

    def keep(self, question: Question, body: bytes, whole: Whole) -> Kept | None:
        """Keep an answer, unless something that it speaks of was invalidated while it was made.

        The question's rights were told before the operation, the answer's by the operation itself: they must agree.
        """
        now, marks = self._clock(), self._marks
        if whole.rights != question.rights:
            return None
        # An entry without tags is of something that the cache did not keep either.
        if not all(part.tags and marks.valid(part, now) for part in whole.parts):
            return None
        tags = tuple(dict.fromkeys([tag for part in whole.parts for tag in part.tags]))
        # HTTP counts whole seconds: it is over when they have passed.
        until = whole.life.read_at + int(whole.life.max_age)
        if now >= until:
            return None
        kept = Kept(question, body, whole.life, tags, marks.epoch, until)
        return kept if self._kept.put(question, kept, kept.size) else None

    def headers(self, kept: Kept) -> dict[str, str]:
        """What HTTP is told about an answer that is given again."""
        return storable(kept.life, self.age(kept))

    def recall(self, envelope: Hashable, scope: Mapping[str, Any]) -> tuple[Kept, str, int] | None:
        """The answer to a request whose very bytes were read before from a sender of equal rights; its media type; its
        age.
        """
        known = self._envelopes.get((envelope, self.rights(scope)))
        if known is None:
            return None
        kept, media = known
        now = self._clock()
        if not self._good(kept, now):
            return None
        kept.uses += 1
        if not kept.uses % TOUCHED:
            self._kept.get(kept.question)
        return kept, media, max(0, int(now - kept.life.read_at))

    def remember(self, envelope: Hashable, size: int, kept: Kept, media: str) -> None:
        """Know the bytes of a request again, from senders of the same rights: they ask for this, in that type."""
        if envelope is not None and kept.until > 0:
            self._envelopes.put((envelope, kept.question.rights), (kept, media), ENVELOPE + size)


def _emptied(kept: Kept) -> None:
    """An answer that is let go is never good again and takes no room, whoever still holds it."""
    kept.until, kept.body, kept.tags = 0.0, b"", ()
    kept.heads.clear()


def storable(life: Lifetime, age: int) -> dict[str, str]:
    """What HTTP is told about an answer that may be stored: it lasts as long as the part of it whose time is over first."""
    return {"Cache-Control": f"private, max-age={int(life.max_age)}", "Age": str(age), "Vary": VARY}


def canonical(variables: Mapping[str, Any]) -> bytes:
    """Variables in one spelling: the order in which they were written does not matter."""
    return orjson.dumps(variables, option=orjson.OPT_SORT_KEYS) if variables else b""


def entity_tag(body: bytes, media: str) -> str:
    """The strong validator of an answer: the same bytes under another type are another representation."""
    digest = hashlib.sha256(body).hexdigest()[:30]  # The fastest where the processor knows it; most do.
    return f'"{digest}-g"' if media == GRAPHQL else f'"{digest}"'


def matches(condition: str, tag: str) -> bool:
    """Whether an If-None-Match names a tag: compared weakly, as it asks for no bytes (RFC 9110, 13.1.2)."""
    return condition.strip() == "*" or tag in [
        one.strip().removeprefix("W/") for one in condition.split(",", 100)
    ]


def merged(calls: Iterable[list[Any] | None]) -> tuple[Entry, ...] | None:
    """The entries of several calls; None where one of them does not tell what it gave."""
    found: dict[int, Entry] = {}
    for parts in calls:
        if not parts:
            return None
        found.update([(id(part), part) for part in parts])
    return tuple(found.values())


def encoded(headers: Mapping[str, str]) -> tuple[Header, ...]:
    """Headers as they go over the wire."""
    return tuple([(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()])
