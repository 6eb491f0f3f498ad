"""The crosswalk and the unmatched keys on disk: one small store over SQLAlchemy's core. Blocks: call it in a thread."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    case,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from gateway.crosswalk.tables import CROSSWALK, UNMATCHED, VERSION
from gateway.crosswalk.waiting import Note, merged
from gateway.database import Database
from schema.base import MatchRule
from schema.errors import CrossdockError
from schema.matching import Entry, Reason

MOST_ENTRIES = 100_000
"""Entries of the table: every worker holds all of them, in some 100 MB at most."""
MOST_UNMATCHED = 10_000
"""Rows of the queue; beyond it those not seen for longest are dropped."""


class CrosswalkError(CrossdockError):
    """The crosswalk cannot be changed like this."""

    code = "CROSSWALK_REFUSED"


class Store:
    """The two tables and the version that rises with every change of the first."""

    def __init__(
        self, database: Database, most: int = MOST_ENTRIES, most_unmatched: int = MOST_UNMATCHED
    ) -> None:
        self.database = database
        self._most, self._most_unmatched = most, most_unmatched

    def open(self) -> None:
        """Get ready. Raises ConfigError."""
        self.database.open()

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()

    def version(self) -> int:
        """A number that rises with every change of the entries."""
        with self.database.reading() as db:
            return db.execute(select(VERSION.c.version)).scalar() or 0

    def entries(self, system: str | None = None, kind: str | None = None) -> list[Entry]:
        """The entries, in order; of one system or kind where named."""
        chosen = select(CROSSWALK).order_by(CROSSWALK.c.system, CROSSWALK.c.kind, CROSSWALK.c.theirs)
        for column, value in ((CROSSWALK.c.system, system), (CROSSWALK.c.kind, kind)):
            chosen = chosen if value is None else chosen.where(column == value)
        with self.database.reading() as db:
            return [_entry(row) for row in db.execute(chosen).mappings()]

    def add(self, entries: Sequence[Entry]) -> int:
        """Put in all of them, or none; returns how many were not there already. They leave the queue.

        Raises CrosswalkError where a key of either side has another partner.
        """
        try:
            return self._add(entries)
        except IntegrityError:
            raise CrosswalkError(
                "Somebody else changed the crosswalk at the same moment; nothing was added.",
                hint="Try again.",
            ) from None

    def _add(self, entries: Sequence[Entry]) -> int:
        distinct = {(e.system, e.kind, e.theirs, e.ours): e for e in entries}.values()
        with self.database.writing() as db:
            new = [entry for entry in distinct if _is_new(db, entry)]
            count = db.execute(select(func.count()).select_from(CROSSWALK)).scalar_one()
            if count + len(new) > self._most:
                raise CrosswalkError(
                    f"{count} entries and {len(new)} more are too many: at most {self._most} are held.",
                    hint="A rule that fits them all is said once, as a spelling: systems.CODE.keys.",
                )
            for entry in new:
                # Again, because two lines of one import may contradict each other.
                _is_new(db, entry)
                db.execute(insert(CROSSWALK).values(_row(entry)))
            for entry in distinct:
                place = and_(_at(UNMATCHED, entry.system, entry.kind), UNMATCHED.c.key == entry.theirs)
                db.execute(delete(UNMATCHED).where(place))
            if new:
                _bump(db)
            return len(new)

    def remove(self, system: str, kind: str, theirs: str) -> Entry | None:
        """Take out the entry of a system's key; returns it, or None where there is none."""
        place = and_(_at(CROSSWALK, system, kind), CROSSWALK.c.theirs == theirs)
        with self.database.writing() as db:
            row = db.execute(select(CROSSWALK).where(place)).mappings().first()
            if row is None:
                return None
            db.execute(delete(CROSSWALK).where(place))
            _bump(db)
            return _entry(row)

    def note(self, notes: Iterable[Note]) -> None:
        """Add sightings to the queue; the rows not seen for longest make room.

        A key that has an entry by now was seen before that was known everywhere: it is settled.
        """
        with self.database.writing() as db:
            # In one order, so that two workers never wait for each other.
            for note in sorted(notes, key=lambda one: (one.system, one.kind, one.key)):
                settled = and_(_at(CROSSWALK, note.system, note.kind), CROSSWALK.c.theirs == note.key)
                if db.execute(select(CROSSWALK.c.ours).where(settled)).first() is not None:
                    continue
                place = and_(_at(UNMATCHED, note.system, note.kind), UNMATCHED.c.key == note.key)
                known = db.execute(select(UNMATCHED.c.candidates).where(place)).scalar()
                candidates = merged(tuple(json.loads(known or "[]")), note.candidates)
                db.execute(_counted(db, note, candidates))
            _trim(db, self._most_unmatched)

    def unmatched(self, system: str | None = None, kind: str | None = None, most: int = 100) -> list[Note]:
        """The queue, the latest first."""
        chosen = select(UNMATCHED).order_by(UNMATCHED.c.last_seen.desc(), UNMATCHED.c.key).limit(most)
        for column, value in ((UNMATCHED.c.system, system), (UNMATCHED.c.kind, kind)):
            chosen = chosen if value is None else chosen.where(column == value)
        with self.database.reading() as db:
            return [_note(row) for row in db.execute(chosen).mappings()]


