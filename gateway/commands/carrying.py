"""One write, carried as far as it comes now: checked, sent once, asked for, read back.

Every step is on the disk before the next begins. What comes first is always what is not known: a write whose attempt may
have been carried out is never sent again, unless its owner honours keys or has shown that there is no trace of it.
"""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.commands.owners import UNSEEN, Owners
from gateway.commands.records import Trouble, Write, trouble_of
from gateway.commands.rules import action_of, check_state, shows
from gateway.commands.settings import WriteSettings
from gateway.commands.store import WriteStore
from gateway.threads import in_thread
from schema.base import join_key, split_key
from schema.commands import CommandRefused, OutcomeUnknown
from schema.errors import (
    CrossdockError,
    MappingError,
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceUnavailable,
)
from schema.integration import TransactionState as State
from schema.integration import UserErrorCode
from sources.base import Written
from sources.commands import Command, Receipt
from sources.writing import Taker

log = logging.getLogger("crossdock.writes")
IN_VAIN = (SourceForbidden, SourceRefused, MappingError)
"""What would be said again however often it is tried."""

Invalidate = Callable[[Iterable[str], Written | None], Awaitable[Any]]


def key_of(target: str) -> str:
    """The canonical key in an id."""
    return target.partition(":")[2]


def written_of(write: Write) -> Written | None:
    """The write as a later read must see it; None before it is applied."""
    if write.applied_at is None:
        return None
    tags = {write.target, write.subject, *(write.receipt.touches if write.receipt else ())}
    return Written(write.applied_at, frozenset(tags), write.system, write.version, write.before)


