"""The event log's tables in SQLite, and what is done with them. Everything here blocks: it runs in the log's threads.

An append is durable once it is committed: ``synchronous=FULL`` writes the log of the database (WAL) to the disk at
every commit. So neither ``kill -9`` nor a power cut costs an event that was acknowledged, as long as the disk does not
lie. ``NORMAL`` would survive ``kill -9`` too, but not the power cut; and worse than the lost events, the same positions
would be given again, so that a reader who had seen the lost ones would pass over others without a word.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from gateway.events.codec import Row, again, instant, micros, packed, to_event, to_parked
from gateway.events.log import Appended, Duplicate, Logged, Parked, Position, check_position
from schema.errors import ConfigError

BUSY_SECONDS = 5.0
FORMAT = 1
CHUNK = 500
"""Events that one transaction of a trim lets go, so that appends get their turn in between."""
APPLICATION = 0x43444556
"""Marks the file as an event log, so that no other database is taken for one."""

TABLES = (
    """CREATE TABLE IF NOT EXISTS log (
        one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, trimmed INTEGER NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS events (
        sequence INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, fact TEXT UNIQUE, subject TEXT NOT NULL,
        type TEXT NOT NULL, occurred INTEGER NOT NULL, received INTEGER NOT NULL, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX IF NOT EXISTS events_of_subject ON events (subject, occurred, sequence)",
    """CREATE TABLE IF NOT EXISTS touches (
        id TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (id, sequence)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS duplicates (
        sequence INTEGER NOT NULL, number TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
        received INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (sequence, number)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS parked (
        number TEXT PRIMARY KEY, source TEXT NOT NULL, received INTEGER NOT NULL, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX IF NOT EXISTS parked_in_order ON parked (received, number)",
)
_EVENT = """INSERT OR IGNORE INTO events (number, fact, subject, type, occurred, received, body, sequence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_DUPLICATE = """INSERT INTO duplicates (sequence, number, source, id, received, count) VALUES (?, ?, ?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET received = excluded.received, count = count + 1"""
_KEPT_ALREADY = """SELECT sequence, number FROM events WHERE number = ?1
    UNION ALL SELECT sequence, number FROM events WHERE fact = ?2 LIMIT 1"""
_ABOUT = """SELECT events.sequence, events.body FROM touches JOIN events USING (sequence)
    WHERE touches.id = ? AND touches.sequence > ? ORDER BY touches.sequence LIMIT ?"""
_DUPLICATES = """SELECT duplicates.number, source, id, duplicates.received, count
    FROM duplicates JOIN events USING (sequence) WHERE events.number = ? ORDER BY duplicates.received"""


def connect(path: Path | None, busy: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection to the log in a file, or in memory; ``busy`` is how long another process may have it to itself.

    Raises ConfigError where it cannot be used.
    """
    try:
        if path is not None:
            # What partners and plants tell is nobody else's on this machine.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=busy,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"events.path: {path} cannot be used: {error}",
            hint="Check that its folder exists, that the gateway may write to it, and that it is an event log.",
        ) from error
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()
    with writing(connection):
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if (application, version) != (APPLICATION, FORMAT):
            if tables:
                raise sqlite3.DatabaseError("it is not an event log of this release")
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={FORMAT}")
        for table in TABLES:
            connection.execute(table)
        connection.execute("INSERT OR IGNORE INTO log VALUES (1, ?, 0)", (uuid4().hex[:12],))


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that writes: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One look at the log as it is at one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def head(connection: sqlite3.Connection) -> tuple[Position, int]:
    """The position of the last event, and up to where events were let go."""
    epoch, trimmed, last = connection.execute(
        "SELECT epoch, trimmed, (SELECT max(sequence) FROM events) FROM log"
    ).fetchone()
    return Position(epoch, trimmed if last is None else last), trimmed


def append(connection: sqlite3.Connection, groups: Sequence[Sequence[Row]]) -> list[list[Appended]]:
    """Keep the events of several callers in one transaction."""
    with writing(connection):
        last, _ = head(connection)
        epoch, sequence = last
        told = []
        for rows in groups:
            became = []
            for row in rows:
                found = _add(connection, row, sequence + 1)
                sequence += not found
                at, number = found or (sequence, None)
                became.append(Appended(Position(epoch, at), number))
            told.append(became)
    return told


def _add(connection: sqlite3.Connection, row: Row, sequence: int) -> tuple[int, str] | None:
    """Keep an event at a place; or say which one that is kept already is the same."""
    if connection.execute(_EVENT, (*row[:6], row.body, sequence)).rowcount:
        touches = [(id, sequence) for id in row.touches]
        connection.executemany("INSERT INTO touches VALUES (?, ?)", touches)
        return None
    kept: tuple[int, str] = connection.execute(_KEPT_ALREADY, (row.number, row.fact)).fetchone()
    connection.execute(_DUPLICATE, (kept[0], row.number, row.source, row.id, row.received))
    return kept


def read(connection: sqlite3.Connection, after: Position, limit: int) -> list[Logged]:
    """The next events after a position. Raises ResyncRequired."""
    with reading(connection):
        last, trimmed = head(connection)
        check_position(after, last, trimmed)
        if after == last:
            return []
        rows = connection.execute(
            "SELECT sequence, body FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (after.sequence, limit),
        ).fetchall()
    return _logged(last.epoch, rows)


def about(connection: sqlite3.Connection, id: str, first: int, after: Position | None) -> list[Logged]:
    """The events that touch an object."""
    with reading(connection):
        last, _ = head(connection)
        if after is not None:
            check_position(after, last)
        rows = connection.execute(_ABOUT, (id, after.sequence if after else 0, first)).fetchall()
    return _logged(last.epoch, rows)


def find(connection: sqlite3.Connection, numbers: Sequence[str]) -> list[Logged | None]:
    """The events of these numbers."""
    select = "SELECT sequence, body FROM events WHERE number = ?"
    with reading(connection):
        last, _ = head(connection)
        rows = [connection.execute(select, (number,)).fetchone() for number in numbers]
    return [None if row is None else _logged(last.epoch, [row])[0] for row in rows]


def latest(connection: sqlite3.Connection, subject: str, type: str | None) -> Logged | None:
    """The event of a subject that occurred last."""
    only = "" if type is None else "AND type = ?2 "
    with reading(connection):
        last, _ = head(connection)
        rows = connection.execute(
            f"SELECT sequence, body FROM events WHERE subject = ?1 {only}"  # noqa: S608 (two fixed texts)
            "ORDER BY occurred DESC, sequence DESC LIMIT 1",
            (subject,) if type is None else (subject, type),
        ).fetchall()
    return _logged(last.epoch, rows)[0] if rows else None


def duplicates(connection: sqlite3.Connection, number: str) -> list[Duplicate]:
    """The messages that told again what an event says."""
    rows = connection.execute(_DUPLICATES, (number,)).fetchall()
    return [Duplicate(same, source, id, instant(at), count) for same, source, id, at, count in rows]


def trim(connection: sqlite3.Connection, oldest: int, most: int) -> int:
    """Let go of some events that were received before an instant or are more than so many; 0 when there are none."""
    with writing(connection):
        last, _ = head(connection)
        rows = connection.execute(
            "SELECT sequence, received, body FROM events ORDER BY sequence LIMIT ?", (CHUNK,)
        ).fetchall()
        gone = []
        for sequence, received, body in rows:
            if received >= oldest and sequence > last.sequence - most:
                break
            gone.append((sequence, body))
        if gone:
            _let_go(connection, gone)
    return len(gone)


def _let_go(connection: sqlite3.Connection, gone: Sequence[tuple[int, bytes]]) -> None:
    until = gone[-1][0]
    touches = []
    for sequence, body in gone:
        event = to_event(body)
        touches += [(id, sequence) for id in {event.subject, *event.touches}]
    connection.executemany("DELETE FROM touches WHERE id = ? AND sequence = ?", touches)
    connection.execute("DELETE FROM duplicates WHERE sequence <= ?", (until,))
    connection.execute("DELETE FROM events WHERE sequence <= ?", (until,))
    connection.execute("UPDATE log SET trimmed = ?", (until,))


def park(connection: sqlite3.Connection, parked: Sequence[Parked]) -> None:
    """Keep messages that could not become events."""
    with writing(connection):
        for each in parked:
            row = connection.execute("SELECT body FROM parked WHERE number = ?", (each.number,)).fetchone()
            kept = again(to_parked(row[0]) if row else None, each)
            connection.execute(
                "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?)",
                (kept.number, kept.source, micros(kept.received_at), packed(kept)),
            )


def parked(connection: sqlite3.Connection, source: str | None, first: int) -> list[Parked]:
    """The parked messages, oldest first."""
    only = "" if source is None else "WHERE source = ?2 "
    rows = connection.execute(
        f"SELECT body FROM parked {only}ORDER BY received, number LIMIT ?1",  # noqa: S608 (two fixed texts)
        (first,) if source is None else (first, source),
    ).fetchall()
    return [to_parked(body) for (body,) in rows]


def unpark(connection: sqlite3.Connection, numbers: Iterable[str]) -> list[Parked]:
    """Take parked messages out."""
    found = []
    with writing(connection):
        for number in numbers:
            delete = "DELETE FROM parked WHERE number = ? RETURNING body"
            found += connection.execute(delete, (number,)).fetchall()
    return [to_parked(body) for (body,) in found]


def trim_parked(connection: sqlite3.Connection, oldest: int, most: int) -> int:
    """Let go of parked messages that came before an instant or are more than so many, the oldest first."""
    with writing(connection):
        old = connection.execute("DELETE FROM parked WHERE received < ?", (oldest,)).rowcount
        more = connection.execute(
            "DELETE FROM parked WHERE number IN"
            " (SELECT number FROM parked ORDER BY received DESC, number DESC LIMIT -1 OFFSET ?)",
            (most,),
        ).rowcount
    return old + more


def _logged(epoch: str, rows: Sequence[Any]) -> list[Logged]:
    return [Logged(Position(epoch, sequence), to_event(body)) for sequence, body in rows]
