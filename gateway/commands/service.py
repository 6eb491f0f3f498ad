"""What the graph asks of writes: accepting them, and showing how they fare."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from gateway.commands.carrying import key_of, subject_of, written_of
from gateway.commands.owners import UNSEEN, Owners
from gateway.commands.records import ENDED, Step, Trouble, Write, digest_of, trouble_of
from gateway.commands.rules import action_of, check_state, check_values
from gateway.commands.settings import WriteSettings
from gateway.commands.store import WriteStore
from gateway.threads import in_thread
from resolvers.context import Actor
from resolvers.mutations import Submitted, Wanted
from resolvers.tokens import write_token
from schema.commands import Action, CommandRefused
from schema.errors import SourceError
from schema.integration import (
    IntegrationTransaction,
    TransactionStep,
    UserError,
    UserErrorCode,
    WriteOutcome,
)
from schema.integration import TransactionState as State
from sources.writing import Taker

LONGEST_KEY = 255
MOST_SHOWN = 50
"""Writes shown of one object."""
GLANCE_SECONDS = 0.25
"""How soon a change is seen that another worker made."""
_WAITS = (State.RECEIVED, State.VALIDATED, State.SENT, State.ACCEPTED, State.APPLIED, State.RECONCILED)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What validation found: who takes it, and whether the owner could be asked."""

    taker: Taker
    trouble: Trouble | None = None


