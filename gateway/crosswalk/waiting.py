"""Keys that could not be matched, collected in memory until they are written down: bounded, coalesced, never in the way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from schema.matching import Reason, Unmatched

MOST_WAITING = 1000
"""Different keys held in memory; beyond it the one not seen for longest is forgotten."""
MOST_CANDIDATES = 10
LONGEST_KEY = 200
"""Characters of a key that are kept: what a system or a client sends may be anything."""


@dataclass(frozen=True, slots=True)
class Note:
    """An unmatched key: how often it was seen, and between when."""

    system: str
    kind: str
    key: str
    raw: str
    reason: Reason
    count: int
    first_seen: datetime
    last_seen: datetime
    candidates: tuple[str, ...] = ()


def merged(*candidates: tuple[str, ...]) -> tuple[str, ...]:
    """The candidates of several sightings, each once, a few at most."""
    return tuple(dict.fromkeys(one for some in candidates for one in some))[:MOST_CANDIDATES]


class Waiting:
    """The notes since the last time they were taken."""

    def __init__(self, now: Callable[[], datetime], most: int = MOST_WAITING) -> None:
        self._now, self._most = now, most
        self._notes: dict[tuple[str, str, str], Note] = {}
        self.dropped = 0

    def add(self, found: Unmatched) -> None:
        """Take one sighting. A key of which there are notes already costs a count."""
        key, raw = _storable(found.key), _storable(found.raw)
        place, now = (found.system, found.kind, key), self._now()
        known = self._notes.pop(place, None)
        if known is None:
            known = Note(found.system, found.kind, key, raw, found.reason, 0, now, now)
        self._notes[place] = replace(
            known,
            reason=found.reason,
            count=known.count + 1,
            last_seen=now,
            candidates=merged(known.candidates, found.candidates),
        )
        if len(self._notes) > self._most:
            self._notes.pop(next(iter(self._notes)))
            self.dropped += 1

    def take(self) -> list[Note]:
        """All notes; from now on they are the caller's."""
        taken, self._notes = list(self._notes.values()), {}
        return taken


def _storable(text: str) -> str:
    """A text that every database takes: no NUL, no half of a surrogate pair, not too long."""
    return text[:LONGEST_KEY].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
