"""Keys that systems and we name differently: what is known of them, and what is not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
