"""Rows whose key was cut, or is none: whose they are for certain, whose perhaps, and what is told of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schema.base import KeyMatch, MatchRule, join_key
from schema.matching import Reason, Unmatched
from sources.base import Report
from sources.rest.parts import Asked, Linked


@dataclass(slots=True)
class Doubts:
    """What one answer leaves open about the keys it was asked for.

    A cut key never matches by itself: its rows are marked as not confirmed, unless they say the whole key elsewhere.
    Where two of the keys asked together are cut to the same, their rows could be either's and belong to neither.
    ``row`` are the places to which the row at hand belongs only perhaps.
    """

    asked: Asked
    system: str
    kind: type | None
    report: Report
    _sure: set[int] = field(default_factory=set)
    _open: set[int] = field(default_factory=set)
    row: set[int] = field(default_factory=set)

    def settled(
        self, places: list[int], positions: tuple[int, ...], keys: Sequence[tuple[str, ...]]
    ) -> list[int]:
        """The places a raw row belongs to; which of them only perhaps is kept until the next row."""
        if not self.asked.cut:
            return places
        sure = [p for p in places if any(self.asked.told(p, positions, key) for key in keys)]
        sure = [p for p in sure if p in self.asked.cut] or [p for p in sure if len(places) == 1]
        self._sure.update(sure)
        self.row = {p for p in places if p not in sure and p in self.asked.cut}
        self._open |= self.row
        return sure or places

    def may_be(self, place: int, positions: tuple[int, ...], keys: Sequence[tuple[str, ...]]) -> bool:
        """Whether the row of a cut key may be its own: not where it says another one whole."""
        if place not in self.asked.cut or len(positions) != len(self.asked.ours[place]):
            return True
        return not keys or any(key in (self.asked.ours[place], self.asked.expected[place]) for key in keys)

    def mark(self, made: Any, place: int) -> None:
        """Say in a row that its key was cut."""
        known = getattr(made, "provenance", None)
        if place in self.row and self.kind is not None and known is not None:
            key, raw = join_key(*self.asked.ours[place]), self.asked.theirs[place][-1]
            match = KeyMatch(self.system, self.kind.__name__, key, raw, MatchRule.HEURISTIC, False)
            made.provenance = replace(known, matches=(*known.matches, match))

    def sound(self, linked: Linked, key: tuple[str, ...]) -> bool:
        """Whether a row's key has its check digits; one that has not matches nothing."""
        if len(key) != len(linked.attributes) or self.asked.sound(key):
            return True
        self._tell(key, Reason.CHECK_DIGIT)
        return False

    def unasked(self, linked: Linked, key: tuple[str, ...]) -> None:
        """Note a row that nobody asked for."""
        if len(key) == len(linked.attributes) and self.asked.sound(key):
            self._tell(key, Reason.UNASKED)

    def clashes(self) -> set[int]:
        """The places whose keys the system cannot tell apart and does not tell apart; all doubts are reported."""
        groups = [
            group for group in self.asked.clashes() if self._open & {*group} or not self._sure & {*group}
        ]
        alone = self._open.difference(*groups)
        for group in [*groups, *([place] for place in sorted(alone))]:
            candidates = tuple([join_key(*self.asked.ours[place]) for place in group])
            self._tell(self.asked.expected[group[0]], Reason.TRUNCATED, candidates, group[0])
        return {place for group in groups for place in group}

    def _tell(
        self,
        key: tuple[str, ...],
        reason: Reason,
        candidates: tuple[str, ...] = (),
        place: int | None = None,
    ) -> None:
        if self.kind is not None:
            raw = key[-1] if place is None else self.asked.theirs[place][-1]
            kind = self.kind.__name__
            self.report(Unmatched(self.system, kind, raw, join_key(*key), reason, candidates))
