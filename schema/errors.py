"""Every error Crossdock raises on purpose.

::

    CrossdockError            code, hint
    ├── ConfigError           CONFIG_INVALID        the configuration cannot be used
    ├── RequestError          BAD_USER_INPUT        the request cannot be answered as it is
    │   ├── BadId             BAD_ID                not an id of this gateway
    │   ├── BadCursor         BAD_CURSOR            not a cursor of this list
    │   └── BadPage           BAD_PAGE_SIZE         first, last or ids out of bounds
    └── SourceError           outcome               a system did not give what was asked
        ├── SourceUnavailable UNAVAILABLE           no connection, 5xx, circuit open
        ├── SourceTimeout     TIMEOUT               no answer within the deadline
        ├── SourceThrottled   RATE_LIMITED          429; carries retry_after
        ├── SourceForbidden   NOT_AUTHORIZED        401 or 403
        ├── SourceRefused     UNAVAILABLE           the system answered that the request is wrong (4xx)
        ├── SourceNotMapped   NOT_MAPPED            no connected system provides it
        ├── MappingError      MAPPING_ERROR         the payload is not what the mapping expects
        └── FreshnessNotMet   FRESHNESS_NOT_MET     only an older value is known than the request accepts

Source errors do not reach the ``errors`` of an answer: they become the ``sources`` entry of the group they cost. The
one exception is FreshnessNotMet, where the request forbade older values: the path that is null for it says so.
"""

from schema.base import SourceOutcome


class CrossdockError(Exception):
    """Root of the tree. ``code`` is stable and public; ``hint`` says how to mend it."""

    code = "CROSSDOCK_ERROR"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(CrossdockError):
    """The configuration cannot be used; the message names the setting, the value and the mend."""

    code = "CONFIG_INVALID"


class RequestError(CrossdockError):
    """The request cannot be answered as it is; the message names the argument and the value."""

    code = "BAD_USER_INPUT"


class BadId(RequestError):
    """The value is not an id this gateway gave out."""

    code = "BAD_ID"


class BadCursor(RequestError):
    """The value is not a cursor of this list, or belongs to another filter."""

    code = "BAD_CURSOR"


class BadPage(RequestError):
    """A page size or a number of ids is out of bounds."""

    code = "BAD_PAGE_SIZE"


class SourceError(CrossdockError):
    """A system did not give what was asked. The message is shown to the client: no secrets, no payloads."""

    code = "SOURCE_ERROR"
    outcome = SourceOutcome.UNAVAILABLE
    retryable = False

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class SourceUnavailable(SourceError):
    """No connection, a broken answer, a server error or an open circuit."""

    code = "SOURCE_UNAVAILABLE"
    retryable = True


class SourceNotReached(SourceUnavailable):
    """There was no connection at all: the system surely got nothing of the request."""


class SourceTimeout(SourceError):
    """No answer within the deadline."""

    code = "SOURCE_TIMEOUT"
    outcome = SourceOutcome.TIMEOUT


class SourceThrottled(SourceError):
    """The system asked to slow down; ``retry_after`` in seconds where it said how long."""

    code = "SOURCE_RATE_LIMITED"
    outcome = SourceOutcome.RATE_LIMITED
    retryable = True


class SourceForbidden(SourceError):
    """The system refused our credentials or our right to see it."""

    code = "SOURCE_NOT_AUTHORIZED"
    outcome = SourceOutcome.NOT_AUTHORIZED


class SourceRefused(SourceError):
    """The system says that our request is wrong: a mistake in the mapping or an unknown field."""

    code = "SOURCE_REFUSED"


class SourceNotMapped(SourceError):
    """No connected system provides this."""

    code = "NOT_MAPPED"
    outcome = SourceOutcome.NOT_MAPPED


class MappingError(SourceError):
    """The payload is not what the mapping expects; names the table, the field and a sample."""

    code = "MAPPING_ERROR"
    outcome = SourceOutcome.MAPPING_ERROR


class FreshnessNotMet(SourceError):
    """Only an older value is known than the request accepts, and it forbade to give it.

    ``read_at`` is when that value was read, in seconds since the epoch; ``reason`` is why no fresh one could be had.
    """

    code = "FRESHNESS_NOT_MET"
    outcome = SourceOutcome.STALE

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
        read_at: float | None = None,
        reason: SourceOutcome = SourceOutcome.STALE,
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.read_at = read_at
        self.reason = reason
