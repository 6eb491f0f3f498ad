"""What was invalidated lately, as this process knows it: an entry is judged when it is looked at.

Looking costs a comparison of two numbers as long as nothing new was invalidated since the entry was last judged. An
answer that was on its way while its subject changed is judged like any other: it was sent before the mark.
"""

from collections.abc import Iterable
from typing import Any

from gateway.cache.store import Entry, Invalidation
from gateway.cache.tags import system_tag
from sources.base import Written

PENDING_SECONDS = 60.0
"""How long an owner may take to show a write; after that its word counts again as it is."""


class Marks:
    """The latest mark of every tag. Bounded: where it grows too large, everything read before its half is let go."""

    def __init__(self, most: int = 100_000) -> None:
        self.epoch = 0
        self._most = most
        self._at: dict[str, float] = {}
        self._heard: dict[str, int] = {}
        self._everything = -1
        self._pending: dict[str, Written] = {}
        self._floor = float("-inf")
        self._latest = float("-inf")
        self._pending_until = float("-inf")

    def note(self, invalidation: Invalidation) -> None:
        """Take an invalidation in; without tags it is of everything read up to then."""
        self.epoch += 1
        at, written = invalidation.at, invalidation.written
        self._latest = max(self._latest, at)
        if written is not None:
            self._pending_until = max(self._pending_until, written.at + PENDING_SECONDS)
        if not invalidation.tags:
            self._floor, self._everything = max(self._floor, at), self.epoch
        for tag in invalidation.tags:
            # Put anew, so that the oldest marks stand first.
            self._at[tag] = max(at, self._at.pop(tag, at))
            self._heard[tag] = self.epoch
            if written is not None:
                self._pending[tag] = written
        if len(self._at) > self._most:
            self._shrink()

    def valid(self, entry: Entry, now: float) -> bool:
        """Whether nothing that an entry speaks of has changed since it was read."""
        read_at = entry.read_at
        if read_at <= self._floor:
            return False
        # Read after the latest mark, and no write is waited for: then it does not matter what the entry speaks of.
        unmarked = read_at > self._latest and now > self._pending_until
        for tag in () if unmarked else entry.tags:
            mark = self._at.get(tag)
            if mark is not None and (read_at <= mark or not self._arrived(tag, entry, now)):
                return False
        entry.checked = self.epoch
        return True

    def silent(self, tags: Iterable[str], epoch: int) -> bool:
        """Whether nothing was heard of any of these tags after an epoch, whatever the instant it spoke of.

        For what was made of many entries and has no instant of its own: it goes with the first word about any of them.
        """
        if self._everything > epoch:
            return False
        heard = self._heard
        return not any(heard.get(tag, -1) > epoch for tag in tags)

    def _arrived(self, tag: str, entry: Entry, now: float) -> bool:
        written = self._pending.get(tag)
        if written is None:
            return True
        if now > written.at + PENDING_SECONDS:
            del self._pending[tag]
            return True
        return passed(entry, written)

    def _shrink(self) -> None:
        """Let half of the marks go. What was read before the latest of them may have changed unnoticed."""
        for tag in list(self._at)[: len(self._at) // 2]:
            self._floor = max(self._floor, self._at.pop(tag))
            self._pending.pop(tag, None)
            del self._heard[tag]
        self._everything = self.epoch


def passed(entry: Entry, written: Written) -> bool:
    """Whether an entry shows a write, as far as it can be told: it was read later, and the owner's version has moved."""
    if entry.read_at <= written.at:
        return False
    if written.version is None and written.before is None:
        return True
    if written.system is not None and system_tag(written.system) not in entry.tags:
        return True
    return all(_moved(version, written) for version in _versions(entry.cell))


def _versions(cell: Any) -> Iterable[str]:
    for row in cell if isinstance(cell, list) else (cell,):
        provenance = getattr(row, "provenance", None)
        if provenance is not None and provenance.version is not None:
            yield provenance.version


def _moved(version: str, written: Written) -> bool:
    """Whether a version is the write's or a later one. Versions that have no order can only be told from the one before."""
    if version == written.version:
        return True
    if version == written.before:
        return False
    if written.version is not None and version.isdecimal() and written.version.isdecimal():
        return int(version) >= int(written.version)
    return written.before is not None or written.version is None or not version.isdecimal()