class WriteService:
    """The writes as the graph sees them. ``look`` tells those who carry them."""

    def __init__(
        self,
        store: WriteStore,
        owners: Owners,
        rule: WriteSettings,
        look: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._owners, self._rule = store, owners, rule
        self._look, self._clock = look, clock
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def moved(self, number: str) -> None:
        """A write came further: whoever waits for it looks."""
        for event in self._waiting.get(number, ()):
            event.set()

    async def submit(self, actor: Actor, wanted: Wanted, deadline: float) -> Submitted:
        """Accept a write and wait as long as asked; ``deadline`` is a ``time.monotonic()`` instant.

        What is refused before it was accepted is not kept: its key may be used again.
        """
        action = action_of(wanted.action)
        try:
            _check_options(wanted)
            check_values(action, wanted.values)
            digest = digest_of(wanted.action, wanted.target, wanted.values, wanted.expected_version)
            known = await self._known(actor, wanted, digest)
            if known is not None:
                return await self._answer(known, wanted, deadline, again=True)
            checked = await self._check(action, wanted, deadline)
        except CommandRefused as error:
            return _rejected(trouble_of(error), action)
        except SourceError as error:
            return _rejected(trouble_of(error), action)
        if wanted.dry_run:
            if checked.trouble is not None:
                return _rejected(checked.trouble, action)
            return Submitted(WriteOutcome.DRY_RUN_OK)
        write = self._new(actor, wanted, digest, checked)
        accepted = await in_thread(self._store.accept, write, self._clock() - self._rule.keep_keys)
        if accepted.digest != digest:
            return _rejected(_mismatch(), action)
        self._look()
        return await self._answer(accepted, wanted, deadline, again=accepted.number != write.number)

    async def of_subjects(self, targets: Sequence[str]) -> dict[str, list[IntegrationTransaction]]:
        """The latest writes on some objects, by id, the newest first."""
        found = await in_thread(self._store.of_subjects, targets, MOST_SHOWN)
        numbers = [write.number for writes in found.values() for write in writes]
        steps = await in_thread(self._store.steps, numbers) if numbers else {}
        return {
            target: [_transaction(write, steps[write.number]) for write in writes]
            for target, writes in found.items()
        }

    async def transaction(self, number: str) -> IntegrationTransaction | None:
        """One write."""
        write = await in_thread(self._store.write, number)
        return None if write is None else await self._shown(write)

    async def _known(self, actor: Actor, wanted: Wanted, digest: str) -> Write | None:
        """The write that the key stands for. Raises CommandRefused where it is another one."""
        before = self._clock() - self._rule.keep_keys
        known = await in_thread(self._store.keyed, actor.subject, wanted.key, before)
        if known is not None and known.digest != digest:
            raise _refusal(_mismatch())
        return known

    async def _check(self, action: Action, wanted: Wanted, deadline: float) -> _Checked:
        """Validate with the owner. Raises CommandRefused, and SourceError where it cannot even be told who takes it."""
        key = key_of(wanted.target)
        taker = await self._owners.choose(action, key, deadline)
        try:
            row = await self._owners.view(taker.code, action.name, key, deadline)
        except SourceError as error:
            return _Checked(taker, trouble_of(error))
        if row is not UNSEEN:
            check_state(action.name, row, wanted.expected_version)
        return _Checked(taker)

    def _new(self, actor: Actor, wanted: Wanted, digest: str, checked: _Checked) -> Write:
        now = self._clock()
        return Write(
            number=uuid4().hex,
            action=wanted.action,
            system=checked.taker.code,
            target=wanted.target,
            subject=subject_of(wanted.target),
            actor=actor.subject,
            digest=digest,
            values=wanted.values,
            correlation=uuid4().hex,
            created_at=now,
            key=wanted.key,
            expected_version=wanted.expected_version,
            next_at=now,
            trouble=checked.trouble,
        )

    async def _answer(self, write: Write, wanted: Wanted, deadline: float, *, again: bool) -> Submitted:
        until = min(deadline, time.monotonic() + (wanted.timeout if wanted.timeout is not None else 1e9))
        write = await self._waited(write, wanted.wait_for, until)
        outcome = _outcome(write)
        if again and outcome in (WriteOutcome.APPLIED, WriteOutcome.ACCEPTED):
            outcome = WriteOutcome.DUPLICATE
        action = action_of(write.action)
        told = write.trouble is not None and (write.state in ENDED or write.state is State.OUTCOME_UNKNOWN)
        errors = (_user_error(write.trouble, action),) if told and write.trouble else ()
        return Submitted(outcome, errors, await self._shown(write), written_of(write))

    async def _waited(self, write: Write, state: State, until: float) -> Write:
        """The write as it is once it has come so far, has ended, waits for its owner, or the time is up."""
        event = asyncio.Event()
        self._waiting.setdefault(write.number, set()).add(event)
        try:
            while not _arrived(write, state) and (left := until - time.monotonic()) > 0:
                try:
                    async with asyncio.timeout(min(left, GLANCE_SECONDS)):
                        await event.wait()
                except TimeoutError:
                    event.clear()
                event.clear()
                now = await in_thread(self._store.write, write.number)
                write = now or write
            return write
        finally:
            self._waiting[write.number].discard(event)
            if not self._waiting[write.number]:
                del self._waiting[write.number]

    async def _shown(self, write: Write) -> IntegrationTransaction:
        steps = await in_thread(self._store.steps, [write.number])
        return _transaction(write, steps[write.number])


def _check_options(wanted: Wanted) -> None:
    if not wanted.key or len(wanted.key) > LONGEST_KEY:
        raise CommandRefused(
            UserErrorCode.INVALID_INPUT,
            f"The key has {len(wanted.key)} characters; it needs 1 to {LONGEST_KEY}.",
            path=("options", "idempotencyKey"),
        )
    if wanted.wait_for not in _WAITS:
        raise CommandRefused(
            UserErrorCode.INVALID_INPUT,
            f"{wanted.wait_for} is not on the way of a write: wait for {', '.join(_WAITS[3:])}.",
            path=("options", "waitFor"),
        )
    if wanted.timeout is not None and wanted.timeout < 0:
        raise CommandRefused(
            UserErrorCode.INVALID_INPUT, "timeoutMs is less than 0.", path=("options", "timeoutMs")
        )


def _arrived(write: Write, state: State) -> bool:
    """Whether there is nothing more to wait for; a write that waits for its owner is accepted all the same."""
    waits = write.state in (State.RETRYING, State.OUTCOME_UNKNOWN) and state is State.ACCEPTED
    return write.came_to(state) or write.parked or (waits and write.tries > 0)


def _mismatch() -> Trouble:
    said = "This key was used for another write. Take a new key for a new write."
    return Trouble(UserErrorCode.IDEMPOTENCY_MISMATCH, said, False, path=("options", "idempotencyKey"))


def _refusal(trouble: Trouble) -> CommandRefused:
    return CommandRefused(trouble.code, trouble.message, path=trouble.path)


def _rejected(trouble: Trouble, action: Action) -> Submitted:
    return Submitted(WriteOutcome.REJECTED, (_user_error(trouble, action),))


def _user_error(trouble: Trouble, action: Action) -> UserError:
    path = None if trouble.path is None else ("input", *map(_camel, trouble.path))
    return UserError(
        trouble.code, trouble.message, trouble.retryable, path, action.owner, trouble.source_code
    )


def _outcome(write: Write) -> WriteOutcome:
    if write.state in (State.APPLIED, State.RECONCILED):
        return WriteOutcome.APPLIED
    if write.state in (State.FAILED, State.DEAD_LETTERED):
        return WriteOutcome.REJECTED
    if write.state is State.OUTCOME_UNKNOWN:
        return WriteOutcome.OUTCOME_UNKNOWN
    return WriteOutcome.ACCEPTED


def _transaction(write: Write, steps: Sequence[Step]) -> IntegrationTransaction:
    written = written_of(write)
    return IntegrationTransaction(
        number=write.number,
        correlation_id=write.correlation,
        kind=_camel(write.action),
        state=write.state,
        attempts=write.attempts,
        started_at=_instant(write.created_at),
        steps=tuple([_shown_step(write, step) for step in steps]),
        write_token=None if written is None else write_token(written),
    )


def _shown_step(write: Write, step: Step) -> TransactionStep:
    error = None if step.trouble is None else _user_error(step.trouble, action_of(write.action))
    at = _instant(step.at)
    return TransactionStep(
        write.system, _camel(write.action), step.state, step.attempt, at, step.document, error
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join([word.title() for word in rest])
