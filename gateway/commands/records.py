"""A write as it is kept, its steps, and what its states mean."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from schema.commands import CommandRefused, OutcomeUnknown
from schema.errors import CrossdockError, SourceError, SourceForbidden, SourceNotMapped, SourceThrottled
from schema.integration import TransactionState as State
from schema.integration import UserErrorCode
from sources.commands import Receipt

CARRIED = (
    State.RECEIVED,
    State.VALIDATED,
    State.SENT,
    State.ACCEPTED,
    State.RETRYING,
    State.OUTCOME_UNKNOWN,
)
"""States in which a write with something to do holds up the later ones on its object."""
ENDED = frozenset({State.FAILED, State.DEAD_LETTERED, State.COMPENSATED})
_WAY = (
    State.RECEIVED,
    State.VALIDATED,
    State.SENT,
    State.ACCEPTED,
    State.APPLIED,
    State.RECONCILED,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was said of a write that did not go through."""

    code: UserErrorCode
    message: str
    retryable: bool
    source_code: str | None = None
    version: str | None = None
    path: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A write. ``values`` are JSON values in the words of the model; instants are seconds since the epoch."""

    number: str
    action: str
    system: str
    target: str
    subject: str
    actor: str
    digest: str
    values: Mapping[str, Any]
    correlation: str
    created_at: float
    key: str | None = None
    expected_version: str | None = None
    state: State = State.RECEIVED
    next_at: float | None = None
    attempts: int = 0
    tries: int = 0
    unsettled: bool = False
    sent_at: float | None = None
    before: str | None = None
    receipt: Receipt | None = None
    trouble: Trouble | None = None
    applied_at: float | None = None
    version: str | None = None
    held_by: str | None = None

    @property
    def parked(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.next_at is None

    def came_to(self, state: State) -> bool:
        """Whether it has come as far as a state on the way; one off the way has not."""
        return self.state in _WAY and _WAY.index(self.state) >= _WAY.index(state)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a write."""

    state: State
    attempt: int
    at: float
    document: str | None = None
    trouble: Trouble | None = None


def digest_of(action: str, target: str, values: Mapping[str, Any], expected_version: str | None) -> str:
    """What tells two requests apart that use one key."""
    said = json.dumps([action, target, values, expected_version], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def trouble_of(error: CrossdockError) -> Trouble:
    """What is said of an error, in the closed words for users."""
    if isinstance(error, CommandRefused):
        return Trouble(
            error.user_code, str(error), False, error.source_code, error.version, error.path or None
        )
    if isinstance(error, OutcomeUnknown):
        return Trouble(UserErrorCode.OUTCOME_UNKNOWN, str(error), False)
    if isinstance(error, SourceThrottled):
        return Trouble(UserErrorCode.RATE_LIMITED, str(error), True)
    if isinstance(error, SourceForbidden):
        return Trouble(UserErrorCode.FORBIDDEN, str(error), False)
    if isinstance(error, SourceNotMapped):
        return Trouble(UserErrorCode.NOT_MAPPED, str(error), False)
    if isinstance(error, SourceError):
        return Trouble(UserErrorCode.SOURCE_UNAVAILABLE, str(error), True)
    return Trouble(UserErrorCode.INVALID_INPUT, str(error), False)


def written_trouble(trouble: Trouble | None) -> str | None:
    """Trouble as a row keeps it."""
    return None if trouble is None else json.dumps(asdict(trouble))


def read_trouble(text: str | None) -> Trouble | None:
    """Trouble as a row kept it."""
    if text is None:
        return None
    said = json.loads(text)
    path = said["path"]
    return Trouble(
        **said | {"code": UserErrorCode(said["code"]), "path": None if path is None else tuple(path)}
    )


def written_receipt(receipt: Receipt | None) -> str | None:
    """A receipt as a row keeps it."""
    return None if receipt is None else json.dumps(asdict(receipt))


def read_receipt(text: str | None) -> Receipt | None:
    """A receipt as a row kept it."""
    if text is None:
        return None
    said = json.loads(text)
    return Receipt(**said | {"touches": tuple(said["touches"])})
