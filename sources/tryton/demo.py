"""A real Tryton server for the demo and the tests: installed, seeded once, started on a free port, stopped.

Tryton is GPL software that runs as its own server in its own virtual environment; nothing of it is imported here.
Installing and seeding takes about a minute and a half; both are kept under a directory named after their recipe,
and every start gets its own copy of the database.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERIES = "8.2"
PACKAGES = [
    "trytond",
    "proteus",
    "trytond-production",
    "trytond-production-routing",
    "trytond-production-work",
    "trytond-stock-lot",
    "trytond-stock-package",
    "trytond-quality",
    "trytond-sale",
    "trytond-purchase",
    "trytond-carrier",
    "trytond-stock-shipment-cost",
]
DATABASE = "mfg"
USER = "admin"
PASSWORD = "adminpw"  # noqa: S105 - of a throw-away server on the loopback interface
PLANT, PLANT_NAME, TIME_ZONE = "KAS", "Plant Kassel", "Europe/Berlin"
SEED = Path(__file__).with_name("seed.py")


class DemoError(RuntimeError):
    """Tryton could not be installed or started; says which step and shows the end of its output."""


@dataclass(frozen=True, slots=True)
class TrytonServer:
    """A running server."""

    url: str
    """Base address with the database, e.g. ``http://127.0.0.1:41234/mfg``."""
    key: str
    """Key of the REST application."""
    user: str = USER
    password: str = PASSWORD

    def table(self) -> dict[str, Any]:
        """The ``[systems.ERP]`` table of a gateway over this server; its one plant is ``PLANT``."""
        return {
            "adapter": "tryton",
            "kind": "ERP",
            "vendor": f"Tryton {SERIES}",
            "plants": [PLANT],
            "base_url": self.url,
            "auth": {"type": "bearer", "token": {"value": self.key}},
            "time_zone": TIME_ZONE,
            "quarantine": [f"{PLANT}-QUAR"],
            "timeout_ms": 4000,
        }


def pins() -> list[str]:
    """What pip is asked for."""
    return [f"{name}=={SERIES}.*" for name in PACKAGES]


@dataclass(frozen=True, slots=True)
class Installation:
    """Tryton's environment and a seeded database, ready to be copied."""

    home: Path
    database: Path
    key: str


def installed(cache: Path) -> Installation:
    """What a server needs, under ``cache``; made when it is not there yet, each part when its recipe changed."""
    home = cache / _digest(*pins(), sys.version)
    seed = _digest(SEED.read_text(), SEED.with_suffix(".toml").read_text())
    home.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{home.name}.lock"):
        if not (home / "complete").exists():
            _install(home)
            (home / "complete").touch()
        database, key = home / f"{seed}.sqlite", home / f"{seed}.key"
        if not key.exists():
            _seed(home, database, key)
    return Installation(home, database, key.read_text())


def _digest(*recipe: str) -> str:
    return hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock: of two processes that want the same environment one builds and one waits."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(home: Path) -> None:
    venv = home / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    _run("create the environment", [sys.executable, "-m", "venv", str(venv)], home)
    command = [str(venv / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *pins()]
    _run("install Tryton from the package index", command, home)


def _seed(home: Path, database: Path, key: Path) -> None:
    work = home / "build"
    shutil.rmtree(work, ignore_errors=True)
    _configure(work, 0)
    made = work / "db" / f"{DATABASE}.sqlite"
    made.touch()  # SQLite: Tryton wants the file to exist first
    output = _run("seed the database", [str(home / "venv/bin/python"), "-O", str(SEED), str(work)], work)
    made.replace(database)
    key.write_text(output.split()[-1])  # last, for it tells that the database is whole
    shutil.rmtree(work)


def _configure(work: Path, port: int) -> None:
    (work / "db").mkdir(parents=True)
    (work / "password").write_text(PASSWORD)
    (work / "trytond.conf").write_text(
        f"[database]\nuri = sqlite://\npath = {work}/db\n"
        f"[web]\nlisten = 127.0.0.1:{port}\n"
        "[session]\ntimeout = 86400\nmax_age = 86400\nmax_attempt = 3\n"
    )


def _environment(work: Path) -> dict[str, str]:
    """Ours without what would lead the child to our own packages."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return {**ours, "TRYTONPASSFILE": str(work / "password")}


def _run(step: str, command: list[str], work: Path) -> str:
    # Commands are ours, without a shell; cwd keeps our packages off the child's path.
    done = subprocess.run(command, cwd=work, env=_environment(work), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        tail = (done.stderr or done.stdout)[-2000:]
        raise DemoError(f"could not {step} (exit {done.returncode}): {' '.join(command)}\n{tail}")
    return done.stdout


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(cache: Path, *, port: int = 0, start_within: float = 60.0) -> Iterator[TrytonServer]:
    """Start a server on a copy of the seeded database and stop it at the end."""
    found = installed(cache)
    with tempfile.TemporaryDirectory(prefix="tryton-") as scratch:
        work = Path(scratch)
        port = port or free_port()
        _configure(work, port)
        shutil.copy(found.database, work / "db" / f"{DATABASE}.sqlite")
        command = [str(found.home / "venv/bin/python"), str(found.home / "venv/bin/trytond")]
        command += ["-c", str(work / "trytond.conf"), "-d", DATABASE]
        with (work / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                command, cwd=work, env=_environment(work), stdout=log, stderr=log, start_new_session=True
            )
        try:
            url = f"http://127.0.0.1:{port}/{DATABASE}"
            _wait(url, process, work / "log", time.monotonic() + start_within)
            yield TrytonServer(url, found.key)
        finally:
            _stop(process)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, until: float) -> None:
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > until:
            raise DemoError(f"Tryton did not start at {url}\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/rpc/", timeout=5):  # noqa: S310 - a loopback http address
            return True
    except urllib.error.HTTPError:
        return True  # it refuses a GET, so it listens
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
