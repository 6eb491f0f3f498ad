"""The database of writes. Everything is in short transactions; what was answered as accepted is on the disk.

A worker holds a write by a lease that names it; whatever it writes down holds only while the lease is its own.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, and_, delete, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.commands.records import (
    CARRIED,
    Step,
    Trouble,
    Write,
    read_receipt,
    read_trouble,
    written_receipt,
    written_trouble,
)
from gateway.commands.tables import STEPS, WRITES
from gateway.database import Database
from schema.integration import TransactionState as State

_CARRIED = [state.value for state in CARRIED]


class LeaseLost(Exception):
    """Another worker has taken the write over."""


class WriteStore:
    """The two tables. Calls block: run them in a thread."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def open(self) -> None:
        """Get ready. Raises ConfigError."""
        self.database.open()

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()

    def accept(self, write: Write, keys_before: float) -> Write:
        """Keep a write with its first step. Returns it, or the one that was accepted under the same key before.

        A key that is older than ``keys_before`` and whose write is over is free again.
        """
        try:
            with self.database.writing() as db:
                over = or_(WRITES.c.next_at.is_(None), WRITES.c.state.not_in(_CARRIED))
                old = and_(WRITES.c.actor == write.actor, WRITES.c.key == write.key, over)
                db.execute(update(WRITES).where(old, WRITES.c.created_at < keys_before).values(key=None))
                db.execute(insert(WRITES).values(**_row(write)))
                db.execute(insert(STEPS).values(**_step_row(write.number, _step_of(write, write.created_at))))
        except IntegrityError:
            before = self.keyed(write.actor, write.key, 0.0)
            if before is None:
                raise
            return before
        return write

    def keyed(self, actor: str, key: str | None, keys_before: float) -> Write | None:
        """The write that an actor's key stands for."""
        chosen = select(WRITES).where(WRITES.c.actor == actor, WRITES.c.key == key)
        with self.database.reading() as db:
            row = db.execute(chosen).mappings().first()
        write = None if row is None else _write(row)
        over = write is not None and (write.parked or write.state not in CARRIED)
        return None if write is None or (over and write.created_at < keys_before) else write

    def write(self, number: str) -> Write | None:
        """One write."""
        with self.database.reading() as db:
            row = db.execute(select(WRITES).where(WRITES.c.number == number)).mappings().first()
        return None if row is None else _write(row)

    def of_subjects(self, subjects: Sequence[str], most: int) -> dict[str, list[Write]]:
        """The latest writes on some objects, the newest first."""
        found: dict[str, list[Write]] = {subject: [] for subject in subjects}
        chosen = select(WRITES).where(WRITES.c.subject.in_(subjects)).order_by(WRITES.c.seq.desc())
        with self.database.reading() as db:
            for row in db.execute(chosen).mappings():
                if len(found[row["subject"]]) < most:
                    found[row["subject"]].append(_write(row))
        return found

    def steps(self, numbers: Sequence[str]) -> dict[str, list[Step]]:
        """What happened to some writes, in order."""
        found: dict[str, list[Step]] = {number: [] for number in numbers}
        chosen = select(STEPS).where(STEPS.c.write.in_(numbers)).order_by(STEPS.c.seq)
        with self.database.reading() as db:
            for row in db.execute(chosen).mappings():
                found[row["write"]].append(
                    Step(
                        State(row["state"]),
                        row["attempt"],
                        row["at"],
                        row["document"],
                        read_trouble(row["trouble"]),
                    )
                )
        return found

    def claim(self, holder: str, now: float, seconds: float, most: int) -> list[Write]:
        """Take leases on what is due: of every object the oldest write that is still carried, and those that follow up."""
        earlier = WRITES.alias("earlier")
        head = ~exists().where(
            earlier.c.subject == WRITES.c.subject,
            earlier.c.seq < WRITES.c.seq,
            earlier.c.next_at.is_not(None),
            earlier.c.state.in_(_CARRIED),
        )
        free = or_(WRITES.c.held_by.is_(None), WRITES.c.held_until < now)
        due = and_(WRITES.c.next_at <= now, free)
        first = select(WRITES.c.number).where(due, or_(head, WRITES.c.state.not_in(_CARRIED)))
        with self.database.reading() as db:
            numbers = db.execute(first.order_by(WRITES.c.seq).limit(most)).scalars().all()
        if not numbers:
            return []
        with self.database.writing() as db:
            mine = and_(WRITES.c.number.in_(numbers), due)
            taken = update(WRITES).where(mine).values(held_by=holder, held_until=now + seconds)
            got = db.execute(taken.returning(WRITES.c.number)).scalars().all()
            rows = db.execute(select(WRITES).where(WRITES.c.number.in_(got)).order_by(WRITES.c.seq))
            return [_write(row) for row in rows.mappings()]

    def hold(self, numbers: Sequence[str], holder: str, until: float) -> None:
        """Keep leases for longer."""
        with self.database.writing() as db:
            mine = and_(WRITES.c.number.in_(numbers), WRITES.c.held_by == holder)
            db.execute(update(WRITES).where(mine).values(held_until=until))

    def let_go(self, write: str, holder: str) -> None:
        """Give a lease back."""
        with self.database.writing() as db:
            mine = and_(WRITES.c.number == write, WRITES.c.held_by == holder)
            db.execute(update(WRITES).where(mine).values(held_by=None, held_until=None))

    def note(self, write: Write, at: float, step: Trouble | None = None, *, quiet: bool = False) -> Write:
        """Write down how a write stands now, and as a step unless ``quiet``. Raises LeaseLost."""
        with self.database.writing() as db:
            mine = and_(WRITES.c.number == write.number, WRITES.c.held_by == write.held_by)
            if not db.execute(update(WRITES).where(mine).values(**_standing(write))).rowcount:
                raise LeaseLost(write.number)
            if not quiet:
                db.execute(insert(STEPS).values(**_step_row(write.number, _step_of(write, at, step))))
        return write

    def tidy(self, before: float) -> int:
        """Forget what ended well or was refused long ago; what waits for a person stays. Returns how many."""
        over = [State.APPLIED.value, State.RECONCILED.value, State.FAILED.value]
        old = and_(WRITES.c.state.in_(over), WRITES.c.next_at.is_(None), WRITES.c.created_at < before)
        with self.database.writing() as db:
            numbers = db.execute(select(WRITES.c.number).where(old)).scalars().all()
            db.execute(delete(STEPS).where(STEPS.c.write.in_(numbers)))
            db.execute(delete(WRITES).where(WRITES.c.number.in_(numbers)))
        return len(numbers)


