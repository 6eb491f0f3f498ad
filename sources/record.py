"""What is remembered about one system, and what is said about it in the log: once when it starts, once when it ends.

A system may fail ten thousand times in an outage; its beginning and its end are worth a line each. So are refused
credentials, a mapping that does not fit, a mistake in an adapter and an answer that took far longer than usual: one
line per read. A budget that is used up: one line per window.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from schema.errors import SourceError, SourceForbidden
from sources.pace import Change, Pace

log = logging.getLogger("crossdock.sources")


class Record:
    """Memory and voice of one system's guard. ``now`` gives the time of day in UTC."""

    def __init__(self, code: str, now: Callable[[], datetime]) -> None:
        self.code = code
        self._now = now
        self._noted: set[tuple[str, str]] = set()
        self._down_at: datetime | None = None
        self._paces: dict[str, Pace] = {}
        self.last_contact_at: datetime | None = None
        """When the system last answered, were it to say no."""
        self.last_good_at: datetime | None = None
        """When it last gave what was asked."""
        self.since: datetime | None = None
        """When the present trouble began."""

    def contact(self) -> None:
        """The system answered."""
        self.last_contact_at = self._now()

    def good(self, name: str, *, sound: bool) -> None:
        """A read was answered; ``sound`` unless the circuit still waits for its probe."""
        self.last_good_at = self._now()
        if sound:
            self.since = None
        if (name, SourceForbidden.code) in self._noted:
            self._noted.discard((name, SourceForbidden.code))
            log.info("%s grants %s again", self.code, name, extra={"system": self.code, "read": name})

    def took(self, name: str, seconds: float) -> None:
        """A read was answered after so long."""
        pace = self._paces.setdefault(name, Pace())
        usual = pace.usual
        change = pace.took(seconds)
        if change is Change.SLOW:
            extra = {"system": self.code, "read": name, "seconds": seconds, "usual": usual}
            text = "%s took %.1f s for %s, which usually takes %.2f s"
            log.warning(text, self.code, seconds, name, usual, extra=extra)
        elif change is Change.NORMAL:
            text, extra = "%s answers %s as fast as usual again", {"system": self.code, "read": name}
            log.info(text, self.code, name, extra=extra)

    def spent(self, window: str, error: SourceError) -> None:
        """The budget of a window is used up."""
        extra = {"system": self.code, "window": window, "outcome": error.outcome.value}
        log.warning("%s", error, extra=extra)

    def trouble(self) -> None:
        """Something is wrong, perhaps since earlier."""
        self.since = self.since or self._now()

    def down(self, error: SourceError) -> None:
        """The circuit opened."""
        if self._down_at is None:
            self._down_at = self._now()
            extra = {"system": self.code, "outcome": error.outcome.value}
            log.warning("%s is down: %s", self.code, error, extra=extra)

    def up(self) -> None:
        """The circuit is closed."""
        if self._down_at is not None:
            seconds = (self._now() - self._down_at).total_seconds()
            self._down_at = None
            log.warning("%s is up again after %.1f s", self.code, seconds, extra={"system": self.code})

    def refused(self, name: str, error: SourceError) -> None:
        """The system does not give this read to us, or not as we understand it."""
        if isinstance(error, SourceForbidden):
            self.trouble()
        if self._first((name, error.code)):
            extra = {"system": self.code, "read": name, "outcome": error.outcome.value}
            log.warning("%s does not give %s: %s", self.code, name, error, extra=extra)

    def mistake(self, name: str, error: BaseException) -> None:
        """An adapter raised what it should not; the first of its kind is logged with its traceback."""
        if self._first((name, type(error).__qualname__)):
            extra = {"system": self.code, "read": name}
            log.error("%s: %s failed unexpectedly", self.code, name, extra=extra, exc_info=error)

    def _first(self, note: tuple[str, str]) -> bool:
        if note in self._noted:
            return False
        self._noted.add(note)
        return True
