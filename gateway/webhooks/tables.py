"""The tables of webhooks. Instants are seconds since the epoch; ``seq`` is the order of a webhook's messages."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Table, Text

from gateway.database import METADATA

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("number", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("operation_name", Text),
    Column("variables", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("cursor", Text),
    Column("seq", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("old_ends_at", Float),
    Column("created_at", Float, nullable=False),
    Column("last_delivered_at", Float),
    Column("failing_since", Float),
    Column("version", Integer, nullable=False),
    Column("held_by", Text),
    Column("held_until", Float),
)
"""``version`` rises with every change of what is subscribed or where it goes; ``held_by`` is the worker that runs it."""

DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    Column("number", Text, primary_key=True),
    Column("webhook", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("delivered_at", Float),
    Column("last_status", Integer),
    Column("last_reason", Text),
    Column("body", LargeBinary, nullable=False),
    Index("webhook_deliveries_due", "webhook", "state", "subject", "seq"),
    Index("webhook_deliveries_at", "state", "delivered_at"),
)
