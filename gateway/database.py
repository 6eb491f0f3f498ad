"""The database behind the gateway's own tables: SQLite embedded, or PostgreSQL by its URL. Secrets are never shown."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from schema.errors import ConfigError

MEMORY = "sqlite://"
BUSY_SECONDS = 5
_DIALECTS = ("sqlite", "postgresql")
_LOCK = 0x43524F53
"""Number of the advisory lock under which the tables are made, so that workers starting together do not collide."""

METADATA = MetaData()
"""Every table of the gateway; each room that keeps something adds its own."""
_PREPARED: list[str] = []


def prepared(statement: str) -> None:
    """Run a statement once the tables are there, at every start: it must not mind having been run before."""
    _PREPARED.append(statement)


def parsed(url: str) -> URL:
    """The URL of a database. Raises ValueError, without any of it, where it is none of ours."""
    try:
        found = make_url(url)
    except ArgumentError:
        raise ValueError('is no URL; write "sqlite:////var/lib/crossdock/crossdock.db"') from None
    dialect = "postgresql" if found.drivername == "postgres" else found.drivername.partition("+")[0]
    if dialect not in _DIALECTS:
        raise ValueError(f"is neither sqlite nor postgresql but {dialect[:20]!r}")
    return found.set(drivername="postgresql+psycopg") if dialect == "postgresql" else found


def shown(url: URL) -> str:
    """Where a database is, without user, password or parameters."""
    where = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return f"{url.get_backend_name()}://{where}/{url.database or ''}"


_PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
"""A server that is gone without a word must not hold up a gateway that wants to stop."""


class Database:
    """One engine, made on first use. Calls block: run them in a thread. Any number of threads may."""

    def __init__(self, url: str = MEMORY, *, durable: bool = False) -> None:
        """With ``durable`` what was committed outlives a power cut, at the price of waiting for the disk."""
        self.url = parsed(url)
        self._durable = durable
        self._engine: Engine | None = None
        # A database in memory is one connection, which two threads must not use at once.
        self._turn: AbstractContextManager[Any] = RLock() if _in_memory(self.url) else nullcontext()

    def open(self) -> None:
        """Connect, and make the tables that are missing. Raises ConfigError, which shows no secret."""
        try:
            with self.writing() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                for table in METADATA.sorted_tables:
                    connection.execute(CreateTable(table, if_not_exists=True))
                    for index in sorted(table.indexes, key=lambda index: str(index.name)):
                        connection.execute(CreateIndex(index, if_not_exists=True))
                for statement in _PREPARED:
                    connection.execute(text(statement))
        except (SQLAlchemyError, OSError) as error:
            reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
            raise ConfigError(
                f"database_url: {shown(self.url)} cannot be used: {_without(reason, self.url)}",
                hint="Check that it is there and that the gateway may write to it; for SQLite, that its folder exists.",
            ) from None

    def close(self) -> None:
        """Give back all connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that only reads."""
        with self._turn, self._made().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A short transaction; committed at the end, rolled back where something is raised."""
        made = self._made()
        with self._turn, made.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def _made(self) -> Engine:
        if self._engine is None:
            sqlite = self.url.get_backend_name() == "sqlite"
            self._engine = _sqlite(self.url, self._durable) if sqlite else _postgres(self.url)
        return self._engine


def _in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def _postgres(url: URL) -> Engine:
    try:
        return create_engine(
            url, pool_size=2, max_overflow=2, pool_pre_ping=True, connect_args=_PATIENCE, hide_parameters=True
        )
    except ModuleNotFoundError:
        raise ConfigError(
            "database_url: the driver for PostgreSQL is not installed",
            hint="Install crossdock[postgres].",
        ) from None


def _sqlite(url: URL, durable: bool) -> Engine:
    options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
    if _in_memory(url):
        options["poolclass"] = StaticPool
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: Any) -> None:
        # We begin transactions ourselves: sqlite3 would begin them late, and a write after a read may then be refused.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}").close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _without(reason: str, url: URL) -> str:
    """A driver's message without the password, should it ever say it."""
    secrets = [str(url.password or ""), *(str(value) for value in url.query.values())]
    for secret in filter(None, secrets):
        reason = reason.replace(secret, "***")
    return reason