def _step_of(write: Write, at: float, trouble: Trouble | None = None) -> Step:
    document = None if write.receipt is None else write.receipt.document
    return Step(write.state, write.attempts, at, document, trouble)


def _step_row(number: str, step: Step) -> dict[str, Any]:
    return {
        "write": number,
        "state": step.state.value,
        "attempt": step.attempt,
        "at": step.at,
        "document": step.document,
        "trouble": written_trouble(step.trouble),
    }


_CHANGING = (
    "next_at",
    "attempts",
    "tries",
    "unsettled",
    "sent_at",
    "before",
    "applied_at",
    "version",
)


def _standing(write: Write) -> dict[str, Any]:
    return {name: getattr(write, name) for name in _CHANGING} | {
        "state": write.state.value,
        "receipt": written_receipt(write.receipt),
        "trouble": written_trouble(write.trouble),
    }


def _row(write: Write) -> dict[str, Any]:
    named = {name: getattr(write, name) for name in Write.__dataclass_fields__}
    return named | _standing(write) | {"values": json.dumps(write.values)}


def _write(row: RowMapping) -> Write:
    named = {name: row[name] for name in Write.__dataclass_fields__}
    return Write(
        **named
        | {
            "values": json.loads(row["values"]),
            "state": State(row["state"]),
            "receipt": read_receipt(row["receipt"]),
            "trouble": read_trouble(row["trouble"]),
        }
    )
