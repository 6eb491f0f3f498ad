"""Keys that systems and we name differently: what is known of them, and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from schema.base import MatchRule


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the crosswalk: the system's key of a thing, in our way of writing, and ours of the same thing."""

    system: str
    kind: str
    theirs: str
    ours: str
    matched_by: MatchRule = MatchRule.MANUAL
    confirmed: bool = True
    by: str = ""
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Matched:
    """Our key for a key of a system, and how sure that is."""

    key: str
    raw: str
    matched_by: MatchRule
    confirmed: bool


class Reason(StrEnum):
    """Why a key was not matched."""

    UNKNOWN = "UNKNOWN"
    """Somebody asked by it and no system knows it."""
    UNASKED = "UNASKED"
    """The system answered with it though nobody had asked for it."""
    CHECK_DIGIT = "CHECK_DIGIT"
    """Its check digit is wrong."""
    TRUNCATED = "TRUNCATED"
    """The system cuts it, so it may be any of the candidates."""
    TAKEN = "TAKEN"
    """By its looks it is a key of ours, which the crosswalk says the system calls differently."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A key of a system that could not be matched for certain; ``candidates`` are keys of ours that it may mean."""

    system: str
    kind: str
    raw: str
    key: str
    reason: Reason
    candidates: tuple[str, ...] = ()


class Crosswalk(Protocol):
    """What is known of keys that the systems and we name differently."""

    def entry(self, system: str, kind: str, theirs: str) -> Entry | None:
        """The entry of a system's key."""
        ...

    def report(self, unmatched: Unmatched) -> None:
        """Take a key that could not be matched."""
        ...


class Matching(Protocol):
    """What the graph asks of the catalog where somebody names a thing by a system's own key."""

    def match(self, system: str, cls: type, parts: Sequence[str]) -> Matched | None:
        """Our key for a key of a system; None where it cannot be one (its check digit is wrong)."""
        ...

    def unmatched(self, system: str, cls: type, parts: Sequence[str]) -> None:
        """Note that nobody knows a key of a system."""
        ...