def _at(table: Any, system: str, kind: str) -> ColumnElement[bool]:
    return and_(table.c.system == system, table.c.kind == kind)


def _is_new(db: Connection, entry: Entry) -> bool:
    """Whether an entry is not there yet; raises where one of its keys has another partner."""
    place = _at(CROSSWALK, entry.system, entry.kind)
    either = (CROSSWALK.c.theirs == entry.theirs) | (CROSSWALK.c.ours == entry.ours)
    known = [_entry(row) for row in db.execute(select(CROSSWALK).where(place, either)).mappings()]
    for other in known:
        if (other.theirs, other.ours) != (entry.theirs, entry.ours):
            raise CrosswalkError(
                f"{entry.system} {entry.kind}: {entry.theirs!r} cannot be {entry.ours!r}, "
                f"because {other.theirs!r} is {other.ours!r}.",
                hint=f"If that is wrong, first: crossdock crosswalk remove {other.system} {other.kind} {other.theirs}",
            )
    return not known


def _bump(db: Connection) -> None:
    db.execute(update(VERSION).values(version=VERSION.c.version + 1))


def _counted(db: Connection, note: Note, candidates: tuple[str, ...]) -> Any:
    make = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    row = {**_written(note), "candidates": json.dumps(candidates)}
    statement = make(UNMATCHED).values(row)
    later = {name: row[name] for name in ("raw", "reason", "last_seen", "candidates")}
    return statement.on_conflict_do_update(
        index_elements=[UNMATCHED.c.system, UNMATCHED.c.kind, UNMATCHED.c.key],
        set_={**later, "count": UNMATCHED.c.count + note.count},
    )


def _trim(db: Connection, most: int) -> None:
    """Make room: first what only clients asked for (whoever asks can ask for anything), then by age."""
    count = db.execute(select(func.count()).select_from(UNMATCHED)).scalar_one()
    if count > most:
        key = tuple_(UNMATCHED.c.system, UNMATCHED.c.kind, UNMATCHED.c.key)
        worth = case((UNMATCHED.c.reason == Reason.UNKNOWN.value, 0), else_=1)
        oldest = select(UNMATCHED.c.system, UNMATCHED.c.kind, UNMATCHED.c.key)
        oldest = oldest.order_by(worth, UNMATCHED.c.last_seen).limit(count - most)
        db.execute(delete(UNMATCHED).where(key.in_(oldest)))


def _text(moment: datetime | None) -> str:
    """Times as text of one length in UTC, so that both databases order them alike."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "system": entry.system,
        "kind": entry.kind,
        "theirs": entry.theirs,
        "ours": entry.ours,
        "matched_by": entry.matched_by.value,
        "confirmed": entry.confirmed,
        "by": entry.by,
        "at": _text(entry.at),
        "note": entry.note,
    }


def _entry(row: RowMapping) -> Entry:
    return Entry(
        **{
            **row,
            "matched_by": MatchRule(row["matched_by"]),
            "confirmed": bool(row["confirmed"]),
            "at": datetime.fromisoformat(row["at"]),
        }
    )


def _written(note: Note) -> dict[str, Any]:
    return {
        "system": note.system,
        "kind": note.kind,
        "key": note.key,
        "raw": note.raw,
        "reason": note.reason.value,
        "count": note.count,
        "first_seen": _text(note.first_seen),
        "last_seen": _text(note.last_seen),
    }


def _note(row: RowMapping) -> Note:
    return Note(
        **{
            **row,
            "reason": Reason(row["reason"]),
            "first_seen": datetime.fromisoformat(row["first_seen"]),
            "last_seen": datetime.fromisoformat(row["last_seen"]),
            "candidates": tuple(json.loads(row["candidates"])),
        }
    )
