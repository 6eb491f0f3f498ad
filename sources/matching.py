"""From a system's own key to ours: the crosswalk first, then the system's spelling. Pure."""

from collections.abc import Sequence
from typing import Protocol

from schema.base import MatchRule, join_key, split_key
from schema.matching import Entry, Matched, Reason, Unmatched
from sources.base import Source
from sources.spelling import KeySpelling, Spelling, loses


class Crosswalk(Protocol):
    """What is known of keys that the systems and we name differently."""

    def entry(self, system: str, kind: str, theirs: str) -> Entry | None:
        """The entry of a system's key."""
        ...

    def report(self, unmatched: Unmatched) -> None:
        """Take a key that could not be matched."""
        ...


class _Empty:
    """A crosswalk without entries that forgets what is reported."""

    def entry(self, system: str, kind: str, theirs: str) -> Entry | None:
        """None."""
        return None

    def report(self, unmatched: Unmatched) -> None:
        """Forget it."""


NO_CROSSWALK: Crosswalk = _Empty()


def spelling_of(source: Source, cls: type, size: int) -> KeySpelling:
    """How a system spells the keys of a class; blanks around are dropped where nothing is known of it."""
    return source.spelling(cls.__name__) or KeySpelling((Spelling(),) * size)


def named(source: Source, cls: type, parts: Sequence[str]) -> str:
    """A system's key in our way of writing: what the crosswalk calls it, and what the queue shows."""
    return spelling_of(source, cls, len(parts)).ours(parts)


def matched(source: Source, cls: type, parts: Sequence[str], crosswalk: Crosswalk) -> Matched | None:
    """Our key for a system's; None, and reported, where it cannot be one because its check digit is wrong.

    A key as long as what the system keeps of one may have been cut: it is tried as it is, and never confirmed.
    """
    kind, raw = cls.__name__, parts[-1]
    spelling = spelling_of(source, cls, len(parts))
    key = spelling.ours(parts)
    entry = crosswalk.entry(source.code, kind, key)
    if entry is not None:
        return Matched(entry.ours, raw, MatchRule.XREF_TABLE, entry.confirmed)
    if not spelling.sound(key):
        crosswalk.report(Unmatched(source.code, kind, raw, key, Reason.CHECK_DIGIT))
        return None
    if _maybe_cut(spelling, key):
        return Matched(key, raw, MatchRule.HEURISTIC, False)
    rule = MatchRule.GLOBAL_ID if join_key(*parts) == key else MatchRule.NORMALISED_KEY
    return Matched(key, raw, rule, True)


def _maybe_cut(spelling: KeySpelling, key: str) -> bool:
    return any(
        how.cut > 0 and (len(part) == how.cut or loses(how, part))
        for how, part in zip(spelling.parts, split_key(key), strict=False)
    )
