"""Webhooks and their messages on disk, over SQLAlchemy's core. Blocks: call it in a thread."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database import Database
from gateway.webhooks.tables import DELIVERIES, WEBHOOKS
from schema.webhooks import DeliveryState, WebhookFormat, WebhookState

OPEN = (DeliveryState.PENDING, DeliveryState.RETRYING)
RUNNING = (WebhookState.ACTIVE, WebhookState.FAILING)


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as it is kept. Instants are seconds since the epoch."""

    number: str
    owner: str
    name: str
    url: str
    query: str
    variables: Mapping[str, Any]
    created_at: float
    format: WebhookFormat = WebhookFormat.GRAPHQL
    operation_name: str | None = None
    state: WebhookState = WebhookState.ACTIVE
    reason: str | None = None
    cursor: str | None = None
    seq: int = 0
    generation: int = 1
    old_ends_at: float | None = None
    last_delivered_at: float | None = None
    failing_since: float | None = None
    version: int = 1

    def generations(self, now: float) -> tuple[int, ...]:
        """The secrets that sign now, the newest first."""
        both = self.old_ends_at is not None and now < self.old_ends_at
        return (self.generation, self.generation - 1) if both else (self.generation,)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is kept. ``subject`` keeps its order; messages of different subjects do not wait for each other."""

    number: str
    webhook: str
    seq: int
    subject: str
    body: bytes
    created_at: float
    next_at: float
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    delivered_at: float | None = None
    last_status: int | None = None
    last_reason: str | None = None


class WebhookStore:
    """The two tables."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def open(self) -> None:
        """Get ready. Raises ConfigError."""
        self.database.open()

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()

    def add(self, hook: Hook) -> None:
        """Keep a new webhook."""
        with self.database.writing() as db:
            db.execute(insert(WEBHOOKS).values(**_row(hook)))

    def hooks(self, owner: str | None = None) -> list[Hook]:
        """The webhooks, of one owner where named, the oldest first."""
        chosen = select(WEBHOOKS).order_by(WEBHOOKS.c.created_at, WEBHOOKS.c.number)
        if owner is not None:
            chosen = chosen.where(WEBHOOKS.c.owner == owner)
        with self.database.reading() as db:
            return [_hook(row) for row in db.execute(chosen).mappings()]

    def hook(self, number: str, owner: str | None = None) -> Hook | None:
        """A webhook, of one owner where named."""
        chosen = select(WEBHOOKS).where(WEBHOOKS.c.number == number)
        if owner is not None:
            chosen = chosen.where(WEBHOOKS.c.owner == owner)
        with self.database.reading() as db:
            row = db.execute(chosen).mappings().first()
        return None if row is None else _hook(row)

    def change(self, number: str, **values: Any) -> None:
        """Change what is named; the version rises, so that who runs the webhook begins anew."""
        if "variables" in values:
            values["variables"] = json.dumps(values["variables"])
        with self.database.writing() as db:
            changed = update(WEBHOOKS).where(WEBHOOKS.c.number == number)
            db.execute(changed.values(**values, version=WEBHOOKS.c.version + 1))

    def note(self, hook: Hook, **values: Any) -> None:
        """Write down how a webhook fares, unless its owner has changed it meanwhile: their word is the last."""
        with self.database.writing() as db:
            db.execute(update(WEBHOOKS).where(_unchanged(hook)).values(**values))

    def remove(self, number: str) -> None:
        """Forget a webhook and its messages."""
        with self.database.writing() as db:
            db.execute(delete(DELIVERIES).where(DELIVERIES.c.webhook == number))
            db.execute(delete(WEBHOOKS).where(WEBHOOKS.c.number == number))

    def hold(self, worker: str, now: float, seconds: float) -> list[Hook]:
        """The running webhooks that this worker runs for so many seconds from now: its own, and those nobody runs."""
        free = or_(WEBHOOKS.c.held_by.is_(None), WEBHOOKS.c.held_by == worker, WEBHOOKS.c.held_until < now)
        with self.database.writing() as db:
            taken = update(WEBHOOKS).where(free, WEBHOOKS.c.state.in_(RUNNING))
            db.execute(taken.values(held_by=worker, held_until=now + seconds))
            mine = select(WEBHOOKS).where(WEBHOOKS.c.held_by == worker, WEBHOOKS.c.state.in_(RUNNING))
            return [_hook(row) for row in db.execute(mine).mappings()]

    def let_go(self, worker: str) -> None:
        """Others may run what this worker ran."""
        with self.database.writing() as db:
            mine = update(WEBHOOKS).where(WEBHOOKS.c.held_by == worker)
            db.execute(mine.values(held_by=None, held_until=None))

    def keep(self, hook: Hook, messages: Sequence[Message], cursor: str | None) -> bool:
        """Keep messages and the cursor after them, in one piece; False where the webhook was changed or is gone.

        A message that is there already is not kept again.
        """
        with self.database.writing() as db:
            last = max([message.seq for message in messages], default=0)
            moved = (
                update(WEBHOOKS)
                .where(_unchanged(hook))
                .values(cursor=cursor, seq=func.coalesce(last or None, WEBHOOKS.c.seq))
            )
            if not db.execute(moved).rowcount:
                return False
            if messages:
                rows = [_message_row(message) for message in messages]
                made = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
                db.execute(made(DELIVERIES).on_conflict_do_nothing(), rows)
            return True

    def due(self, number: str, now: float, most: int) -> list[Message]:
        """The messages to send now: of every subject the oldest that is not delivered, if its time has come."""
        earlier = DELIVERIES.alias("earlier")
        first = ~exists().where(
            earlier.c.webhook == DELIVERIES.c.webhook,
            earlier.c.subject == DELIVERIES.c.subject,
            earlier.c.state.in_(OPEN),
            earlier.c.seq < DELIVERIES.c.seq,
        )
        chosen = (
            select(DELIVERIES)
            .where(
                DELIVERIES.c.webhook == number,
                DELIVERIES.c.state.in_(OPEN),
                DELIVERIES.c.next_at <= now,
                first,
            )
            .order_by(DELIVERIES.c.seq)
            .limit(most)
        )
        with self.database.reading() as db:
            return [_message(row) for row in db.execute(chosen).mappings()]

    def settle(self, hook: Hook, messages: Sequence[Message], noted: Mapping[str, Any]) -> None:
        """Write down, in one piece, what became of some messages and how their webhook fares."""
        with self.database.writing() as db:
            for message in messages:
                row = _message_row(message)
                del row["body"]
                db.execute(update(DELIVERIES).where(DELIVERIES.c.number == message.number).values(**row))
            if noted:
                db.execute(update(WEBHOOKS).where(_unchanged(hook)).values(**noted))

    def messages(
        self, webhook: str, states: Sequence[DeliveryState] = (), before: int | None = None, most: int = 50
    ) -> list[Message]:
        """The messages of a webhook, the newest first."""
        chosen = select(DELIVERIES).where(DELIVERIES.c.webhook == webhook).order_by(DELIVERIES.c.seq.desc())
        if states:
            chosen = chosen.where(DELIVERIES.c.state.in_(states))
        if before is not None:
            chosen = chosen.where(DELIVERIES.c.seq < before)
        with self.database.reading() as db:
            return [_message(row) for row in db.execute(chosen.limit(most)).mappings()]

    def message(self, number: str) -> Message | None:
        """One message."""
        with self.database.reading() as db:
            row = db.execute(select(DELIVERIES).where(DELIVERIES.c.number == number)).mappings().first()
        return None if row is None else _message(row)

    def counts(self, webhooks: Sequence[str]) -> dict[tuple[str, str], int]:
        """How many messages each webhook has in each state."""
        chosen = (
            select(DELIVERIES.c.webhook, DELIVERIES.c.state, func.count())
            .where(DELIVERIES.c.webhook.in_(webhooks))
            .group_by(DELIVERIES.c.webhook, DELIVERIES.c.state)
        )
        with self.database.reading() as db:
            return {(webhook, state): count for webhook, state, count in db.execute(chosen)}

    def again(self, webhook: str, numbers: Sequence[str] | None, now: float) -> list[Message]:
        """Put messages back, to be sent anew under their ids: those named, or all that were given up."""
        chosen = select(DELIVERIES).where(DELIVERIES.c.webhook == webhook)
        if numbers is None:
            chosen = chosen.where(DELIVERIES.c.state == DeliveryState.DEAD_LETTERED)
        else:
            chosen = chosen.where(DELIVERIES.c.number.in_(numbers), DELIVERIES.c.state.not_in(OPEN))
        with self.database.writing() as db:
            found = [_message(row) for row in db.execute(chosen).mappings()]
            named = [message.number for message in found]
            back = update(DELIVERIES).where(DELIVERIES.c.number.in_(named))
            db.execute(back.values(state=DeliveryState.PENDING, attempts=0, next_at=now))
        return found

    def tidy(self, delivered_before: float, given_up_before: float) -> int:
        """Forget messages that ended long ago; returns how many."""
        old = or_(
            and_(DELIVERIES.c.state == DeliveryState.DELIVERED, DELIVERIES.c.delivered_at < delivered_before),
            and_(DELIVERIES.c.state == DeliveryState.DEAD_LETTERED, DELIVERIES.c.next_at < given_up_before),
        )
        with self.database.writing() as db:
            return int(db.execute(delete(DELIVERIES).where(old)).rowcount)


def _unchanged(hook: Hook) -> ColumnElement[bool]:
    return and_(WEBHOOKS.c.number == hook.number, WEBHOOKS.c.version == hook.version)


def _row(hook: Hook) -> dict[str, Any]:
    named = {name: getattr(hook, name) for name in Hook.__dataclass_fields__}
    return named | {
        "variables": json.dumps(hook.variables),
        "state": hook.state.value,
        "format": hook.format.value,
    }


def _hook(row: RowMapping) -> Hook:
    values = {name: row[name] for name in Hook.__dataclass_fields__}
    values["variables"] = json.loads(values["variables"])
    return Hook(
        **values | {"state": WebhookState(values["state"]), "format": WebhookFormat(values["format"])}
    )


def _message_row(message: Message) -> dict[str, Any]:
    named = {name: getattr(message, name) for name in Message.__dataclass_fields__}
    return named | {"state": message.state.value}


def _message(row: RowMapping) -> Message:
    values = {name: row[name] for name in Message.__dataclass_fields__}
    return Message(**values | {"state": DeliveryState(values["state"])})
