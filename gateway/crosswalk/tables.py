"""The tables of the crosswalk."""

from sqlalchemy import Boolean, Column, Integer, Table, Text, UniqueConstraint

from gateway.database import METADATA, prepared

CROSSWALK = Table(
    "crosswalk",
    METADATA,
    Column("system", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("theirs", Text, primary_key=True),
    Column("ours", Text, nullable=False),
    Column("matched_by", Text, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("system", "kind", "ours"),
)
UNMATCHED = Table(
    "crosswalk_unmatched",
    METADATA,
    Column("system", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("raw", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_seen", Text, nullable=False),
    Column("last_seen", Text, nullable=False),
    Column("candidates", Text, nullable=False),
)
VERSION = Table(
    "crosswalk_version",
    METADATA,
    Column("one", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
)
prepared("INSERT INTO crosswalk_version (one, version) VALUES (1, 0) ON CONFLICT DO NOTHING")