class Carrier:
    """Carries single writes. ``clock`` is in seconds since the epoch; ``rng`` spreads the waits."""

    def __init__(
        self,
        store: WriteStore,
        owners: Owners,
        invalidate: Invalidate,
        rule: WriteSettings,
        *,
        clock: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._owners, self._invalidate, self._rule = store, owners, invalidate, rule
        self._clock, self._rng = clock, rng

    async def carry(self, write: Write) -> Write:
        """Take a write as far as it comes. Raises LeaseLost where another worker has it by now."""
        taker = self._owners.taker(write.system, write.action)
        if taker is None:
            gone = SourceUnavailable(f"{write.system} takes no {write.action} any more")
            return await self._later(
                write, State.OUTCOME_UNKNOWN if write.unsettled else State.RETRYING, gone
            )
        if write.state is State.APPLIED:
            return await self._reconcile(write, taker)
        if write.receipt is None and write.unsettled and not taker.port.keyed:
            write = await self._probe(write, taker)
            if write.unsettled:
                return write
        if write.receipt is None and not write.unsettled:
            write = await self._validate(write, taker)
            if write.state is not State.VALIDATED:
                return write
        if write.receipt is None:
            write = await self._send(write, taker)
        return write if write.receipt is None or write.parked else await self._confirm(write, taker)

    async def _validate(self, write: Write, taker: Taker) -> Write:
        """Whether it may still be done, by what the owner says now: much may have happened since it was accepted."""
        try:
            row = await self._view(write, taker)
            if row is not UNSEEN:
                check_state(write.action, row, write.expected_version)
            elif write.expected_version is not None and not taker.port.versioned:
                raise CommandRefused(
                    UserErrorCode.CONFLICT,
                    f"{write.system} tells no versions to compare.",
                    path=("options", "expectedVersion"),
                )
            if taker.parts(action_of(write.action).target, key_of(write.target)) is None:
                raise CommandRefused(
                    UserErrorCode.NOT_FOUND, f"{write.system} has another object of this key."
                )
        except CommandRefused as error:
            return await self._end(write, State.FAILED, error)
        except SourceError as error:
            return await self._later(write, State.RETRYING, error)
        before = None if row is UNSEEN else row.provenance.version
        return await self._note(write, state=State.VALIDATED, before=before)

    async def _send(self, write: Write, taker: Taker) -> Write:
        """One attempt. That it begins is on the disk before it does."""
        unsettled, now = write.unsettled, self._clock()
        write = await self._note(
            write, state=State.SENT, attempts=write.attempts + 1, unsettled=True, sent_at=now
        )
        try:
            receipt = await taker.send(self._command(write, taker))
        except CommandRefused as error:
            return await self._end(replace(write, unsettled=False), State.FAILED, error)
        except OutcomeUnknown as error:
            return await self._unknown(write, taker, error)
        except IN_VAIN as error:
            return await self._end(replace(write, unsettled=False), State.FAILED, _refused(error))
        except SourceError as error:
            state = State.OUTCOME_UNKNOWN if unsettled else State.RETRYING
            return await self._later(replace(write, unsettled=unsettled), state, error)
        return await self._taken(write, receipt)

    async def _unknown(self, write: Write, taker: Taker, error: CrossdockError) -> Write:
        if taker.port.keyed or taker.port.probe is not None:
            return await self._later(write, State.OUTCOME_UNKNOWN, error)
        said = OutcomeUnknown(f"{error}. {write.system} offers no way to find out: somebody must look.")
        return await self._end(write, State.OUTCOME_UNKNOWN, said)

    async def _probe(self, write: Write, taker: Taker) -> Write:
        """Find out whether an attempt was carried out. Its absence proves something only once the owner is surely done."""
        if taker.port.probe is None:
            return await self._unknown(write, taker, OutcomeUnknown("The gateway stopped while it was sent"))
        done_at = (write.sent_at or write.created_at) + taker.timeout + self._rule.settle
        asked_at = self._clock()
        try:
            found = await taker.probe(self._command(write, taker))
        except CommandRefused as error:
            return await self._end(replace(write, unsettled=False), State.FAILED, error)
        except SourceError as error:
            return await self._later(write, State.OUTCOME_UNKNOWN, error)
        if found is not None:
            return await self._taken(write, found)
        if asked_at < done_at:
            soon = OutcomeUnknown(f"{write.system} shows no trace of it yet, and may still be at work on it")
            return await self._later(write, State.OUTCOME_UNKNOWN, soon, until=done_at)
        return await self._note(write, state=State.RETRYING, unsettled=False, sent_at=None)

    async def _taken(self, write: Write, receipt: Receipt) -> Write:
        return await self._note(
            write, state=State.ACCEPTED, receipt=receipt, unsettled=False, tries=0, trouble=None
        )

    async def _confirm(self, write: Write, taker: Taker) -> Write:
        """Applied is what the owner shows when it is read again."""
        receipt = write.receipt or Receipt(False)
        try:
            row = await self._view(write, taker)
            shown = receipt.applied if row is UNSEEN else shows(write.action, row, write.before, receipt)
            if not shown and taker.port.probe is not None and not receipt.applied:
                # What was only taken in may be refused later, and then says so.
                await taker.probe(self._command(write, taker))
        except CommandRefused as error:
            return await self._end(write, State.FAILED, error)
        except SourceError as error:
            return await self._later(write, State.ACCEPTED, error, OutcomeUnknown)
        if not shown:
            said = OutcomeUnknown(f"{write.system} took it in and does not show it yet")
            return await self._later(write, State.ACCEPTED, said, OutcomeUnknown)
        version = receipt.version if row is UNSEEN else row.provenance.version or receipt.version
        return await self._apply(write, version)

    async def _apply(self, write: Write, version: str | None) -> Write:
        now = self._clock()
        applied = replace(write, state=State.APPLIED, applied_at=now, version=version, tries=0, trouble=None)
        written = written_of(applied)
        try:
            await self._invalidate(written.tags if written else (), written)
        except Exception:
            # Who shows the token of the write is served right all the same; others until what is kept is over.
            log.exception("what %s changed could not be let go from the caches", write.number)
        return await self._note(applied, next_at=now + self._rule.reconcile_after)

    async def _reconcile(self, write: Write, taker: Taker) -> Write:
        """Look once more: what was applied and is still there has come to stay."""
        try:
            row = await self._view(write, taker)
        except SourceError as error:
            return await self._later(write, State.APPLIED, error, quiet=True)
        receipt = write.receipt or Receipt(True)
        if row is UNSEEN or shows(write.action, row, write.before, receipt):
            return await self._note(write, state=State.RECONCILED, next_at=None)
        gone = OutcomeUnknown(f"{write.system} does not show it any more: somebody changed it since")
        return await self._end(write, State.APPLIED, gone)

    async def _view(self, write: Write, taker: Taker) -> Any:
        deadline = time.monotonic() + taker.timeout
        return await self._owners.view(taker.code, write.action, key_of(write.target), deadline)

    def _command(self, write: Write, taker: Taker) -> Command:
        cls, key = action_of(write.action).target, key_of(write.target)
        return Command(
            name=write.action,
            target=write.target,
            parts=taker.parts(cls, key) or split_key(key),
            values=write.values,
            key=write.number,
            reference=write.number[:32],
            deadline=time.monotonic() + taker.timeout,
            # Where the owner compares versions nothing is overwritten blindly: not what changed since it was checked.
            expected_version=write.expected_version or (write.before if taker.port.versioned else None),
        )

    async def _later(
        self,
        write: Write,
        state: State,
        error: CrossdockError,
        given_up: type[OutcomeUnknown] | None = None,
        *,
        until: float = 0.0,
        quiet: bool = False,
    ) -> Write:
        """Try again after a while; after too long a while, leave it to people, and say which way it is unknown."""
        now, rule = self._clock(), self._rule
        if now - write.created_at >= rule.give_up_after and state is not State.APPLIED:
            lost = write.unsettled or given_up is not None
            return await self._end(write, State.OUTCOME_UNKNOWN if lost else State.DEAD_LETTERED, error)
        wait = min(rule.longest_delay, rule.first_delay * 2.0 ** min(write.tries, 30))
        wait = max(wait * (0.5 + self._rng() / 2), getattr(error, "retry_after", None) or 0.0)
        due, trouble = max(now + wait, until), trouble_of(error)
        changes = {"state": state, "next_at": due, "tries": write.tries + 1, "trouble": trouble}
        return await self._note(write, trouble, quiet=quiet, **changes)

    async def _end(self, write: Write, state: State, error: CrossdockError) -> Write:
        trouble = trouble_of(error)
        return await self._note(write, trouble, state=state, next_at=None, trouble=trouble)

    async def _note(
        self, write: Write, step: Trouble | None = None, *, quiet: bool = False, **changes: Any
    ) -> Write:
        new = replace(write, **changes)
        return await in_thread(partial(self._store.note, new, self._clock(), step, quiet=quiet))


def _refused(error: SourceError) -> CommandRefused:
    """The owner refuses, in words of its own that the adapter has no better place for."""
    forbidden = isinstance(error, SourceForbidden)
    code = UserErrorCode.FORBIDDEN if forbidden else UserErrorCode.SOURCE_REJECTED
    return CommandRefused(code, str(error), hint=error.hint)


def subject_of(target: str) -> str:
    """The object whose writes keep their order: an operation's are those of its production order."""
    prefix, _, key = target.partition(":")
    return f"po:{join_key(*split_key(key)[:2])}" if prefix == "op" else target
