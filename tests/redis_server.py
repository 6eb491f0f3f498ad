"""A real Redis on a free port of this machine, which a test may kill and start again at the same port.

The binary (6.2) comes with a wheel of the development group, so no test is skipped for want of one.
"""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
SERVER = Path(sys.executable).with_name("redis-server")
PATIENCE = 10.0


class RedisServer:
    """``with RedisServer() as server`` runs it with an empty memory; nothing is ever written to a disk.

    ``options`` are further ones of the command line, e.g. ``"--requirepass", "secret"``.
    """

    def __init__(self, *options: str) -> None:
        self.port = _free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="crossdock-redis-")

    @property
    def url(self) -> str:
        """Where it is, with or without life in it."""
        return f"redis://{HOST}:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, empty, at its port; returns when it answers."""
        assert self._process is None, "it runs already"
        plain = ["--port", str(self.port)]
        command = [str(SERVER), *plain, "--bind", HOST, "--save", "", "--appendonly", "no", *self._options]
        self._process = subprocess.Popen(
            command, cwd=self._folder.name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE
        while not _answers(self.port):
            assert self._process.poll() is None, f"{SERVER} ended with {self._process.returncode}"
            assert time.monotonic() < end, f"{SERVER} did not answer within {PATIENCE:.0f} s"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a crash does (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self) -> None:
        """A crash, and a new life with an empty memory."""
        self.kill()
        self.start()


def _answers(port: int) -> bool:
    """Whether a server speaks there; that it wants a password first is an answer too."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
