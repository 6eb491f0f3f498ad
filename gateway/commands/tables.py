"""The tables of writes. Instants are seconds since the epoch; ``seq`` is the order in which writes were accepted."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table, Text

from gateway.database import METADATA

_COUNTED = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts in an INTEGER only."""

WRITES = Table(
    "writes",
    METADATA,
    Column("seq", _COUNTED, primary_key=True, autoincrement=True),
    Column("number", Text, nullable=False, unique=True),
    Column("action", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("key", Text),
    Column("digest", Text, nullable=False),
    Column("values", Text, nullable=False),
    Column("expected_version", Text),
    Column("correlation", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("state", Text, nullable=False),
    Column("next_at", Float),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("unsettled", Boolean, nullable=False),
    Column("sent_at", Float),
    Column("before", Text),
    Column("receipt", Text),
    Column("trouble", Text),
    Column("applied_at", Float),
    Column("version", Text),
    Column("held_by", Text),
    Column("held_until", Float),
    Index("writes_key", "actor", "key", unique=True),
    Index("writes_subject", "subject", "seq"),
    Index("writes_due", "next_at"),
)
"""``key`` is the client's own, and goes when it is kept no longer. ``next_at`` is when there is something to do, null when
nothing is; ``unsettled`` says that an attempt may have been carried out; ``held_by`` is the lease of the worker at it."""

STEPS = Table(
    "write_steps",
    METADATA,
    Column("seq", _COUNTED, primary_key=True, autoincrement=True),
    Column("write", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("document", Text),
    Column("trouble", Text),
    Index("write_steps_of", "write", "seq"),
)
